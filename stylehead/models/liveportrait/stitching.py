"""Small networks that correct moved keypoints: seams to the still picture, eyes and lips."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from stylehead.models.liveportrait.motion_extractor import KEYPOINTS

OFFSETS = 3 * KEYPOINTS


class KeypointMlp(nn.Module):
    """Layers of ReLU between numbers; the parts are published as `mlp`."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.mlp = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, last width) of (B, first width)."""
        return self.mlp(x)


def stitching_net() -> KeypointMlp:
    """Source and moved keypoints -> their offsets, and a shift of all in x and y."""
    return KeypointMlp(2 * OFFSETS, 128, 128, 64, OFFSETS + 2)


def lip_net() -> KeypointMlp:
    """Source keypoints and two lip ratios, there and wanted -> offsets."""
    return KeypointMlp(OFFSETS + 2, 128, 128, 64, OFFSETS)


def eye_net() -> KeypointMlp:
    """Source keypoints and three eye ratios -> offsets."""
    return KeypointMlp(OFFSETS + 3, 256, 256, 128, 128, 64, OFFSETS)
