"""The facial map: connected landmarks, drawn group by group, and the open mouth."""

from __future__ import annotations

import cv2
import numpy as np

from stylehead.face.landmarks import POLYLINES
from stylehead.types import Floats, Pixels

SHIFT = 4  # fractional bits of coordinates: whole pixels would make lines jump from frame to frame
LINE = 2 / 512  # thickness against the map's side (paper: 2 pixels of 512)


def facial_map(points: Floats, size: int) -> Pixels:
    """Draw a facial map: (N, 2) points in its pixels -> (size, size, 2).

    The first 68 points are the landmarks: each group of POLYLINES is drawn in a grey of its own in
    the first channel. The remaining ones are the outline of the inner lips, filled in the second
    channel: the networks have to invent what is in there.
    """
    drawn = np.zeros((size, size), np.uint8)
    inside = np.zeros((size, size), np.uint8)
    fixed = np.round(uncross_lips(points) * (1 << SHIFT)).astype(np.int32)
    thickness = max(1, round(LINE * size))
    for number, (group, closed) in enumerate(POLYLINES, start=1):
        grey = round(255 * number / len(POLYLINES))
        line = [fixed[list(group)]]
        cv2.polylines(drawn, line, closed, grey, thickness, cv2.LINE_AA, SHIFT)
    cv2.fillPoly(inside, [fixed[68:]], 255, cv2.LINE_AA, SHIFT)
    return np.stack([drawn, inside], -1)


def uncross_lips(points: Floats) -> Floats:
    """Let the outline of inner lips that cross meet half way: nothing is open there.

    (68 + K, 2) landmarks and outline in, the same out.
    """
    outline = points[68:]
    half = len(outline) // 2  # corner, upper lip, corner, lower lip back
    upper, lower = outline[1:half], outline[half + 1 :][::-1]
    crossed = lower[:, 1:] < upper[:, 1:]
    middle = (upper + lower) / 2
    upper, lower = np.where(crossed, middle, upper), np.where(crossed, middle, lower)
    corners = outline[:1], outline[half : half + 1]
    return np.concatenate([points[:68], corners[0], upper, corners[1], lower[::-1]])
