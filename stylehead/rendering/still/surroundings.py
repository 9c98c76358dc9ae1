"""What is around the face: rings of vertices over head and shoulders, and a border that stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, KDTree

from stylehead.face.geometry import Similarity
from stylehead.face.landmarks import FACE, OVAL
from stylehead.types import Floats, Pixels

FADING = ((1.12, 1.0), (1.3, 1.0), (1.55, 0.8), (1.9, 0.45), (2.3, 0.12))
"""Rings around the face: size against the oval, and how rigidly they follow the head."""
CUT_OUT = ((1.12, 1.0), (1.3, 1.0), (1.55, 1.0), (1.9, 1.0), (2.3, 1.0), (2.8, 0.9))
"""The same for a person who is a layer: no background has to be stretched, so all hair is rigid."""
SKULL_DEPTH = 0.95  # depth of the head's axis behind the rigid points, head-space unit
DEPTH_REACHED = 0.8  # of the oval's size beyond it, where the surface has curved back to the axis;
# steeper, a head that looks up would hide its forehead behind its hair
CHEST = 0.12  # how rigidly what is below the chin follows the head
SHOULDERS = 0.5  # of the head's shift that shoulders follow
CHIN = 152
PINNED = 0.08  # of the crop's side, over which what moves comes to rest at an edge
EDGE_STEPS = 17  # vertices along each side of the border
TOUCHING = 0.02  # of the crop's side: so near an edge a person touches it
OUTSIDE, BEYOND = 0.25, 0.3
"""Of the crop's side beyond edges that no person touches: how far there are rings, and where the
border is."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """Vertices around a face, in crop pixels."""

    rings: Floats
    """(K, 3)"""
    rigidity: Floats
    """(K,) 1 moves with the head, 0 stays."""
    shoulder_follow: Floats
    """(K,) fraction of the head's shift that is added: shoulders."""
    beside: NDArray[np.int64]
    """(K,) the vertex of the face's outline that each goes on from."""
    share: Floats
    """(K,) how much of that vertex's depth each has; the rest is the axis'."""
    border: Floats
    """(B, 3) vertices that stay."""


def surround(
    face: Floats, pose: Similarity, size: int, matte: Pixels | None, *, open_top: bool = False
) -> Surroundings:
    """Return the vertices around a face (478, 3) of a crop of `size` pixels.

    Depth runs from the face's outline to the axis of the skull: the silhouette of a turning head
    stays where it is. Where the person is a layer of their own, by a matte (S, S), hair is as rigid
    as the face, and free to leave the crop by an edge that the person does not touch, or by the
    upper one when it is an `open_top`, the picture's own or over it: hair that the picture cuts is
    moved along with the rest, or else it would be torn.
    """
    oval = face[OVAL]
    centre = oval[:, :2].mean(0)
    axis_depth = float(pose.apply(np.array([0, 0, SKULL_DEPTH], np.float32))[2])
    chin = float(face[CHIN, 1])
    height = float(np.ptp(oval[:, 1]))
    rings, rigidity, shoulder_follow = list[Floats](), list[Floats](), list[Floats]()
    share = list[Floats]()
    for factor, weight in FADING if matte is None else CUT_OUT:
        ring = oval.copy()
        ring[:, :2] = centre + (oval[:, :2] - centre) * factor
        fraction = min(1.0, (factor - 1) / DEPTH_REACHED)
        ring[:, 2] = oval[:, 2] + fraction * (axis_depth - oval[:, 2])
        below = ((ring[:, 1] - chin) / (0.35 * height)).clip(0, 1)
        rings.append(ring)
        rigidity.append(weight * ((1 - below) + CHEST * below))
        shoulder_follow.append((SHOULDERS - CHEST) * weight * below)
        share.append(np.full(len(oval), 1 - fraction, np.float32))
    points, weights = np.concatenate(rings), np.concatenate(rigidity)
    follow = np.concatenate(shoulder_follow)
    border = _border(size, oval[:, 2].mean())
    if matte is None:
        edge = np.minimum(points[:, :2], size - 1 - points[:, :2]).min(1)
        inside = edge > size / 100
    else:
        border, touched = _freed(border, matte, open_top)
        edge = (
            KDTree(touched).query(points[:, :2])[0] if len(touched) else np.full(len(points), size)
        )
        outside = np.maximum(-points[:, :2], points[:, :2] - (size - 1)).max(1)
        inside = (outside < OUTSIDE * size) & (edge > size / 100)
    # Near an edge that is touched nothing may move: the edge itself is pinned.
    free = (edge / (PINNED * size)).clip(0, 1)
    return Surroundings(
        rings=points[inside],
        rigidity=(weights * free)[inside],
        shoulder_follow=(follow * free)[inside],
        beside=np.tile(OVAL, len(rings))[inside],
        share=np.concatenate(share)[inside],
        border=border,
    )


def triangulated(source: Floats) -> NDArray[np.int64]:
    """Triangulate the picture around the face: outline, rings and border; source (N, 3)."""
    index = np.concatenate([OVAL, np.arange(FACE, len(source))])
    points = source[index, :2].astype(np.float64)
    triangles = Delaunay(points).simplices
    inner = (triangles < len(OVAL)).all(1)  # all three corners on the outline: inside the face
    return index[triangles[~inner]].astype(np.int64)


def _border(size: int, depth: float) -> Floats:
    steps = np.linspace(0, size - 1, EDGE_STEPS)
    low, high = np.zeros(EDGE_STEPS), np.full(EDGE_STEPS, size - 1.0)
    sides = [(steps, low), (steps, high), (low[1:-1], steps[1:-1]), (high[1:-1], steps[1:-1])]
    points = np.concatenate([np.stack(side, 1) for side in sides])
    return np.column_stack([points, np.full(len(points), depth + size)]).astype(np.float32)


def _freed(border: Floats, matte: Pixels, open_top: bool) -> tuple[Floats, Floats]:
    """Return the border (B, 3), moved outwards where nobody touches it, and where somebody does.

    The second, (E, 2), are pixels of the crop's edge.
    """
    size = len(matte)
    near = max(1, round(TOUCHING * size))
    steps = np.arange(size, dtype=np.float32)
    low, high = np.zeros(size, np.float32), np.full(size, size - 1, np.float32)
    sides = [
        (matte[:near].max(0), steps, low),
        (matte[-near:].max(0), steps, high),
        (matte[:, :near].max(1), low, steps),
        (matte[:, -near:].max(1), high, steps),
    ]
    touched = np.concatenate(
        [np.column_stack([x, y])[cover > 0] for cover, x, y in sides[int(open_top) :]]
    )
    step = (size - 1) / (EDGE_STEPS - 1)
    if len(touched):
        lonely = KDTree(touched).query(border[:, :2])[0] > step
    else:
        lonely = np.ones(len(border), bool)
    moved = border.copy()
    outward = (border[:, :2] == size - 1).astype(np.float32) - (border[:, :2] == 0)
    moved[lonely, :2] += BEYOND * size * outward[lonely]
    return moved, touched.astype(np.float32)
