"""Finding the mark in a video, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stylehead.media.video import read_frames
from stylehead.provenance.mark import CHANGES, GRIDS, cell_means, cells
from stylehead.types import Floats, Frame

LOOKED_AT = 60.0
"""Seconds of a video, from its beginning."""
SLOTS = 10
"""A second: frames are averaged in between, whatever their rate."""
PERIOD = int(SLOTS / CHANGES)
"""Slots between two changes of the mark."""
LARGEST = 3.0
"""Steps of 255: a larger difference is movement."""
NOISE = 0.2
"""Steps of 255 by which even a cell that never moves may differ."""
SURE = 1e-6
"""Chance of a false alarm below which the mark counts as found."""
TRIES = len(GRIDS) * PERIOD
"""Grids, and slots in which the changes may begin."""
ENOUGH = math.sqrt(2 * math.log(2 * TRIES / SURE))
"""Strength from which on the mark counts as found."""
ROUNDING = 1e-3  # of a slot: times of frames are rounded


@dataclass(frozen=True, slots=True)
class Found:
    """What was seen of the mark."""

    strength: float
    """Agreement with the key, in standard deviations of what other keys would give."""
    false_alarm: float
    """Chance, at most, that a video without the mark agrees as much with a random key."""

    @property
    def there(self) -> bool:
        """Whether the mark is there."""
        return self.false_alarm < SURE


def find_mark(path: Path) -> Found:
    """Look for the mark in the first minute of a video; raises MediaError when it has no frames.

    Sizes and rates of frames may have changed, and the beginning may be missing. Parts that were
    cut off at a side are not found.
    """
    return look_for_mark(read_frames(path, duration=LOOKED_AT))


def look_for_mark(frames: Iterable[Frame]) -> Found:
    """Look for the mark in frames.

    The key's signs are independent of any video that was made without it. Whatever numbers a_i such
    a video gives its cells, the sum of sign times number exceeds z times the root of the sum of
    squares with a chance of exp(-z^2 / 2) at most (Hoeffding), on each side; each grid and each
    possible beginning is one more try.
    """
    means = _averaged(frames)
    strengths = [one for grid in GRIDS for one in _strengths(means, grid)]
    best = max(strengths)
    chance = min(1.0, 2 * TRIES * math.exp(-(best**2) / 2))
    return Found(round(best, 2), chance)


def _averaged(frames: Iterable[Frame]) -> Floats:
    """Return the mean brightness of cells, (T, G, G) in the finest grid, slot by slot."""
    grid = max(GRIDS)
    slots: list[Floats] = []
    held, count, now = np.zeros((grid, grid), np.float32), 0, 0
    for frame in frames:
        slot = int(frame.seconds * SLOTS + ROUNDING)
        if count and slot > now:
            # Where a slot has no frame of its own, that of before is still shown.
            slots += [held / count] * min(slot - now, int(LOOKED_AT) * SLOTS)
            held, count = np.zeros_like(held), 0
        now = slot
        grey = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
        held, count = held + cell_means(grey, grid), count + 1
    if count:
        slots.append(held / count)
    return np.array(slots, np.float32).reshape(-1, grid, grid)


def _strengths(means: Floats, grid: int) -> list[float]:
    """Return how well a grid agrees, for each slot in which the changes may begin.

    At a change, two slots before are compared with two after.
    """
    if len(means) < PERIOD:
        return [0.0] * PERIOD
    share = means.shape[-1] // grid
    seen = means.reshape(len(means), grid, share, grid, share).mean((2, 4))
    steps = (seen[:-3] + seen[1:-2] - seen[2:-1] - seen[3:]) / 4
    usual = np.sqrt((np.minimum(np.abs(steps), LARGEST) ** 2).mean(0) + NOISE**2)
    known = np.clip(steps / usual, -1, 1)
    return [_agreement(known[begin::PERIOD], grid) for begin in range(PERIOD)]


def _agreement(steps: Floats, grid: int) -> float:
    sides = np.where(np.arange(len(steps)) % 2, -1, 1)[:, None, None]
    agreed = (steps * sides).sum(0)
    size = float(np.sqrt((agreed**2).sum()))
    return abs(float((agreed * cells(grid)).sum())) / size if size else 0.0
