"""The SPADE decoder of face-vid2vid and LivePortrait: warped features -> picture."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

HIDDEN = 128
"""Channels between the features and the scale and shift they give."""
SLOPE = 0.2
MIDDLE_BLOCKS = 6


class Spade(nn.Module):
    """Instance norm whose scale and shift come from another map, resized to fit."""

    def __init__(self, channels: int, guide: int) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Conv2d(guide, HIDDEN, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(HIDDEN, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(HIDDEN, channels, 3, padding=1)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Return x (B, C, H, W), normalised, scaled and shifted by guide (B, G, h, w)."""
        shared = self.mlp_shared(F.interpolate(guide, size=x.shape[2:]))
        return F.instance_norm(x) * (1 + self.mlp_gamma(shared)) + self.mlp_beta(shared)


class SpadeBlock(nn.Module):
    """Two guided norms and convolutions, around an identity or a 1x1 convolution."""

    def __init__(self, before: int, after: int, guide: int) -> None:
        super().__init__()
        middle = min(before, after)
        self.conv_0 = spectral_norm(nn.Conv2d(before, middle, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(middle, after, 3, padding=1))
        self.norm_0, self.norm_1 = Spade(before, guide), Spade(middle, guide)
        self.changes = before != after
        if self.changes:
            self.conv_s = spectral_norm(nn.Conv2d(before, after, 1, bias=False))
            self.norm_s = Spade(before, guide)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Return (B, after, H, W) of x (B, before, H, W)."""
        out = self.conv_0(F.leaky_relu(self.norm_0(x, guide), SLOPE))
        out = self.conv_1(F.leaky_relu(self.norm_1(out, guide), SLOPE))
        return out + (self.conv_s(self.norm_s(x, guide)) if self.changes else x)


class SpadeDecoder(nn.Module):
    """Features (B, 256, 64, 64) -> picture (B, 3, 256 u, 256 u) in [0, 1], u the upscale.

    Parameter names are those of both published decoders: face-vid2vid's with an upscale of 1,
    LivePortrait's with 2, whose last step shuffles channels into pixels.
    """

    def __init__(self, *, upscale: int = 1, width: int = 256, last: int = 64) -> None:
        super().__init__()
        self.fc = nn.Conv2d(width, 2 * width, 3, padding=1)
        for block in range(MIDDLE_BLOCKS):
            self.add_module(f"G_middle_{block}", SpadeBlock(2 * width, 2 * width, width))
        self.up_0 = SpadeBlock(2 * width, width, width)
        self.up_1 = SpadeBlock(width, last, width)
        end = nn.Conv2d(last, 3 * upscale**2, 3, padding=1)
        self.conv_img = end if upscale == 1 else nn.Sequential(end, nn.PixelShuffle(upscale))

    def forward(self, features: Tensor) -> Tensor:
        """Return pictures; the features also guide every norm."""
        x = self.fc(features)
        for block in range(MIDDLE_BLOCKS):
            x = self.get_submodule(f"G_middle_{block}")(x, features)
        x = self.up_0(F.interpolate(x, scale_factor=2.0), features)
        x = self.up_1(F.interpolate(x, scale_factor=2.0), features)
        return self.conv_img(F.leaky_relu(x, SLOPE)).sigmoid()
