"""The portrait's pixels moved with its mesh, and laid over the plate, for a batch of frames."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stylehead.compute.device import channels_first, to_tensor
from stylehead.rendering.batched.pixels import blur, places, take, to_bytes
from stylehead.rendering.batched.rasterize import Boxes, rasterize
from stylehead.rendering.mesh_renderer import CELLS, MeshScene
from stylehead.rendering.warp import FOLD
from stylehead.types import Floats

BLUR = 0.239  # outer weight of the blur along folds
NEAR = 0.25  # and of the cells around a pixel in how much of it there is


class BatchedWarp:
    """Moves one portrait's crop."""

    def __init__(self, scene: MeshScene, device: torch.device) -> None:
        mesh, layer = scene.mesh, scene.layer
        self._size, self._cells = mesh.size, min(mesh.size, CELLS)
        self._device = device
        self._triangles = mesh.triangles
        self._on_device = to_tensor(mesh.triangles, device)
        self._source = to_tensor(mesh.source[:, :2], device)
        self._finer = channels_first(scene.sampler.finer[None], device)
        self._plate = None if layer is None else channels_first(layer.plate[None], device)
        self._columns, self._rows = places(self._size, self._size, device)
        self._rows += scene.sampler.above

    def move(self, vertices: Floats, on_device: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return crops (B, 3, S, S), 0 to 255, with the mesh at vertices (B, N, 3), twice given.

        With a layer also how much of each pixel is the person (B, 1, S, S), 0 to 255.
        """
        displacement = self._displacement(vertices, on_device)
        fine = displacement
        if self._cells != self._size:
            size = (self._size, self._size)
            fine = F.interpolate(displacement, size, mode="bicubic", align_corners=False)
        columns, rows = (
            2 * (fine[:, axis] + still) for axis, still in enumerate((self._columns, self._rows))
        )
        moved = take(self._finer, columns, rows).round()
        moved = self._softened(moved, displacement)
        if self._plate is None:
            return moved, None
        colours, cover = torch.split(moved, [3, 1], 1)
        behind = (((255 - cover) * self._plate + 127) / 255).floor()
        return torch.where(cover < 255, colours + behind, colours).clamp(max=255), cover

    def _displacement(self, vertices: Floats, on_device: Tensor) -> Tensor:
        """Return where each cell's pixels come from (B, 2, C, C), pixels from where they are."""
        scale = self._cells / self._size
        in_cells = vertices.copy()
        in_cells[..., :2] = (in_cells[..., :2] + 0.5) * scale - 0.5
        boxes = Boxes.of(self._triangles, in_cells, self._cells)
        target = on_device.clone()
        target[..., :2] = (target[..., :2] + 0.5) * scale - 0.5
        shown = rasterize(self._on_device, target, boxes, self._cells)
        return shown.mean(self._source - on_device[..., :2], self._on_device)

    def _softened(self, moved: Tensor, displacement: Tensor) -> Tensor:
        """Blend pixels along folds, as warp.soften_folds does."""
        folds = _folds(displacement)
        if self._cells != self._size:
            cell = torch.arange(self._size, device=self._device) * self._cells // self._size
            folds = folds[:, :, cell[:, None], cell]
        weight = blur(folds, NEAR)
        weight = torch.where(weight * 255 < 0.5, 0, weight)
        soft = blur(moved, BLUR)
        return torch.where(weight > 0, to_bytes(moved + weight * (soft - moved)), moved)


def _folds(displacement: Tensor) -> Tensor:
    """Return where a displacement (B, 2, C, C) jumps from cell to cell: (B, 1, C, C), 0 or 1."""
    folds = torch.zeros_like(displacement[:, :1])
    across = (displacement.diff(dim=3).abs() > FOLD).any(1, keepdim=True).float()
    down = (displacement.diff(dim=2).abs() > FOLD).any(1, keepdim=True).float()
    for side in (slice(None, -1), slice(1, None)):
        folds[..., side] = torch.maximum(folds[..., side], across)
        folds[..., side, :] = torch.maximum(folds[..., side, :], down)
    return folds
