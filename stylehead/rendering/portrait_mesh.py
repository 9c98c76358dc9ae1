"""The portrait's extended mesh: face, head, shoulders and background, and how motion moves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import Similarity, smoothstep
from stylehead.face.landmarks import (
    EYES,
    FACE,
    INNER_LOWER,
    INNER_UPPER,
    MOUTH_CORNERS,
    OVAL,
    interocular,
    shut_eyes,
    to_68,
)
from stylehead.face.performance import CAMERA_DISTANCE, EYEBALL
from stylehead.rendering.eyes.eye_texture import openings, strip_triangles
from stylehead.rendering.eyes.lid_motion import (
    NEARER,
    OVERLAP,
    SEEN,
    close_lids,
    iris_points,
    kept_lids,
)
from stylehead.rendering.still.relief import Relief, ease_relief
from stylehead.rendering.still.square import FEATHER, cut_matte
from stylehead.rendering.still.surroundings import SKULL_DEPTH, surround, triangulated
from stylehead.rendering.still.turns import TurnLimits
from stylehead.types import Floats, Pixels, Portrait

CROP_FACES = 2.1  # side of the working square in face sizes
LEAST_CROP = 1.4  # of face sizes, when the picture is small
CROP_LIFT = 0.03  # of that side: more room for hair than for the chest
HAIR_ROOM, MOST_GROWN = 0.2, 1.2
"""Face sizes above the hair where the picture has them, and how much larger the square gets."""
UNDER_CHIN = 0.25  # face sizes
MATTE_EDGE = 64  # of a matte, of 255, from which on hair is seen
FREE_FROM = 0.1  # beyond half-way to another face, from where on what is around a face moves freely
AXIS = np.array([0, 0, SKULL_DEPTH], np.float32)
STRAIGHT = np.zeros(2, np.float32)
CLOSED_GAP = 0.008  # inner-lip gap of a closed mouth as the tracker sees it, head-space unit
OWN_EXPRESSION = 0.9  # of the estimated expression is taken off; what remains is the person's look


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PortraitMesh:
    """A portrait prepared for motion, in pixels of its square working crop."""

    source: Floats
    """(N, 3) vertices as they are in the picture."""
    neutral: Floats
    """(478, 3) the portrait's own neutral face, head space."""
    pose: Similarity
    """Head space -> crop pixels, the portrait's own head pose."""
    rigidity: Floats
    """(N,) 1 moves with the head, 0 stays."""
    shoulder_follow: Floats
    """(N,) fraction of the head's shift, without its turn, that is added: shoulders."""
    triangles: NDArray[np.int64]
    """(M, 3)"""
    size: int
    """Side of the crop in pixels."""
    turns: TurnLimits
    """How far the head can be turned from its own pose."""
    relief: Relief
    """What small turns show of the relief of the face, and of the rings around it."""
    corner: Floats
    """(2,) the crop's top left corner in the picture, pixels."""
    scale: float
    """Crop pixels per picture pixel."""
    shut: tuple[bool, bool] = (False, False)
    """Whether the right and the left eye are shut in the picture; they stay so."""
    matte: Pixels | None = None
    """(size, size) how much of each pixel is the person, who is then a layer of their own."""

    def pose_vertices(
        self,
        offsets: Floats,
        rotation: Floats,
        translation: Floats,
        blink: float,
        gaze: Floats = STRAIGHT,
    ) -> Floats:
        """Return all vertices (N, 3) in crop pixels for one frame of motion.

        offsets (478, 3) mesh offsets from neutral, head space; rotation (3, 3) and translation (3,)
        of the head from the portrait's own pose; blink 0 to 1; gaze (2,) degrees. Eq. 1-2 of the
        paper with explicit keypoints: vertex = (neutral + offset) R + tau, blended with the still
        picture by rigidity.
        """
        face = self.neutral[:FACE] + offsets[:FACE]
        for eye, shut in zip(EYES, self.shut, strict=True):
            moved = kept_lids(face, self.neutral, eye) if shut else None
            face = close_lids(face, eye, blink) if moved is None else moved
        irises = iris_points(face, EYEBALL * np.sin(np.radians(gaze)))
        pose = self.head_pose(rotation, translation)
        placed = pose.apply(np.concatenate([face, self._around(), irises]))
        away = self.pose.rotation[:, 2] @ pose.rotation  # from the camera of the still, turned
        depth = self.relief.depth(float(np.hypot(*away[:2])))
        placed[: len(depth)] += pose.scale / self.pose.scale * depth[:, None] * away
        vertices = self._blended(placed)
        vertices[:, :2] += self.shoulder_follow[:, None] * (self.pose.scale * translation[:2])
        return vertices.astype(np.float32)

    def head_pose(self, rotation: Floats, translation: Floats) -> Similarity:
        """Return head space -> crop pixels of a head that moved from the portrait's own pose.

        rotation (3, 3) for row vectors; translation (3,) in head-space units. A turn further than
        the portrait allows stays within its limits, about the axis of the skull.
        """
        allowed = self.turns.within(rotation)
        translation = translation + AXIS @ rotation - AXIS @ allowed
        # Nearer is larger; the nominal camera is far, so this is a few percent at most.
        near = CAMERA_DISTANCE / (CAMERA_DISTANCE + float(translation[2]))
        own = self.pose
        return Similarity(
            own.scale * near,
            (allowed @ own.rotation).astype(np.float32),
            own.apply(translation[None] * near)[0],
        )

    def in_crop(self, mesh: Floats) -> Floats:
        """Move a mesh (N, 3) from the picture's pixels to the crop's."""
        return _in_crop(mesh, self.corner, self.scale)

    def from_tracked(self, mesh: Floats, pose: Similarity) -> Floats:
        """Return all vertices (N, 3) of a face that was tracked: mesh (478, 3), crop pixels.

        pose takes head space to crop pixels, as `head_pose` does.
        """
        placed = [mesh[:FACE], pose.apply(self._around()), iris_points(mesh, STRAIGHT)]
        return self._blended(np.concatenate(placed)).astype(np.float32)

    def _around(self) -> Floats:
        """Return the vertices around the face, head space."""
        return self.pose.undo(self.source[FACE:-SEEN])

    def _blended(self, placed: Floats) -> Floats:
        return self.source + self.rigidity[:, None] * (placed - self.source)


