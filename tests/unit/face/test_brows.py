"""Brows go no further than filmed ones."""

import numpy as np
import pytest

from stylehead.face.brows import BROWS, LIMITS, filmed_brows

LEFT, RIGHT = map(list, BROWS)


def moved(heights):
    """Faces (T, 68, 3) whose brows are lowered so far, all points alike."""
    offsets = np.zeros((len(heights), 68, 3), np.float32)
    offsets[:, LEFT + RIGHT, 1] = np.asarray(heights)[:, None]
    return offsets


def test_usual_brows_stay_as_they_are():
    faces = moved([-0.04, -0.01, 0.0, 0.02])
    np.testing.assert_allclose(filmed_brows(faces), faces, atol=1e-7)


@pytest.mark.parametrize("brow", [LEFT, RIGHT])
def test_no_brow_is_lowered_or_raised_beyond_what_was_filmed(brow):
    heights = filmed_brows(moved([-0.3, 0.3]))[:, brow, 1]
    np.testing.assert_allclose(heights, LIMITS[:, [0, 3]].T, atol=1e-3)


def test_what_rises_keeps_rising():
    heights = filmed_brows(moved(np.linspace(-0.08, 0.06, 60)))[:, RIGHT, 1]
    assert (np.diff(heights, axis=0) > 0).all()


def test_nothing_but_the_height_of_brows_is_touched():
    faces = np.random.default_rng(0).standard_normal((5, 68, 3)).astype(np.float32)
    changed = filmed_brows(faces) != faces
    changed[:, LEFT + RIGHT, 1] = False
    assert not changed.any()
