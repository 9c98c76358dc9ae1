"""The losses of the mouth generators, one function each."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from stylehead.training.data.region_weights import MOUTH

LEVELS = 3  # of the gradient pyramid: whole, half and quarter size
MATCH = 0.03  # mean distance of lip points, of the patch's side, within which a pattern matches
Layers = list[list[Tensor]]
"""A discriminator's maps: for each scale, the inner ones and at last the logits."""


def photometric_loss(pictures: Tensor, filmed: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean absolute difference.

    pictures and filmed (B, 3, S, S) in [0, 1], weights (B, 1, S, S).

    Divided by the weights' own sum, so that it does not depend on how large the mouth is.
    """
    return (weights * (pictures - filmed).abs()).sum() / (3 * weights.sum()).clamp(min=1e-6)


def gradient_loss(pictures: Tensor, filmed: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted absolute difference of gradients at LEVELS sizes; shapes as above.

    Stands in for the perceptual loss where no pretrained network is at hand: it asks for edges of
    the right strength in the right place, which L1 alone blurs, and costs next to nothing.
    """
    total = pictures.new_zeros(())
    for level in range(LEVELS):
        if level:
            pictures, filmed, weights = (
                F.avg_pool2d(maps, 2) for maps in (pictures, filmed, weights)
            )
        for axis in (2, 3):
            difference = (pictures.diff(dim=axis) - filmed.diff(dim=axis)).abs()
            inner = weights.narrow(axis, 0, weights.shape[axis] - 1)
            total = total + (inner * difference).sum() / (3 * inner.sum()).clamp(min=1e-6)
    return total / (2 * LEVELS)


def perceptual_loss(
    pictures: Tensor, filmed: Tensor, features: Callable[[Tensor], list[Tensor]]
) -> Tensor:
    """Return the mean absolute difference of a fixed network's features (paper, 3.4: VGG)."""
    pairs = zip(features(pictures), features(filmed), strict=True)
    return torch.stack([(a - b.detach()).abs().mean() for a, b in pairs]).mean()


def style_photometric_loss(
    pictures: Tensor, matched: Tensor, weights: Tensor, fits: Tensor
) -> Tensor:
    """Return L_sp = |W (I' - I_m)| (paper, Eq. 3), divided by W's sum.

    weights (B, 1, S, S) are W: mouth 5, eyes 3, skin 1, elsewhere 0; matched (B, 3, S, S) is the
    best-matched intermediate style pattern, already aligned; fits (B,) is 0 where none is like the
    frame.
    """
    return photometric_loss(pictures, matched, weights * fits[:, None, None, None])


def best_patterns(points: Tensor, pattern_points: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return which pattern's lips are nearest (B,), and whether they are near enough (B,).

    points (B, N, 2) and pattern_points (B, P, N, 2) in pixels of patches of this side; of the
    points, the lips decide.
    """
    lips = slice(48, 68)
    distance = (pattern_points[:, :, lips] - points[:, None, lips]).norm(dim=-1).mean(-1)
    nearest, index = distance.min(1)
    return index, (nearest < MATCH * size).float()


def generator_adversarial_loss(fake: Layers) -> Tensor:
    """Return LSGAN's loss of a generator: the mean of (1 - D(I'))^2 over all scales."""
    return torch.stack([(1 - maps[-1]).square().mean() for maps in fake]).mean()


def discriminator_loss(real: Layers, fake: Layers) -> Tensor:
    """Return LSGAN's loss of a discriminator: half of (1 - D(I))^2 + D(I')^2, mean over scales."""
    terms = [
        (1 - a[-1]).square().mean() + b[-1].square().mean() for a, b in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean() / 2


def feature_matching_loss(real: Layers, fake: Layers) -> Tensor:
    """Return the mean absolute difference of the discriminator's inner maps; real ones detached.

    4 / (number of maps) each, mean over scales.
    """
    scales: list[Tensor] = []
    for a, b in zip(real, fake, strict=True):
        inner = [(x.detach() - y).abs().mean() for x, y in zip(a[:-1], b[:-1], strict=True)]
        scales.append(4 * torch.stack(inner).sum() / len(a))
    return torch.stack(scales).mean()


def mouth_only(weights: Tensor) -> Tensor:
    """Return 1 in the mouth's area of W (B, 1, S, S), else 0."""
    return (weights == MOUTH).float()
