"""Blinks at a human rate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from stylehead.types import Floats, Style

USUAL_RATE = 17.0  # a minute, in conversation
PRIOR_MINUTES = 0.15  # how much of the usual rate a clip's own count is mixed with
CLOSING, SHUT, OPENING = 0.067, 0.033, 0.117  # seconds (method notes, 3.3)
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
    return (closure * closure * (3 - 2 * closure)).astype(np.float32)


def _nearest_pause(now: float, voice: Floats, fps: Fraction) -> float:
    """Move a blink to the quietest moment within 0.3 s: people blink between phrases."""
    reach = round(0.3 * fps)
    middle = round(now * fps)
    low, high = max(0, middle - reach), min(len(voice), middle + reach + 1)
    around = voice[low:high]
    if len(around) == 0 or around.min() > 0.5:
        return now
    return (low + int(np.argmin(around))) / float(fps)
