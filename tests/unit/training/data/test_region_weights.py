"""W on the mean face, and pixel by pixel on faces made of rectangles."""

from __future__ import annotations

import numpy as np
import pytest

from stylehead.training.data.region_weights import region_weights
from stylehead.types import Floats, Pixels
from tests.stand_ins.faces import mean_face

Box = tuple[float, float, float, float]  # left, top, right, bottom


def corners(box: Box, count: int) -> Floats:
    """Return a rectangle's corners, the last one as often as it takes."""
    left, top, right, bottom = box
    points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return np.array(points + points[-1:] * (count - 4), np.float32)


def drawn(face: Box, *, right_eye: Box, left_eye: Box, mouth: Box, size: int) -> Pixels:
    left, top, right, bottom = face
    points = np.zeros((68, 2), np.float32)
    points[:17] = np.linspace((left, bottom), (right, bottom), 17)
    points[17:27] = np.linspace((left, top), (right, top), 10)
    points[36:42], points[42:48] = corners(right_eye, 6), corners(left_eye, 6)
    points[48:60] = corners(mouth, 12)
    points[60:] = 1  # the inner lips do not count, nor does the nose at 0, 0
    return region_weights(points, size)


def extent(weights: Pixels, value: int) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(weights == value)
    return columns.min(), rows.min(), columns.max(), rows.max()


PARTS: dict[str, Box] = {
    "right_eye": (55, 60, 75, 70),
    "left_eye": (125, 60, 145, 70),
    "mouth": (80, 120, 120, 140),
}


def test_areas_are_the_rectangles_widened_by_shares_of_the_face_s_width() -> None:
    """The face is 100 wide: eyes reach 6 pixels past their outline, lips 4, skin none."""
    weights = drawn((50, 40, 150, 160), **PARTS, size=200)
    assert weights.shape == (200, 200)
    assert weights.dtype == np.uint8
    assert extent(weights, 1) == (50, 40, 150, 160)
    assert extent(weights[:, :100], 3) == (49, 54, 81, 76)
    assert extent(weights[:, 100:], 3) == (19, 54, 51, 76)
    assert extent(weights, 5) == (76, 116, 124, 144)
    assert (weights[130, 76:125] == 5).all()
    assert (weights[60:71, 55:76] == 3).all()
    assert (weights[60:71, 125:146] == 3).all()
    assert (weights[65, 82:119] == 1).all()


def test_the_later_region_wins() -> None:
    mouth = (40.0, 50.0, 160.0, 150.0)
    weights = drawn((50, 40, 150, 160), **(PARTS | {"mouth": mouth}), size=200)
    assert set(np.unique(weights[55:145, 45:155])) == {5}


@pytest.mark.parametrize(("width", "past"), [(24, 0), (25, 1)])
def test_less_than_a_pixel_is_not_widened(width: int, past: int) -> None:
    parts: dict[str, Box] = dict.fromkeys(("right_eye", "left_eye"), (2, 2, 3, 3))
    weights = drawn((20, 20, 20 + width, 60), **parts, mouth=(25, 40, 35, 50), size=80)
    assert extent(weights, 5) == (25 - past, 40 - past, 35 + past, 50 + past)


def test_the_face_is_as_wide_as_its_jaw() -> None:
    """Brows that reach 50 pixels past it do not make the lips' margin wider than 4."""
    points = np.ones((68, 2), np.float32)
    points[:17] = np.linspace((50, 160), (150, 160), 17)
    points[17:27] = np.linspace((0, 40), (200, 40), 10)
    points[48:60] = corners(PARTS["mouth"], 12)
    assert extent(region_weights(points, 220), 5) == (76, 116, 124, 144)


# ---- the mean face --------------------------------------------------------------------------

SIDE = 512
POINTS = (SIDE / 4 * mean_face()[:, :2] + SIDE / 2).astype(np.float32)  # a face 128 between eyes
WEIGHTS = region_weights(POINTS, SIDE)


def middle(*rows):
    return POINTS[list(rows)].mean(0)


@pytest.mark.parametrize(
    ("weight", "place"),
    [
        pytest.param(5, middle(62, 66), id="between the lips"),
        pytest.param(5, middle(50, 51, 52), id="upper lip"),
        pytest.param(5, middle(56, 57, 58), id="lower lip"),
        pytest.param(3, middle(*range(36, 42)), id="right eye"),
        pytest.param(3, middle(*range(42, 48)), id="left eye"),
        pytest.param(1, middle(30), id="nose"),
        pytest.param(1, middle(2, 31), id="right cheek"),
        pytest.param(1, middle(14, 35), id="left cheek"),
        pytest.param(1, middle(8, 57), id="chin"),
        pytest.param(1, middle(19, 37), id="under the brow"),
        pytest.param(0, middle(8) - [0, -12], id="neck"),
        pytest.param(0, middle(0) - [12, 0], id="ear"),
        pytest.param(0, middle(19, 24) - [0, 40], id="hair"),
        pytest.param(0, np.array([3, 3]), id="background"),
    ],
)
def test_w_is_the_papers_five_three_one_and_nothing_elsewhere(weight, place):
    column, row = np.round(place).astype(int)
    assert WEIGHTS[row, column] == weight


def test_w_has_no_other_values():
    assert np.unique(WEIGHTS).tolist() == [0, 1, 3, 5]
