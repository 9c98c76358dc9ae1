"""The generic face: mean mesh, and linear maps from landmarks and expression scores to the mesh.

Learned from tracked clips by `stylehead train face-model`; shipped as a small array file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from stylehead.face.geometry import Similarity, align
from stylehead.face.landmarks import RIGID_MESH, to_68
from stylehead.types import Floats
from stylehead.weights.store import resolve

EXPRESSIVE = np.array((*range(1, 6), *range(19, 52)))  # brows; squint, wide, jaw, mouth, nose
"""Expression scores that a portrait may show and a neutral face does not; no blinks, no gaze."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceModel:
    """Mean face and linear maps in head space (origin: rigid points, unit: interocular)."""

    mean: Floats
    """(478, 3) mean neutral mesh."""
    dense: Floats
    """(204, 1434) landmark offsets -> mesh offsets."""
    basis: Floats
    """(52, 1434) mesh offset per unit of each expression score."""
    neutral_scores: Floats
    """(52,) expression scores of neutral faces."""
    triangles: NDArray[np.int64]
    """(852, 3) faces of vertices 0..467, with holes for eyes and mouth."""

    @staticmethod
    @cache
    def embedded() -> FaceModel:
        """Return the model that ships with the package."""
        arrays = load_file(resolve("face_model"))
        return FaceModel(
            arrays["mean"].astype(np.float32),
            arrays["dense"].astype(np.float32),
            arrays["basis"].astype(np.float32),
            arrays["rest"].astype(np.float32),
            arrays["triangles"].astype(np.int64),
        )

    def pose(self, mesh: Floats) -> Similarity:
        """Return the move from head space to this mesh (478, 3) in image space."""
        return align(self.mean[RIGID_MESH], mesh[RIGID_MESH])

    def mesh_offsets(self, landmarks: Floats) -> Floats:
        """Spread landmark offsets (T, 68, 3) over the mesh: (T, 478, 3)."""
        return (landmarks.reshape(len(landmarks), -1) @ self.dense).reshape(-1, 478, 3)

    def expression_offset(self, scores: Floats) -> Floats:
        """Return the mesh offset (478, 3) that these scores (52,) mean against a neutral face."""
        excess = np.zeros_like(self.neutral_scores)
        excess[EXPRESSIVE] = np.maximum(scores - self.neutral_scores, 0)[EXPRESSIVE]
        return (excess @ self.basis).reshape(478, 3)


def generic_neutral() -> Floats:
    """Return the landmarks (68, 3) of the generic face, on which the generator's offsets are."""
    return to_68(FaceModel.embedded().mean)
