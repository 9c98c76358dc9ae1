"""Whose a doubtful pixel is: what it looks like, among all that is known around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.face.geometry import smoothstep
from stylehead.types import Floats, Pixels

RINGS = (1.0, 1.5, 2.0, 3.0, 4.5, 6.5)
"""How far around a pixel is looked at, in widths of the doubtful band."""
WAYS = 24  # directions
NOISE = 8.0  # of 255: colours no further apart are the same
FOREIGN, OWN = 0.15, 0.4
"""Share of the person in what a pixel looks like: below the first it is none of theirs, from the
second on there is no reason to doubt it."""


def look_alike(
    pixels: Pixels, doubtful: NDArray[np.bool_], person: Pixels, background: Pixels, reach: int
) -> Floats:
    """Return 0 where a doubtful pixel looks like the background alone, else up to 1; (H, W).

    pixels (H, W, 3); person and background are 1 where they are known (H, W). Each pixel is
    compared with `reach` and more around it, and only the most similar of each side counts: a lamp
    or a flag that goes on in the background is found there, whatever the mean colour is.
    """
    height, width = doubtful.shape
    rows, columns = np.nonzero(doubtful)
    smooth = np.asarray(cv2.GaussianBlur(pixels, (3, 3), 0.8), np.int16)
    own = smooth[rows, columns]
    least = np.full((2, len(rows)), np.inf, np.float32)
    for ring in RINGS:
        for way in range(WAYS):
            angle = 2 * np.pi * (way + ring % 1) / WAYS
            y = (rows + round(ring * reach * np.sin(angle))).clip(0, height - 1)
            x = (columns + round(ring * reach * np.cos(angle))).clip(0, width - 1)
            apart = ((smooth[y, x] - own).astype(np.float32) ** 2).sum(-1)
            for side, known in enumerate((person, background)):
                np.minimum(least[side], np.where(known[y, x] > 0, apart, np.inf), out=least[side])
    to_person, to_background = np.minimum(least, 1e6) + NOISE**2
    share = to_background / (to_person + to_background)
    found = np.ones(doubtful.shape, np.float32)
    found[doubtful] = smoothstep(((share - FOREIGN) / (OWN - FOREIGN)).clip(0, 1))
    return found
