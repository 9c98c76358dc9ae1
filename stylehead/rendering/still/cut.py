"""Cutting the person out of a portrait's crop, and laying the moved person over the plate."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from stylehead.rendering.still.plate import fill_behind
from stylehead.types import Floats, Pixels

FACE_PART, AROUND = 0.85, 1.25
"""Size against the face's outline: what the matte leaves out of the smaller one is in front of the
face, and is that within the larger one."""
LEAST_IN_FRONT = 0.01  # of the face
SOFT = 0.004  # of the crop's side: the edge of what is in front


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A person cut out of a crop, and what is behind and before them."""

    pixels: Pixels
    """(S, S, 4) the person's colours times their cover, then the cover; 0 to 255."""
    plate: Pixels
    """(S, S, 3) the background without the person."""
    front: Floats | None
    """(S, S, 4) the same of a thing in front of the face, such as a microphone; None without."""

    def over(self, moved: Pixels, out: Pixels | None = None) -> Pixels:
        """Return the crop (S, S, 3) with the moved person (S, S, 4) over the plate.

        It is in `out` where that is given. Where nobody is, the plate stays bit by bit.
        """
        crop = np.empty_like(self.plate) if out is None else out
        _lay(moved, self.plate, crop)
        return crop

    def under_front(self, crop: Pixels) -> None:
        """Lay what is in front of the face over a finished crop (S, S, 3), in place."""
        if self.front is not None:
            rows, columns = _box(self.front[..., 3] > 0)
            part, laid = crop[rows, columns], self.front[rows, columns]
            part[:] = (part * (1 - laid[..., 3:] / 255) + laid[..., :3] + 0.5).astype(np.uint8)

    def alone(self) -> Pixels:
        """Return the person, and what is in front of them, without any background.

        (S, S, 4): colours times cover, then cover.
        """
        alone = self.pixels.astype(np.float32)
        if self.front is not None:
            alone = alone * (1 - self.front[..., 3:] / 255) + self.front
        # Brighter than its cover allows is nothing that is laid over something else.
        alone[..., :3] = np.minimum(alone[..., :3], alone[..., 3:])
        return (alone + 0.5).clip(0, 255).astype(np.uint8)

    def lift(self, crop: Pixels, cut: Pixels) -> None:
        """Take the plate out of a finished crop (S, S, 3).

        cut (S, S, 4) holds how much of each pixel is the person in its last channel, and gets
        their colours times that.
        """
        if self.front is not None:
            laid = self.front[..., 3]
            cut[..., 3] = (cut[..., 3] * (1 - laid / 255) + laid + 0.5).clip(0, 255)
        _lift(crop, self.plate, cut)


def cut_layer(crop: Pixels, matte: Pixels, oval: Floats) -> Layer:
    """Cut the person of a matte (S, S) out of a crop (S, S, 3); oval (N, 2) is the face's outline.

    It may also be a whole picture. Laid back unmoved they give the crop again: along the
    silhouette, where both mix, the person's colours are the picture's less the plate's share.
    """
    front = None
    before = in_front(matte, oval)
    if before.any():
        soft = cv2.GaussianBlur(before.astype(np.float32), (0, 0), max(0.5, SOFT * len(crop)))
        cover = np.asarray(soft, np.float32)[..., None]
        front = np.concatenate([crop * cover, 255 * cover], -1)
        wide = cv2.dilate(before.astype(np.uint8), np.ones((3, 3), np.uint8))
        # Behind it the face goes on, as far as it can be guessed.
        crop = fill_behind(crop, np.asarray(wide, np.uint8))
        matte = np.where(wide > 0, np.uint8(255), matte)
    plate = fill_behind(crop, matte)
    there = (matte > 0) | (plate != crop).any(-1)
    # What is darker than the plate's share can only be the person: they cover more of it.
    least = 1 - (crop / np.maximum(plate, np.float32(1))).min(-1).clip(0, 1)
    covered = np.where(there, np.maximum(matte / np.float32(255), least), 0)[..., None]
    person = np.where(there[..., None], crop - (1 - covered) * plate, 0).clip(0, 255)
    layer = np.concatenate([person, 255 * covered], -1)
    return Layer((layer + 0.5).astype(np.uint8), plate, front)


def in_front(matte: Pixels, oval: Floats) -> NDArray[np.bool_]:
    """Return where a matte (S, S) shows something in front of the face of an outline (N, 2)."""
    middle = oval.mean(0)
    face, around = (
        _filled(middle + size * (oval - middle), matte.shape) for size in (FACE_PART, AROUND)
    )
    out = (matte < 128) & around
    _, parts = cv2.connectedComponents(out.astype(np.uint8))
    areas = np.bincount(parts[face & out], minlength=int(parts.max()) + 1)
    large = np.flatnonzero(areas > LEAST_IN_FRONT * face.sum())
    return np.isin(parts, large) & out


def _filled(outline: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    drawn = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(drawn, cv2.convexHull(outline.round().astype(np.int32)), 1)
    return drawn > 0


def _box(where: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns that hold all that is true (S, S)."""
    rows, columns = (np.flatnonzero(where.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


@njit(cache=True, nogil=True)
def _lay(moved: Pixels, plate: Pixels, out: Pixels) -> None:
    rows, columns = out.shape[:2]
    for y in range(rows):
        for x in range(columns):
            cover = np.int32(moved[y, x, 3])
            for channel in range(3):
                value = np.int32(moved[y, x, channel])
                if cover < 255:
                    value += ((255 - cover) * np.int32(plate[y, x, channel]) + 127) // 255
                out[y, x, channel] = min(value, 255)


@njit(cache=True, nogil=True)
def _lift(crop: Pixels, plate: Pixels, cut: Pixels) -> None:
    rows, columns = crop.shape[:2]
    for y in range(rows):
        for x in range(columns):
            rest = 255 - np.int32(cut[y, x, 3])
            for channel in range(3):
                behind = (rest * np.int32(plate[y, x, channel]) + 127) // 255
                value = np.int32(crop[y, x, channel]) - behind
                cut[y, x, channel] = min(max(value, 0), 255 - rest)
