"""The losses of style transfer, one function for each (paper, Eq. 4 to 7; method notes, 7)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from stylehead.landmarks import REGIONS
from stylehead.models.style_network import mean_features

STILL = 2e-3  # interocular; below it a spread is the tracker's noise and ratios mean nothing


def constraint_loss(motion: Tensor, style: Tensor, shares: Tensor | None = None) -> Tensor:
    """L_sc: squared distance of the mean features of motion and style (Eq. 4).

    Features f(phi_mg) (..., 256) and f(phi_s) (R, 256); `shares` (R,) weigh the references.
    """
    return (mean_features(motion) - mean_features(style, shares)).square().sum()


def joint_motion(motion: Tensor, style: Tensor, gamma: Tensor) -> Tensor:
    """Return phi^_mg = gamma phi_s + (1 - gamma) phi_mg, row by row (Eq. 6).

    motion and style (B, 204), gamma (B, 1).
    """
    return torch.lerp(motion, style, gamma)


def gradient_penalty(
    network: Callable[[Tensor], Tensor], joint: Tensor, direction: Tensor
) -> Tensor:
    """L_r: mean of (||grad f(phi^_mg)|| - 1)^2 along the joint motion (Eq. 5).

    f has many outputs, so the gradient is that of their sum along a direction (B, 256) of unit
    length. `joint` (B, 204) is cut off from the motion generator: this term shapes f alone.
    """
    joint = joint.detach().requires_grad_()
    projected = (network(joint) * direction).sum()
    (gradient,) = torch.autograd.grad(projected, joint, create_graph=True)
    return (gradient.norm(dim=-1) - 1).square().mean()


def transfer_loss(generator: Tensor, constraint: Tensor, penalty: Tensor) -> Tensor:
    """L_transfer = L_mg + L_sc + L_r (Eq. 7)."""
    return generator + constraint + penalty


def about_mean(offsets: Tensor) -> Tensor:
    """Return offsets (B, T, 68, 3) about their mean over all frames: rest taken out."""
    return offsets - offsets.mean((0, 1), keepdim=True)


def dynamics_loss(made: Tensor, spread: Tensor, speed: Tensor, fps: float) -> Tensor:
    """Squared log ratio of how far and how fast each region moves, against the style's.

    made (B, T, 68, 3) offsets at `fps`; spread and speed (R, 3) as `dynamics` measures them. Their
    quotient is the tempo, which is matched when both are. Four stills hold none of this
    (method notes, G17).
    """
    own_spread, own_speed = dynamics(made, fps)
    distance = (own_spread / spread).log().square() + (own_speed / speed).log().square()
    return distance.mean()


def dynamics(offsets: Tensor, fps: float) -> tuple[Tensor, Tensor]:
    """Return spread and root mean square speed (R, 3) of each region and axis, with a floor.

    offsets (..., T, 68, 3) in interocular distances; speed is a second's.
    """
    moves = offsets - offsets.flatten(0, -3).mean(0)
    steps = offsets.diff(dim=-3) * fps
    found: list[Tensor] = []
    for values, floor in ((moves, STILL), (steps, 10 * STILL)):
        squares = values.square().flatten(0, -3).mean(0)
        by_region = torch.stack([squares[list(points)].mean(0) for points in REGIONS.values()])
        found.append((by_region + floor**2).sqrt())
    return found[0], found[1]
