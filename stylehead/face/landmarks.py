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
SHUT = 0.12
"""Lid gap over eye width under which an eye is shut: lashes keep the lids' outlines apart."""
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
"""Facial map: the groups of connected landmarks; True = closed."""


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


def eye_aspects(points: Floats) -> tuple[Floats, Floats]:
    """Return lid gap over eye width, of the right and of the left eye: (..., 68, D), (...) out."""
    right = (_distance(points, 37, 41) + _distance(points, 38, 40)) / _distance(points, 36, 39)
    left = (_distance(points, 43, 47) + _distance(points, 44, 46)) / _distance(points, 42, 45)
    return right / 2, left / 2


def eye_aspect(points: Floats) -> Floats:
    """Return lid gap over eye width, mean of both eyes: (..., 68, D) in, (...) out."""
    right, left = eye_aspects(points)
    return (right + left) / 2


def shut_eyes(points: Floats) -> tuple[bool, bool]:
    """Return whether the right and the left eye of landmarks (68, D) are shut."""
    right, left = eye_aspects(points)
    return bool(right < SHUT), bool(left < SHUT)


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


# fmt: off
RIGID_MESH = np.array(
    (
        10,
        338,
        297,
        332,
        284,
        251,
        389,
        356,
        127,
        162,
        21,
        54,
        103,
        67,
        109,
        93,
        168,
        6,
        197,
        195,
        5,
        4,
        1,
        19,
        94,
        133,
        362,
        33,
        263,
        8,
        9,
        151,
        234,
        454,
        323,
    )
)
# fmt: on
"""Mesh vertices that move with the skull: forehead, temples, nose, eye corners."""

PARTS: dict[str, tuple[str, ...]] = {
    "mouth": ("jaw", "nose", "mouth"),
    "brows": ("brows",),
    "eyes": ("eyes",),
    "head": (),
}
"""What a user may choose a style for -> landmark regions; `eyes` has the blinks as well."""


def points_of() -> dict[str, list[int]]:
    """Return part -> its landmarks, for the parts that have any."""
    return {
        part: [point for name in names for point in REGIONS[name]]
        for part, names in PARTS.items()
        if names
    }


FACE = 468  # vertices of the tracker's mesh without irises
# fmt: off
OVAL = np.array(
    (
        10,
        338,
        297,
        332,
        284,
        251,
        389,
        356,
        454,
        323,
        361,
        288,
        397,
        365,
        379,
        378,
        400,
        377,
        152,
        148,
        176,
        149,
        150,
        136,
        172,
        58,
        132,
        93,
        234,
        127,
        162,
        21,
        54,
        103,
        67,
        109,
    )
)
# fmt: on
"""Outline of the face, clockwise in the picture from the top of the forehead."""
INNER_UPPER = np.array((191, 80, 81, 82, 13, 312, 311, 310, 415))
INNER_LOWER = np.array((95, 88, 178, 87, 14, 317, 402, 318, 324))
MOUTH_CORNERS = (78, 308)
INNER_LIPS = np.array((78, *INNER_UPPER, 308, *INNER_LOWER[::-1]))
"""Closed polygon of the inner lips."""
# Each eye: outer corner to inner corner along the upper lid, the same along the lower lid, then the
# crease above the upper lid and the skin below the brow.
EYES = (
    (
        np.array((33, 246, 161, 160, 159, 158, 157, 173, 133)),
        np.array((33, 7, 163, 144, 145, 153, 154, 155, 133)),
        np.array((247, 30, 29, 27, 28, 56, 190)),
        np.array((113, 225, 224, 223, 222, 221, 189)),
    ),
    (
        np.array((263, 466, 388, 387, 386, 385, 384, 398, 362)),
        np.array((263, 249, 390, 373, 374, 380, 381, 382, 362)),
        np.array((467, 260, 259, 257, 258, 286, 414)),
        np.array((342, 445, 444, 443, 442, 441, 413)),
    ),
)

MOUTH = slice(48, 68)
