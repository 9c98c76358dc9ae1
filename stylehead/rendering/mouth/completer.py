"""The mouth generator at run time: what the warp could not show, laid over each frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from stylehead.compute.device import channels_first, to_array
from stylehead.models.arithmetic import FLOATS, Arithmetic, Measured, WholeNumbers
from stylehead.models.mouth_generator import MouthGenerator
from stylehead.rendering.mouth.crop import CROP_POINTS, CROP_SIZE, MouthCrop
from stylehead.rendering.mouth.facial_map import facial_map
from stylehead.rendering.mouth.interior import Part, mouth_interiors, mouth_layer
from stylehead.types import Floats, Pixels


class _Seen(NamedTuple):
    """What a network is shown of moved crops."""

    warped: torch.Tensor
    """(B, 3, CROP_SIZE, CROP_SIZE) in [0, 1]"""
    facial_map: torch.Tensor
    interior: torch.Tensor


class MouthCompleter:
    """Completes the mouths of one portrait's moved crops with a network."""

    def __init__(
        self, net: MouthGenerator, device: torch.device, *, colourless: bool = False
    ) -> None:
        """`colourless` paints in greys, for a portrait that has no colour."""
        self._net = net
        self._colourless = colourless
        self._device = device
        self._memory: list[torch.Tensor] | None = None
        self._arithmetic: Arithmetic[Any] = FLOATS

    @torch.inference_mode()
    def encode_patterns(
        self, crops: Sequence[Pixels], vertices: Sequence[Floats], mouths: Sequence[MouthCrop]
    ) -> None:
        """Encode the mouths of the four style patterns, once; arguments as in `complete`.

        Where the processor counts faster in whole numbers, it does so from then on. What range
        each feature has is measured on the patterns: shut, half-open and round mouths.
        """
        seen = self._look(crops, vertices, mouths)
        self._memory = self._net.encode(seen.warped.flatten(0, 1)[None])
        if WholeNumbers.work_on(self._device):
            measured = Measured()
            self._net.layer(seen.warped, seen.facial_map, self._memory, measured)
            self._arithmetic = WholeNumbers(measured.ranges)

    @torch.inference_mode()
    def complete(
        self, crops: Sequence[Pixels], vertices: Sequence[Floats], mouths: Sequence[MouthCrop]
    ) -> None:
        """Complete moved crops (S, S, 3), in place: only the pixels of their mouths change.

        vertices (N, 3) of each crop in its pixels; mouths: where the mouth lies in it.
        """
        values = to_array(self.layer(*self._look(crops, vertices, mouths)).permute(0, 2, 3, 1))
        for crop, mouth, layer in zip(crops, mouths, values, strict=True):
            mouth.blend(crop, layer)

    def layer(
        self,
        warped: torch.Tensor,
        facial_map: torch.Tensor,
        interior: torch.Tensor,
        where: Part | None = None,
    ) -> torch.Tensor:
        """Return what is laid over warped mouths (B, 4, S, S): cover, then RGB, 0 to 255.

        Arguments as in mouth_layer.
        """
        layer = mouth_layer(
            self._net,
            warped,
            facial_map,
            interior,
            memory=self._memory,
            arithmetic=self._arithmetic,
            where=where,
        )
        cover, colour = torch.split(layer, [1, 3], 1)
        if self._colourless:
            colour = colour.mean(1, keepdim=True).expand_as(colour)
        return torch.cat([cover, colour * 255], 1)

    def _look(
        self, crops: Sequence[Pixels], vertices: Sequence[Floats], mouths: Sequence[MouthCrop]
    ) -> _Seen:
        warped = [mouth.cut(crop) for crop, mouth in zip(crops, mouths, strict=True)]
        points = [
            mouth.in_crop(posed[CROP_POINTS, :2])
            for posed, mouth in zip(vertices, mouths, strict=True)
        ]
        maps = [facial_map(face, CROP_SIZE) for face in points]
        interior = channels_first(mouth_interiors(points, warped, maps), self._device)
        return _Seen(self._pictures(warped), self._pictures(maps), interior)

    def _pictures(self, pictures: Sequence[Pixels]) -> torch.Tensor:
        """Return pictures (S, S, C) of bytes as a batch (B, C, S, S) in [0, 1]."""
        return channels_first(np.stack(pictures), self._device) / 255
