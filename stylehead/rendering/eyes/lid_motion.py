"""How lids and irises move: mesh vertices of a blink, of kept lids and of gaze."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylehead.face.landmarks import EYES
from stylehead.types import Floats

IRIS_FOLLOW = np.array([0.5, 0.9, 1.0, 1.0, 1.0, 0.9, 0.5], np.float32)
"""How far points along the middle of an eye's opening follow the eyeball; corners do not."""
SEEN = 2 * len(IRIS_FOLLOW)
"""Points in the middle of both eyes' openings."""
EYELID_CREASE, BROW_SKIN = 0.5, 0.08  # of the lid's way in a blink: the brow stays
LOWER_LID = 0.12  # of the eye's opening that the lower lid rises; the upper lid does the rest
OVERLAP = 0.008  # head-space unit by which lids and lips that were open in the picture pass each
# other when shut, so that no line of eye or teeth is left between them
NEARER = 0.02  # head-space unit by which the upper one is then in front

Eye = tuple[NDArray[np.int64], ...]
"""One of EYES: upper lid, lower lid, crease, skin below the brow."""


def close_lids(face: Floats, eye: Eye, blink: float) -> Floats:
    """Return a face (468, 3) with an upper lid lowered onto the lower one; head space, y down."""
    if blink <= 0:
        return face
    upper, lower, eyelid_crease, below_brow = eye
    closed = face.copy()
    gap = face[lower] - face[upper]
    way = blink * (1 - LOWER_LID) * gap[1:-1]
    way = way + blink * np.array([0, OVERLAP, -NEARER], np.float32)
    closed[upper[1:-1]] += way
    closed[lower[1:-1]] -= blink * LOWER_LID * gap[1:-1]
    closed[eyelid_crease] += EYELID_CREASE * way
    closed[below_brow] += BROW_SKIN * way
    return closed


def kept_lids(face: Floats, closed: Floats, eye: Eye) -> Floats:
    """Return a face (N, 3) with an eye's lids as on a closed one, moved with the eye's corners."""
    upper, lower, *around = eye
    corners = [upper[0], upper[-1]]
    lids = np.concatenate([upper[1:-1], lower[1:-1], *around])
    kept = face.copy()
    kept[lids] = closed[lids] + (face[corners] - closed[corners]).mean(0)
    return kept


def iris_points(face: Floats, shift: Floats) -> Floats:
    """Return the points (14, 3) in the middle of both eyes' openings, moved with the eyeballs.

    shift (2,) or, for each eye, (2, 2): what the middle of the iris moves, in the face's unit.
    """
    shifts = np.broadcast_to(shift, (2, 2))
    points = [(face[eye[0][1:-1]] + face[eye[1][1:-1]]) / 2 for eye in EYES]
    for row, moved in zip(points, shifts, strict=True):
        row[:, :2] += IRIS_FOLLOW[:, None] * moved
    return np.concatenate(points)
