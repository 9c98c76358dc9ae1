"""Blinks and gaze."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from stylehead.face.geometry import smoothstep
from stylehead.types import Floats, Style, StyleMix


def blended_blink_rate(mix: StyleMix) -> float:
    """Return blinks a minute: the styles' by their weights, the usual rate for what remains."""
    rate = USUAL_RATE
    for weight in mix.weights:
        rate += weight.eyes * (style_blink_rate(weight.style) - USUAL_RATE)
    return max(rate, 0.0)


USUAL_RATE = 17.0  # a minute, in conversation
PRIOR_MINUTES = 0.15  # how much of the usual rate a clip's own count is mixed with
CLOSING, SHUT, OPENING = 0.067, 0.033, 0.117  # seconds of a human blink
REGULARITY = 3.0  # shape of the gamma distribution of gaps
MOST = 45.0  # a minute; a higher count is lids narrowed by laughter or a flickering track
SHORTEST_GAP = 0.4  # seconds between the ends of two blinks


def style_blink_rate(style: Style) -> float:
    """Return blinks a minute: the clip's count, leaning on the usual rate when it is short."""
    minutes = style.motion.seconds / 60
    counted = style.statistics["blinks_per_minute"] * minutes
    return min(MOST, (counted + USUAL_RATE * PRIOR_MINUTES) / (minutes + PRIOR_MINUTES))


def sample_blinks(
    frames: int, voice: Floats, fps: Fraction, rate: float, rng: np.random.Generator
) -> Floats:
    """Return lid closure (T,): blinks with gamma-distributed gaps, drawn towards pauses.

    `rate` is blinks a minute; 0 gives none.
    """
    closure = np.zeros(frames, np.float32)
    if rate <= 0:
        return closure
    length = CLOSING + SHUT + OPENING
    mean_gap = max(60 / rate, length + SHORTEST_GAP)
    seconds = frames / float(fps)
    times = np.arange(frames) / float(fps)
    now = rng.gamma(REGULARITY, mean_gap / REGULARITY) * rng.uniform(0.3, 1)
    free = 0.0  # when lids have been open for long enough
    while now < seconds - length:
        start = min(max(_nearest_pause(now, voice, fps), free), seconds - length)
        if start < free:
            break
        free = start + length + SHORTEST_GAP
        closing = (times - start) / CLOSING
        opening = (start + length - times) / OPENING
        closure = np.maximum(closure, np.minimum(closing, opening).clip(0, 1))
        gap = rng.gamma(REGULARITY, mean_gap / REGULARITY)
        now += max(gap, length + SHORTEST_GAP)
    return smoothstep(closure).astype(np.float32)


def _nearest_pause(now: float, voice: Floats, fps: Fraction) -> float:
    """Move a blink to the quietest moment within 0.3 s: people blink between phrases."""
    reach = round(0.3 * fps)
    middle = round(now * fps)
    low, high = max(0, middle - reach), min(len(voice), middle + reach + 1)
    around = voice[low:high]
    if len(around) == 0 or around.min() > 0.5:
        return now
    return (low + int(np.argmin(around))) / float(fps)


FIXATION = 1.1  # seconds a glance rests, on average
FIXATION_REGULARITY = 2.0  # shape of the gamma distribution of fixations
SPREAD = np.array([1.5, 0.8])  # degrees of saccades about the camera, sideways and upright
SACCADE = 0.05  # seconds that a small saccade takes
HELD_GAZE = 0.7  # of the head's turn that the eyes take back: the rest follows the head
FARTHEST = 9.0  # degrees the eyes turn in the head


def sample_gaze(rotation: Floats, blink: Floats, fps: Fraction, rng: np.random.Generator) -> Floats:
    """Return eye directions (T, 2) in degrees within the head: to image right, and down.

    rotation (T, 3, 3) is the head's, blink (T,) its lids: many saccades happen behind a blink.
    """
    forward = np.array([0.0, 0.0, -1.0])
    wanted = np.einsum("tij,j->ti", rotation, forward)  # head direction that is the camera's
    held = HELD_GAZE * np.degrees(np.arcsin(wanted[:, :2].clip(-1, 1)))
    return (held + _saccades(blink, fps, rng)).clip(-FARTHEST, FARTHEST).astype(np.float32)


def _saccades(blink: Floats, fps: Fraction, rng: np.random.Generator) -> Floats:
    """Return steps between fixations (T, 2) in degrees, starting and ending at the camera."""
    frames = len(blink)
    times = np.arange(frames) / float(fps)
    shut = times[1:][(blink[1:] >= 0.5) & (blink[:-1] < 0.5)]
    path, now, place = np.zeros((frames, 2)), 0.0, np.zeros(2)
    while True:
        now += rng.gamma(FIXATION_REGULARITY, FIXATION / FIXATION_REGULARITY)
        target = rng.normal(size=2) * SPREAD
        near = shut[np.abs(shut - now) < 0.4]
        moment = float(near[0]) if len(near) else now
        if now >= times[-1] - FIXATION:
            break
        step = ((times - moment) / SACCADE).clip(0, 1)
        path += smoothstep(step)[:, None] * (target - place)
        place = target
    back = ((times - (times[-1] - FIXATION / 2)) / SACCADE).clip(0, 1)
    return path - smoothstep(back)[:, None] * place
