"""Head motion: a random process with a style's ranges, tempo and correlations, led by the voice."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stylehead.geometry import angles_from_rotation, rotation_from_angles
from stylehead.types import Floats, Style
from stylehead.walk import damped_walk, tempo_of

LARGEST_RANGE = np.array([20.0, 26.0, 16.0, 0.35, 0.25, 0.4])
"""Degrees and interocular, 5th to 95th percentile; a clip of somebody walking is not followed."""
NORMAL_RANGE = 3.29  # the same of a normal distribution of unit spread
QUIET = 0.45  # of the process's drive that is left in pauses
NOD = 0.5  # spreads of pitch that a fully stressed syllable adds, downwards
FADE = 0.5  # seconds at both ends in which the head leaves and reaches its rest
RANGE_FROM = 4.0  # seconds from which the sample's own range is brought to the style's


def sample_head(
    voice: Floats,
    stress: Floats,
    style: Style,
    fps: Fraction,
    gain: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return head rotation (T, 3, 3) and translation (T, 3) for a voice.

    Pitch, yaw, roll and the three shifts walk with the style's tempo and correlations, less in
    pauses; stress nods. Ranges are the style's, up to LARGEST_RANGE.
    """
    frames, step = len(voice), 1 / float(fps)
    ranges, tempo, mixing = _style_process(style)
    drive = QUIET + (1 - QUIET) * gaussian_filter1d(voice, 0.3 / step)
    path = damped_walk(drive, tempo, mixing, step, rng)
    path[:, 0] += NOD * gaussian_filter1d(stress, 0.05 / step)
    path = 2.5 * np.tanh(path / 2.5)  # no sudden looks far aside
    reached = np.full(6, NORMAL_RANGE)
    if frames * step >= RANGE_FROM:
        path -= path.mean(0)
        low, high = np.percentile(path, [5, 95], axis=0)
        reached = high - low + 1e-6
    path *= gain * ranges / reached
    ends = (np.minimum(np.arange(frames), np.arange(frames)[::-1]) * step / FADE).clip(0, 1)
    path *= (ends * ends * (3 - 2 * ends))[:, None]
    return rotation_from_angles(path[:, :3]), path[:, 3:].astype(np.float32)


def _style_process(style: Style) -> tuple[Floats, Floats, Floats]:
    """Return ranges (6,), tempo in rad/s (6,) and the mixing (6, 6) of correlated noise."""
    motion = style.motion
    path = np.column_stack([angles_from_rotation(motion.rotation), motion.translation])
    low, high = np.percentile(path, [5, 95], axis=0)
    tempo = tempo_of(path, 1 / float(motion.fps))
    spread = path - path.mean(0)
    spread = spread / np.maximum(spread.std(0), 1e-6)
    # A tenth of independence keeps the matrix invertible for clips in which axes move as one.
    correlation = 0.9 * (spread.T @ spread) / len(spread) + 0.1 * np.eye(6)
    np.fill_diagonal(correlation, 1.0)
    sizes, vectors = np.linalg.eigh(correlation)
    mixing = vectors * np.sqrt(sizes.clip(1e-6, None))
    return np.minimum(high - low, LARGEST_RANGE), tempo, mixing
