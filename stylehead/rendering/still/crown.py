"""A crown that the picture cuts: hair that goes on over the edge, and ends in a dome."""

from __future__ import annotations

import cv2
import numpy as np

from stylehead.types import Floats, Pixels

DOME = 0.5  # height against half the width of the hair that is cut
HAIR = 0.6  # of what is over the forehead: as deep as this, the picture shows nothing but hair
EDGE = 3.0  # pixels over which the dome fades out
LOCK = 0.03  # of the picture's width: strands side by side in it lie alike
BLURRED = 3  # rows at the very edge, whose light is blurred with their own mirror image
FLATTEST = 0.8  # columns a strand goes aside in a row: lines that cross hair are flatter


def crown_over(person: Pixels, forehead: float) -> Pixels:
    """Return what goes on over a person's layer (S, S, 4): (K, S, 4), K is 0 where none is cut.

    It is hair, as deep as there is any over the forehead, whose row is given.
    """
    cut = np.flatnonzero(person[0, :, 3] > 127)
    if not len(cut):
        return np.zeros((0, *person.shape[1:]), np.uint8)
    middle, half = (cut[0] + cut[-1]) / 2, (cut[-1] - cut[0] + 1) / 2
    height = max(1, round(DOME * half))
    hair = hair_over(person[: max(2, round(HAIR * forehead))], height, (cut[0], cut[-1]))
    away = np.abs(np.arange(person.shape[1]) - middle)
    reach = half * np.sqrt(1 - ((np.arange(height, 0, -1) - 0.5) / height) ** 2)
    dome = ((reach[:, None] - away) / EDGE + 0.5).clip(0, 1)
    return (hair * dome[..., None] + 0.5).astype(np.uint8)


def hair_over(hair: Pixels, height: int, sides: tuple[int, int]) -> Pixels:
    """Return so many rows over the uppermost of hair (D, W, C): (height, W, C).

    They are its own rows mirrored, and moved aside so that strands go straight on: mirrored alone,
    each would be a zigzag. What is between the columns `sides` comes from between them.
    """
    depth, width = hair.shape[:2]
    over = np.arange(height, 0, -1, dtype=np.float32)[:, None] - 1
    back = over % (2 * depth)
    back = np.minimum(back, 2 * depth - 1 - back)
    columns = np.arange(width, dtype=np.float32) + _slopes(hair, sides) * (over + back + 1)
    columns = columns.clip(*sides).astype(np.float32)
    rows = np.broadcast_to(back, columns.shape).astype(np.float32)
    return np.asarray(cv2.remap(hair, columns, rows, cv2.INTER_LINEAR), np.uint8)


def _slopes(hair: Pixels, sides: tuple[int, int]) -> Floats:
    """Return how far strands at the upper edge of hair (D, W, C) go aside in a row down, (W,).

    By the structure tensor of its light.
    """
    light = hair[..., :3].mean(-1, dtype=np.float32)
    down, across = np.gradient(cv2.GaussianBlur(light, (0, 0), 1.0))
    tensor = np.stack([across * across, across * down, down * down])[..., sides[0] : sides[1] + 1]
    lock = max(1.0, LOCK * hair.shape[1])
    edge = np.exp(-np.arange(len(hair)) / lock)
    edge[:BLURRED] *= 1e-3
    edges = np.ascontiguousarray((tensor * edge[:, None]).sum(1), np.float32)
    xx, xy, yy = np.asarray(cv2.GaussianBlur(edges, (0, 0), lock, sigmaY=0.01))
    slopes = -np.tan(0.5 * np.arctan2(2 * xy, xx - yy)).clip(-FLATTEST, FLATTEST)
    slopes = np.pad(slopes, (sides[0], hair.shape[1] - 1 - sides[1]), mode="edge")
    return np.asarray(cv2.GaussianBlur(slopes[None].astype(np.float32), (0, 0), lock)[0])
