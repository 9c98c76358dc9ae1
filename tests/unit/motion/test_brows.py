from fractions import Fraction

import numpy as np
import pytest

from stylehead.face.landmarks import REGIONS
from stylehead.motion.expression import sample_brows
from tests.stand_ins.faces import make_style, performed_motion

BROWS = list(REGIONS["brows"])


def brows(style, *, seconds=60, fps=30, seed=0, stress=None):
    voice = np.ones(seconds * fps, np.float32)
    stress = 0 * voice if stress is None else stress
    return sample_brows(voice, stress, style, Fraction(fps), np.random.default_rng(seed))


def raising(size):
    """A style whose brows go straight up and down with a std of `size`."""
    return make_style(performed_motion(30, spread={"brows": (0.0, size, 0.0)}))


def test_each_frame_has_ten_brow_points():
    moves = brows(raising(0.03), seconds=4, fps=25)
    assert moves.shape == (100, 10, 3)
    assert moves.dtype == np.float32


@pytest.mark.parametrize("size", [0.01, 0.05])
def test_brows_move_as_far_as_the_styles(size):
    assert brows(raising(size)).std(0)[:, 1].mean() == pytest.approx(size, rel=0.35)


def test_brows_move_the_way_the_styles_do():
    spread = brows(raising(0.03)).std(0).mean(0)
    assert spread[0] < 0.05 * spread[1]
    assert spread[2] < 0.05 * spread[1]


def test_brows_move_about_their_mean():
    np.testing.assert_allclose(brows(raising(0.03)).mean(0), 0, atol=1e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_stressed_syllable_raises_the_brows(sign):
    style = raising(0.03)
    style.motion.landmarks[:, BROWS, 1] *= sign  # the sign of a principal direction is chance
    stress = np.zeros(60 * 30, np.float32)
    stress[900:905] = 1
    change = brows(style, stress=stress) - brows(style)
    assert change[902, :, 1].mean() < -0.003  # y is down
    assert np.abs(change[902, :, 1]).mean() > 5 * np.abs(change[300, :, 1]).mean()


def test_still_brows_stay_still():
    assert np.abs(brows(raising(0.0))).max() < 1e-6


def test_the_same_chance_gives_the_same_brows():
    style = raising(0.02)
    np.testing.assert_array_equal(brows(style, seed=2), brows(style, seed=2))
    assert (brows(style, seed=2) != brows(style, seed=3)).any()
