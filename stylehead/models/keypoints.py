"""Keypoints and the poses that place them: Eq. 1-2 of the paper, and what two networks call angles.

Points are rows everywhere, so a rotation multiplies on the right.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import ConvexHull
from torch import Tensor

BIN = 3.0
"""Degrees a class of an angle."""
VID2VID_FIRST, LIVEPORTRAIT_FIRST = -99.0, -97.5
"""Degrees of the first class."""


class Pose(NamedTuple):
    """How a face is held and what it does."""

    rotation: Tensor
    """(B, 3, 3)"""
    translation: Tensor
    """(B, 3)"""
    expression: Tensor
    """(B, K, 3)"""
    scale: Tensor
    """(B, 1)"""


class Source(NamedTuple):
    """A picture that is going to be moved, as a warping network remembers it."""

    volume: Tensor
    """(1, 32, 16, 64, 64) appearance."""
    canonical: Tensor
    """(1, K, 3)"""
    pose: Pose
    keypoints: Tensor
    """(1, K, 3) canonical keypoints placed by the pose."""


def transform_keypoints(canonical: Tensor, pose: Pose) -> Tensor:
    """MouthCrop canonical keypoints: C_k = s (c_k R + eps_k) + tau (Eq. 1; s is 1 in face-vid2vid).

    (B, K, 3) in, (B, K, 3) out.
    """
    turned = canonical @ pose.rotation + pose.expression
    return pose.scale[:, None] * turned + pose.translation[:, None]


def expected_degrees(logits: Tensor, first: float) -> Tensor:
    """Return the angle that class logits (B, 66) mean, (B,), the first class at `first` degrees."""
    classes = torch.arange(logits.shape[-1], device=logits.device, dtype=logits.dtype)
    return BIN * (logits.softmax(-1) * classes).sum(-1) + first


def axis_rotation(degrees: Tensor, axis: int, *, pi: float = math.pi) -> Tensor:
    """Return rotations (B, 3, 3) about x, y or z (0, 1, 2) for rows: the usual matrix, transposed.

    A quarter turn about z sends x to y.
    """
    angle = degrees / 180 * pi
    cos, sin = angle.cos(), angle.sin()
    j, k = (axis + 1) % 3, (axis + 2) % 3
    turn = torch.eye(3, dtype=angle.dtype, device=angle.device).repeat(len(angle), 1, 1)
    turn[:, j, j], turn[:, j, k] = cos, sin
    turn[:, k, j], turn[:, k, k] = -sin, cos
    return turn


def relative_pose(source: Pose, driving: Pose, first: Pose) -> Pose:
    """Return the source's pose, moved as `driving` has moved since `first` (LivePortrait)."""
    return Pose(
        driving.rotation @ first.rotation.mT @ source.rotation,
        source.translation + driving.translation - first.translation,
        source.expression + driving.expression - first.expression,
        source.scale * driving.scale / first.scale,
    )


def hull_scale(source: Tensor, first: Tensor) -> float:
    """Return how much larger the source's keypoints (K, 3) are: the roots of hull volumes.

    The root is square although the hull is solid; face-vid2vid's weights are driven so.
    """
    volumes = [ConvexHull(np.asarray(points.double().cpu())).volume for points in (source, first)]
    return math.sqrt(volumes[0]) / math.sqrt(volumes[1])


def relative_keypoints(source: Tensor, driving: Tensor, first: Tensor, scale: float) -> Tensor:
    """Return source keypoints moved as `driving` has since `first` (face-vid2vid); (B, K, 3)."""
    return source + scale * (driving - first)
