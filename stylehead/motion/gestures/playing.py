"""Play chosen stretches of a recorded path one after the other, without a jump."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicSpline

from stylehead.motion.gestures.selection import RATE, Piece
from stylehead.types import Floats

STEP = 1 / 60  # seconds over which a speed is measured
SWING = 12.0  # rad/s in which a speed dies away


def play(
    pieces: list[Piece],
    recorded: Floats,
    rate: float,
    otherwise: Callable[[Floats], Floats],
    fps: float,
    frames: int,
    haste: float,
) -> Floats:
    """Return a path (T, C) that goes through stretches of a recorded one.

    recorded (R, C) at `rate`; `otherwise` gives values (N, C) at moments (N,) in seconds of what is
    played where a piece has no stretch. Where a stretch begins, what the path is away from it dies
    away as a critically damped spring of `haste` in rad/s that is let go does; its speed away from
    it dies away sooner, so that it does not swing far beyond.
    """
    spline = CubicSpline(np.arange(len(recorded)) / rate, recorded, axis=0)
    path = np.zeros((frames, recorded.shape[1]), np.float32)
    place = speed = None
    for number, piece in enumerate(pieces):
        begin, end = piece.begin / RATE, piece.end / RATE
        own = otherwise if piece.start is None else _shifted(spline, piece.start / RATE - begin)
        if place is None or speed is None:
            away, swing = np.zeros(recorded.shape[1]), np.zeros(recorded.shape[1])
        else:
            here, now = _at(own, begin)
            away, swing = place - here, speed - now
        last = frames if number == len(pieces) - 1 else min(frames, math.ceil(end * fps))
        rows = np.arange(math.ceil(begin * fps), last)
        since = (rows / fps - begin)[:, None]
        path[rows] = own(rows / fps) + _dying(away, swing, since, haste)
        here, now = _at(own, end)
        before, after = (_dying(away, swing, end - begin + step, haste) for step in (-STEP, STEP))
        place = here + (before + after) / 2
        speed = now + (after - before) / (2 * STEP)
    return path


def _dying(away: Floats, swing: Floats, since: Floats | float, haste: float) -> Floats:
    """Return what is left (..., C) of a place and a speed (C,) some seconds later."""
    held = (1 + haste * since) * np.exp(-haste * since)
    swung = since * np.exp(-max(haste, SWING) * since)
    return away * held + swing * swung


def _shifted(spline: CubicSpline, shift: float) -> Callable[[Floats], Floats]:
    latest = float(spline.x[-1])
    return lambda times: spline((times + shift).clip(0, latest))


def at(values: Floats, rows: Floats) -> Floats:
    """Return values (T, ...) at rows (N,) that may lie between two, by straight lines."""
    rows = rows.clip(0, len(values) - 1)
    low = np.floor(rows).astype(np.intp)
    high = (low + 1).clip(max=len(values) - 1)
    fraction = (rows - low).reshape(-1, *[1] * (values.ndim - 1))
    return values[low] * (1 - fraction) + values[high] * fraction


def _at(path: Callable[[Floats], Floats], moment: float) -> tuple[Floats, Floats]:
    """Return place and speed (C,) of a path at a moment."""
    before, here, after = path(np.array([moment - STEP, moment, moment + STEP]))
    return here, (after - before) / (2 * STEP)
