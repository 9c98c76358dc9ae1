"""Head motion: a random process with a style's ranges, tempo and correlations, led by the voice."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stylehead.geometry import angles_from_rotation, rotation_from_angles
from stylehead.types import Floats, Style

LARGEST_STD = np.array([6.0, 8.0, 5.0, 0.12, 0.08, 0.15])
"""Degrees and interocular; a clip in which somebody walks about is not followed further."""
TEMPO = (0.6, 6.0)  # rad/s; slower is drift, faster is trembling
QUIET = 0.45  # of the process's drive that is left in pauses
NOD = 0.5  # of the pitch's std that a fully stressed syllable adds, downwards
FADE = 0.5  # seconds at both ends in which the head leaves and reaches its rest
WARM_UP = 10.0  # seconds of the process before the first frame
SPREAD_FROM = 4.0  # seconds from which the sample's own spread is brought to the style's


def sample_head(
    voice: Floats,
    stress: Floats,
    style: Style,
    fps: Fraction,
    gain: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return head rotation (T, 3, 3) and translation (T, 3) for a voice.

    Each of pitch, yaw, roll and the three shifts is a critically damped spring pushed by noise,
    second-order autoregressive: its tempo is the style's ratio of speed to range, its noise is
    correlated across axes as in the style and weaker in pauses. Stress nods.
    """
    frames = len(voice)
    std, tempo, mixing = _style_process(style)
    step = 1 / float(fps)
    lead = round(WARM_UP / step)
    noise = rng.standard_normal((lead + frames, 6)) @ mixing.T
    drive = np.concatenate([np.ones(lead), QUIET + (1 - QUIET) * gaussian_filter1d(voice, 8)])
    states = np.zeros((lead + frames, 6))
    place, speed = np.zeros(6), np.zeros(6)
    push = 2 * tempo**1.5 / np.sqrt(step)  # unit variance at full drive
    for t in range(lead + frames):
        force = push * noise[t] * drive[t] - 2 * tempo * speed - tempo**2 * place
        speed = speed + step * force
        place = place + step * speed
        states[t] = place
    path = states[lead:]
    if frames * step >= SPREAD_FROM:
        path = (path - path.mean(0)) / (path.std(0) + 1e-9)
    path[:, 0] += NOD * gaussian_filter1d(stress, 0.05 / step)
    path = 2.5 * np.tanh(path / 2.5) * std * gain  # no sudden looks far aside
    ends = np.minimum(np.arange(frames), np.arange(frames)[::-1]) * step / FADE
    path *= np.clip(ends, 0, 1)[:, None] ** 2 * (3 - 2 * np.clip(ends, 0, 1)[:, None])
    return rotation_from_angles(path[:, :3]), path[:, 3:].astype(np.float32)


def _style_process(style: Style) -> tuple[Floats, Floats, Floats]:
    """Return std (6,), tempo in rad/s (6,) and the mixing (6, 6) of correlated noise."""
    motion = style.motion
    path = np.column_stack([angles_from_rotation(motion.rotation), motion.translation])
    std = path.std(0)
    speed = np.gradient(path, 1 / float(motion.fps), axis=0).std(0)
    tempo = (speed / (std + 1e-6)).clip(*TEMPO)
    correlation = np.corrcoef(path.T + 1e-9 * np.arange(6)[:, None])
    correlation = 0.9 * np.nan_to_num(correlation) + 0.1 * np.eye(6)
    np.fill_diagonal(correlation, 1.0)
    sizes, vectors = np.linalg.eigh(correlation)
    mixing = vectors * np.sqrt(sizes.clip(1e-6, None))
    return np.minimum(std, LARGEST_STD), tempo, mixing
