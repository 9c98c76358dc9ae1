"""Manifold projection: bring features of an unknown voice near to those of known ones.

K nearest neighbours and locally linear embedding, as Live Speech Portraits does for one person's
own speech; here the base is of many voices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

NEIGHBOURS = 10
RIDGE = 1e-3  # of the mean squared distance: neighbours may be duplicates
BLEND = 0.5
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
    gram = gram + raised[..., None, None] * torch.eye(count, dtype=gram.dtype)
    along = across @ (feature[..., None, :] - nearest).transpose(-1, -2)
    solution = torch.linalg.solve(gram, along)
    others = cast(Tensor, solution)[..., 0]
    return torch.cat([1 - others.sum(-1, keepdim=True), others], -1)


@dataclass(frozen=True, slots=True, eq=False)
class Manifold:
    """A base of known features, and how far to go towards it."""

    base: Tensor
    """(M, D) centroids of training features."""
    mean: Tensor
    """(D,) of the training features."""
    scale: Tensor
    """(D,) their spread: neighbours are sought among standardised features."""
    blend: float = BLEND
    """0 leaves features alone, 1 replaces them."""
    neighbours: int = NEIGHBOURS

    def project(self, features: Tensor) -> Tensor:
        """Return features (T, D) blended with their reconstructions from neighbours in the base."""
        if self.blend == 0:
            return features
        base = (self.base - self.mean) / self.scale
        lengths = base.square().sum(1)
        out = torch.empty_like(features)
        for start in range(0, len(features), CHUNK):
            piece = (features[start : start + CHUNK] - self.mean) / self.scale
            distance = lengths - 2 * piece @ base.T  # less the piece's own length
            nearest = distance.topk(min(self.neighbours, len(base)), largest=False).indices
            near = base[nearest]
            built = (weights_of(piece, near)[..., None] * near).sum(1)
            mixed = (1 - self.blend) * piece + self.blend * built
            out[start : start + CHUNK] = mixed * self.scale + self.mean
        return out
