"""The eyes of each frame: the moved eyeball between the lids, and lids that shut over it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stylehead.face.geometry import smoothstep
from stylehead.face.landmarks import EYES, FACE, RIGID_MESH
from stylehead.rendering.eyes.eye_texture import eye_vertices
from stylehead.rendering.eyes.eyeball import Eyeball, eyeball, opening, opening_mask
from stylehead.rendering.eyes.lid_motion import IRIS_FOLLOW
from stylehead.rendering.eyes.lids import LidModel, ShutLid, shut_lid
from stylehead.rendering.portrait_mesh import PortraitMesh
from stylehead.types import Floats, Pixels, Portrait

LID_FROM, LID_FULL = 0.05, 0.6
"""Closure from which the shut lid begins to show over the warped one, and where it is all of it."""
SHADOW = 0.35  # of its light that an eyeball loses under a lowered lid
SHADOW_REACH = 0.05  # of the eye's width that the shadow reaches
AROUND = 2  # pixels around an eye that are worked on
NARROW = 1.0  # pixels of opening in which no eyeball is to be seen


@dataclass(frozen=True, slots=True, eq=False)
class _OneEye:
    number: int
    lid: ShutLid
    ball: Eyeball | None
    aspect: float
    """Of the opening in the still."""


class EyeCompleter:
    """Completes both eyes of one portrait's moved crops."""

    def __init__(
        self, crop: Pixels, mesh: PortraitMesh, portrait: Portrait, model: LidModel
    ) -> None:
        """Eyes that are shut in the portrait's crop (S, S, 3) stay as they are."""
        self._source = mesh.source
        irises = mesh.in_crop(portrait.face.mesh)[FACE:]
        self._eyes = [
            _OneEye(
                number,
                shut_lid(crop, mesh.source, number, model),
                eyeball(crop, mesh.source, irises, number),
                _aspect(mesh.source, number),
            )
            for number in range(len(EYES))
            if not mesh.shut[number]
        ]

    def complete(self, crop: Pixels, vertices: Floats) -> None:
        """Complete the eyes of a moved crop (S, S, 3) with its vertices (N, 3), in place."""
        for eye in self._eyes:
            self._complete(eye, crop, vertices)

    def _complete(self, eye: _OneEye, crop: Pixels, vertices: Floats) -> None:
        outline = vertices[np.concatenate(EYES[eye.number]), :2]
        low = np.floor(outline.min(0)).astype(int) - AROUND
        side = int(np.ptp(outline, axis=0).max()) + 2 * AROUND + 2
        low = low.clip(0, max(0, len(crop) - side))
        part = crop[low[1] : low[1] + side, low[0] : low[0] + side]
        if part.shape[:2] != (side, side):
            return
        mixed = part.astype(np.float32)
        closure = 1 - _aspect(vertices, eye.number) / eye.aspect
        if eye.ball is not None:
            self._lay_ball(eye.number, eye.ball, mixed, vertices, low, closure)
        shown = float(smoothstep(np.clip((closure - LID_FROM) / (LID_FULL - LID_FROM), 0, 1)))
        if shown > 0:
            layer = shown * eye.lid.laid_on(eye_vertices(vertices) - [*low, 0], side)
            mixed = mixed * (1 - layer[..., :1]) + layer[..., 1:]
        part[:] = (mixed + 0.5).clip(0, 255).astype(np.uint8)

    def _lay_ball(
        self,
        number: int,
        ball: Eyeball,
        part: Floats,
        vertices: Floats,
        low: Floats,
        closure: float,
    ) -> None:
        outline = opening(vertices, number) - low
        if np.ptp(outline[:, 1]) < NARROW:
            return
        size = (part.shape[1], part.shape[0])
        mask = opening_mask(outline, size)
        matrix = _to_still(self._source, vertices, number)
        shift = matrix[:, :2] @ _gaze_shift(vertices, number)
        matrix[:, 2] += matrix[:, :2] @ low
        seen = ball.seen(matrix, shift, size)
        if closure > 0:
            reach = max(1.0, SHADOW_REACH * float(np.ptp(outline[:, 0])))
            lit = cv2.GaussianBlur(np.roll(mask, round(reach), 0), (0, 0), reach)
            seen *= 1 - SHADOW * closure * (1 - np.asarray(lit, np.float32)[..., None])
        part += mask[..., None] * (seen - part)


def _aspect(vertices: Floats, number: int) -> float:
    """Return the opening of an eye over its width, of vertices (N, 3)."""
    upper, lower = (vertices[row] for row in EYES[number][:2])
    gap = np.linalg.norm(lower - upper, axis=1)[1:-1].mean()
    # Lids that have passed each other are shut.
    down = (lower - upper)[1:-1, :2].mean(0) @ _down(vertices)
    return float(max(0.0, np.sign(down) * gap) / np.linalg.norm(upper[0] - upper[-1]))


def _down(vertices: Floats) -> Floats:
    """Return the head's own direction downwards (2,) in the picture."""
    right = vertices[EYES[1][0][0], :2] - vertices[EYES[0][0][0], :2]
    return np.array([-right[1], right[0]], np.float32)


def _gaze_shift(vertices: Floats, number: int) -> Floats:
    """Return how far the iris (2,) is from where it is when the gaze is straight, pixels."""
    upper, lower = EYES[number][:2]
    middle = len(IRIS_FOLLOW) // 2
    rows = vertices[-2 * len(IRIS_FOLLOW) :]
    seen = rows[number * len(IRIS_FOLLOW) + middle]
    straight = (vertices[upper[1 + middle]] + vertices[lower[1 + middle]]) / 2
    return (seen - straight)[:2]


def _to_still(source: Floats, vertices: Floats, number: int) -> Floats:
    """Return the move (2, 3) from the pixels of posed vertices (N, 3) to those of the still.

    As the skull has moved, through the eye's own corners: an eyeball keeps its shape whatever lids
    do.
    """
    here, there = (points[RIGID_MESH, :2] for points in (vertices, source))
    linear = np.linalg.lstsq(here - here.mean(0), there - there.mean(0), rcond=None)[0].T
    corners = EYES[number][0][[0, -1]]
    middle, still_middle = (points[corners, :2].mean(0) for points in (vertices, source))
    return np.column_stack([linear, still_middle - linear @ middle]).astype(np.float64)
