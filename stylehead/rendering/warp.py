"""Moving, cropping and pasting pixels."""

from __future__ import annotations

import threading

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from stylehead.rendering.portrait_mesh import PortraitMesh
from stylehead.rendering.rasterize import mark_folds
from stylehead.rendering.still.crown import hair_over
from stylehead.rendering.still.square import FEATHER, cut_square
from stylehead.types import Floats, Pixels

FOLD = 2.5  # pixels of displacement between neighbouring cells that mark a fold


def crop_of(pixels: Pixels, mesh: PortraitMesh) -> Pixels:
    """Return the mesh's working square (S, S, 3) of its picture (H, W, 3).

    Hair goes on over the picture as far as FEATHER, in its own strands.
    """
    crop = cut_square(pixels, mesh.corner, mesh.scale, mesh.size)
    over = round(float(-mesh.corner[1]) * mesh.scale)
    if mesh.matte is not None and 0 < over <= FEATHER * mesh.size + 1:
        hair = mesh.matte[:over] > 0
        columns = np.flatnonzero(mesh.matte[over] > 0)
        if len(columns):
            sides = int(columns[0]), int(columns[-1])
            crop[:over][hair] = hair_over(crop[over : 2 * over], over, sides)[hair]
    return crop


def soften_folds(
    moved: Pixels, displacement: Floats, folds: NDArray[np.uint8] | None = None
) -> None:
    """Blend the pixels along folds, where a turned face hides what is behind it.

    There the displacement (C, C, 2) jumps from one cell to the next, and the edge would show as
    stairs. Changes `moved` (S, S, C) in place: the few pixels of the folds. folds (C, C) is memory
    to use.
    """
    folds = np.empty(displacement.shape[:2], np.uint8) if folds is None else folds
    first, last = mark_folds(displacement, FOLD, folds)
    if first < last:
        _soften(moved, folds, first, last)


