"""CPBD: the fraction of edges whose blur nobody would notice; higher is sharper.

The cumulative probability of blur detection of Narvekar and Karam (2011), in the form of the public
Python port, whose figures the field quotes, quirks included; each quirk is marked.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter, label, sobel

from stylehead.types import Floats

BLOCK = 64  # pixels
EDGE_FRACTION = 0.002  # of a block's pixels that make it an edge block
LOW_CONTRAST = 50  # grey levels up to which a just noticeable blur is wider
JUST_NOTICEABLE = (5.0, 3.0)  # pixels at low and at high contrast
BETA = 3.6
NOTICED = 63  # percent: probability at the just noticeable blur
WALK = 100  # pixels that an edge is followed to each side at most
WEAK, STRONG = 0.1, 0.2  # gradients that an edge needs, and that it needs somewhere (quirk: of 255)


def cpbd(luminance: Floats) -> float:
    """Return CPBD in [0, 1] of a grey picture (H, W) with levels 0 to 255; 0 without edges."""
    grey = np.asarray(luminance, np.float64)
    edges = canny_edges(grey)
    widths = _edge_widths(grey, _sobel_edges(grey))
    counts = np.zeros(101, np.int64)
    for top in range(0, grey.shape[0] - BLOCK + 1, BLOCK):
        for left in range(0, grey.shape[1] - BLOCK + 1, BLOCK):
            block = np.s_[top : top + BLOCK, left : left + BLOCK]
            if edges[block].sum() <= EDGE_FRACTION * BLOCK * BLOCK:
                continue
            measured = widths[block][widths[block] > 0]
            just = JUST_NOTICEABLE[int(np.ptp(grey[block]) > LOW_CONTRAST)]
            probability = 1 - np.exp(-((measured / just) ** BETA))
            np.add.at(counts, np.round(100 * probability).astype(int), 1)
    return float(counts[: NOTICED + 1].sum() / counts.sum()) if counts.any() else 0.0


def canny_edges(grey: Floats) -> NDArray[np.bool_]:
    """Return Canny's edge pixels (H, W) of a grey picture, smoothed by a Gaussian of one pixel.

    Pixel for pixel those of scikit-image's `canny` at its defaults, which CPBD's port counts.
    """
    covered = gaussian_filter(np.ones_like(grey), 1.0, mode="constant") + np.finfo(float).eps
    smooth = gaussian_filter(grey, 1.0, mode="constant") / covered
    down, across = sobel(smooth, 0), sobel(smooth, 1)
    gradient = np.hypot(down, across)
    # A peak is no smaller than the gradient on either side of it, which is interpolated where the
    # gradient's direction leaves the square of eight neighbours.
    steep = np.abs(down) >= np.abs(across)
    longer = np.maximum(np.abs(down), np.abs(across))
    slant = np.minimum(np.abs(down), np.abs(across)) / np.where(longer > 0, longer, 1)
    peak = np.zeros(grey.shape, bool)
    peak[1:-1, 1:-1] = gradient[1:-1, 1:-1] >= WEAK
    for side in (-1, 1):
        straight = np.where(steep, _neighbour(gradient, side, 0), _neighbour(gradient, 0, side))
        other = np.where(
            steep, _neighbour(gradient, side, -side), _neighbour(gradient, -side, side)
        )
        diagonal = np.where(down * across >= 0, _neighbour(gradient, side, side), other)
        peak &= slant * diagonal + (1 - slant) * straight <= gradient
    lines = np.zeros(grey.shape, np.int32)
    label(peak, np.ones((3, 3)), output=lines)
    return peak & np.isin(lines, lines[peak & (gradient >= STRONG)])


def _neighbour(values: Floats, down: int, right: int) -> Floats:
    """Return for each pixel the value of one of its eight neighbours (wrapped at the border)."""
    return np.roll(values, (-down, -right), (0, 1))


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
