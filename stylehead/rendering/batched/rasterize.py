"""Triangles -> what each cell of a map shows, depth tested, for a batch of frames at once.

Every triangle is tested in every cell of its box. How many cells that are is counted where the
vertices are, on the host, so that nothing has to be asked back. The nearest triangle of a cell is
the least of one whole number: its depth in the upper half, its place in the list in the lower, so
the result does not depend on the order in which a GPU works.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead.rendering.rasterize import EDGE
from stylehead.types import Floats

NOTHING = torch.iinfo(torch.int64).max
LOWER = 0xFFFFFFFF
FLAT = 1e-9  # area of a triangle, cells, under which it has none


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The cells in which triangles are tested, of a batch."""

    table: NDArray[np.int64]
    """(B * M, 4) first column and row, columns, cells before those of this triangle."""
    counts: NDArray[np.int64]
    """(B * M,) cells."""

    @staticmethod
    def of(triangles: NDArray[np.int64], target: Floats, cells: int) -> Boxes:
        """Return the boxes of triangles (M, 3) of vertices (B, N, 2 or 3) in a map's cells."""
        corners = target[:, triangles, :2].reshape(-1, 3, 2).astype(np.float64)
        low = np.ceil(corners.min(1) - EDGE).clip(0).astype(np.int64)
        high = np.floor(corners.max(1) + EDGE).clip(-1, cells - 1).astype(np.int64)
        sides = (high - low + 1).clip(0)
        counts = sides.prod(1)
        before = np.cumsum(counts) - counts
        return Boxes(np.column_stack([low, sides[:, :1], before]), counts)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Which triangle each cell shows, and where in it the cell lies."""

    covered: Tensor
    """(B, C, C) bool"""
    triangle: Tensor
    """(B, C, C) its place in the list; 0 where none is."""
    weights: Tensor
    """(B, C, C, 3) of its corners."""

    def mean(self, values: Tensor, triangles: Tensor) -> Tensor:
        """Return values (N, K) or (B, N, K) of vertices at each cell: (B, K, C, C); 0 in none."""
        corners = values[..., triangles, :]  # (..., M, 3, K)
        if corners.dim() == 4:
            frames = torch.arange(len(corners), device=corners.device)[:, None, None]
            found = corners[frames, self.triangle]
        else:
            found = corners[self.triangle]
        mixed = (found * self.weights[..., None]).sum(-2) * self.covered[..., None]
        return mixed.permute(0, 3, 1, 2)


def rasterize(triangles: Tensor, target: Tensor, boxes: Boxes, cells: int) -> Shown:
    """Return which of triangles (M, 3) is nearest in each cell, of vertices (B, N, 3) in cells.

    A smaller third coordinate is nearer; of triangles equally near the first is shown. boxes are
    those of the same vertices.
    """
    device, batch, count = target.device, len(target), len(triangles)
    total = int(boxes.counts.sum())
    table = torch.from_numpy(boxes.table).to(device, non_blocking=True)
    counts = torch.from_numpy(boxes.counts).to(device, non_blocking=True)
    corners = target[:, triangles].reshape(batch * count, 9)
    one = torch.repeat_interleave(
        torch.arange(batch * count, device=device), counts, output_size=total
    )
    left, top, across, before = table[one].unbind(1)
    within = torch.arange(total, device=device) - before
    column, row = left + within % across, top + within // across
    weights, depth = _weigh(corners[one], column, row)
    # Whole numbers in the order of the floats that have the same bits.
    bits = depth.view(torch.int32)
    order = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    key = torch.where((weights >= -EDGE).all(-1), (order << 32) | (one % count), NOTHING)
    nearest = torch.full((batch * cells * cells,), NOTHING, device=device)
    place = (one // count * cells + row) * cells + column
    nearest = nearest.scatter_reduce_(0, place, key, "amin").view(batch, cells, cells)
    covered = nearest != NOTHING
    triangle = torch.where(covered, nearest & LOWER, 0)
    frames = torch.arange(batch, device=device)[:, None, None]
    steps = torch.arange(cells, device=device)
    weights, _ = _weigh(corners[frames * count + triangle], steps, steps[:, None])
    return Shown(covered, triangle, weights)


def _weigh(corners: Tensor, column: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights (..., 3) of triangles' corners (..., 9) at cells, and the depth there."""
    ax, ay, az, bx, by, bz, cx, cy, cz = corners.unbind(-1)
    area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
    x, y = column - cx, row - cy
    u = ((cx - bx) * y + (by - cy) * x) / area
    v = ((ax - cx) * y + (cy - ay) * x) / area
    flat = area.abs() < FLAT
    u, v = (torch.where(flat, -1.0, weight) for weight in (u, v))
    w = 1 - u - v
    return torch.stack([u, v, w], -1), u * az + v * bz + w * cz
