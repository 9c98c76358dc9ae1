"""The renderer of Live Speech Portraits: facial map and patterns -> the whole picture.

Kept because the paper's style-aware generator has its form. Ours, `models.mouth_generator`, paints
the mouth alone; it has the paper's widths with the recipe `style_generator_paper`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stylehead.models.layers import ResidualBlock, initialise

WIDEST = 8
"""Channels of the deepest levels, in multiples of the first level's."""


@dataclass(frozen=True, slots=True)
class StyleGeneratorConfig:
    """Shape of the generator; the default is the paper's size, 76.2 M parameters at 512 pixels."""

    inputs: int = 13  # 1 facial map + 4 patterns of 3 (paper)
    outputs: int = 3
    width: int = 64  # channels of the outermost level (Live Speech Portraits)
    levels: int = 8  # halvings: 512 -> 2 pixels
    blocks: int = 1  # residual blocks a stage; 2 is LSP's "large", 121.8 M

    def channels(self, level: int) -> int:
        """Channels that leave the encoder of a level, 0 the outermost."""
        return self.width * min(2**level, WIDEST)


class StyleGenerator(nn.Module):
    """Residual U-Net; parameter names are those of Live Speech Portraits' renderer.

    Sides must be multiples of 2 ** levels. Sound batch statistics need a batch of several; for
    one or two keep the norms in eval mode.
    """

    def __init__(self, config: StyleGeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _Level(config, 0)
        initialise(self)

    def forward(self, condition: Tensor) -> Tensor:
        """Return pictures (B, 3, H, W) in [-1, 1] of conditions (B, inputs, H, W).

        Patterns in [-1, 1], the facial map 0 or 1.
        """
        return self.model(condition)


class _Level(nn.Module):
    """One level of the U-Net around the deeper ones; gives [its input, its output] but for 0."""

    def __init__(self, config: StyleGeneratorConfig, level: int) -> None:
        super().__init__()
        self.outermost = level == 0
        innermost = level == config.levels - 1
        outer = config.inputs if level == 0 else config.channels(level - 1)
        inner = config.channels(level)
        back = config.outputs if level == 0 else outer
        deeper = [] if innermost else [_Level(config, level + 1)]
        down: list[nn.Module] = [nn.Conv2d(outer, inner, 3, 2, padding=1, bias=False)]
        if deeper and level > 0:
            down.append(nn.BatchNorm2d(inner))
        down += [nn.ReLU(), *(ResidualBlock(inner) for _ in range(config.blocks))]
        up: list[nn.Module] = [
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(inner * (2 if deeper else 1), back, 3, padding=1, bias=False),
        ]
        if level == 0:
            up.append(nn.Tanh())
        else:
            up += [nn.BatchNorm2d(back), nn.ReLU()]
            up += [ResidualBlock(back) for _ in range(config.blocks)]
        self.model = nn.Sequential(*down, *deeper, *up)

    def forward(self, x: Tensor) -> Tensor:
        out = self.model(x)
        return out if self.outermost else torch.cat([x, out], 1)
