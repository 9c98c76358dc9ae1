"""Spleeter's U-Net: the magnitude of one stem (voice, or what accompanies it) from a mix's.

Source: Hennequin et al., Spleeter: a fast and efficient music source separation tool with
pre-trained models (JOSS 2020), after Jansson et al., Singing voice separation with deep U-Net
convolutional networks (ISMIR 2017). Parameters have the names of the published two-stem
checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64, 128, 256, 512)
BINS, FRAMES = 1024, 512
"""Bins and frames of a magnitude that the published weights were learned on."""
EPSILON = 1e-3  # of batch norm: TensorFlow's, not torch's


class SpleeterUNet(nn.Module):
    """Six halvings and six doublings with skips, then a mask for each of two channels."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self._depth = len(widths)
        channels = 2
        for level, width in enumerate(widths, 1):
            # What TensorFlow pads where a stride halves an even length: one before, two after.
            halving = nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(channels, width, 5, 2))
            # The last one is in the checkpoint, too, but nothing comes after it.
            norm = nn.Sequential(nn.BatchNorm2d(width, eps=EPSILON), nn.LeakyReLU(0.2))
            self.add_module(f"down{level}_conv", halving)
            self.add_module(f"down{level}_act", norm)
            channels = width
        outputs = (*widths[-2::-1], 1)
        for level, width in enumerate(outputs, 1):
            inputs = channels if level == 1 else 2 * channels
            doubling = nn.Sequential(
                nn.ConvTranspose2d(inputs, width, 5, 2),
                nn.ZeroPad2d((-1, -2, -1, -2)),
                nn.ReLU(),
                nn.BatchNorm2d(width, eps=EPSILON),
            )
            self.add_module(f"up{level}", doubling)
            channels = width
        mask = nn.Sequential(nn.Conv2d(1, 2, 4, dilation=2, padding=3), nn.Sigmoid())
        self.add_module(f"up{len(outputs) + 1}", mask)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return the stem's magnitude (B, 2, T, F) in a mix's magnitude (B, 2, T, F).

        Left and right; T and F are multiples of 64. Rows are frames, columns bins.
        """
        skips: list[Tensor] = []
        hidden = magnitude
        for level in range(1, self._depth + 1):
            halved = self.get_submodule(f"down{level}_conv")(hidden)
            skips.append(halved)
            if level < self._depth:
                hidden = self.get_submodule(f"down{level}_act")(halved)
        hidden = self.get_submodule("up1")(skips.pop())
        for level in range(2, self._depth + 1):
            hidden = self.get_submodule(f"up{level}")(torch.cat([skips.pop(), hidden], 1))
        return self.get_submodule(f"up{self._depth + 1}")(hidden) * magnitude
