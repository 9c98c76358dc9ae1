"""Taking, blurring and rounding the pixels of a batch, as OpenCV does on the processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylehead.types import Floats


def upload(arrays: Sequence[np.ndarray[Any, Any]], device: torch.device) -> Tensor:
    """Copy arrays of one shape to the device as floats (B, ...), in one piece."""
    stacked = torch.from_numpy(np.stack([np.asarray(one, np.float32) for one in arrays]))
    if device.type == "cuda":
        stacked = stacked.pin_memory()
    return stacked.to(device, non_blocking=True)


def places(width: int, height: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return each pixel's own column (1, 1, W) and row (1, H, 1)."""
    columns = torch.arange(width, dtype=torch.float32, device=device)
    rows = torch.arange(height, dtype=torch.float32, device=device)
    return columns[None, None], rows[None, :, None]


def moved_by(matrix: Tensor, columns: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return where matrices (B, 2, 3) take places: columns and rows (B, H, W)."""
    (xx, xy, x), (yx, yy, y) = (
        [matrix[:, row, column, None, None] for column in range(3)] for row in range(2)
    )
    return xx * columns + xy * rows + x, yx * columns + yy * rows + y


def take(
    pictures: Tensor,
    columns: Tensor,
    rows: Tensor,
    *,
    mode: str = "bilinear",
    beyond: str = "border",
) -> Tensor:
    """Return what pictures (B or 1, C, H, W) show at places (B, h, w) in their pixels.

    beyond: "border" goes on with the picture's edge, "zeros" with nothing.
    """
    height, width = pictures.shape[-2:]
    grid = torch.stack(
        torch.broadcast_tensors(columns * (2 / (width - 1)) - 1, rows * (2 / (height - 1)) - 1), -1
    )
    pictures = pictures.expand(len(grid), -1, -1, -1)
    return F.grid_sample(pictures, grid, mode=mode, padding_mode=beyond, align_corners=True)


def blur(pictures: Tensor, outer: float, *, edge: str = "replicate") -> Tensor:
    """Blur pictures (B, C, H, W) with a kernel (outer, 1 - 2 outer, outer), both ways."""
    weights = torch.tensor([outer, 1 - 2 * outer, outer], device=pictures.device)
    count = pictures.shape[1]
    padded = F.pad(pictures, (1, 1, 1, 1), mode=edge)
    across = F.conv2d(padded, weights.expand(count, 1, 1, 3), groups=count)
    return F.conv2d(across, weights[:, None].expand(count, 1, 3, 1), groups=count)


def gaussian(sigma: float) -> float:
    """Return the outer weight of a Gaussian of three pixels."""
    side = float(np.exp(-0.5 / sigma**2))
    return side / (1 + 2 * side)


def to_bytes(values: Tensor) -> Tensor:
    """Return values as the nearest of 0 to 255, halves up; still floats."""
    return (values + 0.5).floor().clamp(0, 255)


def inverse(matrix: Floats) -> Floats:
    """Return the move back (2, 3) of a move (2, 3) of the plane."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])
