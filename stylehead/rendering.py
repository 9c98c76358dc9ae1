"""Portrait + Motion -> frames, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stylehead.face_model import FaceModel
from stylehead.mouth import MouthInterior, fit_interior
from stylehead.rasterise import displacement_map, fold_mask
from stylehead.rig import INNER_LIPS, Rig, build_rig
from stylehead.sampling import Sampler, make_sampler
from stylehead.types import Floats, Motion, Pixels, Portrait

CELLS = 512  # cells of the displacement map per 512 pixels: finer shows no difference
FEATHER = 0.04  # of the crop's side, over which the moved crop fades into the still picture
CHUNK = 64  # frames whose meshes are computed at once
FOLD = 2.5  # pixels of displacement between neighbouring cells that mark a fold
TEETH_DEPTH = 0.06  # of the teeth behind the inner lips, head-space unit


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A portrait ready to be rendered in any motion."""

    picture: Pixels
    """(H, W, 3) the still that frames are pasted into; the crop itself when only that is wanted."""
    rig: Rig
    sampler: Sampler
    interior: MouthInterior
    paste: Floats | None
    """(S, S, 1) weight of the moved crop; None when the crop is the whole frame."""


def prepare(portrait: Portrait, *, crop_size: int | None, device: torch.device) -> Scene:
    """Build the rig and the colours of a portrait once.

    With `crop_size` frames are the face crop at that many pixels; without, they are the whole
    picture at its own resolution.
    """
    rig = build_rig(portrait, size=crop_size)
    crop = crop_of(portrait.pixels, rig)
    sampler, interior = make_sampler(crop, device), fit_interior(crop, rig)
    if crop_size is not None:
        return Scene(crop, rig, sampler, interior, None)
    steps = np.minimum(np.arange(rig.size), np.arange(rig.size)[::-1]) / (FEATHER * rig.size)
    ramp = steps.clip(0, 1).astype(np.float32)
    return Scene(
        portrait.pixels, rig, sampler, interior, np.minimum(ramp[:, None], ramp[None])[..., None]
    )


def crop_of(pixels: Pixels, rig: Rig) -> Pixels:
    """Return the rig's working square (S, S, 3) of its picture."""
    scale = rig.scale
    offset = -(rig.corner - 0.5) * scale - 0.5
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    if scale < 0.5:  # averaging avoids the moire of leaping over pixels
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.4 / scale), np.uint8)
    crop = cv2.warpAffine(
        pixels,
        matrix,
        (rig.size, rig.size),
        flags=cv2.INTER_CUBIC if scale != 1 else cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(crop, np.uint8)


def render(scene: Scene, motion: Motion) -> Iterator[Pixels]:
    """Yield one (H, W, 3) RGB frame per frame of motion; memory does not grow with its length."""
    model = FaceModel.embedded()
    for start in range(0, len(motion), CHUNK):
        rows = slice(start, start + CHUNK)
        meshes = model.mesh_offsets(motion.landmarks[rows])
        for offsets, rotation, translation, blink, gaze in zip(
            meshes,
            motion.rotation[rows],
            motion.translation[rows],
            motion.blink[rows],
            motion.gaze[rows],
            strict=True,
        ):
            yield _frame(scene, offsets, rotation, translation, float(blink), gaze)


def _frame(
    scene: Scene,
    offsets: Floats,
    rotation: Floats,
    translation: Floats,
    blink: float,
    gaze: Floats,
) -> Pixels:
    rig = scene.rig
    vertices = rig.pose_vertices(offsets, rotation, translation, blink, gaze)
    cells = min(rig.size, CELLS)
    displacement = displacement_map(rig.triangles, vertices, rig.source, size=rig.size, cells=cells)
    moved = scene.sampler(displacement)
    _soften_folds(moved, displacement)
    scene.interior.paint(moved, vertices, rig, _teeth_plane(rig, rotation, translation))
    return compose(scene, moved)


def compose(scene: Scene, moved: Pixels) -> Pixels:
    """Return the frame of a moved crop (S, S, 3): itself, or pasted into the still picture."""
    if scene.paste is None:
        return moved
    return _paste(scene.picture, moved, scene.rig, scene.paste)


def _soften_folds(moved: Pixels, displacement: Floats) -> None:
    """Blend the pixels along folds, where a turned face hides what is behind it; in place.

    There the map jumps from one cell to the next, and the edge would show as stairs.
    """
    fold = fold_mask(displacement, FOLD)
    if not fold.any():
        return
    size = (moved.shape[1], moved.shape[0])
    weight = cv2.GaussianBlur(cv2.resize(fold, size, interpolation=cv2.INTER_NEAREST), (3, 3), 0)
    rows, columns = np.nonzero(weight)
    soft = cv2.GaussianBlur(moved, (3, 3), 0.8)
    share = np.asarray(weight, np.float32)[rows, columns, None] / 255
    mixed = moved[rows, columns] * (1 - share) + soft[rows, columns] * share
    moved[rows, columns] = mixed.round().astype(np.uint8)


def _teeth_plane(rig: Rig, rotation: Floats, translation: Floats) -> NDArray[np.floating]:
    """Return the (2, 3) move from head-space x, y at the teeth's depth to crop pixels."""
    depth = float(rig.rest[INNER_LIPS, 2].mean()) + TEETH_DEPTH
    points = np.array([[0, 0, depth], [1, 0, depth], [0, 1, depth]], np.float32)
    origin, right, down = rig.pose.apply(points @ rotation + translation)[:, :2]
    return np.column_stack([right - origin, down - origin, origin])


def _paste(picture: Pixels, moved: Pixels, rig: Rig, weight: Floats) -> Pixels:
    """Blend the moved crop into a copy of the picture, at the picture's own resolution."""
    height, width = picture.shape[:2]
    x, y = rig.corner.astype(int)
    left, top = max(0, -x), max(0, -y)
    right, bottom = min(rig.size, width - x), min(rig.size, height - y)
    frame = picture.copy()
    target = frame[y + top : y + bottom, x + left : x + right]
    inside = moved[top:bottom, left:right]
    share = weight[top:bottom, left:right]
    edge = int(np.ceil(FEATHER * rig.size))
    core = np.s_[
        max(0, edge - top) : rig.size - edge - top, max(0, edge - left) : rig.size - edge - left
    ]
    blended = target.copy()
    blended[core] = inside[core]
    for strip in _frame_strips(target.shape[:2], edge):
        part = target[strip] + share[strip] * (inside[strip].astype(np.float32) - target[strip])
        blended[strip] = (part + 0.5).astype(np.uint8)
    target[:] = blended
    return frame


def _frame_strips(shape: tuple[int, int], edge: int) -> list[tuple[slice, slice]]:
    height, width = shape
    return [
        (slice(0, edge), slice(0, width)),
        (slice(max(0, height - edge), height), slice(0, width)),
        (slice(0, height), slice(0, edge)),
        (slice(0, height), slice(max(0, width - edge), width)),
    ]
