"""The plate: a portrait's background, filled where the person hides it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.types import Floats, Pixels

Mask = NDArray[np.bool_]
RIM = 0.015  # of the crop's side beyond the matte that is not looked at: traces of the person
COARSE = 0.02  # of that side: what is finer is mirrored, what is coarser goes on as it is
DEEP = (0.08, 0.25)
"""Of that side behind the silhouette, from where to where all gives way to the mean colours around:
so deep no turn reaches."""
SMOOTH = 0.008  # of that side: what is smoothed of the silhouette that is the mirror
SEAM = 16.0  # of 255 that the picture may change across the rim; more is a trace of the person
STRIKING = 3.0  # times the upper quartile of fine detail, from where on it is not repeated
LEAST_DETAIL = 2.0  # of 255: that quartile in a plain background


def fill_behind(crop: Pixels, matte: Pixels) -> Pixels:
    """Return a crop (S, S, 3) without the person of its matte (S, S); elsewhere it is unchanged.

    Close behind the silhouette the light goes on as it is there, and texture is mirrored, so that
    it keeps its sharpness. Deeper inside are the mean colours of what surrounds the person.
    """
    size = len(crop)
    rim = max(1, round(RIM * size))
    hole = np.asarray(cv2.dilate(matte, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))) > 0
    if hole.all() or not hole.any():
        return crop.copy()
    known = ~hole
    light = _means(crop, known, COARSE * size)
    detail = np.where(known[..., None], crop - light, 0)
    limit = STRIKING * max(float(np.percentile(np.abs(detail[known]), 75)), LEAST_DETAIL)
    edge = _nearest(known)
    x, y = edge[..., 0].astype(np.intp), edge[..., 1].astype(np.intp)
    goes_on = _means(light[y, x], hole, COARSE * size / 2)
    mirrored = _mirrored(detail.clip(-limit, limit), hole, edge, SMOOTH * size)
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5)[..., None] / size
    near = ((DEEP[1] - depth) / (DEEP[1] - DEEP[0])).clip(0, 1)
    filled = near * (goes_on + mirrored) + (1 - near) * _around(crop, known)
    person = matte > 0
    # Across the rim, too, the picture changes: the fill begins where the picture ends.
    step = _means((crop - filled).clip(-SEAM, SEAM), hole & ~person, float(rim))
    filled += step * np.exp(-np.maximum(depth * size / rim - 1, 0) / 2)
    return np.where(person[..., None], (filled + 0.5).clip(0, 255), crop).astype(np.uint8)


def _means(values: Floats | Pixels, known: Mask, sigma: float) -> Floats:
    """Return Gaussian means of values (S, S, C) over the known pixels (S, S) around each one."""
    weight = known.astype(np.float32)
    share = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-4)
    summed = cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma)
    return np.asarray(summed / share[..., None], np.float32)


def _nearest(known: Mask) -> Floats:
    """Return the known pixel nearest to each pixel of (S, S): (S, S, 2) x and y."""
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = np.asarray(labels, np.intp)
    here = np.indices(known.shape, np.float32)[::-1].transpose(1, 2, 0)
    place = np.zeros((int(labels.max()) + 1, 2), np.float32)
    place[labels[known]] = here[known]
    return place[labels]


def _mirrored(detail: Floats, hole: Mask, edge: Floats, smooth: float) -> Floats:
    """Return detail (S, S, 3) mirrored into a hole (S, S) at its edge; 0 where that is hole again.

    edge (S, S, 2) is the known pixel nearest to each.
    """
    here = np.indices(hole.shape, np.float32)[::-1].transpose(1, 2, 0)
    source = here + 2 * _means(edge - here, hole, smooth)
    x, y = np.ascontiguousarray(source[..., 0]), np.ascontiguousarray(source[..., 1])
    kept = np.concatenate([detail, ~hole[..., None]], -1).astype(np.float32)
    there = cv2.remap(kept, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(there[..., :3] * there[..., 3:], np.float32)


def _around(crop: Pixels, known: Mask) -> Floats:
    """Fill what is not known (S, S) of a crop (S, S, 3) with ever wider means of what is."""
    weight = known.astype(np.float32)[..., None]
    levels = [np.concatenate([crop * weight, weight], -1)]
    while len(levels[-1]) > 1 and not levels[-1][..., 3].all():
        half = max(1, len(levels[-1]) // 2)
        halved = cv2.resize(levels[-1], (half, half), interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(halved, np.float32))
    filled = levels[-1][..., :3] / np.maximum(levels[-1][..., 3:], 1e-6)
    for finer in reversed(levels[:-1]):
        size = (finer.shape[1], finer.shape[0])
        filled = np.asarray(cv2.resize(filled, size, interpolation=cv2.INTER_LINEAR))
        filled = finer[..., :3] + (1 - finer[..., 3:]) * filled
    return filled.astype(np.float32)
