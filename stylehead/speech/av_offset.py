"""Audio-visual offset: by how much picture and sound of a clip are out of step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stylehead.types import Floats

FEWEST = 10  # frames that both curves must share


class AvOffset(NamedTuple):
    """Where two curves agree best."""

    correlation: float
    """At that offset; NaN where one of the curves does not move."""
    frames: int
    """By how many frames the second curve is later than the first."""


def measure_offset(sound: Floats, picture: Floats, *, reach: int) -> AvOffset:
    """Find the offset at which two curves correlate best.

    `sound` (N,) is what is heard, or the mouth opening predicted from it, and `picture` (M,) the
    mouth opening that is seen, both from the same moment on and at the same rate; `reach` is the
    largest offset tried, in frames either way. Of equally good offsets the lowest counts.
    """
    best = AvOffset(float("nan"), 0)
    for frames in range(-reach, reach + 1):
        a = sound[: len(sound) - frames] if frames >= 0 else sound[-frames:]
        b = picture[frames:] if frames >= 0 else picture[:frames]
        count = min(len(a), len(b))
        if count < FEWEST or a[:count].std() < 1e-9 or b[:count].std() < 1e-9:
            continue
        correlation = float(np.corrcoef(a[:count], b[:count])[0, 1])
        if not correlation <= best.correlation:  # NaN at first
            best = AvOffset(correlation, frames)
    return best
