"""What a file may hold at most: whoever sends one must not fill somebody's memory with it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylehead.types import Motion

LONGEST = 3 * 3600
"""Seconds of sound or motion; what is longer is more likely a mistake."""
FASTEST = 240
"""Frames a second of a motion."""
MOST_FRAMES = LONGEST * 60
"""Of a motion: the longest at the most frames a second that are made."""
LARGEST = 1000.0
"""Size of a number in a motion or style; offsets of faces are below 1, angles below 90."""
MOST_PIXELS = 100_000_000
"""Of a picture; beyond it decoding alone needs gigabytes."""
MOST_FRAME_PIXELS = 36_000_000
"""Of a frame of a clip: 8K."""


def check_numbers(name: str, array: NDArray[Any]) -> None:
    """Raise ValueError unless an array holds numbers, each finite and at most LARGEST."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds no numbers")
    # Without a copy as large as the array.
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{name} is not finite")
    if max(-float(low), float(high)) > LARGEST:
        raise ValueError(f"{name} holds numbers beyond {LARGEST:g}")


def check_rate(fps: Fraction) -> None:
    """Raise ValueError for a frame rate that no motion has."""
    if not 0 < fps <= FASTEST:
        raise ValueError(f"fps is not above 0 and at most {FASTEST}")


def check_length(motion: Motion) -> None:
    """Raise ValueError for a motion without a frame, or longer than any recording."""
    if not 0 < len(motion) <= MOST_FRAMES or motion.seconds > LONGEST:
        raise ValueError(f"its length is not above 0 and at most {LONGEST // 3600} hours")
