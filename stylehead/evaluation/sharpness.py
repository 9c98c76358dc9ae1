"""CPBD: the share of edges whose blur nobody would notice; higher is sharper (method notes, 9.1).

Narvekar and Karam's measure in the form of the public Python port, whose figures the field quotes,
quirks included; each quirk is marked.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import convolve

from stylehead.types import Floats

BLOCK = 64  # pixels
EDGE_SHARE = 0.002  # of a block's pixels that make it an edge block
LOW_CONTRAST = 50  # grey levels up to which a just noticeable blur is wider
JUST_NOTICEABLE = (5.0, 3.0)  # pixels at low and at high contrast
BETA = 3.6
NOTICED = 63  # percent: probability at the just noticeable blur
WALK = 100  # pixels that an edge is followed to each side at most


def cpbd(luminance: Floats) -> float:
    """Return CPBD in [0, 1] of a grey picture (H, W) with levels 0 to 255; 0 without edges."""
    from skimage.feature import canny

    grey = np.asarray(luminance, np.float64)
    corners = canny(grey)
    widths = _edge_widths(grey, _sobel_edges(grey))
    counts = np.zeros(101, np.int64)
    for top in range(0, grey.shape[0] - BLOCK + 1, BLOCK):
        for left in range(0, grey.shape[1] - BLOCK + 1, BLOCK):
            block = np.s_[top : top + BLOCK, left : left + BLOCK]
            if corners[block].sum() <= EDGE_SHARE * BLOCK * BLOCK:
                continue
            found = widths[block][widths[block] > 0]
            just = JUST_NOTICEABLE[int(np.ptp(grey[block]) > LOW_CONTRAST)]
            probability = 1 - np.exp(-((found / just) ** BETA))
            np.add.at(counts, np.round(100 * probability).astype(int), 1)
    return float(counts[: NOTICED + 1].sum() / counts.sum()) if counts.any() else 0.0


def _sobel_edges(grey: Floats) -> NDArray[np.bool_]:
    """Vertical edges: squared Sobel response above twice its root mean, thinned.

    Quirks: squares are compared with a root, and a maximum in a row or in a column is enough.
    """
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]]) / 8
    strength = np.square(convolve(grey, kernel))
    strength[strength <= 2 * np.sqrt(strength.mean())] = 0
    padded = np.pad(strength, 1)
    in_row = (strength > padded[1:-1, :-2]) & (strength > padded[1:-1, 2:])
    in_column = (strength > padded[:-2, 1:-1]) & (strength > padded[2:, 1:-1])
    return in_row | in_column


def _edge_widths(grey: Floats, edges: NDArray[np.bool_]) -> Floats:
    """Marziliano width in pixels of every edge whose gradient runs along its row; 0 elsewhere.

    Quirks: where only the vertical gradient is not zero the angle counts as 0; when every angle is
    0 nothing is measured.
    """
    down, across = np.gradient(grey)
    angles = np.where(across != 0, np.degrees(np.arctan2(down, across)), 0.0)
    if not angles.any():
        return np.zeros_like(grey)
    directions = (np.round(angles / 45) * 45).astype(np.int64)
    return _walk(grey, edges, directions)


@njit(cache=True)
def _walk(grey: Floats, edges: NDArray[np.bool_], directions: NDArray[np.int64]) -> Floats:
    rows, columns = grey.shape
    widths = np.zeros((rows, columns))
    for y in range(1, rows - 1):
        for x in range(1, columns - 1):
            if not edges[y, x] or directions[y, x] % 180 != 0:
                continue
            rising = 1.0 if directions[y, x] == 0 else -1.0  # from left to right
            total = 0
            for side in (-1, 1):
                steps = 0
                while steps < WALK:
                    near, far = x + side * (1 + steps), x + side * (2 + steps)
                    if far < 0 or far >= columns:
                        break
                    if (grey[y, far] - grey[y, near]) * rising * side <= 0:
                        break
                    steps += 1
                total += steps + 1
            widths[y, x] = total
    return widths
