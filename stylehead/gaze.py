"""Gaze: eyes that stay on the camera while the head moves, with small saccades."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from stylehead.types import Floats

FIXATION = 1.1  # seconds a glance rests, on average
REGULARITY = 2.0  # shape of the gamma distribution of fixations
SPREAD = np.array([1.5, 0.8])  # degrees of saccades about the camera, sideways and upright
SACCADE = 0.05  # seconds that a small saccade takes
HELD = 0.7  # of the head's turn that the eyes take back: the rest follows the head
FARTHEST = 9.0  # degrees the eyes turn in the head


def sample_gaze(rotation: Floats, blink: Floats, fps: Fraction, rng: np.random.Generator) -> Floats:
    """Return eye directions (T, 2) in degrees within the head: to image right, and down.

    rotation (T, 3, 3) is the head's, blink (T,) its lids: many saccades happen behind a blink.
    """
    forward = np.array([0.0, 0.0, -1.0])
    wanted = np.einsum("tij,j->ti", rotation, forward)  # head direction that is the camera's
    held = HELD * np.degrees(np.arcsin(wanted[:, :2].clip(-1, 1)))
    return (held + _saccades(blink, fps, rng)).clip(-FARTHEST, FARTHEST).astype(np.float32)


def _saccades(blink: Floats, fps: Fraction, rng: np.random.Generator) -> Floats:
    """Return steps between fixations (T, 2) in degrees, starting and ending at the camera."""
    frames = len(blink)
    times = np.arange(frames) / float(fps)
    shut = times[1:][(blink[1:] >= 0.5) & (blink[:-1] < 0.5)]
    path, now, place = np.zeros((frames, 2)), 0.0, np.zeros(2)
    while True:
        now += rng.gamma(REGULARITY, FIXATION / REGULARITY)
        target = rng.normal(size=2) * SPREAD
        near = shut[np.abs(shut - now) < 0.4]
        moment = float(near[0]) if len(near) else now
        if now >= times[-1] - FIXATION:
            break
        step = ((times - moment) / SACCADE).clip(0, 1)
        path += (step * step * (3 - 2 * step))[:, None] * (target - place)
        place = target
    back = ((times - (times[-1] - FIXATION / 2)) / SACCADE).clip(0, 1)
    return path - (back * back * (3 - 2 * back))[:, None] * place
