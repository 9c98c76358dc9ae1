"""Motion between its frames, and eyes that hold their gaze while the head turns."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.motion.eyes import sample_gaze
from stylehead.motion.finishing import at_rate, resample_curve, resample_offsets
from stylehead.types import Motion
from tests.stand_ins.faces import STILL, mean_face

# ---- between frames -------------------------------------------------------------------------

FPS, FRAMES = 10, 21  # two seconds at a rate so low that the nearest frame is far off


def swinging(times):
    """Return what everything does at moments (T,): half a swing a second, as large as 1."""
    return np.sin(np.pi * times)


def swing():
    """Return a motion of which every part swings."""
    curve = swinging(np.arange(FRAMES) / FPS).astype(np.float32)
    return Motion(
        np.tile(0.1 * curve[:, None, None], (1, 68, 3)),
        rotation_from_angles(10 * curve[:, None] * [1, 1, 1]),
        np.tile(0.1 * curve[:, None], (1, 3)),
        0.5 + 0.5 * curve,
        Fraction(FPS),
        mean_face(),
        np.tile(5 * curve[:, None], (1, 2)),
    )


PARTS = {
    "landmarks": (lambda motion: motion.landmarks[:, 8, 1] / 0.1),
    "rotation": (lambda motion: angles_from_rotation(motion.rotation)[:, 1] / 10),
    "translation": (lambda motion: motion.translation[:, 0] / 0.1),
    "blink": (lambda motion: (motion.blink - 0.5) / 0.5),
    "gaze": (lambda motion: motion.gaze[:, 0] / 5),
}
"""Part of a motion -> its swing, of size 1."""


@pytest.mark.parametrize("fps", [25, 60])
@pytest.mark.parametrize("part", PARTS)
def test_what_is_shown_between_two_frames_lies_between_them(part, fps):
    """The nearest frame would be off by up to 0.16, half a frame of the quickest swing."""
    moved = at_rate(swing(), Fraction(fps))
    times = np.arange(len(moved)) / fps
    inside = times <= (FRAMES - 1) / FPS
    found = PARTS[part](moved)[inside]
    np.testing.assert_allclose(found, swinging(times[inside]), atol=0.02)


@pytest.mark.parametrize("part", ["landmarks", "rotation", "translation"])
def test_faces_and_heads_curve_between_frames(part):
    """A straight line cuts the top of the swing, which falls between two frames, by 0.012."""
    late = swing()[np.arange(1, FRAMES)]
    moved = at_rate(late.with_(fps=Fraction(FPS, 3)), Fraction(FPS))  # the same, three times slower
    times = np.arange(len(moved)) / (3 * FPS) + 1 / FPS
    rows = slice(6, -10)  # cubics know less at the ends
    np.testing.assert_allclose(PARTS[part](moved)[rows], swinging(times)[rows], atol=2e-3)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(50), Fraction(30_000, 1001)])
def test_predicted_landmarks_are_read_between_the_generator_s_frames(fps):
    """At 25 a second frame 1 is the generator's 2.4th: of a ramp, 2.4."""
    ramp = np.tile(np.arange(120, dtype=np.float16)[:, None, None], (1, 68, 3))
    frames = int(2 * fps)
    found = np.zeros((frames, 68, 3), np.float32)
    for rows, values in resample_offsets(ramp, np.ones(120, np.float32), 60, fps, frames):
        found[rows] = values
    wanted = np.arange(frames) / float(fps) * 60
    inside = slice(8, -8)  # smoothing bends the ramp's ends
    np.testing.assert_allclose(found[inside, 8, 1], wanted[inside], atol=0.02)


def test_the_voice_is_read_between_the_generator_s_frames():
    found = resample_curve(np.arange(60, dtype=np.float32), Fraction(25), 24)
    np.testing.assert_allclose(found, np.arange(24) * 2.4, rtol=1e-5)


# ---- gaze -----------------------------------------------------------------------------------


def held(*degrees, frames=300):
    """Return by how much the eyes turn in a head that is turned, beside those of a straight one."""
    blink = np.zeros(frames, np.float32)
    looks = [
        sample_gaze(rotation, blink, Fraction(30), np.random.default_rng(0))
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
