"""Eyeballs between the lids, and lids that shut over them, for a batch of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead.compute.device import channels_first, to_tensor
from stylehead.rendering.batched.pixels import (
    blur,
    gaussian,
    moved_by,
    places,
    take,
    to_bytes,
    upload,
)
from stylehead.rendering.batched.rasterize import Boxes, rasterize
from stylehead.rendering.eyes.completer import BallView, CompletedEye, EyeCompleter, EyeView
from stylehead.rendering.eyes.eye_texture import eye_vertices
from stylehead.rendering.eyes.lids import MOST_CELLS
from stylehead.types import Floats

LID_EDGE = gaussian(0.6)
NO_BALL = BallView(np.zeros((1, 1), np.float32), np.eye(2, 3), np.zeros(2, np.float32), None)


class BatchedEyes:
    """Completes both eyes of one portrait's moved crops."""

    def __init__(self, completer: EyeCompleter, size: int, device: torch.device) -> None:
        self._size = size
        self._eyes = [_Eye(eye, device) for eye in completer.eyes]

    def complete(self, crops: Tensor, vertices: Floats) -> None:
        """Complete the eyes of crops (B, 3, S, S) with vertices (B, N, 3), in place."""
        for eye in self._eyes:
            found = [(row, eye.look(one, self._size)) for row, one in enumerate(vertices)]
            seen = [(row, view) for row, view in found if view is not None]
            if seen:
                rows = [row for row, _ in seen]
                eye.draw(crops, rows, [view for _, view in seen], vertices[rows])


class _Eye:
    def __init__(self, eye: CompletedEye, device: torch.device) -> None:
        self.look = eye.look
        self._device = device
        self._lid = channels_first(eye.lid.layer[None], device)
        self._triangles = eye.lid.triangles
        self._on_device = to_tensor(eye.lid.triangles, device)
        self._texture = to_tensor(eye.lid.places[:, :2], device)
        self._ball = eye.ball
        if eye.ball is not None:
            self._layers = [
                channels_first(layer[None], device)
                for layer in (eye.ball.white, eye.ball.iris, eye.ball.catchlight)
            ]

    def draw(
        self, crops: Tensor, frames: Sequence[int], views: Sequence[EyeView], vertices: Floats
    ) -> None:
        """Draw an eye into some frames of a batch, in place; vertices (F, N, 3) of these."""
        side = max(view.side for view in views)
        lows = np.stack([view.low for view in views])
        # One square for all. A smaller one near the crop's edge begins further in.
        corner = np.minimum(lows, crops.shape[-1] - side)
        into = lows - corner
        step = torch.arange(side, device=self._device)
        left, top = (torch.tensor(axis, device=self._device)[:, None, None] for axis in corner.T)
        across, down = left + step, top + step[:, None]
        frame = torch.tensor(frames, device=self._device)[:, None, None]
        part = crops[frame, :, down, across].permute(0, 3, 1, 2)
        mixed = self._with_ball(part, views, into)
        if any(view.shown > 0 for view in views):
            layer = self._laid(views, vertices, into, side)
            mixed = mixed * (1 - layer[:, :1]) + layer[:, 1:]
        crops[frame, :, down, across] = to_bytes(mixed).permute(0, 2, 3, 1)

    def _with_ball(self, part: Tensor, views: Sequence[EyeView], into: NDArray[np.int64]) -> Tensor:
        """Return squares (F, 3, side, side) with the eyeball, which begins so far into each."""
        if self._ball is None or all(view.ball is None for view in views):
            return part
        side = part.shape[-1]
        balls = [view.ball or NO_BALL for view in views]
        masks = [_placed(ball.mask, at, side) for ball, at in zip(balls, into, strict=True)]
        lights = [
            _placed(ball.mask * (ball.lit if ball.lit is not None else 1), at, side)
            for ball, at in zip(balls, into, strict=True)
        ]
        mask, lit = (upload(each, self._device)[:, None] for each in (masks, lights))
        columns, rows = places(side, side, self._device)
        seen: list[Tensor] = []
        for layer, share in zip(self._layers, (0.0, 1.0, 0.5), strict=True):
            moves = [
                _moved(ball.matrix, -at, -self._ball.corner - share * ball.shift)
                for ball, at in zip(balls, into, strict=True)
            ]
            matrix = upload(moves, self._device)
            seen.append(take(layer, *moved_by(matrix, columns, rows)))
        white, iris, catchlight = seen
        return part * (1 - mask) + lit * (white * (1 - iris[:, :1]) + iris[:, 1:] + catchlight)

    def _laid(
        self, views: Sequence[EyeView], vertices: Floats, into: NDArray[np.int64], side: int
    ) -> Tensor:
        """Return shut lids (F, 4, side, side) as far as they are shown; as ShutLid.laid_on does."""
        cells = min(side, MOST_CELLS)
        sides = np.array([view.side for view in views])
        scale = (np.minimum(sides, MOST_CELLS) / sides).astype(np.float32)
        lows = np.stack([[*view.low, 0] for view in views])
        target = (np.stack([eye_vertices(one) for one in vertices]) - lows[:, None]).astype(
            np.float32
        )
        target[..., :2] = (target[..., :2] + 0.5) * scale[:, None, None] - 0.5
        boxes = Boxes.of(self._triangles, target, cells)
        shown = rasterize(self._on_device, upload([*target], self._device), boxes, cells)
        texels = shown.mean(self._texture, self._on_device)
        layer = take(self._lid, texels[:, 0], texels[:, 1], beyond="zeros")
        layer = blur(layer * shown.covered[:, None], LID_EDGE, edge="reflect")
        columns, rows = places(side, side, self._device)
        rest = np.column_stack([into, sides, scale, [view.shown for view in views]])
        left, top, own, step, cover = upload([rest], self._device)[0, :, :, None, None].unbind(1)
        layer = take(layer, (columns - left + 0.5) * step - 0.5, (rows - top + 0.5) * step - 0.5)
        within = (columns >= left) & (columns < left + own) & (rows >= top) & (rows < top + own)
        return layer * (cover * within)[:, None]


def _moved(matrix: Floats, by: NDArray[np.int64], to: Floats) -> Floats:
    """Return a move (2, 3) of places that are `by` (2,) further, whose results are `to` further."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ by + to
    return moved


def _placed(part: Floats, at: NDArray[np.int64], side: int) -> Floats:
    """Return a square (side, side) of nothing but a part that begins at column and row (2,)."""
    whole = np.zeros((side, side), np.float32)
    left, top = at
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return whole
