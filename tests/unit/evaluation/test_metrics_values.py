"""Edges of the metrics: the shortest clips, mouths that never open, and other kinds of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from stylehead.evaluation.metrics import (
    Mode,
    centred_mouth,
    mouth_area,
    normalised,
    style_distance,
    velocities,
)
from stylehead.types import Floats

WIDTH = 200.0


def face(opening: float = 10.0) -> Floats:
    """A face 200 pixels wide; the inner mouth is 20 pixels wide and `opening` high."""
    points = np.random.default_rng(5).uniform(60, 140, (68, 2))
    points[0], points[16], points[8], points[20] = (0, 90), (WIDTH, 90), (100, 220), (90, 40)
    points[60:68, 0] = [100, 100, 110, 120, 120, 120, 110, 100]
    points[60:68, 1] = [150 + opening * low for low in (0.5, 0, 0, 0, 0.5, 1, 1, 1)]
    return points


def clip(*openings: float) -> Floats:
    return np.stack([face(opening) for opening in openings])


@pytest.mark.parametrize("measure", [normalised, velocities, centred_mouth])
def test_single_precision_is_measured_in_double(measure) -> None:
    """Thirds of a pixel far from the origin: single precision would be off by 1e-7."""
    points = (clip(10, 5, 8) / 3 + 1000).astype(np.float32)
    found = measure(points)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, measure(points.astype(np.float64)))


def test_whole_pixels_may_be_unsigned() -> None:
    points = clip(10, 5, 8).round().astype(np.uint16)
    np.testing.assert_array_equal(velocities(points), velocities(points.astype(float)))


def test_one_face_has_an_area_without_a_time_axis() -> None:
    assert mouth_area(face()) == pytest.approx(20 * 10 / WIDTH**2)
    assert mouth_area(clip(10, 5)) == pytest.approx([200 / WIDTH**2, 100 / WIDTH**2])


def test_smd_is_relative_to_the_largest_area_of_the_whole_reference() -> None:
    """Windows of two frames of mouths open by 10, 5, 5, 2: against a shut one, by hand."""
    reference, shut = clip(10, 5, 5, 2), clip(0, 0, 0)
    found = style_distance(reference, shut, [(2, 1)]).smd
    assert found == pytest.approx(100 * np.mean([7.5, 5, 3.5]) / 10)
    in_window = style_distance(reference, shut, [(2, 1)], area_of_window=True).smd
    assert in_window == pytest.approx(100 * np.mean([7.5 / 10, 5 / 5, 3.5 / 5]))


def test_the_authors_script_has_no_area_of_a_window() -> None:
    reference, result = clip(10, 5, 5, 2), clip(0, 3, 1)
    plain = style_distance(reference, result, [(2, 1)], mode=Mode.AUTHORS)
    same = style_distance(reference, result, [(2, 1)], mode=Mode.AUTHORS, area_of_window=True)
    assert plain == same


def test_a_reference_mouth_that_never_opens_has_no_smd_but_the_rest() -> None:
    found = style_distance(clip(0, 0, 0), clip(10, 5, 8), [(2, 1)])
    assert np.isnan(found.smd)
    assert found.sld > 0
    in_window = style_distance(clip(0, 0, 0), clip(10, 5, 8), [(2, 1)], area_of_window=True)
    assert np.isnan(in_window.smd)


def test_two_frames_have_a_speed() -> None:
    """The mouth opens, the rest is still: of 68 points three move by 4 and two by 2 pixels."""
    found = style_distance(clip(4, 8), clip(4, 4), [(2, 1)])
    assert found.slv == pytest.approx(100 * (3 * 4 + 2 * 2) / 68 / WIDTH)


def test_where_no_window_fits_nothing_is_known() -> None:
    found = style_distance(clip(4, 8), clip(4, 4, 4), [(3, 1), (1, 1)])
    assert np.isnan([found.sld, found.slv, found.smd]).all()
