"""Straight lines of a background, such as lamps and window frames, that go on behind a person."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.face.geometry import smoothstep
from stylehead.types import Floats, Pixels

Mask = NDArray[np.bool_]
NEAR = 0.012  # of the crop's side: how far from the edge lines are looked for
DEEP = 0.1  # of that side: so far away a line is followed, and at twice of it no more
FAINT = 6.0  # squared grey levels a pixel: weaker gradients make no line
PARALLEL, CROSSING = 0.35, 0.6
"""Cosine between a line and the way to the edge: below the first it runs along the edge, and the
way stays as it is; above the second it is followed."""
ALIKE, ONE_WAY = 0.4, 0.75
"""How much of all gradients near the edge is across one direction: none of a line, and a line."""


def along_lines(crop: Pixels, known: Mask, edge: Floats, back: Floats) -> tuple[Floats, Floats]:
    """Return the way to the edge (S, S, 2) of what is hidden, and how far it follows a line.

    known (S, S) is what is seen of crop (S, S, 3), edge (S, S, 2) the known pixel nearest to each,
    and back (S, S, 2) the shortest way there. Where lines reach the edge, the way goes along them.
    The second, (S, S, 1), is 1 where it does, else 0.
    """
    size = len(crop)
    grey = means(crop.mean(-1, keepdims=True, dtype=np.float32), known, 1.0)
    down, across = np.gradient(grey[..., 0])
    sure = np.asarray(cv2.erode(known.astype(np.uint8), np.ones((5, 5), np.uint8))) > 0
    twice = np.stack([across**2 - down**2, 2 * across * down, across**2 + down**2], -1)
    x, y = edge[..., 0].astype(np.intp), edge[..., 1].astype(np.intp)
    seen = means(twice.astype(np.float32), sure, NEAR * size)[y, x]
    doubled = means(seen[..., :2] / (seen[..., 2:] + FAINT), ~known, NEAR * size / 2)
    angle = np.arctan2(doubled[..., 1], doubled[..., 0]) / 2
    line = np.stack([-np.sin(angle), np.cos(angle)], -1)
    far = np.maximum(np.linalg.norm(back, axis=-1, keepdims=True), 1e-6)
    cosine = (line * back).sum(-1, keepdims=True) / far
    one_way = np.linalg.norm(doubled, axis=-1, keepdims=True)
    follows = smoothstep(((one_way - ALIKE) / (ONE_WAY - ALIKE)).clip(0, 1))
    follows = follows * smoothstep(((np.abs(cosine) - PARALLEL) / (CROSSING - PARALLEL)).clip(0, 1))
    follows = follows * smoothstep((2 - far / (DEEP * size)).clip(0, 1))
    cosine = np.sign(cosine) * np.maximum(np.abs(cosine), PARALLEL)
    straight = line * far / np.where(cosine == 0, 1, cosine)
    way = back + follows * (straight - back)
    return way.astype(np.float32), np.asarray(follows, np.float32)


def means(values: Floats | Pixels, known: Mask, sigma: float) -> Floats:
    """Return Gaussian means of values (S, S, C) over the known pixels (S, S) around each one."""
    weight = known.astype(np.float32)
    share = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-4)
    summed = cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma)
    return np.asarray(summed.reshape(values.shape) / share[..., None], np.float32)
