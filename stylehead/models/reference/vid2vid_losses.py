"""The losses face-vid2vid is trained with, one function each.

Kept to tell what the style mapping's published weights were trained for; never trained here.

Published weights, in docstrings, are of the released checkpoint. Pictures are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylehead.models.vid2vid.keypoint_extractor import Shrink

IMAGENET_MEAN, IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PYRAMID = (1, 2, 4, 8)
"""Steps between the pixels that are kept."""
LEAST_DISTANCE = 0.1
"""Between two keypoints, squared."""
MEAN_DEPTH = 0.33
"""Of all keypoints."""
AFFINE_SPREAD, PLATE_SPREAD, PLATE_POINTS = 0.05, 0.005, 5


def perceptual_loss(
    features: Callable[[Tensor], Sequence[Tensor]], made: Tensor, real: Tensor
) -> Tensor:
    """Return the L1 distance of feature maps, summed over maps and a pyramid of sizes; weight 10.

    `features` is a frozen net (VGG19, relu1_1 to relu5_1) that takes ImageNet's normalisation.
    """
    mean, spread = (made.new_tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_SPREAD))
    total = made.new_zeros(())
    for step in PYRAMID:
        shrink = Shrink(step).to(made.device) if step > 1 else torch.nn.Identity()
        here, there = (features((shrink(picture) - mean) / spread) for picture in (made, real))
        for have, want in zip(here, there, strict=True):
            total = total + (have - want.detach()).abs().mean()
    return total


def matching_loss(made: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Return the L1 distance of a discriminator's maps, logits left out; weight 10."""
    pairs = zip(made[:-1], real[:-1], strict=True)
    return torch.stack([(have - want.detach()).abs().mean() for have, want in pairs]).sum()


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return what the released checkpoint's discriminator minimises, of logits; weight 1."""
    return (1 - real).relu().mean() + (1 + fake).relu().mean()


def hinge_generator_loss(fake: Tensor) -> Tensor:
    """Return what its generator minimises; weight 1."""
    return -fake.mean()


def least_squares_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return what the paper's text has the discriminator minimise, of logits."""
    return (1 - real).square().mean() + fake.square().mean()


def least_squares_generator_loss(fake: Tensor) -> Tensor:
    """Return what the paper's text has the generator minimise."""
    return (1 - fake).square().mean()


@dataclass(frozen=True, slots=True, eq=False)
class Deformation:
    """A random bend of pictures: an affine map and a thin plate, over x, y in [-1, 1]."""

    affine: Tensor
    """(B, 2, 3)"""
    plate: Tensor
    """(B, 25) push at each point of a 5 x 5 grid, the same in x and y."""

    @staticmethod
    def random(batch: int, generator: torch.Generator) -> Deformation:
        """Draw one bend for each picture."""
        noise = torch.randn(batch, 2, 3, generator=generator)
        plate = torch.randn(batch, PLATE_POINTS**2, generator=generator)
        return Deformation(torch.eye(2, 3) + AFFINE_SPREAD * noise, PLATE_SPREAD * plate)

    def points(self, points: Tensor) -> Tensor:
        """Return where points (B, N, 2) of a bent picture lie in the straight one."""
        affine = self.affine.to(points)
        moved = points @ affine[:, :, :2].mT + affine[:, None, :, 2]
        axis = torch.linspace(-1, 1, PLATE_POINTS, device=points.device)
        rows, columns = torch.meshgrid(axis, axis, indexing="ij")
        control = torch.stack([columns, rows], -1).flatten(0, 1)
        distance = (points[:, :, None] - control).abs().sum(-1)
        push = distance.square() * (distance + 1e-6).log() * self.plate.to(points)[:, None]
        return moved + push.sum(-1, keepdim=True)

    def bend(self, pictures: Tensor) -> Tensor:
        """Return bent pictures (B, 3, H, W)."""
        batch, _, height, width = pictures.shape
        x, y = (torch.linspace(-1, 1, n, device=pictures.device) for n in (width, height))
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        grid = torch.stack([columns, rows], -1).flatten(0, 1).expand(batch, -1, -1)
        coordinates = torch.unflatten(self.points(grid), 1, (height, width))
        return F.grid_sample(pictures, coordinates, padding_mode="reflection", align_corners=False)


def equivariance_loss(straight: Tensor, bent: Tensor, deformation: Deformation) -> Tensor:
    """Return how far keypoints (B, K, 3) of a bent picture are from bent ones, in x, y; weight 10.

    `straight` are those of the driving frame, `bent` of `deformation.bend(frame)`.
    """
    return (straight[..., :2] - deformation.points(bent[..., :2])).abs().mean()


def keypoint_prior_loss(keypoints: Tensor) -> Tensor:
    """Return how crowded keypoints (B, K, 3) are, and how far from their usual depth; weight 10.

    All ordered pairs count, each point with itself too, as published: a constant of 0.1 K.
    """
    squared = (keypoints[:, :, None] - keypoints[:, None]).square().sum(-1)
    crowded = (LEAST_DISTANCE - squared).relu().mean(0).sum()
    depth = (keypoints[..., 2].mean(1) - MEAN_DEPTH).abs().mean()
    return crowded + depth


def head_pose_loss(degrees: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Return the distance of yaw, pitch and roll (each (B,), degrees) from a teacher's; weight 20.

    The published teacher is Hopenet.
    """
    pairs = zip(degrees, teacher, strict=True)
    return torch.stack([(have - want.detach()).abs().mean() for have, want in pairs]).sum()


def deformation_prior_loss(expression: Tensor) -> Tensor:
    """Return the mean L1 norm of expressions (B, K, 3): small unless needed; weight 5."""
    return expression.abs().sum((1, 2)).mean()
