"""Keypoints and the poses that place them (paper, Eq. 1-2), and angles as networks give them.

Points are rows everywhere, so a rotation multiplies on the right.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

BIN = 3.0
"""Degrees a class of an angle."""
VID2VID_FIRST, LIVEPORTRAIT_FIRST = -99.0, -97.5
"""Degrees of the first class."""


class Pose(NamedTuple):
    """Head pose and expression of faces."""

    rotation: Tensor
    """(B, 3, 3)"""
    translation: Tensor
    """(B, 3)"""
    expression: Tensor
    """(B, K, 3)"""
    scale: Tensor
    """(B, 1)"""


class Source(NamedTuple):
    """A source image, encoded by a warping network."""

    volume: Tensor
    """(1, 32, 16, 64, 64) appearance."""
    canonical: Tensor
    """(1, K, 3)"""
    pose: Pose
    keypoints: Tensor
    """(1, K, 3) canonical keypoints placed by the pose."""


def transform_keypoints(canonical: Tensor, pose: Pose) -> Tensor:
    """Place canonical keypoints: C_k = s (c_k R + eps_k) + tau (Eq. 1; s is 1 in face-vid2vid).

    (B, K, 3) in, (B, K, 3) out.
    """
    turned = canonical @ pose.rotation + pose.expression
    return pose.scale[:, None] * turned + pose.translation[:, None]


def expected_degrees(logits: Tensor, first: float) -> Tensor:
    """Return the expected angle (B,) of class logits (B, 66); class 0 is `first` degrees."""
    classes = torch.arange(logits.shape[-1], device=logits.device, dtype=logits.dtype)
    return BIN * (logits.softmax(-1) * classes).sum(-1) + first


def axis_rotation(degrees: Tensor, axis: int, *, pi: float = math.pi) -> Tensor:
    """Return row rotations (B, 3, 3) about x, y or z (0, 1, 2) of angles (B,) in degrees.

    A quarter turn about z sends x to y.
    """
    angle = degrees / 180 * pi
    cos, sin = angle.cos(), angle.sin()
    j, k = (axis + 1) % 3, (axis + 2) % 3
    turn = torch.eye(3, dtype=angle.dtype, device=angle.device).repeat(len(angle), 1, 1)
    turn[:, j, j], turn[:, j, k] = cos, sin
    turn[:, k, j], turn[:, k, k] = -sin, cos
    return turn
