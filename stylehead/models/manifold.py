"""Manifold projection: bring features of an unknown voice near to those of known ones.

K nearest neighbours and locally linear embedding, as Live Speech Portraits does for one person's
own speech. Here the base is of many voices, or of the singer whose style was tuned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from stylehead.models.motion_generator import MotionConfig, MotionGenerator, State

NEIGHBOURS = 10
RIDGE = 1e-3  # of the mean squared distance: neighbours may be duplicates
CHUNK = 1024  # features searched at once


def weights_of(feature: Tensor, neighbours: Tensor, *, ridge: float = RIDGE) -> Tensor:
    """Return the weights (..., K) that rebuild features from their neighbours and sum to one.

    feature (..., D), neighbours (..., K, D), the nearest first; weights may be negative. Least
    squares on the differences to the nearest, exactly solved, the diagonal raised by `ridge` of
    its mean.
    """
    nearest = neighbours[..., :1, :]
    across = neighbours[..., 1:, :] - nearest
    gram = across @ across.transpose(-1, -2)
    count = gram.shape[-1]
    raised = ridge * gram.diagonal(dim1=-2, dim2=-1).mean(-1) + 1e-12
    gram = gram + raised[..., None, None] * torch.eye(count).to(gram)
    along = across @ (feature[..., None, :] - nearest).transpose(-1, -2)
    solution = torch.linalg.solve(gram, along)
    others = cast(Tensor, solution)[..., 0]
    return torch.cat([1 - others.sum(-1, keepdim=True), others], -1)


@dataclass(frozen=True, slots=True, eq=False)
class Manifold:
    """Speech features of known voices, and how far others are brought to them (paper, 3.1)."""

    base: Tensor
    """(M, D) centroids of the known features."""
    mean: Tensor
    """(D,) of the known features."""
    scale: Tensor
    """(D,) their spread: neighbours are sought among standardised features."""
    strength: float
    """0 leaves features alone, 1 replaces them."""
    neighbours: int = NEIGHBOURS

    @classmethod
    def of(cls, arrays: Mapping[str, Tensor], strength: float) -> Manifold:
        """Return the manifold of a file's `base`, `mean` and `scale`; KeyError without them."""
        return cls(arrays["base"], arrays["mean"], arrays["scale"], strength)

    @property
    def arrays(self) -> dict[str, Tensor]:
        """What `of` takes."""
        return {"base": self.base, "mean": self.mean, "scale": self.scale}

    def project(self, features: Tensor) -> Tensor:
        """Return features (T, D) blended with their reconstructions from neighbours in the base."""
        if self.strength == 0:
            return features
        mean, scale = self.mean.to(features), self.scale.to(features)
        base = (self.base.to(features) - mean) / scale
        lengths = base.square().sum(1)
        out = torch.empty_like(features)
        for start in range(0, len(features), CHUNK):
            piece = (features[start : start + CHUNK] - mean) / scale
            distance = lengths - 2 * piece @ base.T  # less the piece's own length
            nearest = distance.topk(min(self.neighbours, len(base)), largest=False).indices
            near = base[nearest]
            built = (weights_of(piece, near)[..., None] * near).sum(1)
            mixed = (1 - self.strength) * piece + self.strength * built
            out[start : start + CHUNK] = mixed * scale + mean
        return out


class ProjectingGenerator(MotionGenerator):
    """A motion generator that brings the features it is given to a base first."""

    def __init__(self, config: MotionConfig, manifold: Manifold) -> None:
        super().__init__(config)
        self.manifold = manifold

    def forward(self, features: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return what MotionGenerator.forward does, of projected features (B, T, F)."""
        projected = self.manifold.project(features.flatten(0, 1)).view_as(features)
        return super().forward(projected, state)
