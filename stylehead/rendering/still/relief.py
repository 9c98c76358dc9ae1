"""The relief of a face towards its outline, no steeper than its picture can be turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from stylehead.face.geometry import smoothstep
from stylehead.face.landmarks import FACE, OVAL
from stylehead.types import Floats

STEEPEST = 2.5
"""Depth per distance in the picture. A turn of 20 degrees stretches such a slope to 1.8 times on
its near side; a real temple, far steeper, would smear a few pixels into a broad band."""
FAR = 0.342
"""Sine of that turn. Smaller ones stretch less, and allow steeper slopes: small turns are seen by
how the outline moves."""
STEEPENING = 0.75
"""Power of the sine with which slopes get less steep. With 1 every turn would stretch by 1.8, and
an outline that has moved as far as it may would stop; with less it goes on."""
SINES = FAR * np.linspace(0, 1, 9)[1:] ** 2
"""Turns for which relief is kept; between them what it moves is interpolated."""
REACH = 0.3  # of the face's width from its outline, over which relief is eased


@dataclass(frozen=True, slots=True, eq=False)
class Relief:
    """The depth that a face has beyond the one that is eased for far turns."""

    shifts: Floats
    """(S, N) what it moves each vertex across the picture at a turn of SINES, pixels."""

    @staticmethod
    def of(mesh: Floats) -> Relief:
        """Return the relief of the vertices of a mesh (478, 3), pixels, beyond the eased ones'."""
        face, distances = mesh[:FACE], _distances(mesh[:FACE])
        eased = _eased(face, *distances, STEEPEST)
        steepest = STEEPEST * (FAR / SINES) ** STEEPENING
        depths = [_eased(face, *distances, steep) - eased for steep in steepest]
        return Relief((np.stack(depths) * SINES[:, None]).astype(np.float32))

    def depth(self, sine: float) -> Floats:
        """Return the depth (N,) that is shown of it, pixels, for the sine of a turn."""
        high = int(np.clip(np.searchsorted(SINES, sine), 1, len(SINES) - 1))
        low = high - 1
        sine = max(sine, float(SINES[0]))
        part = min(1.0, (sine - SINES[low]) / (SINES[high] - SINES[low]))
        shift = self.shifts[low] + np.float32(part) * (self.shifts[high] - self.shifts[low])
        return shift / np.float32(sine)


def ease_relief(mesh: Floats) -> Floats:
    """Return a mesh (478, 3), pixels, whose depth towards the face's outline is nowhere too steep.

    Each vertex comes forward to what the shallowest slope from any other vertex reaches; the middle
    of the face keeps its relief.
    """
    eased = mesh.copy()
    eased[:FACE, 2] = _eased(mesh[:FACE], *_distances(mesh[:FACE]), STEEPEST)
    return eased.astype(np.float32)


def _distances(face: Floats) -> tuple[Floats, Floats]:
    """Return how far vertices are apart in the picture (N, N), and how near its outline (N,).

    Nearness is 1 on it and 0 from REACH on.
    """
    apart = cdist(face[:, :2], face[:, :2])
    width = float(np.ptp(face[OVAL, 0]))
    return apart, 1 - smoothstep((apart[:, OVAL].min(1) / (REACH * width)).clip(0, 1))


def _eased(face: Floats, apart: Floats, near: Floats, steepest: float) -> Floats:
    """Return the depth (N,) of vertices that is nowhere steeper."""
    reached = (face[None, :, 2] + steepest * apart).min(1)
    return face[:, 2] + near * (reached - face[:, 2])
