"""Colours of a GIF: one palette for all frames, and a dither that stands still."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.spatial import KDTree

from stylehead.types import Pixels

COLOURS = 255  # the last of 256 stands for what has not changed since the frame before
STEP = 8  # of 255: the grain in which nearest colours are looked up
SPREAD = 12.0  # of 255: how far the dither takes colours apart


class Palette:
    """Colours chosen from some frames; every other frame is drawn in them."""

    def __init__(self, frames: Sequence[Pixels]) -> None:
        """Choose from frames (H, W, 3)."""
        seen = Image.fromarray(np.concatenate(frames))
        chosen = seen.quantize(COLOURS, method=Image.Quantize.MEDIANCUT).getpalette() or []
        colours = np.array(chosen, np.uint8).reshape(-1, 3)[:COLOURS]
        self.argb = np.zeros((256, 4), np.uint8)
        """(256, 4) alpha, red, green, blue; what is not used is transparent."""
        self.argb[: len(colours)] = np.insert(colours, 0, 255, 1)
        grid = np.stack(np.meshgrid(*[np.arange(0, 256, STEP)] * 3, indexing="ij"), -1)
        nearest = KDTree(colours).query(grid.reshape(-1, 3) + STEP / 2)[1]
        self._nearest = np.asarray(nearest, np.uint8)

    def drawn(self, frame: Pixels) -> Pixels:
        """Return a frame (H, W, 3) as numbers of colours (H, W)."""
        height, width = frame.shape[:2]
        tiled = np.tile(_threshold(3), (height // 8 + 1, width // 8 + 1))[:height, :width, None]
        level = ((frame + SPREAD * tiled).clip(0, 255)).astype(np.int32) // STEP
        side = 256 // STEP
        return self._nearest[(level[..., 0] * side + level[..., 1]) * side + level[..., 2]]


def _threshold(doublings: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return Bayer's matrix of ordered dither, from -0.5 to 0.5."""
    matrix = np.zeros((1, 1))
    for _ in range(doublings):
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return (matrix + 0.5) / matrix.size - 0.5
