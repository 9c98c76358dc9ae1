"""The style transfer network f: landmarks of a frame -> features whose means are compared."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

MOTION = 68 * 3
"""Width of phi: the 68 landmarks in three dimensions."""
WIDTHS = (1024, 512, 256)
"""Units of the three layers (paper, section 3.4)."""
LEAST_SPREAD = 1e-3
"""Floor of a coordinate's spread, interocular, so that a still point does not divide by zero."""


class StyleNetwork(nn.Module):
    """An MLP over phi, standardised so that the face's contour does not outweigh its motion.

    Leaky rectifiers of slope 0.2 between the layers, the last one linear.
    """

    mean: Tensor
    """(204,) the target's neutral face."""
    scale: Tensor
    """(204,) how far each coordinate usually moves."""

    def __init__(self, neutral: Tensor, spread: Tensor) -> None:
        super().__init__()
        sizes = (MOTION, *WIDTHS)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            linear = nn.Linear(before, after)
            # Slopes of about 1 along every direction: what L_r asks for, from the first step.
            usual = nn.init.calculate_gain("leaky_relu", 0.2) if after != WIDTHS[-1] else 1.0
            nn.init.orthogonal_(linear.weight, usual * max(1.0, (after / before) ** 0.5))
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers[:-1])
        self.register_buffer("mean", neutral.flatten())
        self.register_buffer("scale", spread.flatten().clamp(min=LEAST_SPREAD))

    def standardised(self, landmarks: Tensor) -> Tensor:
        """Return (..., 204) of landmarks (..., 68, 3) in head space: phi about the neutral face."""
        return (landmarks.flatten(-2) - self.mean) / self.scale

    def forward(self, motion: Tensor) -> Tensor:
        """Return features (..., 256) of standardised phi (..., 204)."""
        return self.layers(motion)


def mean_features(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return F (256,), the mean of features (..., 256) over frames, weighted by `weights` (...)."""
    flat = features.flatten(0, -2)
    if weights is None:
        return flat.mean(0)
    return torch.einsum("n,nf->f", weights.flatten() / weights.sum(), flat)
