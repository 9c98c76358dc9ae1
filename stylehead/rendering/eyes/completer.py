"""The eyes of each frame: the moved eyeball between the lids, and lids that shut over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

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


class BallView(NamedTuple):
    """How much of a square is eyeball, and where its pixels are in the still."""

    mask: Floats
    """(side, side) 0 to 1."""
    matrix: Floats
    """(2, 3) from the square's pixels to the still's."""
    shift: Floats
    """(2,) how far the iris has moved, in the still's pixels."""
    lit: Floats | None
    """(side, side) the light that a lowered lid leaves it; None when it is not lowered."""


class EyeView(NamedTuple):
    """What is to be drawn of an eye in one frame."""

    low: NDArray[np.int64]
    """(2,) column and row of the square's corner in the crop."""
    side: int
    """Of the square around the eye, pixels."""
    ball: BallView | None
    """None where none can be told, or is to be seen."""
    shown: float
    """How much of the shut lid, 0 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class CompletedEye:
    """What one eye of a portrait is made of."""

    number: int
    """0 for the right eye, 1 for the left."""
    lid: ShutLid
    ball: Eyeball | None
    aspect: float
    """Of the opening in the still."""
    source: Floats
    """(N, 3) the still's vertices."""

    def look(self, vertices: Floats, size: int) -> EyeView | None:
        """Return what is to be drawn in a crop (size, size); None outside it. vertices (N, 3)."""
        outline = vertices[np.concatenate(EYES[self.number]), :2]
        low = np.floor(outline.min(0)).astype(int) - AROUND
        side = int(np.ptp(outline, axis=0).max()) + 2 * AROUND + 2
        low = low.clip(0, max(0, size - side))
        if (low + side > size).any():
            return None
        closure = 1 - _aspect(vertices, self.number) / self.aspect
        shown = float(smoothstep(np.clip((closure - LID_FROM) / (LID_FULL - LID_FROM), 0, 1)))
        ball = None if self.ball is None else self._look_at_ball(vertices, low, side, closure)
        return EyeView(low, side, ball, shown)

    def _look_at_ball(
        self, vertices: Floats, low: NDArray[np.int64], side: int, closure: float
    ) -> BallView | None:
        outline = opening(vertices, self.number) - low
        if np.ptp(outline[:, 1]) < NARROW:
            return None
        mask = opening_mask(outline, (side, side))
        matrix = _to_still(self.source, vertices, self.number)
        shift = matrix[:, :2] @ _gaze_shift(vertices, self.number)
        matrix[:, 2] += matrix[:, :2] @ low
        lit = None
        if closure > 0:
            reach = max(1.0, SHADOW_REACH * float(np.ptp(outline[:, 0])))
            soft = cv2.GaussianBlur(np.roll(mask, round(reach), 0), (0, 0), reach)
            lit = 1 - SHADOW * closure * (1 - np.asarray(soft, np.float32))
        return BallView(mask, matrix, shift, lit)


class EyeCompleter:
    """Completes both eyes of one portrait's moved crops."""

    def __init__(
        self, crop: Pixels, mesh: PortraitMesh, portrait: Portrait, model: LidModel
    ) -> None:
        """Eyes that are shut in the portrait's crop (S, S, 3) stay as they are."""
        irises = mesh.in_crop(portrait.face.mesh)[FACE:]
        self.eyes = [
            CompletedEye(
                number,
                shut_lid(crop, mesh.source, number, model),
                eyeball(crop, mesh.source, irises, number),
                _aspect(mesh.source, number),
                mesh.source,
            )
            for number in range(len(EYES))
            if not mesh.shut[number]
        ]

    def complete(self, crop: Pixels, vertices: Floats) -> None:
        """Complete the eyes of a moved crop (S, S, 3) with its vertices (N, 3), in place."""
        for eye in self.eyes:
            if view := eye.look(vertices, len(crop)):
                _draw(eye, view, crop, vertices)


def _draw(eye: CompletedEye, view: EyeView, crop: Pixels, vertices: Floats) -> None:
    (left, top), side = view.low, view.side
    part = crop[top : top + side, left : left + side]
    mixed = part.astype(np.float32)
    if eye.ball is not None and view.ball is not None:
        seen = eye.ball.seen(view.ball.matrix, view.ball.shift, (side, side))
        if view.ball.lit is not None:
            seen *= view.ball.lit[..., None]
        mixed += view.ball.mask[..., None] * (seen - mixed)
    if view.shown > 0:
        layer = view.shown * eye.lid.laid_on(eye_vertices(vertices) - [*view.low, 0], side)
        mixed = mixed * (1 - layer[..., :1]) + layer[..., 1:]
    part[:] = (mixed + 0.5).clip(0, 255).astype(np.uint8)


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
