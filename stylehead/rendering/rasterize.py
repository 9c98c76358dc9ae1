"""Rasterize triangles into a map of source displacements, depth tested."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stylehead.types import Floats

EDGE = 1e-3
"""How far outside a triangle, in its barycentric weights, a cell still belongs to it."""


@njit(cache=True, fastmath=True, nogil=True)
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
    out[:] = 0
    for index in range(triangles.shape[0]):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        # Cell centres: a resize with half-pixel centres takes the map back to full size.
        ax, ay = (target[a, 0] + 0.5) * scale - 0.5, (target[a, 1] + 0.5) * scale - 0.5
        bx, by = (target[b, 0] + 0.5) * scale - 0.5, (target[b, 1] + 0.5) * scale - 0.5
        cx, cy = (target[c, 0] + 0.5) * scale - 0.5, (target[c, 1] + 0.5) * scale - 0.5
        area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
        if abs(area) < 1e-9:
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx) - EDGE)))
        x1 = min(size - 1, int(np.floor(max(ax, bx, cx) + EDGE)))
        y0 = max(0, int(np.ceil(min(ay, by, cy) - EDGE)))
        y1 = min(size - 1, int(np.floor(max(ay, by, cy) + EDGE)))
        # Weights of a and b grow evenly along a row: u = u0 + ux x, v = v0 + vx x.
        ux, vx = (by - cy) / area, (cy - ay) / area
        az, bz, cz = target[a, 2], target[b, 2], target[c, 2]
        dax, day = source[a, 0] - target[a, 0], source[a, 1] - target[a, 1]
        dbx, dby = source[b, 0] - target[b, 0], source[b, 1] - target[b, 1]
        dcx, dcy = source[c, 0] - target[c, 0], source[c, 1] - target[c, 1]
        for y in range(y0, y1 + 1):
            u0 = ((cx - bx) * (y - cy) - (by - cy) * cx) / area
            v0 = ((ax - cx) * (y - cy) - (cy - ay) * cx) / area
            low, high = np.float64(x0), np.float64(x1)
            for at, step in ((u0, ux), (v0, vx), (1 - u0 - v0, -ux - vx)):
                if step > 0:
                    low = max(low, np.ceil((-EDGE - at) / step))
                elif step < 0:
                    high = min(high, np.floor((-EDGE - at) / step))
                elif at < -EDGE:
                    high = low - 1
            for x in range(int(low), int(high) + 1):
                u, v = u0 + ux * x, v0 + vx * x
                w = 1 - u - v
                z = u * az + v * bz + w * cz
                if z < depth[y, x]:
                    depth[y, x] = z
                    out[y, x, 0] = u * dax + v * dbx + w * dcx
                    out[y, x, 1] = u * day + v * dby + w * dcy


def displacement_map(
    triangles: NDArray[np.int64],
    target: Floats,
    source: Floats,
    *,
    size: int,
    cells: int,
    out: Floats | None = None,
    depth: Floats | None = None,
) -> Floats:
    """Return where each target pixel comes from, as displacements (cells, cells, 2) in pixels.

    triangles (M, 3); target and source (N, 3) vertices in pixels of a size x size picture, z away
    from the camera. Where triangles overlap the nearest wins; cells no triangle covers stay put.
    out and depth (cells, cells) are memory to use; without them it is fresh.
    """
    out = np.empty((cells, cells, 2), np.float32) if out is None else out
    depth = np.empty((cells, cells), np.float32) if depth is None else depth
    # One type each, so that one version is compiled: two processes that keep a second one at once
    # spoil numba's index of them.
    target, source = (np.ascontiguousarray(points, np.float32) for points in (target, source))
    triangles = np.ascontiguousarray(triangles, np.int64)
    _fill(triangles, target, source, cells / size, out, depth)
    return out


@njit(cache=True, nogil=True)
def mark_folds(displacement: Floats, limit: float, out: NDArray[np.uint8]) -> tuple[int, int]:
    """Mark both sides of jumps larger than `limit` between neighbouring cells; return their rows.

    displacement (C, C, 2) in, 255 or 0 into out (C, C). The rows are the first one with a mark and
    the one after the last; equal when nothing is folded.
    """
    rows, columns = out.shape
    first, last = rows, 0
    out[:] = 0
    lines = displacement.reshape(rows, 2 * columns)
    for y in range(rows):
        below = min(y + 1, rows - 1)
        here, under = lines[y], lines[below]
        marks = 0
        for i in range(2 * columns):  # so simple that the compiler makes it several at once
            marks += abs(under[i] - here[i]) > limit
        for i in range(2 * columns - 2):
            marks += abs(here[i + 2] - here[i]) > limit
        if marks == 0:
            continue
        first, last = min(first, y), max(last, below + 1)
        for x in range(columns):
            jump = max(abs(under[2 * x] - here[2 * x]), abs(under[2 * x + 1] - here[2 * x + 1]))
            mark = np.uint8(255 * (jump > limit))
            out[y, x] |= mark
            out[below, x] |= mark
        for x in range(columns - 1):
            one, other = here[2 * x + 2] - here[2 * x], here[2 * x + 3] - here[2 * x + 1]
            mark = np.uint8(255 * (max(abs(one), abs(other)) > limit))
            out[y, x] |= mark
            out[y, x + 1] |= mark
    return min(first, last), last
