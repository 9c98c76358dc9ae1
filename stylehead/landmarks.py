"""The 68 iBUG landmarks: their place in the tracker's mesh, regions, pairs and measures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylehead.types import Floats

# The tracker's vertex nearest to each iBUG point.
_CONTOUR = (162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_NOSE = (168, 197, 5, 4, 75, 97, 2, 326, 305)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_OUTER_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
_INNER_LIPS = (78, 82, 13, 312, 308, 317, 14, 87)
MESH_OF_68 = np.array((*_CONTOUR, *_BROWS, *_NOSE, *_EYES, *_OUTER_LIPS, *_INNER_LIPS))

RIGID = (27, 28, 29, 30, 36, 39, 42, 45)
"""Points that expression hardly moves: nose bridge and eye corners; their mean is the origin."""
MOUTH_PAIRS = ((61, 67), (62, 66), (63, 65))
"""Upper and lower inner lip, facing each other."""

REGIONS: dict[str, tuple[int, ...]] = {
    "jaw": tuple(range(17)),
    "brows": tuple(range(17, 27)),
    "nose": tuple(range(27, 36)),
    "eyes": tuple(range(36, 48)),
    "mouth": tuple(range(48, 68)),
}
"""Every one of the 68 points belongs to exactly one region."""

# Facial map: the groups of connected landmarks (section 6.1 of the method notes); True = closed.
POLYLINES: tuple[tuple[tuple[int, ...], bool], ...] = (
    (tuple(range(17)), False),
    (tuple(range(17, 22)), False),
    (tuple(range(22, 27)), False),
    (tuple(range(27, 31)), False),
    (tuple(range(31, 36)), False),
    (tuple(range(36, 42)), True),
    (tuple(range(42, 48)), True),
    (tuple(range(48, 60)), True),
    (tuple(range(60, 68)), True),
)


def _distance(points: Floats, a: int, b: int) -> Floats:
    return np.linalg.norm(points[..., a, :] - points[..., b, :], axis=-1)


def mouth_opening(points: Floats) -> Floats:
    """Return the mean gap of the three inner-lip pairs, in the unit of the points.

    (..., 68, D) in, (...) out.
    """
    return np.mean([_distance(points, *pair) for pair in MOUTH_PAIRS], axis=0)


def mouth_width(points: Floats) -> Floats:
    """Return the distance of the mouth corners: (..., 68, D) in, (...) out."""
    return _distance(points, 48, 54)


def eye_aspect(points: Floats) -> Floats:
    """Return lid gap over eye width, mean of both eyes: (..., 68, D) in, (...) out."""
    right = (_distance(points, 37, 41) + _distance(points, 38, 40)) / _distance(points, 36, 39)
    left = (_distance(points, 43, 47) + _distance(points, 44, 46)) / _distance(points, 42, 45)
    return (right + left) / 4


def brow_height(points: Floats) -> Floats:
    """Return how far the brows' mean is above the eye corners' mean: (..., 68, D), (...) out."""
    corners = points[..., (36, 39, 42, 45), 1].mean(-1)
    return corners - points[..., 17:27, 1].mean(-1)


def interocular(points: Floats) -> Floats:
    """Return the distance of the outer eye corners: (..., 68, D) in, (...) out."""
    return _distance(points, 36, 45)


def to_68(mesh: Floats) -> Floats:
    """Pick the 68 landmarks out of the tracker's mesh: (..., 478, D) in, (..., 68, D) out."""
    return mesh[..., MESH_OF_68, :]


def mirror_68() -> NDArray[np.intp]:
    """Return the permutation that swaps the subject's right and left."""
    pairs = [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)]
    pairs += [(31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)]
    order = np.arange(68)
    for a, b in pairs:
        order[[a, b]] = b, a
    return order
