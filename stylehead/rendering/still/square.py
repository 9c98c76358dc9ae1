"""The working square: the part of a picture around a face, at the size it is rendered in."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.types import Floats, Pixels

FEATHER = 0.04  # of the crop's side, over which the moved crop fades into the still picture
OUT_OF_FOCUS = 0.02  # of the crop's side: the blur of what lies beyond the picture


def cut_square(pixels: Pixels, corner: Floats, scale: float, size: int) -> Pixels:
    """Return a square (size, size, ...) of a picture (H, W, ...), of colours or of one channel.

    `corner` (2,) is its top left corner in the picture, `scale` its pixels per picture pixel.
    Beyond the picture its edge goes on, out of focus: nothing is shown there that could be a face.
    """
    crop, made_up = _cut(pixels, corner, scale, size)
    if made_up.any():
        soft = cv2.GaussianBlur(crop, (0, 0), OUT_OF_FOCUS * size)
        crop[made_up] = np.asarray(soft, np.uint8)[made_up]
    return crop


def cut_matte(matte: Pixels, corner: Floats, scale: float, size: int) -> Pixels:
    """Return a square (size, size) of a matte (H, W), as cut_square does of its picture.

    Beyond the picture it has hard edges: a person who goes on there does not spread sideways.
    """
    cut, made_up = _cut(matte, corner, scale, size)
    cut[made_up] = np.where(cut[made_up] < 128, 0, 255)
    return cut


def _cut(
    pixels: Pixels, corner: Floats, scale: float, size: int
) -> tuple[Pixels, NDArray[np.bool_]]:
    """Return a square of a picture, its edge repeated beyond it, and where that is (S, S)."""
    offset = -(corner - 0.5) * scale - 0.5
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    if scale < 0.5:  # averaging avoids the moire of leaping over pixels
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.4 / scale), np.uint8)
    crop = cv2.warpAffine(
        pixels,
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC if scale != 1 else cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    crop = np.asarray(crop, np.uint8)
    steps = corner[:, None] + (np.arange(size) + 0.5) / scale
    height, width = pixels.shape[:2]
    inside = [(at > 0) & (at < side) for at, side in zip(steps, (width, height), strict=True)]
    return crop, ~(inside[1][:, None] & inside[0])
