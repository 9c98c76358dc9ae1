"""The relief of a face towards its outline, no steeper than its picture can be turned."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from stylehead.face.geometry import smoothstep
from stylehead.face.landmarks import FACE, OVAL
from stylehead.types import Floats

STEEPEST = 2.5
"""Depth per distance in the picture. A turn of 20 degrees stretches such a slope to 1.8 times on
its near side; a real temple, far steeper, would smear a few pixels into a broad band. Less steep,
the outline hardly moves, and small turns look smaller than they are."""
REACH = 0.3  # of the face's width from its outline, over which relief is eased


def ease_relief(mesh: Floats) -> Floats:
    """Return a mesh (478, 3), pixels, whose depth towards the face's outline is nowhere too steep.

    Each vertex comes forward to what the shallowest slope from any other vertex reaches; the middle
    of the face keeps its relief.
    """
    face = mesh[:FACE]
    apart = cdist(face[:, :2], face[:, :2])
    reached = (face[None, :, 2] + STEEPEST * apart).min(1)
    to_outline = cdist(face[:, :2], face[OVAL, :2]).min(1)
    width = float(np.ptp(face[OVAL, 0]))
    weight = 1 - smoothstep((to_outline / (REACH * width)).clip(0, 1))
    eased = mesh.copy()
    eased[:FACE, 2] += weight * (reached - face[:, 2])
    return eased.astype(np.float32)
