"""The patch discriminator that face-vid2vid is trained against.

Kept to tell what the style mapping's published weights were trained with; never trained here.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

WIDTHS = (3, 64, 128, 256, 512)


class _Block(nn.Module):
    """A 4x4 convolution without padding, a norm or none, leaky ReLU, half the size or not."""

    def __init__(self, before: int, after: int, *, norm: bool, pool: bool) -> None:
        super().__init__()
        self.conv = spectral_norm(nn.Conv2d(before, after, 4))
        self.norm = nn.InstanceNorm2d(after, affine=True) if norm else None
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = F.leaky_relu(x if self.norm is None else self.norm(x), 0.2)
        return F.avg_pool2d(x, 2) if self.pool else x


class _Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        last = len(WIDTHS) - 2
        self.down_blocks = nn.ModuleList(
            _Block(WIDTHS[i], WIDTHS[i + 1], norm=i > 0, pool=i < last) for i in range(last + 1)
        )
        self.conv = spectral_norm(nn.Conv2d(WIDTHS[-1], 1, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [x]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        return [*maps[1:], self.conv(maps[-1])]


class PatchDiscriminator(nn.Module):
    """Picture -> the maps of each block, for feature matching, and the logits last."""

    def __init__(self) -> None:
        super().__init__()
        self.discs = nn.ModuleDict({"1": _Scale()})  # published under the name of its scale

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return four maps and logits (B, 1, h, w) of pictures (B, 3, H, W) in [0, 1]."""
        return self.discs["1"](picture)
