"""The embedded renderer: the portrait's own pixels, moved with a mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from stylehead.face.face_model import FaceModel
from stylehead.rendering.mouth_crop import MouthCrop
from stylehead.rendering.mouth_generator import MouthCompleter
from stylehead.rendering.patterns import Pattern, frame_crop, is_colourless, map_styles
from stylehead.rendering.portrait_mesh import PortraitMesh, build_portrait_mesh
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.warp import (
    FEATHER,
    Sampler,
    crop_of,
    make_sampler,
    paste_crop,
    soften_folds,
)
from stylehead.types import Floats, Motion, Pixels, Portrait, StyleReference
from stylehead.weights.networks import load_mouth_generator
from stylehead.weights.store import resolve

CELLS = 512  # cells of the displacement map per 512 pixels: finer shows no difference
CHUNK = 64  # frames whose meshes are computed at once
BATCH = {"cpu": 4, "cuda": 16}
"""Frames completed at once."""


@dataclass(frozen=True, slots=True, eq=False)
class MeshScene:
    """A portrait ready to be rendered in any motion."""

    picture: Pixels
    """(H, W, 3) the still that frames are pasted into; the crop itself when only that is wanted."""
    rig: PortraitMesh
    sampler: Sampler
    patterns: list[Pattern]
    """The portrait in the poses and with the mouths of the style's references."""
    completer: MouthCompleter
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
) -> MeshScene:
    """Build the rig of a portrait and its intermediate style patterns, once.

    With `crop_size` frames are the face crop at that many pixels; without, they are the whole
    picture at its own resolution.
    """
    rig = build_portrait_mesh(portrait, size=crop_size)
    crop = crop_of(portrait.pixels, rig)
    sampler = make_sampler(crop, device)
    grey = is_colourless(crop)
    mapper, completer = (
        MouthCompleter(load_mouth_generator(resolve(name), device), device, colourless=grey)
        for name in ("style_mapping", "style_generator")
    )
    patterns = map_styles(rig, sampler, references, mapper)
    completer.encode_patterns([pattern.patch() for pattern in patterns])
    parts = rig, sampler, patterns, completer, device
    if crop_size is not None:
        return MeshScene(crop, *parts, None)
    steps = np.minimum(np.arange(rig.size), np.arange(rig.size)[::-1]) / (FEATHER * rig.size)
    ramp = steps.clip(0, 1).astype(np.float32)
    return MeshScene(portrait.pixels, *parts, np.minimum(ramp[:, None], ramp[None])[..., None])


def render(scene: MeshScene, motion: Motion) -> Iterator[Pixels]:
    """Yield one (H, W, 3) RGB frame per frame of motion; memory does not grow with its length."""
    posed = _posed(scene.rig, motion)
    while batch := list(islice(posed, BATCH[scene.device.type])):
        vertices, places = zip(*batch, strict=True)
        crops = [move(scene, one) for one in vertices]
        scene.completer.complete(crops, vertices, places)
        for crop in crops:
            yield compose(scene, crop)


def _posed(rig: PortraitMesh, motion: Motion) -> Iterator[tuple[Floats, MouthCrop]]:
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
            yield vertices, frame_crop(rig, rig.posed(rotation, translation))


def move(scene: MeshScene, vertices: Floats) -> Pixels:
    """Return the crop (S, S, 3) with its mesh moved to vertices (N, 3), nothing made up."""
    rig = scene.rig
    cells = min(rig.size, CELLS)
    displacement = displacement_map(rig.triangles, vertices, rig.source, size=rig.size, cells=cells)
    moved = scene.sampler(displacement)
    soften_folds(moved, displacement)
    return moved


def compose(scene: MeshScene, moved: Pixels) -> Pixels:
    """Return the frame of a moved crop (S, S, 3): itself, or pasted into the still picture."""
    if scene.paste is None:
        return moved
    return paste_crop(scene.picture, moved, scene.rig, scene.paste)
