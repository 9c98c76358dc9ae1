"""A closed form of style transfer: the generator's last layer, fitted to a person's own sounds."""

from __future__ import annotations

import torch
from torch import Tensor

from stylehead.models.motion_generator import MotionGenerator
from stylehead.training.data.speakers import AlignedFeatures

PRIOR = 800.0
"""Frames of a person's own for which their word and the generator's count alike."""


@torch.no_grad()
def calibrate(generator: MotionGenerator, own: list[AlignedFeatures]) -> tuple[Tensor, Tensor]:
    """Return the change of the last layer's weight (K, H) and bias (K,) that fits somebody best.

    `own` are a person's articulations aligned with the features of their sound. It is what ridge
    regression gives from the layer's inputs to what the generator misses (Bayesian, the prior
    centred on the generator): where a clip has no such sounds nothing changes. The mean is fitted
    freely.
    """
    back = torch.linalg.pinv(generator.components)
    known: list[Tensor] = []
    missing: list[Tensor] = []
    for pair in own:
        hidden = generator.before_last(pair.features.float())
        count = min(len(hidden), len(pair.offsets))
        predicted = generator.last(hidden[:count]).flatten(1)
        known.append(hidden[:count])
        missing.append((pair.offsets[:count].flatten(1) - predicted) @ back)
    inputs, residuals = torch.cat(known).double(), torch.cat(missing).double()
    mean, shift = inputs.mean(0), residuals.mean(0)
    about = inputs - mean
    normal = about.T @ about + PRIOR * torch.eye(about.shape[1], dtype=about.dtype)
    weight = torch.linalg.solve(normal, about.T @ (residuals - shift)).T
    return weight.float(), (shift - weight @ mean).float()
