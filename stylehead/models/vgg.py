"""VGG19's convolutions, for the perceptual loss; parameter names are torchvision's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PLAN = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)
"""Channels of each convolution up to relu5_1; 0 halves the picture."""
TAPS = (1, 6, 11, 20, 29)
"""Positions of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 in the layers."""
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which it was trained on


class Vgg19(nn.Module):
    """The part of VGG19 that a perceptual loss looks at."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels in PLAN:
            if channels:
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
                before = channels
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return five feature maps of pictures (B, 3, H, W) in [0, 1]."""
        mean, spread = (torch.tensor(v).to(picture)[:, None, None] for v in (MEAN, SPREAD))
        hidden, maps = (picture - mean) / spread, list[Tensor]()
        for position, layer in enumerate(self.features):
            hidden = layer(hidden)
            if position in TAPS:
                maps.append(hidden)
        return maps
