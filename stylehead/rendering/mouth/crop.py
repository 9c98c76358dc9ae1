"""The square around the mouth that networks complete: always upright and at one size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from stylehead.face.geometry import Similarity
from stylehead.face.landmarks import INNER_LIPS, MESH_OF_68
from stylehead.types import Floats, Pixels

CROP_SIZE = 128
"""Side of the mouth crop in its own pixels."""
CROP_UNITS = 1.1
"""The same in head-space units: from the nose to below the chin of a closed mouth."""
CROP_POINTS = np.concatenate([MESH_OF_68, INNER_LIPS])
"""Mesh vertices that a facial map is drawn from: the 68 landmarks, then the inner lips' outline."""


def mouth_middle(neutral: Floats) -> Floats:
    """Return the middle of the lips (3,) of a neutral mesh (478, 3), head space."""
    return neutral[INNER_LIPS].mean(0)


@dataclass(frozen=True, slots=True, eq=False)
class MouthCrop:
    """Where the crop lies in an image; it turns with the head's roll and grows with its size."""

    centre: Floats
    """(2,) pixels."""
    right: Floats
    """(2,) unit vector, the head's right in the picture."""
    unit: float
    """Picture pixels per head-space unit."""

    @staticmethod
    def of(pose: Similarity, middle: Floats) -> MouthCrop:
        """Return the crop of a head: pose takes head space to pixels, middle (3,) is its lips'."""
        beside = middle + np.array([1, 0, 0], np.float32)
        here, beside = pose.apply(np.stack([middle, beside]))[:, :2]
        across = beside - here
        return MouthCrop(here, across / np.linalg.norm(across), pose.scale)

    @property
    def step(self) -> float:
        """Picture pixels per crop pixel."""
        return self.unit * CROP_UNITS / CROP_SIZE

    @property
    def finer(self) -> int:
        """How many samples of a picture are averaged to a crop pixel, each way: no moire."""
        return max(1, round(self.step))

    def matrix(self, finer: int = 1) -> NDArray[np.float64]:
        """Return the (2, 3) move from crop pixels, so much finer, to picture pixels."""
        x, y = self.right * self.step
        turn = np.array([[x, -y], [y, x]], np.float64)
        middle = (CROP_SIZE - 1) / 2
        corner = self.centre - turn @ [middle, middle]
        # Pixel centres: the first of the finer ones is before the middle of all.
        return np.column_stack([turn / finer, corner + turn @ np.full(2, (1 / finer - 1) / 2)])

    def in_crop(self, points: Floats) -> Floats:
        """Move points (N, 2) from picture pixels to crop pixels."""
        matrix = self.matrix()
        return ((points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T).astype(np.float32)

    def cut(self, pixels: Pixels) -> Pixels:
        """Return the crop (CROP_SIZE, CROP_SIZE, 3) of a picture."""
        side = CROP_SIZE * self.finer
        crop = cv2.warpAffine(
            pixels,
            self.matrix(self.finer),
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        if self.finer > 1:
            crop = cv2.resize(crop, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
        return np.asarray(crop, np.uint8)

    def reach(self, width: int, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first and the end of columns and rows (2,) of a picture that it touches.

        They are within the picture and may be none.
        """
        reach = CROP_UNITS * self.unit * 0.5 * float(np.abs(self.right).sum()) + 2
        low = np.maximum(np.floor(self.centre - reach).astype(int), 0)
        high = np.minimum(np.ceil(self.centre + reach).astype(int) + 1, [width, height])
        return low, np.maximum(low, high)

    def blend(self, pixels: Pixels, layer: Floats) -> None:
        """Lay a layer over a picture (H, W, 3), in place: a frame is too large to be copied.

        layer (CROP_SIZE, CROP_SIZE, 4): how much of the picture it covers, 0 to 1, then RGB that is
        added, 0 to 255; it must be 0 along its rim.
        """
        low, high = self.reach(pixels.shape[1], pixels.shape[0])
        if (high <= low).any():
            return
        matrix = self.matrix()
        matrix[:, 2] -= low
        grown = cv2.warpAffine(
            layer,
            matrix,
            (int(high[0] - low[0]), int(high[1] - low[1])),
            flags=cv2.INTER_CUBIC if self.step > 1 else cv2.INTER_LINEAR,
        )
        _lay(pixels, int(low[0]), int(low[1]), np.asarray(grown, np.float32))


@njit(cache=True, nogil=True)
def _lay(pixels: Pixels, left: int, top: int, layer: Floats) -> None:
    """Lay a layer (h, w, 4) over the part of a picture (H, W, 3) that begins there, in place."""
    half, most = np.float32(0.5), np.float32(255)
    for y in range(layer.shape[0]):
        for x in range(layer.shape[1]):
            shown = 1 - layer[y, x, 0]
            for channel in range(3):
                value = pixels[top + y, left + x, channel] * shown + layer[y, x, channel + 1]
                value = min(max(value + half, np.float32(0)), most)
                pixels[top + y, left + x, channel] = np.uint8(value)
