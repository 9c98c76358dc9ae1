"""Layers that several networks share; names of parts are those of published checkpoints."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import remove_spectral_norm


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm around an identity, then ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        return (x + self.block(x)).relu()


def initialise(net: nn.Module) -> nn.Module:
    """Draw convolutions from N(0, 0.02) and norm scales from N(1, 0.02), as pix2pix does."""
    for part in net.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(part.weight, 0.0, 0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)
    return net


CONV: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
NORM: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}
HALF: dict[int, tuple[int, ...]] = {2: (2, 2), 3: (1, 2, 2)}
"""Stride of pooling and upsampling: volumes keep their depth."""


class ConvBlock(nn.Module):
    """Convolution that keeps the size, batch norm, leaky ReLU."""

    def __init__(
        self, dims: int, before: int, after: int, *, kernel: int = 3, slope: float = 0.0
    ) -> None:
        super().__init__()
        self.dims, self.slope = dims, slope
        self.conv = CONV[dims](before, after, kernel, padding=kernel // 2)
        self.norm = NORM[dims](after)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, after, ..., H, W)."""
        return F.leaky_relu(self.norm(self.conv(x)), self.slope)


class DownBlock(ConvBlock):
    """A block, then half the height and width."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, after, ..., H / 2, W / 2)."""
        x = super().forward(x)
        return F.avg_pool2d(x, 2) if self.dims == 2 else F.avg_pool3d(x, HALF[3])


class UpBlock(ConvBlock):
    """Twice the height and width by repetition, then a block."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, after, ..., 2 H, 2 W)."""
        scale = [float(step) for step in HALF[self.dims]]
        return super().forward(F.interpolate(x, scale_factor=scale))


class PreActivationBlock(nn.Module):
    """Twice batch norm, ReLU and a 3-wide convolution, around an identity."""

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.conv1 = CONV[dims](channels, channels, 3, padding=1)
        self.conv2 = CONV[dims](channels, channels, 3, padding=1)
        self.norm1, self.norm2 = NORM[dims](channels), NORM[dims](channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        out = self.conv1(self.norm1(x).relu())
        return x + self.conv2(self.norm2(out).relu())


def single(like: Tensor) -> torch.autocast:
    """Compute in single precision inside, even where the caller has half: coordinates need it.

    Half a thousandth of the picture's side is visible when it trembles from frame to frame.
    """
    return torch.autocast(like.device.type, enabled=False)


def fold_spectral_norms(net: nn.Module) -> None:
    """Divide weights by their spectral norms for good: nothing is left to do in each frame."""
    for part in net.modules():
        if hasattr(part, "weight_orig"):
            remove_spectral_norm(part)


def named_blocks(prefix: str, blocks: Iterable[nn.Module]) -> nn.Sequential:
    """Chain blocks under the names prefix0, prefix1, and so on."""
    return nn.Sequential(OrderedDict((f"{prefix}{i}", block) for i, block in enumerate(blocks)))
