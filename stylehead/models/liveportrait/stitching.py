"""The small network that corrects moved keypoints, so that seams to the still picture fit."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from stylehead.models.liveportrait.motion_extractor import KEYPOINTS

OFFSETS = 3 * KEYPOINTS


class KeypointMlp(nn.Module):
    """A multilayer perceptron with ReLU; its parts are published as `mlp`."""

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
    """Return a net: source and moved keypoints (B, 126) -> offsets, and a shift in x, y (B, 65)."""
    return KeypointMlp(2 * OFFSETS, 128, 128, 64, OFFSETS + 2)
