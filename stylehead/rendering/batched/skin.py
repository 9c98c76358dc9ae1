"""Folds and shading of the skin, for a batch of frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stylehead.compute.device import to_tensor
from stylehead.face.landmarks import FACE
from stylehead.rendering.batched.pixels import places, take, upload
from stylehead.rendering.batched.rasterize import Boxes, rasterize
from stylehead.rendering.skin.face_texture import SIZE, face_texture
from stylehead.rendering.skin.folds import CELLS, DARKER, LIGHTER, SkinShader, bounds
from stylehead.types import Floats


class BatchedSkin:
    """Lays folds and shading over one portrait's moved crops."""

    def __init__(self, shader: SkinShader, size: int, device: torch.device) -> None:
        self._shader, self._size, self._device = shader, size, device
        texture = face_texture()
        self._triangles = texture.triangles
        self._on_device = to_tensor(texture.triangles, device)
        self._texture = to_tensor(texture.places[:, :2], device)
        self._write = to_tensor(shader.model.write, device).flatten(1)
        self._hue = to_tensor(shader.hue, device)[:, None, None]
        self._columns, self._rows = places(size, size, device)

    def shade(self, crops: Tensor, vertices: Floats, offsets: Floats, rotations: Floats) -> Tensor:
        """Return crops (B, 3, S, S) shaded, with vertices (B, N, 3).

        offsets (B, 68, 3) and rotations (B, 3, 3) are the motion's.
        """
        pairs = zip(offsets, rotations, strict=True)
        amounts = upload([self._shader.amounts(*pair) for pair in pairs], self._device)
        change = (amounts @ self._write).view(-1, 1, SIZE, SIZE)
        most = torch.where(change < 0, DARKER, LIGHTER)
        change = most * torch.tanh(change / most)
        edges = np.stack([np.stack(bounds(face[:FACE], self._size)) for face in vertices])
        low, side = edges[:, 0].astype(np.float32), (edges[:, 1] - edges[:, 0]).max(1)
        scale = (np.minimum(side, CELLS) / np.maximum(side, 1)).astype(np.float32)
        target = vertices[:, :FACE].copy()
        target[..., :2] -= low[:, None]
        target[..., :2] = (target[..., :2] + 0.5) * scale[:, None, None] - 0.5
        boxes = Boxes.of(self._triangles, target, CELLS)
        shown = rasterize(self._on_device, upload([*target], self._device), boxes, CELLS)
        texels = shown.mean(self._texture, self._on_device)
        laid = take(change, texels[:, 0], texels[:, 1], beyond="zeros") * shown.covered[:, None]
        factor = torch.exp(laid * self._hue)
        first = upload([*np.concatenate([edges.reshape(-1, 4), scale[:, None]], 1)], self._device)
        left, top, right, bottom, step = (column[:, None, None] for column in first.unbind(1))
        factor = take(
            factor,
            (self._columns - left + 0.5) * step - 0.5,
            (self._rows - top + 0.5) * step - 0.5,
        )
        within = (self._columns >= left) & (self._columns < right)
        within = within & (self._rows >= top) & (self._rows < bottom)
        shaded = (crops * factor).round().clamp(0, 255)
        return torch.where(within[:, None], shaded, crops)
