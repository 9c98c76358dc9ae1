"""Mouths completed by the style-aware generator, for a batch of frames.

The host draws what is anatomy, from vertices alone: lines, teeth, tongue, shade. The light of the
skin, colours and everything else that pixels are needed for is found on the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead.compute.device import channels_first
from stylehead.rendering.batched.pixels import (
    blur,
    gaussian,
    inverse,
    moved_by,
    places,
    take,
    to_bytes,
    upload,
)
from stylehead.rendering.mouth.completer import MouthCompleter
from stylehead.rendering.mouth.crop import CROP_POINTS, CROP_SIZE, MouthCrop
from stylehead.rendering.mouth.facial_map import facial_map, uncross_lips
from stylehead.rendering.mouth.interior import (
    COLOUR,
    DARK,
    ENAMEL,
    FLESH,
    LUMINANCE,
    WHITE,
    anatomy,
    around_inside,
    skin_around,
)
from stylehead.types import Floats, Pixels

SOFT = gaussian(0.6)


class BatchedMouths:
    """Completes the mouths of one portrait's moved crops."""

    def __init__(self, completer: MouthCompleter, size: int, device: torch.device) -> None:
        self._completer, self._size, self._device = completer, size, device

    def complete(self, crops: Tensor, vertices: Floats, mouths: Sequence[MouthCrop]) -> None:
        """Complete the mouths of crops (B, 3, S, S) with vertices (B, N, 3), in place."""
        points = [
            mouth.in_crop(posed[CROP_POINTS, :2])
            for posed, mouth in zip(vertices, mouths, strict=True)
        ]
        maps = [facial_map(face, CROP_SIZE) for face in points]
        warped = self._cut(crops, mouths)
        interior, where = self._interior(points, maps, warped)
        drawn = channels_first(np.stack(maps), self._device) / 255
        layer = self._completer.layer(warped / 255, drawn, interior, where)
        self._lay(crops, layer, mouths)

    def _cut(self, crops: Tensor, mouths: Sequence[MouthCrop]) -> Tensor:
        """Return the mouths (B, 3, CROP_SIZE, CROP_SIZE), 0 to 255, as MouthCrop.cut does."""
        warped = crops.new_empty(len(mouths), 3, CROP_SIZE, CROP_SIZE)
        finer = [mouth.finer for mouth in mouths]
        for times in sorted(set(finer)):
            rows = [row for row, each in enumerate(finer) if each == times]
            matrix = upload([mouths[row].matrix(times) for row in rows], self._device)
            here = places(CROP_SIZE * times, CROP_SIZE * times, self._device)
            some = crops if len(rows) == len(finer) else crops[rows]
            cut = take(some, *moved_by(matrix, *here)).round()
            if times > 1:
                cut = to_bytes(torch.nn.functional.avg_pool2d(cut, times))
            warped[rows] = cut
        return warped

    def _interior(
        self, points: Sequence[Floats], maps: Sequence[Pixels], warped: Tensor
    ) -> tuple[Tensor, tuple[slice, slice]]:
        """Return the insides of mouths (B, 4, S, S), as mouth_interior does, and where they are."""
        parts = np.zeros((len(maps), 4, CROP_SIZE, CROP_SIZE), np.float32)
        for part, face, drawn in zip(parts, points, maps, strict=True):
            if found := anatomy(face, drawn):
                part[(slice(None), *found.box)] = np.stack(found[1:])
        where = around_inside(parts[:, 0].max(0))
        inside, teeth, tongue, shade = upload([*parts], self._device).split(1, 1)
        skin = self._skin(warped, [skin_around(uncross_lips(face)) for face in points])
        level = (skin * _colour(LUMINANCE, skin)).sum(1, keepdim=True)
        tint = 1 - COLOUR + COLOUR * skin / level.clamp(min=0.05)
        enamel = (ENAMEL[0] + ENAMEL[1] * level).clamp(max=0.95) * tint * _colour(WHITE, skin)
        tone = level * tint
        dark, flesh = tone * _colour(DARK, skin), tone * _colour(FLESH, skin)
        colour = dark + tongue * (flesh - dark)
        here = (4 * teeth).clamp(max=1)
        colour = colour * (1 - here) + enamel * teeth * here
        colour = blur(colour * shade, SOFT).clamp(0, 1)
        return torch.cat([inside, colour * inside], 1), where

    def _skin(self, warped: Tensor, around: Sequence[NDArray[np.bool_]]) -> Tensor:
        """Return the skin's colour (B, 3, 1, 1) around mouths, in [0, 1]: the median."""
        counts = np.array([each.sum() for each in around])
        there = upload(around, self._device)[:, None] > 0
        seen = torch.where(there, warped[..., ::2, ::2], torch.inf).flatten(2).sort(2).values
        middle = [[(count - 1) // 2, count // 2] for count in np.maximum(counts, 1)]
        rank = torch.tensor(middle, device=self._device)[:, None].expand(-1, 3, -1)
        median = seen.gather(2, rank).mean(2) / 255
        none = torch.tensor(counts == 0, device=self._device)[:, None]
        return torch.where(none, 0.5, median)[..., None, None]

    def _lay(self, crops: Tensor, layer: Tensor, mouths: Sequence[MouthCrop]) -> None:
        """Lay layers (B, 4, CROP_SIZE, CROP_SIZE) over crops, in place, as MouthCrop.blend does."""
        boxes = [mouth.reach(self._size, self._size) for mouth in mouths]
        side = int(max((high - low).max() for low, high in boxes))
        low = np.stack([np.minimum(low, self._size - side).clip(0) for low, _ in boxes])
        grown = layer.new_zeros(len(mouths), 4, min(side, self._size), min(side, self._size))
        columns, rows = places(grown.shape[3], grown.shape[2], self._device)
        for cubic in (False, True):
            chosen = [row for row, mouth in enumerate(mouths) if (mouth.step > 1) == cubic]
            if chosen:
                moves = [_from(inverse(mouths[row].matrix()), low[row]) for row in chosen]
                place = moved_by(upload(moves, self._device), columns, rows)
                mode = "bicubic" if cubic else "bilinear"
                grown[chosen] = take(layer[chosen], *place, mode=mode, beyond="zeros")
        corner = torch.tensor(low, device=self._device)
        step = torch.arange(grown.shape[-1], device=self._device)
        across, down = corner[:, :1, None] + step, corner[:, 1:, None] + step[:, None]
        frame = torch.arange(len(mouths), device=self._device)[:, None, None]
        part = crops[frame, :, down, across].permute(0, 3, 1, 2)
        laid = to_bytes(part * (1 - grown[:, :1]) + grown[:, 1:])
        crops[frame, :, down, across] = laid.permute(0, 2, 3, 1)


def _from(matrix: Floats, low: NDArray[np.int64]) -> Floats:
    """Return a move (2, 3) of pixels that are counted from a corner (2,)."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ low
    return moved


def _colour(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device)[:, None, None]
