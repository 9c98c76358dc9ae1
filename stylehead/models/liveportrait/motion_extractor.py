"""Canonical keypoints, head pose and expression of a face, all from one ConvNeXt."""

from __future__ import annotations

import itertools
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylehead.models.keypoints import LIVEPORTRAIT_FIRST, Pose, axis_rotation, expected_degrees


def liveportrait_rotation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Return LivePortrait's row rotation (B, 3, 3) of degrees (B,): pitch first, then yaw, roll."""
    turns = [axis_rotation(d, axis) for axis, d in ((0, pitch), (1, yaw), (2, roll))]
    return turns[0] @ turns[1] @ turns[2]


def liveportrait_pose(motion: FaceMotion) -> Pose:
    """Return the pose of the extractor's output, without its shift in depth, as published."""
    yaw, pitch, roll = (
        expected_degrees(logits, LIVEPORTRAIT_FIRST)
        for logits in (motion.yaw, motion.pitch, motion.roll)
    )
    rotation = liveportrait_rotation(yaw, pitch, roll)
    flat = motion.translation * motion.translation.new_tensor([1, 1, 0])
    return Pose(rotation, flat, motion.expression, motion.scale)


KEYPOINTS = 21
BINS = 66
DEPTHS, WIDTHS = (3, 3, 9, 3), (96, 192, 384, 768)  # ConvNeXt V2, tiny
EPSILON = 1e-6
HEADS = {
    "kp": 3 * KEYPOINTS,
    "scale": 1,
    "yaw": BINS,
    "pitch": BINS,
    "roll": BINS,
    "t": 3,
    "exp": 3 * KEYPOINTS,
}
"""Published names of the last layers, in the order of FaceMotion, and how much each gives."""


class FaceMotion(NamedTuple):
    """The network's raw output for faces, before it becomes a Pose."""

    keypoints: Tensor
    """(B, K, 3) canonical."""
    scale: Tensor
    """(B, 1)"""
    yaw: Tensor
    """(B, 66) logits, like pitch and roll."""
    pitch: Tensor
    roll: Tensor
    translation: Tensor
    """(B, 3)"""
    expression: Tensor
    """(B, K, 3)"""


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return a map of the same shape."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ResponseNorm(nn.Module):
    """Global response norm: channels compete by their energy over the picture; (B, H, W, C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        norm = x.norm(dim=(1, 2), keepdim=True)
        energy = cast(Tensor, norm)
        relative = energy / (energy.mean(-1, keepdim=True) + EPSILON)
        return self.gamma * (x * relative) + self.beta + x


class ConvNextBlock(nn.Module):
    """Depthwise 7x7, then two pointwise layers, around an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPSILON)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.grn = ResponseNorm(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        out = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        out = self.pwconv2(self.grn(F.gelu(self.pwconv1(out))))
        return x + out.permute(0, 3, 1, 2)


class _Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        first = nn.Sequential(nn.Conv2d(3, WIDTHS[0], 4, 4), ChannelNorm(WIDTHS[0], eps=EPSILON))
        self.downsample_layers = nn.ModuleList([first])
        for before, after in itertools.pairwise(WIDTHS):
            self.downsample_layers.append(
                nn.Sequential(ChannelNorm(before, eps=EPSILON), nn.Conv2d(before, after, 2, 2))
            )
        self.stages = nn.ModuleList(
            nn.Sequential(*(ConvNextBlock(width) for _ in range(depth)))
            for depth, width in zip(DEPTHS, WIDTHS, strict=True)
        )
        self.norm = nn.LayerNorm(WIDTHS[-1], eps=EPSILON)
        for name, width in HEADS.items():
            self.add_module(f"fc_{name}", nn.Linear(WIDTHS[-1], width))

    def forward(self, picture: Tensor) -> FaceMotion:
        x = picture
        for down, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(down(x))
        x = self.norm(x.mean((2, 3)))
        kp, scale, yaw, pitch, roll, t, exp = (
            self.get_submodule(f"fc_{name}")(x) for name in HEADS
        )
        expression = exp.unflatten(1, (-1, 3))
        return FaceMotion(kp.unflatten(1, (-1, 3)), scale, yaw, pitch, roll, t, expression)


class MotionExtractor(nn.Module):
    """Picture -> keypoints, scale, angles, translation and expression."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = _Detector()

    def forward(self, picture: Tensor) -> FaceMotion:
        """Estimate keypoints, head pose and expression of images (B, 3, 256, 256) in [0, 1]."""
        return self.detector(picture)
