"""The multi-scale patch discriminator that the style-aware generator is trained against."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from stylehead.models.layers import initialise


@dataclass(frozen=True, slots=True)
class DiscriminatorConfig:
    """Shape of the discriminator (pix2pixHD)."""

    inputs: int = 16  # condition 13 + picture 3
    width: int = 64
    layers: int = 3
    scales: int = 2


class MultiscaleDiscriminator(nn.Module):
    """Patch discriminators over a pyramid; parameter names are those of pix2pixHD.

    Live Speech Portraits' published code passes its arguments in the wrong places and gets one
    scale without intermediate maps; this is the form it means.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * min(2**layer, 8) for layer in range(config.layers + 1)]
        for scale in range(config.scales):
            for layer, (before, after) in enumerate(
                zip([config.inputs, *widths], [*widths, 1], strict=True)
            ):
                stride = 2 if layer < config.layers else 1
                parts: list[nn.Module] = [nn.Conv2d(before, after, 4, stride, padding=2)]
                if 0 < layer <= config.layers:
                    parts.append(nn.BatchNorm2d(after))
                if layer <= config.layers:
                    parts.append(nn.LeakyReLU(0.2))
                self.add_module(f"scale{scale}_layer{layer}", nn.Sequential(*parts))
        initialise(self)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Return, from full resolution down, each scale's maps; the last one is its logits.

        x (B, inputs, H, W): condition and picture side by side. At 512 pixels the logits have
        67 x 67 and 35 x 35 places.
        """
        scales: list[list[Tensor]] = []
        # The published names count from the coarsest scale.
        for scale in reversed(range(self.config.scales)):
            maps = [x]
            for layer in range(self.config.layers + 2):
                maps.append(self.get_submodule(f"scale{scale}_layer{layer}")(maps[-1]))
            scales.append(maps[1:])
            x = F.avg_pool2d(x, 3, 2, padding=1, count_include_pad=False)
        return scales
