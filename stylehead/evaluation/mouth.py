"""How well a mouth keeps to the voice, in numbers: the same for videos, benchmarks and training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylehead.types import Floats

Mask = NDArray[np.bool_]
OPEN = 0.03
"""Interocular distances of inner-lip gap above the shut mouth from which a mouth counts as open."""
SILENT_GATE, VOICED_GATE = 0.05, 0.5
"""The voice gate under which a frame counts as silent, and above which as voiced."""


def silence_leak(opening: Floats, silent: Mask, *, shut: float = 0.0) -> float:
    """Return the fraction of silent frames with the mouth open; NaN when none is silent.

    `opening` (T,) in interocular distances, `shut` its level in a shut mouth, `silent` (T,).
    """
    return float((opening[silent] > shut + OPEN).mean()) if silent.any() else float("nan")


def excess_opening(opening: Floats, voiced: Mask, *, reference: Floats | float) -> float:
    """Return the mean opening in voiced frames beyond a reference; NaN when none is voiced.

    `opening` (T,) in interocular distances, `reference` another person's (T,) or one level.
    """
    return float((opening - reference)[voiced].mean()) if voiced.any() else float("nan")


def opening_correlation(reference: Floats, opening: Floats) -> float:
    """Return the correlation of two mouth openings (T,); NaN for a mouth that does not move."""
    return float(np.corrcoef(reference, opening)[0, 1]) if opening.std() > 1e-6 else float("nan")
