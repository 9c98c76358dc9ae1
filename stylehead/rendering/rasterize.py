"""Rasterize triangles into a map of source displacements, depth tested."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stylehead.types import Floats


@njit(cache=True, fastmath=True)
def _fill(
    triangles: NDArray[np.int64],
    target: Floats,
    source: Floats,
    scale: float,
    out: Floats,
    depth: Floats,
) -> None:
    size = out.shape[0]
    depth[:] = 1e9
    for index in range(triangles.shape[0]):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        # Cell centres: a resize with half-pixel centres takes the map back to full size.
        ax, ay = (target[a, 0] + 0.5) * scale - 0.5, (target[a, 1] + 0.5) * scale - 0.5
        bx, by = (target[b, 0] + 0.5) * scale - 0.5, (target[b, 1] + 0.5) * scale - 0.5
        cx, cy = (target[c, 0] + 0.5) * scale - 0.5, (target[c, 1] + 0.5) * scale - 0.5
        area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
        if abs(area) < 1e-9:
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx) - 1e-3)))
        x1 = min(size - 1, int(np.floor(max(ax, bx, cx) + 1e-3)))
        y0 = max(0, int(np.ceil(min(ay, by, cy) - 1e-3)))
        y1 = min(size - 1, int(np.floor(max(ay, by, cy) + 1e-3)))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                u = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area
                v = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area
                w = 1 - u - v
                if u < -1e-3 or v < -1e-3 or w < -1e-3:
                    continue
                z = u * target[a, 2] + v * target[b, 2] + w * target[c, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    for axis in range(2):
                        out[y, x, axis] = (
                            u * (source[a, axis] - target[a, axis])
                            + v * (source[b, axis] - target[b, axis])
                            + w * (source[c, axis] - target[c, axis])
                        )


def displacement_map(
    triangles: NDArray[np.int64], target: Floats, source: Floats, *, size: int, cells: int
) -> Floats:
    """Return where each target pixel comes from, as displacements (cells, cells, 2) in pixels.

    triangles (M, 3); target and source (N, 3) vertices in pixels of a size x size picture, z away
    from the camera. Where triangles overlap the nearest wins; cells no triangle covers stay put.
    """
    out = np.zeros((cells, cells, 2), np.float32)
    depth = np.empty((cells, cells), np.float32)
    _fill(triangles, target, source, cells / size, out, depth)
    return out


@njit(cache=True)
def _mark(displacement: Floats, limit: float, out: NDArray[np.uint8]) -> None:
    rows, columns = out.shape
    for y in range(rows):
        for x in range(columns):
            for axis in range(2):
                here = displacement[y, x, axis]
                if x + 1 < columns and abs(displacement[y, x + 1, axis] - here) > limit:
                    out[y, x] = out[y, x + 1] = 255
                if y + 1 < rows and abs(displacement[y + 1, x, axis] - here) > limit:
                    out[y, x] = out[y + 1, x] = 255


def fold_mask(displacement: Floats, limit: float) -> NDArray[np.uint8]:
    """Return 255 on both sides of jumps larger than `limit` between neighbouring cells, else 0.

    displacement (C, C, 2) in, (C, C) out.
    """
    out = np.zeros(displacement.shape[:2], np.uint8)
    _mark(displacement, limit, out)
    return out
