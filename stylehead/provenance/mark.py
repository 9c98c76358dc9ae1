"""The mark: a change of brightness too small to see, in the part of a video that moves.

The frame is divided into cells. A key says of each whether it is made brighter or darker, by one
step of 255; five times in four seconds all change sides. Where less than half of the frame moves
there are fewer cells to be found, and every fourth pixel changes by two. A still picture cancels
out between one such moment and the next, and what is left are the key's signs. What never moves is
not touched: a background stays as still as it was.

The key is public, for everybody is to find the mark; whoever wants to can take it out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.types import Floats, Pixels

KEY = b"stylehead mark 1"
CHANGES = Fraction(5, 4)
"""Times a second that brighter and darker cells change sides."""
GRIDS = (64, 128)
"""Cells of a side: of a frame up to LARGE pixels, and of a larger one."""
LARGE = 768


def cells(grid: int) -> NDArray[np.int8]:
    """Return the key's sign of each cell, -1 or 1, (grid, grid).

    From a hash, for a random generator's numbers may be others in its next version.
    """
    stream = hashlib.shake_256(KEY + b" %d" % grid).digest(grid * grid // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8)).reshape(grid, grid)
    return bits.astype(np.int8) * 2 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """The mark of one video: what is added to a frame depends on its number alone."""

    plus: Pixels
    """(h, w, C) of the moving part: what is added where cells are brighter first."""
    minus: Pixels
    """What is taken away meanwhile."""
    fps: Fraction

    @staticmethod
    def of(picture: Pixels, area: tuple[slice, slice], fps: Fraction) -> Mark:
        """Return the mark of frames like a picture (H, W, C), of which an area moves."""
        height, width = picture.shape[:2]
        grid = GRIDS[min(height, width) > LARGE]
        rows, columns = np.arange(height), np.arange(width)
        signs = cells(grid)[(rows * grid // height)[:, None], columns * grid // width][area]
        steps = np.ones((height, width), np.int8)
        if 2 * signs.size < height * width:
            steps[::2, ::2] = 2
        change = signs * steps[area]
        plus, minus = (np.maximum(one, 0).astype(np.uint8) for one in (change, -change))
        return Mark(_coloured(plus, picture.shape[2]), _coloured(minus, picture.shape[2]), fps)

    def on(self, part: Pixels, number: int) -> Pixels:
        """Return the moving part (h, w, C) of the frame of a number, marked.

        Transparency stays, and nothing is added to what cannot be seen.
        """
        height, width = part.shape[:2]
        plus, minus = (one[:height, :width] for one in (self.plus, self.minus))
        if int(number * CHANGES / self.fps) % 2:
            plus, minus = minus, plus
        if part.shape[2] == 4:
            seen = part[..., 3:] > 0
            plus, minus = plus * seen, minus * seen
        marked = cv2.add(part, plus)
        return np.asarray(cv2.subtract(marked, minus, dst=marked), np.uint8)


def _coloured(change: Pixels, channels: int) -> Pixels:
    """Return a change (h, w) of brightness as one of all colours; a fourth channel is none."""
    whole = np.zeros((*change.shape, channels), np.uint8)
    whole[..., :3] = change[..., None]
    return whole


def cell_means(grey: Floats, grid: int) -> Floats:
    """Return the mean of each cell of a picture (H, W) as (grid, grid)."""
    return np.asarray(cv2.resize(grey, (grid, grid), interpolation=cv2.INTER_AREA), np.float32)
