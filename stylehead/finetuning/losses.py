"""The losses of style transfer, one function for each (paper, Eq. 4 to 7), and two of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from stylehead.face.landmarks import REGIONS
from stylehead.models.style_network import mean_features
from stylehead.training.motion_generator import gaps

STILL = 2e-3  # interocular; below it a spread is the tracker's noise and ratios mean nothing


def constraint_loss(motion: Tensor, style: Tensor, weights: Tensor | None = None) -> Tensor:
    """L_sc: squared distance of the mean features of motion and style (paper, Eq. 4).

    Features f(phi_mg) (..., 256) and f(phi_s) (R, 256); `weights` (R,) weigh the references.
    """
    return (mean_features(motion) - mean_features(style, weights)).square().sum()


def joint_motion(motion: Tensor, style: Tensor, gamma: Tensor) -> Tensor:
    """Return phi^_mg = gamma phi_s + (1 - gamma) phi_mg, row by row (paper, Eq. 6).

    motion and style (B, 204), gamma (B, 1) in [0, 1].
    """
    return torch.lerp(motion, style, gamma)


def gradient_penalty(
    network: Callable[[Tensor], Tensor], joint: Tensor, direction: Tensor
) -> Tensor:
    """L_r: mean of (||grad f(phi^_mg)|| - 1)^2 along the joint motion (paper, Eq. 5).

    f has many outputs, so the gradient is that of their sum along a direction (B, 256) of unit
    length. `joint` (B, 204) is cut off from the motion generator: this term shapes f alone.
    """
    joint = joint.detach().requires_grad_()
    projected = (network(joint) * direction).sum()
    (gradient,) = torch.autograd.grad(projected, joint, create_graph=True)
    slope = cast("Tensor", gradient.norm(dim=-1))
    return (slope - 1).square().mean()


def transfer_loss(generator: Tensor, constraint: Tensor, penalty: Tensor) -> Tensor:
    """L_transfer = L_mg + L_sc + L_r (paper, Eq. 7)."""
    return generator + constraint + penalty


def about_mean(offsets: Tensor) -> Tensor:
    """Return offsets (B, T, 68, 3) about their mean over all frames: posture taken out."""
    return offsets - offsets.mean((0, 1), keepdim=True)


def sync_loss(predicted: Tensor, teacher: Tensor) -> Tensor:
    """One minus the correlation of the mouth's opening with the teacher's, mean over windows.

    Offsets (B, T, 68, 3) each. How far the mouth opens is the style's; when it opens is the
    sound's.
    """
    curves = [gaps(offsets).mean(-1) for offsets in (predicted, teacher)]
    own, target = (curve - curve.mean(1, keepdim=True) for curve in curves)
    return 1 - nn.functional.cosine_similarity(own, target, dim=1).mean()


class Dynamics(NamedTuple):
    """How far and how fast a face moves, each with a floor."""

    spread: Tensor
    """(R, 3) standard deviation of each region and axis, interocular."""
    speed: Tensor
    """(R, 3) root mean square, interocular a second."""
    opening: Tensor
    """(3,) of the inner lips' gap: mean, spread and speed."""


def dynamics_loss(predicted: Tensor, style: Dynamics, fps: float) -> Tensor:
    """Squared log ratios of how far and how fast the face moves, against the style's.

    predicted (B, T, 68, 3) offsets at `fps`. Spread and speed together are the tempo. The opening
    of the mouth, which is what is read as style, counts as much as all regions; its mean is
    compared in the style's spreads. Four still references hold none of this, so that L_sc cannot
    ask for it.
    """
    own = dynamics(predicted, fps)
    regions = (own.spread / style.spread).log().square() + (own.speed / style.speed).log().square()
    mean = (own.opening[0] - style.opening[0]) / style.opening[1]
    opening = (own.opening[1:] / style.opening[1:]).log()
    return regions.mean() + mean.square() + opening.square().sum()


def dynamics(offsets: Tensor, fps: float) -> Dynamics:
    """Return how far and how fast offsets (..., T, 68, 3) at `fps` move."""
    spread, speed = _squares(offsets, fps)

    def by_region(squares: Tensor) -> Tensor:
        regions = [squares[list(points)].mean(0) for points in REGIONS.values()]
        return torch.stack(regions).sqrt()

    gap = gaps(offsets).mean(-1)[..., None]
    gap_moves = [squares.sqrt().squeeze() for squares in _squares(gap, fps, points=1)]
    opening = torch.stack([gap.mean(), *gap_moves])
    return Dynamics(by_region(spread), by_region(speed), opening)


def _squares(values: Tensor, fps: float, points: int = 2) -> tuple[Tensor, Tensor]:
    """Return mean squares of deviation and of speed over time, floors added.

    The last `points` dimensions of values (..., T, ...) are kept.
    """
    time = -points - 1
    deviation = values - values.flatten(0, time).mean(0)
    speed = values.diff(dim=time) * fps
    squares = [change.square().flatten(0, time).mean(0) for change in (deviation, speed)]
    return squares[0] + STILL**2, squares[1] + (10 * STILL) ** 2
