"""The plate: a portrait's background, filled where the person hides it."""

from __future__ import annotations

import cv2
import numpy as np

from stylehead.face.geometry import smoothstep
from stylehead.rendering.still.lines import Mask, along_lines, means
from stylehead.types import Floats, Pixels

RIM = 0.015  # of the crop's side beyond the matte that is not looked at: traces of the person
COARSE = 0.02  # of that side: what is finer is mirrored, what is coarser goes on as it is
DEEP = (0.08, 0.25)
"""Of that side behind the silhouette, from where to where all gives way to the mean colours around:
so deep no turn reaches."""
SMOOTH = 0.008  # of that side: what is smoothed of the silhouette that is the mirror
SEAM = 16.0  # of 255 that the picture may change across the rim; more is a trace of the person
STRIKING = 3.0  # times the upper quartile of fine detail, from where on it is not repeated
CALM = 3.0  # of 255: mean fine detail, at twice of which a background is busy
TRACE = 5.0, 10.0  # of 255 from what a calm background shows: no trace of the person, and one
LEAST_DETAIL = 2.0  # of 255: that quartile in a plain background


def fill_behind(crop: Pixels, matte: Pixels) -> Pixels:
    """Return a crop (S, S, 3) without the person of its matte (S, S).

    Elsewhere it is unchanged, but for traces of the person close to them.

    Close behind the silhouette the light goes on as it is there, and texture is mirrored, so that
    it keeps its sharpness. Deeper inside are the mean colours of what surrounds the person.
    """
    size = len(crop)
    rim = max(1, round(RIM * size))
    hole = np.asarray(cv2.dilate(matte, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))) > 0
    if hole.all() or not hole.any():
        return crop.copy()
    known = ~hole
    light = means(crop, known, COARSE * size)
    detail = np.where(known[..., None], crop - light, 0)
    limit = STRIKING * max(float(np.percentile(np.abs(detail[known]), 75)), LEAST_DETAIL)
    here = np.indices(known.shape, np.float32)[::-1].transpose(1, 2, 0)
    edge = _nearest(known)
    back = means(edge - here, hole, SMOOTH * size)
    way, line = along_lines(crop, known, edge, back)
    goes_on = means(_taken(light, here + way, ~np.zeros_like(hole)), hole, COARSE * size / 2)
    mirrored = [_taken(one, here + 2 * way, known) for one in (detail, detail.clip(-limit, limit))]
    repeated = line * mirrored[0] + (1 - line) * mirrored[1]
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5)[..., None] / size
    near = ((DEEP[1] - depth) / (DEEP[1] - DEEP[0])).clip(0, 1)
    filled = near * (goes_on + repeated) + (1 - near) * _around(crop, known)
    person = matte > 0
    x, y = edge[..., 0].astype(np.intp), edge[..., 1].astype(np.intp)
    busy = means(np.abs(detail).mean(-1, keepdims=True), known, COARSE * size)[y, x]
    calm = 1 - smoothstep((busy / CALM - 1).clip(0, 1))
    # Across the rim, too, the picture changes: the fill begins where the picture ends. But before
    # something calm it is traces of the person, which are seen there, and go with them.
    step = means((crop - filled).clip(-SEAM, SEAM), hole & ~person, float(rim))
    filled += (1 - calm) * step * np.exp(-np.maximum(depth * size / rim - 1, 0) / 2)
    beside = calm * _traces(crop - filled) * (depth * size / rim * 2).clip(0, 1)
    share = np.where(person[..., None], 1, beside) * hole[..., None]
    return (crop + share * (filled - crop) + 0.5).clip(0, 255).astype(np.uint8)


def _traces(difference: Floats) -> Floats:
    """Return how surely what differs (S, S, 3) from a background is the person's (S, S, 1)."""
    apart = cv2.GaussianBlur(np.abs(difference).max(-1), (0, 0), 1.0)[..., None]
    return ((apart - TRACE[0]) / (TRACE[1] - TRACE[0])).clip(0, 1).astype(np.float32)


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


def _taken(values: Floats, places: Floats, known: Mask) -> Floats:
    """Return values (S, S, 3) at places (S, S, 2), 0 where nothing is known (S, S) there."""
    x, y = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    kept = np.concatenate([values, known[..., None]], -1).astype(np.float32)
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
