"""Parts of the face as areas: the weights W of the style-aware photometric loss."""

from __future__ import annotations

import cv2
import numpy as np

from stylehead.rendering.mouth.facial_map import SHIFT
from stylehead.types import Floats, Pixels

MOUTH, EYES, SKIN = 5, 3, 1
"""Weights of the regions (paper, Eq. 3); everywhere else 0."""
JAW_TO_BROWS = (*range(17), *range(26, 16, -1))
SWELL_LIPS, SWELL_EYES = 0.04, 0.06  # of the face's width: the area reaches past the outline


def region_weights(points: Floats, size: int) -> Pixels:
    """Return W (size, size) for 68 or more landmarks (N, 2) in its pixels; later regions win.

    From landmarks, without a parsing network: the hull of jaw and brows is skin, brows included;
    eyes and outer lips are widened a little.
    """
    weights = np.zeros((size, size), np.uint8)
    width = float(np.ptp(points[:17, 0]))
    outline = points[list(JAW_TO_BROWS)].astype(np.float32)
    hull = np.asarray(cv2.convexHull(outline), np.float32)[:, 0]
    _fill(weights, hull, SKIN, 0.0)
    for eye in (range(36, 42), range(42, 48)):
        _fill(weights, points[list(eye)], EYES, SWELL_EYES * width)
    _fill(weights, points[48:60], MOUTH, SWELL_LIPS * width)
    return weights


def _fill(weights: Pixels, polygon: Floats, value: int, swell: float) -> None:
    fixed = [np.round(polygon * (1 << SHIFT)).astype(np.int32)]
    cv2.fillPoly(weights, fixed, value, cv2.LINE_8, SHIFT)
    if swell >= 1:
        cv2.polylines(weights, fixed, True, value, round(2 * swell), cv2.LINE_8, SHIFT)
