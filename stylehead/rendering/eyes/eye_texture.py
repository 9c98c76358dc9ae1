"""The texture space of an eye: the generic face's with its lids shut, the left one mirrored."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import EYES, FACE
from stylehead.rendering.eyes.lid_motion import IRIS_FOLLOW, SEEN, close_lids, iris_points
from stylehead.rendering.texture import Texture
from stylehead.types import Floats

SIZE = 64
"""Side of the texture in its pixels."""
REACH = 1.7  # of the eye's width: from brow to below the lower lid
LIFT = 0.12  # of that width by which its middle is above the eye's corners
MARGIN = 4  # pixels outside the texture in which vertices still count


def eye_vertices(vertices: Floats) -> Floats:
    """Return the vertices (482, 3) that eyes are made of: the face, and the middle of openings.

    vertices (N, 3) of a whole portrait mesh.
    """
    return np.concatenate([vertices[:FACE], vertices[-SEEN:]])


def openings(first_iris_point: int) -> NDArray[np.int64]:
    """Return the triangles (M, 3) across both eyes' openings.

    They have a middle row: the points of `iris_points`, from vertex `first_iris_point` on.
    """
    strips: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for number, (upper, lower, *_) in enumerate(EYES):
        row = first_iris_point + number * len(IRIS_FOLLOW) + np.arange(len(IRIS_FOLLOW))
        middle = np.array((upper[0], *row, upper[-1]))
        strips += [(upper, middle), (middle, lower)]
    return np.concatenate([strip_triangles(*strip) for strip in strips])


def strip_triangles(above: NDArray[np.int64], below: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the triangles (M, 3) between two rows of as many vertices, which may share ends."""
    triangles: list[tuple[int, int, int]] = []
    for i in range(len(above) - 1):
        a, b, c, d = above[i], above[i + 1], below[i], below[i + 1]
        triangles += [one for one in ((a, b, c), (b, d, c)) if len(set(one)) == 3]
    return np.array(triangles, np.int64)


@cache
def eye_texture(number: int) -> Texture:
    """Return the texture of the right (0) or the left eye (1), over `eye_vertices`."""
    model = FaceModel.embedded()
    shut = model.mean[:FACE]
    for eye in EYES:
        shut = close_lids(shut, eye, 1.0)
    points = np.concatenate([shut, iris_points(shut, np.zeros(2, np.float32))])
    outer, inner = shut[EYES[number][0][[0, -1]], :2]
    width = float(np.abs(inner - outer)[0])
    middle = (outer + inner) / 2 - [0, LIFT * width]
    side = 1 if number == 0 else -1
    places = (points - [*middle, 0]) * (SIZE / (REACH * width)) * [side, 1, 1]
    places[:, :2] += (SIZE - 1) / 2
    triangles = np.concatenate([model.triangles, openings(FACE)])
    corners = places[triangles, :2]
    near = (corners.max(1) > -MARGIN) & (corners.min(1) < SIZE + MARGIN)
    return Texture(places.astype(np.float32), triangles[near.all(1)], SIZE)