def build_portrait_mesh(
    portrait: Portrait, *, size: int | None, neighbours: Sequence[Floats] = ()
) -> PortraitMesh:
    """Build the extended mesh of a portrait.

    `size` is the side of the working crop in pixels; None keeps the picture's own resolution.
    What is nearer to one of the `neighbours`, meshes (478, 3) of other faces of the picture, does
    not move.
    """
    mesh = portrait.face.mesh
    whole = size is None
    corner, side = _square(portrait, over=FEATHER if whole else 0.0)
    size = size or int(side)
    scale = size / side
    face = _in_crop(mesh, corner, scale)
    model = FaceModel.embedded()
    pose = model.pose(face)
    relief = Relief.of(face)
    face = ease_relief(face)
    head = pose.undo(face)
    shut = shut_eyes(to_68(head))
    neutral = _own_neutral(head, model, portrait.face.expression)
    for eye in (eye for eye, is_shut in zip(EYES, shut, strict=True) if is_shut):
        neutral = kept_lids(neutral, head, eye)  # the lids under them were not photographed
    unit = float(interocular(to_68(neutral)))
    pose = pose._replace(scale=pose.scale * unit)
    neutral = neutral / unit
    matte = None
    if portrait.matte is not None:
        matte = cut_matte(portrait.matte, corner, scale, size)
    # Over a crop that is all of a frame nothing is seen, either.
    open_top = not whole or bool(corner[1] <= 0)
    around = surround(face, pose, size, matte, open_top=open_top)
    others = [_in_crop(other, corner, scale) for other in neighbours]
    near = nearness(around.rings[:, :2], face, others)
    free = smoothstep(((near - 0.5) / FREE_FROM).clip(0, 1))
    rigidity, shoulder_follow = around.rigidity * free, around.shoulder_follow * free
    ringed = around.share * relief.shifts[:, around.beside]
    source = np.concatenate([face[:FACE], around.rings, around.border]).astype(np.float32)
    fixed = np.zeros(len(around.border))
    weights = np.concatenate([np.ones(FACE), rigidity, fixed, np.ones(SEEN)])
    shoulders = np.concatenate([np.zeros(FACE), shoulder_follow, fixed, np.zeros(SEEN)])
    triangles = np.concatenate([model.triangles, _openings(len(source)), triangulated(source)])
    source = np.concatenate([source, iris_points(face, STRAIGHT)]).astype(np.float32)
    return PortraitMesh(
        source=source,
        neutral=neutral.astype(np.float32),
        pose=pose,
        rigidity=weights.astype(np.float32),
        shoulder_follow=shoulders.astype(np.float32),
        triangles=triangles,
        size=size,
        turns=TurnLimits.of(portrait.rotation),
        relief=Relief(np.concatenate([relief.shifts, ringed], 1).astype(np.float32)),
        corner=corner,
        scale=scale,
        shut=shut,
        matte=matte,
    )


def beyond_picture(portrait: Portrait) -> float:
    """Return the fraction of a portrait's crop that is beyond its picture, and so made up."""
    corner, side = _square(portrait, over=0.0)
    height, width = portrait.pixels.shape[:2]
    shown = np.minimum(corner + side, [width, height]) - np.maximum(corner, 0)
    return 1 - float(shown.prod()) / side**2


