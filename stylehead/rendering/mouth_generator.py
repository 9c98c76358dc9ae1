"""The mouth generator at run time: what the warp could not show, laid over each frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from stylehead.device import channels_first, to_array
from stylehead.models.mouth_generator import MouthGenerator
from stylehead.rendering.facial_map import facial_map
from stylehead.rendering.mouth_crop import DRAWN, SIZE, MouthCrop
from stylehead.rendering.mouth_interior import mouth_interiors
from stylehead.types import Floats, Pixels


class MouthCompleter:
    """Lays what a network makes of the mouth over moved crops."""

    def __init__(
        self, net: MouthGenerator, device: torch.device, *, colourless: bool = False
    ) -> None:
        """`colourless` paints in greys, for a portrait that has no colour."""
        self._net = net
        self._colourless = colourless
        self._device = device
        self._memory: list[torch.Tensor] | None = None

    @torch.inference_mode()
    def encode_patterns(self, patches: Sequence[Pixels]) -> None:
        """Encode the mouth crops (SIZE, SIZE, 3) of the portrait's four style patterns, once."""
        self._memory = self._net.remember(self._pictures([np.concatenate(patches, -1)]))

    @torch.inference_mode()
    def complete(
        self, crops: Sequence[Pixels], vertices: Sequence[Floats], places: Sequence[MouthCrop]
    ) -> None:
        """Complete moved crops (S, S, 3), in place; vertices (N, 3) of each in crop pixels."""
        warped = [place.cut(crop) for crop, place in zip(crops, places, strict=True)]
        points = [
            place.in_patch(one[DRAWN, :2]) for one, place in zip(vertices, places, strict=True)
        ]
        maps = [facial_map(one, SIZE) for one in points]
        interior = channels_first(mouth_interiors(points, warped, maps), self._device)
        layers = self._net(self._pictures(warped), self._pictures(maps), self._memory, interior)
        values = to_array(layers.permute(0, 2, 3, 1))
        if self._colourless:
            values[..., 1:] = values[..., 1:].mean(-1, keepdims=True)
        values[..., 1:] *= 255
        for crop, place, layer in zip(crops, places, values, strict=True):
            place.blend(crop, layer)

    def _pictures(self, pictures: list[Pixels]) -> torch.Tensor:
        return channels_first(np.stack(pictures), self._device) / 255
