from __future__ import annotations

import numpy as np
import pytest

from stylehead.evaluation.sharpness import canny_edges, cpbd
from stylehead.types import Floats

ROWS, COLUMNS = np.mgrid[:192, :192]


def stripes(amplitude: float, steepness: float) -> Floats:
    wave = np.sin(2 * np.pi * (COLUMNS + 0.15 * ROWS) / 37.7)
    return np.round(128 + amplitude * np.tanh(steepness * wave))


# Values of the public Python port of CPBD.
@pytest.mark.parametrize(
    ("amplitude", "steepness", "value"),
    [
        (100, 2, 0.0),
        (100, 4, 0.002692514808831449),
        (100, 10, 0.01691216584833606),
        (100, 20, 1.0),
        (20, 1, 0.0625),
        (20, 4, 0.023887079261672096),
        (20, 6, 0.5370774263904036),
        (20, 20, 1.0),
    ],
)
def test_stripes_have_the_sharpness_of_the_public_port(
    amplitude: float, steepness: float, value: float
) -> None:
    assert cpbd(stripes(amplitude, steepness)) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    "picture",
    [
        np.full((192, 192), 128.0),
        COLUMNS.astype(float),
        20 + 200.0 * ((COLUMNS // 16 + ROWS // 16) % 2),
    ],
    ids=["constant", "ramp", "perfect steps"],
)
def test_a_picture_without_edges_of_measurable_width_has_none(picture: Floats) -> None:
    assert cpbd(picture) == 0


def test_a_steep_step_is_one_connected_line_of_edges() -> None:
    picture = np.where(COLUMNS > 95, 200.0, 40.0)
    edges = canny_edges(picture)
    assert edges[10:-10].any(axis=1).all()
    assert set(np.flatnonzero(edges[10:-10].any(axis=0))) <= {95, 96}


def test_a_weak_edge_counts_only_where_it_joins_a_strong_one() -> None:
    weak = np.where(COLUMNS > 95, 0.052, 0.0)  # smoothed, a gradient between the two thresholds
    assert not canny_edges(weak).any()
    joined = weak * (1 + ROWS / 48)  # from the middle down it is strong
    assert canny_edges(joined)[10:-10, 94:98].any(axis=1).all()


def test_noise_has_the_edges_of_the_library_that_the_port_calls() -> None:
    # Counted with scikit-image 0.26, skimage.feature.canny at its defaults.
    noise = np.random.default_rng(0).integers(0, 256, (120, 90)).astype(float)
    assert canny_edges(noise).sum() == 4091
