"""Canonical keypoints of a face: where they are when it looks ahead without expression."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylehead.models.layers import CONV, DownBlock, UpBlock, named_blocks
from stylehead.models.warping import DEPTH, VOLUME, unit_grid

KEYPOINTS = 15
TEMPERATURE = 0.1
DOWN = (3, 64, 128, 256, 512, 1024)
UP = (1024, 512, 256, 128, 64, VOLUME)


class Shrink(nn.Module):
    """A smaller picture without aliasing: a Gaussian, then every n-th pixel."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step
        sigma = (step - 1) / 2
        radius = round(4 * sigma)
        offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
        bump = torch.exp(-offsets.square() / (2 * sigma**2))
        kernel = bump[:, None] * bump
        self.register_buffer("weight", (kernel / kernel.sum()).expand(3, 1, -1, -1).clone())

    def forward(self, picture: Tensor) -> Tensor:
        """Return (B, 3, H / step, W / step)."""
        kernel = self.get_buffer("weight")
        blurred = F.conv2d(picture, kernel, padding=kernel.shape[-1] // 2, groups=3)
        return blurred[:, :, :: self.step, :: self.step]


class _Predictor(nn.Module):
    """Picture (B, 3, 64, 64) -> volume (B, 32, 16, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.down_blocks = named_blocks(
            "down", (DownBlock(2, *pair) for pair in itertools.pairwise(DOWN))
        )
        self.conv = CONV[2](DOWN[-1], DOWN[-1] * DEPTH, 1)
        self.up_blocks = named_blocks("up", (UpBlock(3, *pair) for pair in itertools.pairwise(UP)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.down_blocks(x))
        return self.up_blocks(x.unflatten(1, (DOWN[-1], DEPTH)))


class KeypointExtractor(nn.Module):
    """Image -> canonical keypoints, the expectations of K heat maps over a volume."""

    def __init__(self, keypoints: int = KEYPOINTS) -> None:
        super().__init__()
        self.down = Shrink(4)
        self.predictor = _Predictor()
        self.kp = CONV[3](VOLUME, keypoints, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        """Return keypoints (B, K, 3), x y z in [-1, 1], of pictures (B, 3, 256, 256) in [0, 1]."""
        maps = self.kp(self.predictor(self.down(picture)))
        weights = (maps.flatten(2) / TEMPERATURE).softmax(-1)
        return weights @ unit_grid(maps.shape[2:], weights).flatten(0, 2)
