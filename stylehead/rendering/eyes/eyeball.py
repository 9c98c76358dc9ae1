"""The eyeball behind the lids: white, iris and catchlight, whole where the still shows a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.face.landmarks import EYES, FACE
from stylehead.rendering.texture import still_map
from stylehead.types import Floats, Pixels

RIM = 0.12  # of the eye's opening at each lid: lashes and wet edge, which go with the lid
SHARP, SOFT = 1.1, 1.35  # iris radii: from where on the iris' picture fades, and where it ends
MARGIN = 0.4  # of the eye's width around its opening that is kept
PATCHING = 3  # pixels around a hidden one that fill it
LEAST_WHITE = 0.15  # of the opening: with less white in sight there is none to complete
CATCHLIGHT = 0.4  # of the iris' radius: what is smaller and lighter than around it is a reflection
CATCHLIGHT_LEAST = 24.0  # grey levels by which it is lighter
IRISES = (FACE, FACE + 5)
"""The first vertex of each eye's iris in the tracker's mesh: its middle, then four on its rim."""
SHIFT = 4  # bits after the point, as cv2 draws


@dataclass(frozen=True, slots=True, eq=False)
class Eyeball:
    """One eye's ball as layers of a patch of the still: they add up to the still's own pixels."""

    corner: Floats
    """(2,) the patch's top left pixel in the still."""
    white: Floats
    """(H, W, 3) what is behind the iris, 0 to 255."""
    iris: Floats
    """(H, W, 4) cover, 0 to 1, and RGB x cover."""
    catchlight: Floats
    """(H, W, 3) light that the eye reflects, to be added."""

    def seen(self, matrix: Floats, shift: Floats, size: tuple[int, int]) -> Floats:
        """Return a picture (H, W, 3) of the eyeball, 0 to 255, its size in columns and rows.

        matrix (2, 3) takes the picture's pixels to the still's; shift (2,) is how far the iris has
        moved, in the still's pixels. A reflection on a round eye moves half as far.
        """
        white = self._taken(self.white, matrix, 0 * shift, size)
        iris = self._taken(self.iris, matrix, shift, size)
        light = self._taken(self.catchlight, matrix, shift / 2, size)
        return white * (1 - iris[..., :1]) + iris[..., 1:] + light

    def _taken(self, layer: Floats, matrix: Floats, shift: Floats, size: tuple[int, int]) -> Floats:
        there = matrix.copy()
        there[:, 2] -= self.corner + shift
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(layer, there, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.float32)


def opening(points: Floats, number: int, rim: float = RIM) -> Floats:
    """Return the outline (16, 2) of an eye's opening without its rims; points (N, 2 or 3)."""
    upper, lower = (points[row, :2] for row in EYES[number][:2])
    gap = lower - upper
    return np.concatenate([upper + rim * gap, (lower - rim * gap)[-2:0:-1]])


def opening_mask(outline: Floats, size: tuple[int, int]) -> Floats:
    """Return how much of each pixel is inside an outline (N, 2): (H, W), 0 to 1."""
    mask = np.zeros(size[::-1], np.uint8)
    fixed = [np.round(outline * (1 << SHIFT)).astype(np.int32)]
    cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, SHIFT)
    return mask.astype(np.float32) / 255


def eyeball(crop: Pixels, vertices: Floats, irises: Floats, number: int) -> Eyeball | None:
    """Return the right (0) or left eyeball (1) of a crop; None where no white can be told.

    vertices (N, 3) are the mesh's in the crop, irises (10, 3) the tracker's, in the same pixels.
    """
    outline = opening(vertices, number)
    width = float(np.ptp(outline[:, 0]))
    low = np.floor(outline.min(0) - MARGIN * width).clip(0)
    high = np.minimum(np.ceil(outline.max(0) + MARGIN * width) + 1, len(crop))
    x0, y0, x1, y1 = (int(value) for value in (*low, *high))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    still = crop[y0:y1, x0:x1]
    middle, radius = _iris(irises[5 * number : 5 * number + 5] - [*low, 0])
    visible = opening_mask(outline - low, (x1 - x0, y1 - y0)) > 0.5
    offset = still_map(*still.shape[:2]) - middle
    away = np.linalg.norm(offset, axis=-1)
    in_iris = away < SHARP * radius
    if (visible & ~in_iris).sum() < LEAST_WHITE * visible.sum():
        return None
    hidden_white = (~visible | in_iris).astype(np.uint8)
    white = np.asarray(cv2.inpaint(still, hidden_white, PATCHING, cv2.INPAINT_TELEA), np.float32)
    cover = ((SOFT * radius - away) / ((SOFT - SHARP) * radius)).clip(0, 1)[..., None]
    whole = _whole_iris(still, visible, offset, away)
    catchlight = _catchlight(whole, away, radius)
    iris = np.concatenate([cover, cover * (whole - catchlight)], -1).astype(np.float32)
    return Eyeball(low.astype(np.float32), white, iris, catchlight)


def _iris(points: Floats) -> tuple[Floats, float]:
    """Return middle (2,) and radius of a tracked iris (5, 3)."""
    middle = points[0, :2]
    return middle, float(np.linalg.norm(points[1:, :2] - middle, axis=1).mean())


def _whole_iris(still: Pixels, visible: NDArray[np.bool_], offset: Floats, away: Floats) -> Floats:
    """Return a patch (H, W, 3) in which the iris is whole: mirrored, else the mean of its ring.

    visible (H, W) where the still (H, W, 3) shows the eye; offset (H, W, 2) and distance (H, W)
    of each pixel from the iris' middle.
    """
    height, width = visible.shape
    place = still_map(height, width)
    whole = still.astype(np.float32)
    ring = np.round(away).astype(int)
    count = np.bincount(ring[visible], minlength=ring.max() + 1)
    rings = [
        np.bincount(ring[visible], whole[..., channel][visible], minlength=len(count))
        for channel in range(3)
    ]
    known = np.flatnonzero(count)
    mean = np.stack(
        [np.interp(np.arange(len(count)), known, each[known] / count[known]) for each in rings], -1
    )
    across = (place - offset * [0, 2]).astype(np.float32)  # mirrored from below to above
    columns, rows = across[..., 0], across[..., 1]
    mirrored = cv2.remap(whole, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = visible.astype(np.float32)
    mirrored_seen = cv2.remap(seen, columns, rows, cv2.INTER_LINEAR)[..., None]
    filled = mirrored * mirrored_seen + mean[ring] * (1 - mirrored_seen)
    return cast(Floats, np.where(visible[..., None], whole, filled)).astype(np.float32)


def _catchlight(whole: Floats, away: Floats, radius: float) -> Floats:
    """Return the reflection (H, W, 3) in an iris: small and lighter than what is around it."""
    side = max(3, 2 * round(CATCHLIGHT * radius) + 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    without = np.asarray(cv2.morphologyEx(whole, cv2.MORPH_OPEN, kernel), np.float32)
    lighter = whole - without
    small = (lighter.mean(-1) > CATCHLIGHT_LEAST) & (away < radius)
    return (lighter * small[..., None]).astype(np.float32)
