"""What is done to a whole motion: controls, filmed mouths, lips apart, rest, resampling."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from stylehead.face.brows import filmed_brows
from stylehead.face.geometry import (
    angles_from_rotation,
    nearest_rotation,
    rotation_from_angles,
    smoothstep,
)
from stylehead.face.landmarks import MOUTH_PAIRS
from stylehead.face.shapes import FaceShapes
from stylehead.motion.eyes import USUAL, sample_blinks
from stylehead.options import MotionControls
from stylehead.types import CHUNK, MOTION_FPS, Floats, Motion

SMOOTHING = 1.2  # frames at 60 fps of Gaussian, on the generator's output
ENDS = 0.12  # seconds at both ends in which the face leaves and reaches its neutral


def adjust(motion: Motion, controls: MotionControls) -> Motion:
    """Apply controls to a finished motion; its own blinks stay unless a rate is set."""
    blink = motion.blink
    if controls.blinks_per_minute is not None:
        voice = np.ones(len(motion), np.float32)
        rng = random_streams(controls.seed)[0]
        habit = USUAL._replace(rate=controls.blinks_per_minute)
        blink = sample_blinks(len(motion), voice, motion.fps, habit, rng)
    angles = angles_from_rotation(motion.rotation) * controls.head_scale
    landmarks = motion.landmarks
    if controls.expression != 1:
        landmarks = landmarks * np.float32(controls.expression)
        landmarks = with_filmed_shapes(landmarks, controls.shapes)
        landmarks = keep_lips_apart(landmarks, motion.neutral)
    return motion.with_(
        landmarks=landmarks,
        rotation=motion.rotation if controls.head_scale == 1 else rotation_from_angles(angles),
        translation=motion.translation * np.float32(controls.head_scale),
        blink=blink,
    )


def random_streams(seed: int, *who: int) -> tuple[np.random.Generator, ...]:
    """Return one random generator each for blinks, brows and gaze.

    Changing one then leaves the others unchanged; heads have their own, see `blended_head`. With
    `who` each person and each recording has other random numbers at the same seed.
    """
    return tuple(np.random.default_rng([seed, part, *who]) for part in range(1, 4))


def resample_curve(values: Floats, fps: Fraction, frames: int) -> Floats:
    """Return a curve (T,) at MOTION_FPS at another rate, (frames,), by straight lines."""
    times = np.arange(frames) / float(fps) * MOTION_FPS
    return np.interp(times, np.arange(len(values)), values).astype(np.float32)


def resample_offsets(
    offsets: NDArray[np.float16], gate: Floats, rate: int, fps: Fraction, frames: int
) -> Iterator[tuple[slice, Floats]]:
    """Smooth, gate and resample offsets (N, 68, 3) from `rate` to `fps`, in pieces.

    Yields rows of the output (frames, 68, 3) and their values.
    """
    margin = 12
    # Below 60 fps the smoothing also keeps motion that the rate cannot show from folding back.
    sigma = max(SMOOTHING, 0.4 * rate / float(fps))
    for start in range(0, frames, CHUNK):
        rows = np.arange(start, min(start + CHUNK, frames))
        times = rows / float(fps) * rate
        first = max(0, int(times[0]) - margin)
        last = min(len(offsets), int(times[-1]) + margin + 2)
        piece = offsets[first:last].astype(np.float32)
        piece *= gate[first:last, None, None]
        piece = gaussian_filter1d(piece, sigma, axis=0, mode="nearest")
        low = np.floor(times).astype(int).clip(0, len(offsets) - 1)
        high = (low + 1).clip(max=len(offsets) - 1)
        fraction = (times - low).astype(np.float32)[:, None, None]
        yield (
            slice(rows[0], rows[-1] + 1),
            piece[low - first] * (1 - fraction) + piece[high - first] * fraction,
        )


def from_rest(values: Floats, fps: Fraction) -> Floats:
    """Return what is 0 in the portrait itself (T, ...), made 0 at both ends: a video goes round."""
    values = values.copy()
    frames = len(values)
    from_ends = np.minimum(np.arange(frames), np.arange(frames)[::-1])
    reach = min(ENDS, frames / float(fps) / 4) * float(fps)
    ramp = (from_ends[from_ends < reach] / reach).astype(np.float32)
    values[from_ends < reach] *= smoothstep(ramp).reshape(-1, *[1] * (values.ndim - 1))
    return values


def with_filmed_shapes(landmarks: Floats, amount: float) -> Floats:
    """Return offsets (T, 68, 3) on the way to shapes that filmed faces have; with 1, those."""
    if amount == 0:
        return landmarks
    filmed = filmed_brows(FaceShapes.embedded().nearest(landmarks))
    return filmed if amount == 1 else landmarks + np.float32(amount) * (filmed - landmarks)


def keep_lips_apart(landmarks: Floats, neutral: Floats) -> Floats:
    """Return offsets (T, 68, 3) whose inner lips meet half way where they would cross.

    Outer lips follow by half; the overlap is taken frame by frame. neutral (68, 3), head space.
    """
    landmarks = landmarks.copy()
    placed = landmarks[..., 1] + neutral[:, 1]
    overlaps: list[Floats] = []
    for upper, lower in MOUTH_PAIRS:
        overlap = (placed[:, upper] - placed[:, lower]).clip(0, None) / 2
        landmarks[:, upper, 1] -= overlap
        landmarks[:, lower, 1] += overlap
        overlaps.append(overlap)
    mean = np.mean(overlaps, axis=0)[:, None] / 2
    landmarks[:, 49:54, 1] -= mean
    landmarks[:, 55:60, 1] += mean
    return landmarks


def at_rate(motion: Motion, fps: Fraction) -> Motion:
    """Resample a motion in time by cubic interpolation; the same motion at its own rate."""
    if fps == motion.fps:
        return motion
    if len(motion) < 2:
        return motion.with_(fps=fps)
    old = np.arange(len(motion)) / float(motion.fps)
    count = max(1, round(len(motion) / motion.fps * fps))
    new = (np.arange(count) / float(fps)).clip(max=old[-1])

    def moved(values: Floats) -> Floats:
        return CubicSpline(old, values, axis=0)(new).astype(np.float32)

    return Motion(
        moved(motion.landmarks),
        nearest_rotation(moved(motion.rotation)),
        moved(motion.translation),
        np.interp(new, old, motion.blink).astype(np.float32),
        fps,
        motion.neutral,
        np.stack([np.interp(new, old, axis) for axis in motion.gaze.T], 1).astype(np.float32),
    )
