"""Head pose and expression of a face in an image: a residual network of 50 layers."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylehead.models.keypoints import VID2VID_FIRST, Pose, axis_rotation, expected_degrees
from stylehead.models.layers import named_blocks
from stylehead.models.vid2vid.keypoint_extractor import KEYPOINTS

VID2VID_PI = 3.14
"""What face-vid2vid's authors took for pi, in training too: its weights expect it."""


def vid2vid_rotation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Return face-vid2vid's row rotation (B, 3, 3) of degrees (B,): roll first, then yaw, pitch."""
    turns = [axis_rotation(d, axis, pi=VID2VID_PI) for axis, d in ((2, roll), (1, yaw), (0, pitch))]
    return turns[0] @ turns[1] @ turns[2]


def vid2vid_pose(estimate: HeadPose) -> Pose:
    """Return the pose of the estimator's raw output."""
    yaw, pitch, roll = (expected_degrees(logits, VID2VID_FIRST) for logits in estimate[:3])
    rotation = vid2vid_rotation(yaw, pitch, roll)
    ones = torch.ones_like(estimate.translation[:, :1])
    return Pose(rotation, estimate.translation, estimate.expression, ones)


BINS = 66
"""Classes of an angle, 3 degrees each."""


class HeadPose(NamedTuple):
    """The network's raw output for faces, before it becomes a Pose."""

    yaw: Tensor
    """(B, 66) logits, like pitch and roll."""
    pitch: Tensor
    roll: Tensor
    translation: Tensor
    """(B, 3)"""
    expression: Tensor
    """(B, K, 3)"""


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around an identity, strided or not."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        narrow = channels // 4
        self.conv1 = nn.Conv2d(channels, narrow, 1)
        self.norm1 = nn.BatchNorm2d(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, padding=1)
        self.norm2 = nn.BatchNorm2d(narrow)
        self.conv3 = nn.Conv2d(narrow, channels, 1)
        self.norm3 = nn.BatchNorm2d(channels)
        self.strided = stride != 1
        if self.strided:
            self.skip = nn.Conv2d(channels, channels, 1, stride)
            self.norm4 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H / stride, W / stride)."""
        out = self.norm1(self.conv1(x)).relu()
        out = self.norm2(self.conv2(out)).relu()
        out = self.norm3(self.conv3(out))
        return (out + (self.norm4(self.skip(x)) if self.strided else x)).relu()


class PoseEstimator(nn.Module):
    """Picture -> angles, translation and expression."""

    def __init__(self, keypoints: int = KEYPOINTS) -> None:
        super().__init__()

        def run(name: int, channels: int, count: int) -> nn.Sequential:
            return named_blocks(f"b{name}_", (Bottleneck(channels) for _ in range(count)))

        self.conv1, self.norm1 = nn.Conv2d(3, 64, 7, 2, padding=3), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.conv2, self.norm2 = nn.Conv2d(64, 256, 1), nn.BatchNorm2d(256)
        self.block1 = run(1, 256, 3)
        self.conv3, self.norm3 = nn.Conv2d(256, 512, 1), nn.BatchNorm2d(512)
        self.block2, self.block3 = Bottleneck(512, 2), run(3, 512, 3)
        self.conv4, self.norm4 = nn.Conv2d(512, 1024, 1), nn.BatchNorm2d(1024)
        self.block4, self.block5 = Bottleneck(1024, 2), run(5, 1024, 5)
        self.conv5, self.norm5 = nn.Conv2d(1024, 2048, 1), nn.BatchNorm2d(2048)
        self.block6, self.block7 = Bottleneck(2048, 2), run(7, 2048, 2)
        self.fc_roll, self.fc_pitch, self.fc_yaw = (nn.Linear(2048, BINS) for _ in range(3))
        self.fc_t = nn.Linear(2048, 3)
        self.fc_exp = nn.Linear(2048, 3 * keypoints)

    def forward(self, picture: Tensor) -> HeadPose:
        """Estimate head pose and expression of images (B, 3, 256, 256) in [0, 1]."""
        x = self.maxpool(self.norm1(self.conv1(picture)).relu())
        x = self.block1(self.norm2(self.conv2(x)).relu())
        x = self.block3(self.block2(self.norm3(self.conv3(x)).relu()))
        x = self.block5(self.block4(self.norm4(self.conv4(x)).relu()))
        x = self.block7(self.block6(self.norm5(self.conv5(x)).relu()))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        # The published layers' names are swapped: fc_roll was trained to give yaw.
        return HeadPose(
            self.fc_roll(x),
            self.fc_pitch(x),
            self.fc_yaw(x),
            self.fc_t(x),
            self.fc_exp(x).unflatten(1, (-1, 3)),
        )
