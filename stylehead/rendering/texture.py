"""Texture spaces: where the parts of every face lie in the same place."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.rendering.rasterize import displacement_map
from stylehead.types import Floats, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A square onto which the mesh of any face can be unwrapped."""

    places: Floats
    """(N, 3) where each vertex lies in it, in its pixels; z as in image space."""
    triangles: NDArray[np.int64]
    """(M, 3)"""
    size: int
    """Side in pixels."""

    def unwrap(self, pixels: Pixels, vertices: Floats) -> Pixels:
        """Return the texture (size, size, C) of a picture whose vertices (N, 3) are in its pixels.

        Where the picture is finer than the texture it is averaged first.
        """
        finer = self.pixels_per_texel(vertices)
        if finer > 1:
            pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.45 * finer), np.uint8)
        moved = displacement_map(
            self.triangles, self.places, vertices, size=self.size, cells=self.size
        )
        there = moved + still_map(self.size, self.size)
        taken = cv2.remap(
            pixels,
            there[..., 0],
            there[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(taken, np.uint8)

    def scaled(self, times: int) -> Texture:
        """Return the same texture with `times` as many pixels a side."""
        places = self.places * times
        places[:, :2] += (times - 1) / 2  # pixel centres: (p + 0.5) scales, not p
        return Texture(places, self.triangles, self.size * times)

    def pixels_per_texel(self, vertices: Floats) -> float:
        """Return how many pixels of a picture with vertices (N, 3) go into one of the texture."""
        used = np.unique(self.triangles)
        here, there = np.ptp(self.places[used, :2], axis=0), np.ptp(vertices[used, :2], axis=0)
        return float(np.linalg.norm(there) / np.linalg.norm(here))


def still_map(height: int, width: int) -> Floats:
    """Return every pixel's own place (height, width, 2): column, row."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([columns, rows], -1)
