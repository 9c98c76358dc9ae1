"""How far brows go: no further up or down than filmed people's."""

from __future__ import annotations

import numpy as np

from stylehead.face.shapes import slowed
from stylehead.types import Floats

BROWS = ((17, 18, 19, 20, 21), (26, 25, 24, 23, 22))
"""Landmarks of both brows, from the temple to the nose."""
LIMITS = np.array(
    [
        [-0.054, -0.043, 0.024, 0.031],
        [-0.074, -0.058, 0.032, 0.042],
        [-0.084, -0.065, 0.037, 0.047],
        [-0.087, -0.067, 0.039, 0.046],
        [-0.081, -0.061, 0.037, 0.048],
    ],
    np.float32,
)
"""(5, 4) of each point, interocular, downwards: the least filmed, the least usual, the most usual,
the most filmed (percentiles 0.5, 1.5, 98.5 and 99.5) of 99 people, none of them held out
(`python benchmarks/settings.py brows`)."""


def filmed_brows(offsets: Floats) -> Floats:
    """Return offsets (T, 68, 3) whose brows are raised and lowered as far as filmed ones.

    What goes beyond the usual is slowed down, so that what moved smoothly still does.
    """
    offsets = offsets.copy()
    for brow in BROWS:
        for point, limits in zip(brow, LIMITS, strict=True):
            offsets[:, point, 1] = slowed(offsets[:, point, 1], limits)
    return offsets
