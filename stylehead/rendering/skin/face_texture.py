"""The texture space of the whole face, and where in it there is skin."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import EYES, FACE, MESH_OF_68
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.texture import Texture
from stylehead.types import Floats

SIZE = 96
"""Side of the texture in its pixels."""
FILLED = 0.94  # of that side that the generic face fills
OUTER_LIPS = MESH_OF_68[48:60]
SMOOTHED = 1.0  # texture pixels: what is finer is a person's own skin, or noise
FADE = 3  # texture pixels over which changes fade in from the face's outline, eyes and lips


@cache
def face_texture() -> Texture:
    """Return the texture over the face's vertices (468, 3): the generic face, seen from before."""
    model = FaceModel.embedded()
    face = model.mean[:FACE]
    low, high = face[:, :2].min(0), face[:, :2].max(0)
    scale = FILLED * SIZE / float((high - low).max())
    places = (face - [*(low + high) / 2, 0]) * scale
    places[:, :2] += (SIZE - 1) / 2
    return Texture(places.astype(np.float32), model.triangles, SIZE)


@cache
def skin() -> Floats:
    """Return which texture pixels (SIZE, SIZE) are skin, 0 or 1: neither eyes, lids nor lips."""
    texture = face_texture()
    there = texture.places + 1
    covered = displacement_map(texture.triangles, texture.places, there, size=SIZE, cells=SIZE)
    for part in (*(np.concatenate(eye[:3]) for eye in EYES), OUTER_LIPS):
        covered[_hull(texture.places[part, :2])] = 0
    return (covered[..., 0] > 0.5).astype(np.float32)


def _hull(points: Floats) -> NDArray[np.bool_]:
    """Return the pixels (SIZE, SIZE) within or one beside the convex hull of points (N, 2)."""
    area = np.zeros((SIZE, SIZE), np.uint8)
    outline = cv2.convexHull(points.round().astype(np.int32))
    cv2.fillConvexPoly(area, np.asarray(outline), 1)
    return cv2.dilate(area, np.ones((3, 3), np.uint8)) > 0


def smooth_skin(change: Floats, by: float = SMOOTHED) -> Floats:
    """Return a change (SIZE, SIZE) smoothed within the skin by so many pixels, 0 outside it."""
    here = skin()
    soft = cv2.GaussianBlur(change * here, (0, 0), by)
    return np.asarray(soft / (cv2.GaussianBlur(here, (0, 0), by) + 1e-3) * here, np.float32)


@cache
def fade() -> Floats:
    """Return how far changes count (SIZE, SIZE): 1 on skin, falling to 0 at its edges."""
    inside = cv2.distanceTransform(skin().astype(np.uint8), cv2.DIST_L2, 3)
    return (np.asarray(inside, np.float32) / FADE).clip(0, 1)
