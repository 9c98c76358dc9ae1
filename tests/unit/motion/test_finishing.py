"""What is done to a whole motion, against sums done another way."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.motion import finishing
from stylehead.motion.eyes import USUAL, sample_blinks
from stylehead.motion.finishing import (
    adjust,
    at_rate,
    from_rest,
    keep_lips_apart,
    random_streams,
    resample_curve,
    resample_offsets,
)
from stylehead.options import MotionControls
from stylehead.types import Floats, Motion
from tests.stand_ins.faces import mean_face, performed_motion

FPS = Fraction(30)


def noise(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# ---- controls -------------------------------------------------------------------------------


def test_controls_at_one_leave_a_motion_as_it_is() -> None:
    motion = performed_motion(1.0)
    same = adjust(motion, MotionControls())
    for name in ("landmarks", "rotation", "translation", "blink", "gaze", "neutral"):
        np.testing.assert_array_equal(getattr(same, name), getattr(motion, name))
    assert same.landmarks.dtype == same.translation.dtype == np.float32


def test_head_motion_is_scaled_in_angles_and_places() -> None:
    motion = performed_motion(1.0)
    twice = adjust(motion, MotionControls(pose=2.0))
    angles = angles_from_rotation(motion.rotation)
    np.testing.assert_allclose(angles_from_rotation(twice.rotation), 2 * angles, atol=1e-3)
    np.testing.assert_array_equal(twice.translation, 2 * motion.translation)
    np.testing.assert_array_equal(twice.landmarks, motion.landmarks)


def test_a_stronger_expression_keeps_lips_apart() -> None:
    motion = performed_motion(1.0, opening=-0.1)
    usual = adjust(motion, MotionControls())
    np.testing.assert_array_equal(usual.landmarks, motion.landmarks)  # as the style has it
    stronger = adjust(motion, MotionControls(expression=1.5, shapes=0.0))
    wanted = keep_lips_apart(motion.landmarks * np.float32(1.5), motion.neutral)
    np.testing.assert_array_equal(stronger.landmarks, wanted)
    assert not np.array_equal(wanted, motion.landmarks * np.float32(1.5))


def test_a_rate_replaces_the_blinks_by_ones_of_the_seed_s_second_stream() -> None:
    motion = performed_motion(20.0)
    found = adjust(motion, MotionControls(blinks_per_minute=30.0, seed=5)).blink
    rng = np.random.default_rng([5, 1])
    voice = np.ones(len(motion), np.float32)
    np.testing.assert_array_equal(
        found, sample_blinks(len(motion), voice, FPS, USUAL._replace(rate=30.0), rng)
    )
    assert adjust(motion, MotionControls(blinks_per_minute=0.0)).blink.max() == 0


def test_there_are_three_streams_of_random_numbers() -> None:
    drawn = [rng.random() for rng in random_streams(3)]
    assert drawn == [np.random.default_rng([3, part]).random() for part in range(1, 4)]


# ---- another rate ---------------------------------------------------------------------------


def test_a_curve_is_read_at_the_frames_times_and_held_at_its_end() -> None:
    found = resample_curve(np.float32([0, 1, 4, 9]), Fraction(40), 4)
    assert found.dtype == np.float32
    assert found.tolist() == [0, 2.5, 9, 9]


@pytest.mark.parametrize(
    ("fps", "sigma", "frames"), [(60, 1.2, 122), (25, 1.2, 52), (16, 1.5, 34), (10, 2.4, 21)]
)
def test_offsets_are_gated_smoothed_and_read_between_frames(
    fps, sigma, frames, monkeypatch
) -> None:
    """In pieces of seven frames as all at once; slow rates are smoothed more."""
    monkeypatch.setattr(finishing, "CHUNK", 7)
    offsets, gate = noise(121, 68, 3).astype(np.float16), noise(121)
    done = 0  # of `frames`; the last one may lie beyond the generator's
    found = np.full((frames, 68, 3), np.nan, np.float32)
    for rows, values in resample_offsets(offsets, gate, 60, Fraction(fps), frames):
        assert values.dtype == np.float32
        assert len(values) == rows.stop - rows.start <= 7
        assert rows.start == done
        done = rows.stop
        found[rows] = values
    smooth = gaussian_filter1d(
        offsets.astype(np.float64) * gate[:, None, None], sigma, axis=0, mode="nearest"
    )
    times = np.arange(frames) / fps * 60
    inside = times <= 120
    low = np.floor(times[inside]).astype(int)
    high, part = np.minimum(low + 1, 120), (times[inside] - low)[:, None, None]
    np.testing.assert_allclose(
        found[inside], smooth[low] * (1 - part) + smooth[high] * part, atol=1e-4
    )
    held = np.broadcast_to(smooth[120], found[~inside].shape)
    np.testing.assert_allclose(found[~inside], held, atol=1e-4)
    assert len(found[~inside]) == frames - (2 * fps + 1)


def test_a_motion_at_its_own_rate_is_itself() -> None:
    motion = performed_motion(1.0)
    assert at_rate(motion, FPS) is motion


def test_one_frame_gets_another_rate_and_stays_as_it_is() -> None:
    one = performed_motion(1.0)[:1]
    other = at_rate(one, Fraction(25))
    assert other.fps == 25
    np.testing.assert_array_equal(other.landmarks, one.landmarks)


def turning(frames: int) -> Motion:
    """Return a motion of noise that a spline can show."""
    return Motion(
        noise(frames, 68, 3),
        rotation_from_angles(20 * noise(frames, 3, seed=1)),
        noise(frames, 3, seed=2),
        noise(frames, seed=3),
        FPS,
        mean_face(),
        noise(frames, 2, seed=4),
    )


@pytest.mark.parametrize(("frames", "fps", "count"), [(2, 60, 4), (10, 25, 8), (30, 1, 1)])
def test_another_rate_is_a_spline_of_faces_and_lines_of_lids_and_eyes(frames, fps, count) -> None:
    motion = turning(frames)
    found = at_rate(motion, Fraction(fps))
    assert len(found) == count
    assert found.fps == fps
    old, new = np.arange(frames) / 30, np.minimum(np.arange(count) / fps, (frames - 1) / 30)
    for name in ("landmarks", "translation"):
        wanted = CubicSpline(old, getattr(motion, name))(new)
        np.testing.assert_allclose(getattr(found, name), wanted, atol=1e-5)
        assert getattr(found, name).dtype == np.float32
    np.testing.assert_allclose(found.blink, np.interp(new, old, motion.blink), atol=1e-6)
    for axis in range(2):
        wanted = np.interp(new, old, motion.gaze[:, axis])
        np.testing.assert_allclose(found.gaze[:, axis], wanted, atol=1e-6)
    np.testing.assert_array_equal(found.neutral, motion.neutral)
    turns = found.rotation.astype(np.float64)
    identity = np.broadcast_to(np.eye(3), turns.shape)
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), identity, atol=1e-6)
    assert {found.blink.dtype, found.gaze.dtype, found.rotation.dtype} == {np.dtype(np.float32)}


def test_a_motion_too_short_for_a_slow_rate_keeps_a_frame() -> None:
    assert len(at_rate(turning(2), Fraction(5))) == 1


# ---- between frames -------------------------------------------------------------------------

SLOW, FRAMES = 10, 21  # two seconds at a rate so low that the nearest frame is far off


def swinging(times):
    """Return what everything does at moments (T,): half a swing a second, as large as 1."""
    return np.sin(np.pi * times)


def swing():
    """Return a motion of which every part swings."""
    curve = swinging(np.arange(FRAMES) / SLOW).astype(np.float32)
    return Motion(
        np.tile(0.1 * curve[:, None, None], (1, 68, 3)),
        rotation_from_angles(10 * curve[:, None] * [1, 1, 1]),
        np.tile(0.1 * curve[:, None], (1, 3)),
        0.5 + 0.5 * curve,
        Fraction(SLOW),
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
    inside = times <= (FRAMES - 1) / SLOW
    found = PARTS[part](moved)[inside]
    np.testing.assert_allclose(found, swinging(times[inside]), atol=0.02)


@pytest.mark.parametrize("part", ["landmarks", "rotation", "translation"])
def test_faces_and_heads_curve_between_frames(part):
    """A straight line cuts the top of the swing, which falls between two frames, by 0.012."""
    late = swing()[np.arange(1, FRAMES)]
    moved = at_rate(
        late.with_(fps=Fraction(SLOW, 3)), Fraction(SLOW)
    )  # the same, three times slower
    times = np.arange(len(moved)) / (3 * SLOW) + 1 / SLOW
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


# ---- ends and lips --------------------------------------------------------------------------


def test_a_face_leaves_its_neutral_smoothly_within_a_tenth_of_a_second() -> None:
    """0.12 s at 25 frames a second are 3 frames, of which two thirds are 20 / 27 of the way."""
    found = from_rest(np.ones((20, 68, 3), np.float32), Fraction(25))
    wanted = [0, 7 / 27, 20 / 27, *[1] * 14, 20 / 27, 7 / 27, 0]
    np.testing.assert_allclose(found[:, 30, 1], wanted, atol=1e-6)
    assert (found == found[:, :1, :1]).all()


def test_a_short_motion_leaves_its_neutral_for_half_its_time() -> None:
    """12 frames at 60 a second: a quarter of 0.2 s are 3 frames."""
    given = np.full((12, 68, 3), 2, np.float32)
    found = from_rest(given, Fraction(60))
    wanted = [0, 14 / 27, 40 / 27, 2, 2, 2, 2, 2, 2, 40 / 27, 14 / 27, 0]
    np.testing.assert_allclose(found[:, 8, 0], wanted, atol=1e-6)
    assert (given == 2).all()  # not in place


def test_lips_that_would_cross_meet_half_way_and_pull_the_outer_ones() -> None:
    """Each pair of inner lips by its own overlap, the outer lips by half the mean of all three."""
    neutral = np.zeros((68, 3), np.float32)
    neutral[61:64, 1], neutral[65:68, 1] = -0.05, 0.05
    offsets = np.zeros((2, 68, 3), np.float32)
    offsets[0, 67, 1] = -0.16  # 0.06 too far for 61
    offsets[0, 62, 1] = 0.40  # 0.30 too far for 66
    offsets[0, 65, 1] = -0.04  # still apart from 63
    offsets[:, (50, 57), 1] = 0.2
    found = keep_lips_apart(offsets, neutral)
    wanted = offsets.copy()
    wanted[0, 61, 1], wanted[0, 67, 1] = -0.03, -0.13
    wanted[0, 62, 1], wanted[0, 66, 1] = 0.25, 0.15
    outer = (0.03 + 0.15 + 0) / 3 / 2
    wanted[0, 49:54, 1] -= outer
    wanted[0, 55:60, 1] += outer
    np.testing.assert_allclose(found, wanted, atol=1e-7)
    assert offsets[0, 61, 1] == 0  # not in place
