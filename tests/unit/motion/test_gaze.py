from fractions import Fraction

import numpy as np
import pytest

from stylehead.face.geometry import rotation_from_angles
from stylehead.motion.eyes import FARTHEST, HELD_GAZE, gaze_in, sample_glances
from tests.stand_ins.faces import STILL

FPS = Fraction(60)


def turned(*degrees, frames=600):
    return rotation_from_angles(np.tile(np.array(degrees, np.float32), (frames, 1)))


def gaze(rotation, *, blink=None, seed=0):
    blink = np.zeros(len(rotation), np.float32) if blink is None else blink
    return gaze_in(rotation, sample_glances(blink, FPS, np.random.default_rng(seed)))


def nose(rotation):
    """Return where the head points, to image right and down, in degrees."""
    return np.degrees(np.arcsin((np.array([0, 0, -1.0]) @ rotation)[:, :2]))


@pytest.mark.parametrize("angles", [(6.0, 0, 0), (0, 8.0, 0), (-5.0, -6.0, 0)])
def test_eyes_turn_against_the_head(angles):
    rotation = turned(*angles)
    usual = gaze(turned(0, 0, 0))
    np.testing.assert_allclose(gaze(rotation) - usual, -HELD_GAZE * nose(rotation), atol=0.1)


def test_eyes_never_roll_out_of_sight():
    assert np.abs(gaze(turned(25.0, 40.0, 0))).max() <= FARTHEST


def test_a_still_head_still_has_glances():
    eyes = gaze(turned(0, 0, 0, frames=3600))
    moving = np.abs(np.diff(eyes[:, 0])) > 0.05
    assert 0.01 < moving.mean() < 0.2  # stable most of the time
    assert 0.4 < eyes[:, 0].std() < 3


def test_the_first_and_the_last_look_are_at_the_camera():
    eyes = gaze(turned(0, 0, 0, frames=1200))
    np.testing.assert_allclose(eyes[[0, -1]], 0, atol=1e-5)


def test_saccades_hide_behind_blinks():
    blink = np.zeros(36_000, np.float32)
    for start in range(200, 36_000, 200):
        blink[start : start + 10] = 1
    speed = np.abs(np.diff(gaze(turned(0, 0, 0, frames=36_000), blink=blink)[:, 0]))
    hidden = blink[1:] > 0.5
    assert speed[hidden].mean() > 4 * speed[~hidden].mean()


def test_the_same_seed_gives_the_same_glances():
    rotation = turned(1.0, 2.0, 0)
    np.testing.assert_array_equal(gaze(rotation, seed=4), gaze(rotation, seed=4))
    assert not np.array_equal(gaze(rotation, seed=4), gaze(rotation, seed=5))


@pytest.mark.parametrize("frames", [1, 2, 30])
def test_short_motions_look_straight_ahead(frames):
    np.testing.assert_allclose(gaze(turned(0, 0, 0, frames=frames)), 0, atol=1e-6)


# ---- held while the head turns --------------------------------------------------------------


def held(*degrees, frames=300):
    """Return by how much the eyes turn in a head that is turned, beside those of a straight one."""
    blink = np.zeros(frames, np.float32)
    looks = [
        gaze_in(rotation, sample_glances(blink, Fraction(30), np.random.default_rng(0)))
        for rotation in (
            rotation_from_angles(np.tile(np.array(degrees, np.float32), (frames, 1))),
            np.tile(STILL, (frames, 1, 1)),
        )
    ]
    return (looks[0] - looks[1]).mean(0)


@pytest.mark.parametrize("degrees", [8.0, -6.0])
def test_eyes_take_most_of_a_turned_head_back(degrees):
    """Numbers and not the product's constant: held eyes are the promise."""
    right, down = held(0, degrees, 0)  # the head to the image's right, the eyes to its left
    assert -0.85 < right / degrees < -0.5
    assert abs(down) < 0.3


@pytest.mark.parametrize("degrees", [6.0, -5.0])
def test_eyes_take_most_of_a_nod_back(degrees):
    right, down = held(degrees, 0, 0)  # the head down, the eyes up
    assert -0.85 < down / degrees < -0.5
    assert abs(right) < 0.3


def test_a_head_that_only_tilts_leaves_the_eyes_at_the_camera():
    np.testing.assert_allclose(held(0, 0, 10), 0, atol=0.1)
