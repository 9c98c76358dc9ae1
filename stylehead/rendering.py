"""Portrait + Motion -> frames, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import torch

from stylehead import weights
from stylehead.face_model import FaceModel
from stylehead.models.load import load_compact_generator
from stylehead.mouth_patch import Place
from stylehead.rasterise import displacement_map, fold_mask
from stylehead.rig import Rig, build_rig
from stylehead.sampling import Sampler, make_sampler
from stylehead.style_mapping import Completer, Pattern, frame_place, is_colourless, map_styles
from stylehead.types import Floats, Motion, Pixels, Portrait, StyleReference

CELLS = 512  # cells of the displacement map per 512 pixels: finer shows no difference
FEATHER = 0.04  # of the crop's side, over which the moved crop fades into the still picture
CHUNK = 64  # frames whose meshes are computed at once
FOLD = 2.5  # pixels of displacement between neighbouring cells that mark a fold
BATCH = {"cpu": 4, "cuda": 16}
"""Frames completed at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A portrait ready to be rendered in any motion."""

    picture: Pixels
    """(H, W, 3) the still that frames are pasted into; the crop itself when only that is wanted."""
    rig: Rig
    sampler: Sampler
    patterns: list[Pattern]
    """The portrait in the poses and with the mouths of the style's references."""
    completer: Completer
    """The style-aware generator, which has seen the patterns."""
    device: torch.device
    paste: Floats | None
    """(S, S, 1) weight of the moved crop; None when the crop is the whole frame."""


def prepare(
    portrait: Portrait,
    references: tuple[StyleReference, ...],
    *,
    crop_size: int | None,
    device: torch.device,
) -> Scene:
    """Build the rig of a portrait and its intermediate style patterns, once.

    With `crop_size` frames are the face crop at that many pixels; without, they are the whole
    picture at its own resolution.
    """
    rig = build_rig(portrait, size=crop_size)
    crop = crop_of(portrait.pixels, rig)
    sampler = make_sampler(crop, device)
    grey = is_colourless(crop)
    mapper, completer = (
        Completer(load_compact_generator(weights.resolve(name), device), device, colourless=grey)
        for name in ("style_mapping", "style_generator")
    )
    patterns = map_styles(rig, sampler, references, mapper)
    completer.remember(patterns)
    parts = rig, sampler, patterns, completer, device
    if crop_size is not None:
        return Scene(crop, *parts, None)
    steps = np.minimum(np.arange(rig.size), np.arange(rig.size)[::-1]) / (FEATHER * rig.size)
    ramp = steps.clip(0, 1).astype(np.float32)
    return Scene(portrait.pixels, *parts, np.minimum(ramp[:, None], ramp[None])[..., None])


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
    posed = _posed(scene.rig, motion)
    while batch := list(islice(posed, BATCH[scene.device.type])):
        vertices, places = zip(*batch, strict=True)
        crops = [move(scene, one) for one in vertices]
        scene.completer.complete(crops, vertices, places)
        for crop in crops:
            yield compose(scene, crop)


def _posed(rig: Rig, motion: Motion) -> Iterator[tuple[Floats, Place]]:
    """Yield the vertices of each frame, and where the mouth's patch lies in it."""
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
            vertices = rig.pose_vertices(offsets, rotation, translation, float(blink), gaze)
            yield vertices, frame_place(rig, rig.posed(rotation, translation))


def move(scene: Scene, vertices: Floats) -> Pixels:
    """Return the crop (S, S, 3) with its mesh moved to vertices (N, 3), nothing made up."""
    rig = scene.rig
    cells = min(rig.size, CELLS)
    displacement = displacement_map(rig.triangles, vertices, rig.source, size=rig.size, cells=cells)
    moved = scene.sampler(displacement)
    _soften_folds(moved, displacement)
    return moved


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