@njit(cache=True, nogil=True)
def _soften(moved: Pixels, folds: NDArray[np.uint8], first: int, last: int) -> None:
    """Mix pixels near marked cells with their blurred selves; marks lie in rows first to last."""
    size, cells = moved.shape[0], folds.shape[0]
    near, blur = (0.25, 0.5, 0.25), (0.239, 0.522, 0.239)  # Gaussians of sigma 0.8 and more
    cell = np.arange(-1, size + 1).clip(0, size - 1) * cells // size  # of the pixel before, ...
    top = max(0, first * size // cells - 2)
    above, here = moved[max(top - 1, 0)].copy(), np.empty_like(moved[0])
    for y in range(top, min(size, (last * size - 1) // cells + 3)):
        here[:] = moved[y]
        below = moved[y + 1] if y + 1 < size else above
        one, two, three = folds[cell[y]], folds[cell[y + 1]], folds[cell[y + 2]]
        marked = one | two | three
        for x in range(size):
            before, at, after = cell[x], cell[x + 1], cell[x + 2]
            if not marked[before] | marked[at] | marked[after]:
                continue
            weight = 0.0
            for i, line in enumerate((one, two, three)):
                across = near[0] * line[before] + near[1] * line[at] + near[2] * line[after]
                weight += near[i] * across
            if weight < 0.5:
                continue
            weight /= 255
            left, right = abs(x - 1), x + 1 if x + 1 < size else x - 1
            for channel in range(moved.shape[2]):
                soft = 0.0
                for i, line in enumerate((above, here, below)):
                    sides = float(line[left, channel]) + float(line[right, channel])
                    soft += blur[i] * (blur[0] * sides + blur[1] * line[x, channel])
                mixed = here[x, channel] * (1 - weight) + soft * weight
                moved[y, x, channel] = np.uint8(mixed + 0.5)
        above, here = here, above


def add_crop(
    frame: Pixels, picture: Pixels, moved: Pixels, place: tuple[int, int], weight: Floats
) -> None:
    """Add to a frame (H, W, C) what a moved crop (S, S, C) changes in the still picture.

    place: row and column of the crop's corner in both, which may lie outside; weight (S, S) of the
    crop. Crops that overlap add up: what has not moved changes nothing. Changes `frame` in place.
    """
    picture = np.ascontiguousarray(picture)  # one type, so that one version is compiled
    _add(frame, picture, moved, place[0], place[1], weight)


@njit(cache=True, nogil=True)
def _add(
    frame: Pixels, picture: Pixels, moved: Pixels, top: int, left: int, weight: Floats
) -> None:
    height, width = frame.shape[:2]
    for y in range(max(0, -top), min(moved.shape[0], height - top)):
        for x in range(max(0, -left), min(moved.shape[1], width - left)):
            share = weight[y, x]
            for channel in range(frame.shape[2]):
                still = np.float32(picture[y + top, x + left, channel])
                change = share * (np.float32(moved[y, x, channel]) - still)
                value = np.float32(frame[y + top, x + left, channel]) + change + np.float32(0.5)
                value = min(max(value, np.float32(0)), np.float32(255))
                frame[y + top, x + left, channel] = np.uint8(value)


BETWEEN = 0.125
"""Weight of the outer two of four pixels in the middle between the inner ones, less than nothing.
A cubic has 0.094; this much more makes up for what linear sampling of the finer picture softens."""


class Sampler:
    """Takes a coarse displacement map and returns the moved picture.

    It samples linearly in a picture twice as fine that is cubic, which agrees with cubic sampling
    within 0.5/255 on average, at less than half its time.
    """

    def __init__(self, crop: Pixels, above: Pixels | None = None) -> None:
        """`above` (K, S, C) is what goes on over the crop (S, S, C)."""
        self._size = crop.shape[0]
        self.above = 0 if above is None else len(above)
        """Rows over the crop."""
        self.finer = _twice_as_fine(crop if above is None else np.concatenate([above, crop]))
        """(2 K + 2 S, 2 S, C)"""
        rows, columns = np.mgrid[: self._size, : self._size].astype(np.float32)
        self._still = 2 * np.stack([columns, rows + self.above], -1)
        self._memory = _Coordinates(self._size)

    def __call__(self, displacement: Floats, out: Pixels | None = None) -> Pixels:
        """(C, C, 2) displacements in pixels -> (S, S, C), in `out` where it is given.

        Cubic in the map and in the picture.
        """
        size = (self._size, self._size)
        coordinates = self._memory.array
        if displacement.shape[:2] != size:
            cv2.resize(displacement, size, dst=coordinates, interpolation=cv2.INTER_CUBIC)
            displacement = coordinates
        cv2.scaleAdd(displacement, 2.0, self._still, dst=coordinates)
        moved = cv2.remap(  # pyright: ignore[reportCallIssue] (its stub lacks None)
            self.finer,
            coordinates,
            None,  # pyright: ignore[reportArgumentType] (OpenCV 5.0.0 uses an empty array)
            cv2.INTER_LINEAR,
            dst=out,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(moved, np.uint8)


class _Coordinates(threading.local):
    """A thread's memory of where each pixel comes from."""

    def __init__(self, size: int) -> None:
        self.array = np.empty((size, size, 2), np.float32)


def _twice_as_fine(crop: Pixels) -> Pixels:
    """Return (2 S, 2 S, C): the picture's (S, S, C) own pixels, and new ones between them."""
    for axis in (0, 1):
        edge = [(0, 0)] * 3
        edge[axis] = (1, 2)
        padded = np.pad(crop, edge, mode="edge").astype(np.float32)
        one, two, three, four = (
            padded.take(np.arange(start, start + crop.shape[axis]), axis) for start in range(4)
        )
        half = (0.5 + BETWEEN) * (two + three) - BETWEEN * (one + four)
        half = (half + 0.5).clip(0, 255).astype(np.uint8)
        shape = list(crop.shape)
        shape[axis] *= 2
        crop = np.stack([crop, half], axis + 1).reshape(shape)
    return crop
