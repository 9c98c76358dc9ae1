"""Warping networks in the paper's family: a feature volume moved from keypoints to keypoints.

Volumes are (B, C, D, H, W), grids (..., D, H, W, 3) hold x, y, z in [-1, 1]. The grid puts -1 and 1
on the centres of the outermost cells but is sampled as if they were the outer edges, so "no motion"
is a slight zoom: published weights were trained so.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylehead.models.layers import (
    CONV,
    ConvBlock,
    DownBlock,
    PreActivationBlock,
    UpBlock,
    named_blocks,
)

VOLUME, DEPTH = 32, 16
"""Channels and depth of the feature volume."""
COMPRESSED = 4
"""Channels of the copy that every keypoint warps."""
HOURGLASS = (64, 128, 256, 512, 1024)
VARIANCE = 0.01
"""Of the Gaussian around a keypoint."""
DECODED = 256
"""Channels that the decoder takes."""


def unit_grid(size: torch.Size, like: Tensor) -> Tensor:
    """Return x, y, z of every cell of a volume, (D, H, W, 3)."""
    axes = [torch.linspace(-1, 1, n, device=like.device, dtype=like.dtype) for n in size]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], -1)


def gaussians(keypoints: Tensor, grid: Tensor) -> Tensor:
    """Return a bump around each keypoint: (B, K, 3) on (D, H, W, 3) -> (B, K, D, H, W)."""
    distance = (grid - keypoints[:, :, None, None, None]).square().sum(-1)
    return torch.exp(-0.5 / VARIANCE * distance)


class DenseMotion(NamedTuple):
    """Where each cell of the moved volume comes from."""

    mask: Tensor
    """(B, K + 1, D, H, W) weight of each keypoint's motion, the background first; Eq. 9."""
    deformation: Tensor
    """(B, D, H, W, 3) coordinates to sample at."""
    occlusion: Tensor
    """(B, 1, H, W) 1 where the source shows what is needed."""


class Hourglass(nn.Module):
    """U-Net over volumes that keep their depth; gives its input beside its output."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (channels, *HOURGLASS)
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.down_blocks = nn.ModuleList(
            DownBlock(3, before, after) for before, after in itertools.pairwise(widths)
        )
        self.decoder.up_blocks = nn.ModuleList(
            UpBlock(3, width * (1 if width == HOURGLASS[-1] else 2), width // 2)
            for width in reversed(HOURGLASS)
        )
        self.channels = channels + HOURGLASS[0] // 2
        self.decoder.conv = nn.Conv3d(self.channels, self.channels, 3, padding=1)
        self.decoder.norm = nn.BatchNorm3d(self.channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels + 32, D, H, W)."""
        maps = [x]
        for down in self.encoder.get_submodule("down_blocks").children():
            maps.append(down(maps[-1]))
        out = maps.pop()
        for up in self.decoder.get_submodule("up_blocks").children():
            out = torch.cat([up(out), maps.pop()], 1)
        out = self.decoder.get_submodule("norm")(self.decoder.get_submodule("conv")(out))
        return out.relu()


class DenseMotionNetwork(nn.Module):
    """Source and driving keypoints -> dense motion."""

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        motions = keypoints + 1
        self.compress = nn.Conv3d(VOLUME, COMPRESSED, 1)
        self.norm = nn.BatchNorm3d(COMPRESSED)
        self.hourglass = Hourglass(motions * (COMPRESSED + 1))
        self.mask = nn.Conv3d(self.hourglass.channels, motions, 7, padding=3)
        self.occlusion = nn.Conv2d(self.hourglass.channels * DEPTH, 1, 7, padding=3)

    def forward(self, volume: Tensor, source: Tensor, driving: Tensor) -> DenseMotion:
        """Return the motion that takes source keypoints to driving ones, both (B, K, 3).

        Each keypoint moves by a shift alone: the rotation of Eq. 8 was dropped by the networks'
        authors, and their weights need it so. Flows are blended, not warped volumes (Eq. 9).
        """
        batch = len(source)
        grid = unit_grid(volume.shape[2:], source)
        shifts = F.pad(source - driving, (0, 0, 1, 0))  # the background stays
        flows = grid + shifts[:, :, None, None, None]
        compressed = self.norm(self.compress(volume)).relu()
        copies = compressed.repeat_interleave(flows.shape[1], 0)
        warped = F.grid_sample(copies, flows.flatten(0, 1), align_corners=False)
        warped = torch.unflatten(warped, 0, (batch, -1))
        heat = gaussians(driving, grid) - gaussians(source, grid)
        heat = F.pad(heat, (0, 0, 0, 0, 0, 0, 1, 0))[:, :, None]
        features = self.hourglass(torch.cat([heat, warped], 2).flatten(1, 2))
        # Single precision from here on, whatever the features have: half would shake the picture.
        mask = self.mask(features).float().softmax(1)
        deformation = (mask[..., None] * flows).sum(1)
        occlusion = self.occlusion(features.flatten(1, 2)).sigmoid()
        return DenseMotion(mask, deformation, occlusion)


class AppearanceEncoder(nn.Module):
    """Picture (B, 3, 256, 256) in [0, 1] -> feature volume (B, 32, 16, 64, 64)."""

    def __init__(self, **others: int) -> None:
        super().__init__(**others)
        self.first = ConvBlock(2, 3, 64)
        self.down_blocks = nn.ModuleList([DownBlock(2, 64, 128), DownBlock(2, 128, 256)])
        self.second = CONV[2](256, VOLUME * DEPTH, 1)
        self.resblocks_3d = named_blocks("3dr", (PreActivationBlock(3, VOLUME) for _ in range(6)))

    def encode(self, picture: Tensor) -> Tensor:
        """Return the feature volume (B, 32, 16, 64, 64) of images (B, 3, 256, 256) in [0, 1]."""
        x = self.first(picture)
        for down in self.down_blocks:
            x = down(x)
        return self.resblocks_3d(self.second(x).unflatten(1, (VOLUME, DEPTH)))


class VolumeWarper(nn.Module):
    """Feature volume and two sets of keypoints -> features for a decoder."""

    def __init__(self, *, keypoints: int) -> None:
        super().__init__()
        self.dense_motion_network = DenseMotionNetwork(keypoints)
        self.third = ConvBlock(2, VOLUME * DEPTH, DECODED, slope=0.01)
        self.fourth = CONV[2](DECODED, DECODED, 1)

    def warp(self, volume: Tensor, source: Tensor, driving: Tensor) -> tuple[Tensor, DenseMotion]:
        """Return features (B, 256, 64, 64), faded where the source hides them, and the motion.

        volume (B, 32, 16, 64, 64), keypoints source and driving (B, K, 3).
        """
        motion = self.dense_motion_network(volume, source, driving)
        moved = F.grid_sample(volume, motion.deformation, align_corners=False)
        return self.fourth(self.third(moved.flatten(1, 2))) * motion.occlusion, motion