def _square(portrait: Portrait, *, over: float) -> tuple[Floats, float]:
    """Return the working square of a portrait: its top left corner and its side, pixels.

    A square that begins with the picture begins so much over it, in its sides, when it holds a
    person who is a layer: what fades towards its edges is then whole at the picture's own.
    """
    oval = portrait.face.mesh[OVAL, :2]
    face = float(max(np.ptp(oval[:, 0]), np.ptp(oval[:, 1])))
    side = CROP_FACES * face
    height, width = portrait.pixels.shape[:2]
    # A square inside the picture shows nothing made up; only a face too near its edge needs more.
    side = float(round(max(min(side, width, height), face * LEAST_CROP)))
    top_left = (oval.min(0) + oval.max(0)) / 2 - side / 2 - [0, CROP_LIFT * side]
    if portrait.matte is not None:
        top = _hair_top(portrait.matte, oval) - HAIR_ROOM * face
        missing = max(0.0, top_left[1] - max(0.0, top))
        # What a square shows beyond the picture is not in frames that are the picture.
        most = np.inf if over else min(width, height)
        grown = min(side + missing, MOST_GROWN * side, most)
        grown = float(round(max(side, grown)))
        top_left -= np.array([(grown - side) / 2, grown - side])
        # A narrow picture has no room for a larger square: then it is raised, as far as the chin is
        # clear of its lower edge.
        room = top_left[1] + grown - oval[:, 1].max() - UNDER_CHIN * face
        top_left[1] -= max(0.0, min(missing - (grown - side), room))
        side = grown
    room = np.array([width - side, height - side])
    kept = top_left.clip(0, np.maximum(room, 0))
    inside = cast(Floats, np.where(room >= 0, kept, top_left))
    if portrait.matte is not None and -over * side < inside[1] < over * side:
        inside[1] = -over * side
    return np.round(inside).astype(np.float32), side


def _hair_top(matte: Pixels, oval: Floats) -> float:
    """Return the row of a matte (H, W) at which the head over an oval (N, 2) ends."""
    left, right = oval[:, 0].min(), oval[:, 0].max()
    columns = matte[: int(oval[:, 1].max()), max(0, int(left)) : int(right) + 1]
    rows = np.flatnonzero((columns > MATTE_EDGE).any(1))
    return float(rows[0]) if len(rows) else float(oval[:, 1].min())


def nearness(points: Floats, face: Floats, others: Sequence[Floats]) -> Floats:
    """Return how much nearer points (..., 2) are to a face than to others: 1 in it, 0 in them.

    It is 0.5 half-way. Distances are in sizes of each face's oval; faces are meshes (478, 3), all
    in the same pixels. Without others it is 1 everywhere.
    """
    if not others:
        return np.ones(points.shape[:-1], np.float32)
    own, *theirs = (_distance(points, mesh) for mesh in (face, *others))
    nearest = np.minimum.reduce(theirs)
    return (nearest / (own + nearest + 1e-6)).astype(np.float32)


def _distance(points: Floats, face: Floats) -> Floats:
    low, high = face[OVAL, :2].min(0), face[OVAL, :2].max(0)
    return np.linalg.norm(points - (low + high) / 2, axis=-1) / (high - low).max()


def _in_crop(mesh: Floats, corner: Floats, scale: float) -> Floats:
    # Pixel centres: (p + 0.5) scales, not p.
    moved = (mesh - [corner[0] - 0.5, corner[1] - 0.5, 0]) * scale - [0.5, 0.5, 0]
    return moved.astype(np.float32)


def _own_neutral(head: Floats, model: FaceModel, expression: Floats) -> Floats:
    """Return a head (478, 3) without the portrait's own expression, its lips closed; head space."""
    neutral = head - OWN_EXPRESSION * model.expression_offset(expression)
    points = to_68(neutral)
    gaps = points[[67, 66, 65], 1] - points[[61, 62, 63], 1]
    excess = max(0.0, float(gaps.mean()) - CLOSED_GAP)
    if excess:
        closing = np.zeros((1, 68, 3), np.float32)
        for upper, lower, gap in zip((61, 62, 63), (67, 66, 65), gaps, strict=True):
            closing[0, upper, 1] = 0.3 * max(0.0, gap - CLOSED_GAP)
            closing[0, lower, 1] = -0.7 * max(0.0, gap - CLOSED_GAP)
        closing[0, [50, 51, 52], 1] = 0.25 * excess
        closing[0, [56, 57, 58], 1] = -0.6 * excess
        closing[0, [55, 59], 1] = -0.35 * excess
        closing[0, [6, 7, 8, 9, 10], 1] = -0.4 * excess
        neutral = neutral + model.mesh_offsets(closing)[0]
        # What the linear map left open between the landmarks.
        gap = neutral[INNER_LOWER, 1] - neutral[INNER_UPPER, 1]
        remaining = np.maximum(0, gap + OVERLAP)
        neutral[INNER_UPPER, 1] += 0.4 * remaining
        neutral[INNER_LOWER, 1] -= 0.6 * remaining
        neutral[INNER_UPPER, 2] -= NEARER
    return neutral


def _openings(first_iris_point: int) -> NDArray[np.int64]:
    """Triangles across mouth and eyes, so that the map has no holes there."""
    left, right = MOUTH_CORNERS
    mouth = strip_triangles(
        np.array((left, *INNER_UPPER, right)), np.array((left, *INNER_LOWER, right))
    )
    return np.concatenate([mouth, openings(first_iris_point)])
