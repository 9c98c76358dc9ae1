"""What a warp cannot show: the inside of an opening mouth, shaded to fit the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.rig import INNER_LIPS, INNER_LOWER, INNER_UPPER, Rig
from stylehead.types import Floats, Pixels

TEETH_BELOW_LIP = 0.022  # how far upper incisors reach below the closed lips, interocular: 2 mm
TEETH_HALF_WIDTH = 0.27  # of the visible arch, interocular
TEETH_EDGES = (0.0, 0.095, 0.165, 0.24)  # between teeth from the middle: 8.5, 6.5, 7 mm
SMALLEST_GAP = 1.2  # pixels of opening below which nothing is drawn
CAVITY = np.array([70.0, 26.0, 24.0])  # RGB of the mouth's depth under full light
TONGUE = np.array([150.0, 72.0, 70.0])
ENAMEL = np.array([232.0, 222.0, 206.0])


@dataclass(frozen=True, slots=True, eq=False)
class MouthInterior:
    """Colours and place of one portrait's mouth interior."""

    cavity: Floats
    """(3,) RGB"""
    tongue: Floats
    """(3,) RGB"""
    enamel: Floats
    """(3,) RGB"""
    lip_line: float
    """y of the closed lips, head space."""
    middle: float
    """x of the mouth's middle, head space."""

    def paint(
        self, pixels: Pixels, vertices: Floats, rig: Rig, frame: NDArray[np.floating]
    ) -> None:
        """Paint the open mouth into a crop (S, S, 3), in place.

        vertices (N, 3) of this frame in crop pixels; frame (2, 3) takes head-space x, y (of the
        plane of the teeth) to crop pixels.
        """
        polygon = vertices[INNER_LIPS, :2]
        gap = (vertices[INNER_LOWER, 1] - vertices[INNER_UPPER, 1])[2:7].mean()
        if gap < SMALLEST_GAP:
            return
        low = np.maximum(np.floor(polygon.min(0)).astype(int) - 3, 0)
        high = np.minimum(np.ceil(polygon.max(0)).astype(int) + 4, rig.size)
        if (high <= low).any():
            return
        width, height = high - low
        mask = np.zeros((height * 4, width * 4), np.uint8)  # 4 x 4 samples a pixel
        corners = ((polygon - low + 0.5) * 4 - 0.5) * 16
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 255, shift=4)
        cover = np.asarray(
            cv2.resize(mask, (int(width), int(height)), interpolation=cv2.INTER_AREA), np.float32
        )
        feather = max(0.5, 0.004 * rig.pose.scale)
        cover = np.asarray(cv2.GaussianBlur(cover / 255, (0, 0), feather), np.float32)
        cover *= np.clip((gap - SMALLEST_GAP) / 2.0, 0, 1)
        inverse = np.asarray(cv2.invertAffineTransform(frame.astype(np.float64)), np.float64)
        ys, xs = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
        x = inverse[0, 0] * xs + inverse[0, 1] * ys + inverse[0, 2] - self.middle
        y = inverse[1, 0] * xs + inverse[1, 1] * ys + inverse[1, 2]
        colour = self._shade(x, y, polygon, inverse, cover)
        part = pixels[low[1] : high[1], low[0] : high[0]]
        mixed = part + cover[..., None] * (colour - part)
        part[:] = mixed.round().clip(0, 255).astype(np.uint8)

    def _shade(
        self, x: Floats, y: Floats, polygon: Floats, inverse: NDArray[np.float64], cover: Floats
    ) -> Floats:
        """Colour every pixel of the mouth's box; x, y (H, W) head space from the mouth's middle."""
        points = polygon @ inverse[:, :2].T + inverse[:, 2]
        top, bottom = float(points[:, 1].min()), float(points[:, 1].max())
        depth = ((y - top) / max(bottom - top, 1e-3)).clip(0, 1)
        # The tongue rises out of the dark towards the lower lip.
        tongue = _smooth((depth - 0.45) / 0.5) * np.exp(-np.square(x / 0.2))
        tongue *= np.clip((bottom - top - 0.04) / 0.12, 0, 1)
        colour = self.cavity + (0.75 * tongue)[..., None] * (self.tongue - self.cavity)
        # Teeth hang from the skull: the jaw's way down does not move them.
        edge = self.lip_line + TEETH_BELOW_LIP - 0.45 * np.square(x)
        soft = 0.012
        teeth = _smooth((edge - y) / soft + 0.5)
        teeth *= _smooth((TEETH_HALF_WIDTH - np.abs(x)) / 0.05)
        shade = (1 - 0.75 * np.square(x / TEETH_HALF_WIDTH)).clip(0.15, 1)
        for line in TEETH_EDGES:
            shade = shade * (1 - 0.16 * np.exp(-np.square((np.abs(x) - line) / 0.006)))
        # Little light falls through parted lips.
        shade *= 0.62 + 0.38 * np.clip((bottom - top) / 0.16, 0, 1)
        colour = colour + teeth[..., None] * (self.enamel * shade[..., None] - colour)
        # Lips throw their shadow inwards: dark along the rim, most of all under the upper lip.
        inner = cv2.GaussianBlur(cover, (0, 0), max(1.0, 0.03 * cover.shape[1]))
        shadow = 0.6 + 0.4 * _smooth((inner - 0.3) / 0.5)
        return (colour * shadow[..., None]).astype(np.float32)


def _smooth(value: Floats) -> Floats:
    value = value.clip(0, 1)
    return value * value * (3 - 2 * value)


def fit_interior(crop: Pixels, rig: Rig) -> MouthInterior:
    """Fit the interior's colours to the light and colour of the portrait's skin."""
    cheeks = rig.source[[50, 280, 205, 425, 101, 330, 117, 346], :2].round().astype(int)
    cheeks = cheeks.clip(2, rig.size - 3)
    skin = np.mean(
        [crop[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(0) for x, y in cheeks], axis=0
    )
    lips = rig.source[[0, 17, 37, 267, 84, 314], :2].round().astype(int).clip(0, rig.size - 1)
    lip = crop[lips[:, 1], lips[:, 0]].astype(float).mean(0)
    light = float(skin.mean() / 170) ** 0.8
    # A grey picture stays grey: colours lose the chroma that the lips do not have. The tint of
    # the picture's light is half of the skin's.
    strength = min(1.0, float(np.ptp(lip) / max(lip.max(), 1.0)) / 0.35)
    tint = np.sqrt(skin / max(float(skin.mean()), 1.0))

    def toned(colour: Floats) -> Floats:
        mixed = strength * colour + (1 - strength) * colour.mean()
        return (light * mixed * tint).clip(0, 245).astype(np.float32)

    neutral = rig.rest
    return MouthInterior(
        toned(CAVITY),
        toned(TONGUE),
        toned(ENAMEL),
        float((neutral[INNER_UPPER[2:7], 1] + neutral[INNER_LOWER[2:7], 1]).mean() / 2),
        float(neutral[list((78, 308)), 0].mean()),
    )
