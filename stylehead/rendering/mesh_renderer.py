"""The embedded renderer: the portrait's own pixels, moved with a mesh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import smoothstep
from stylehead.models.mouth_generator import MouthGenerator
from stylehead.rendering.mouth.completer import MouthCompleter
from stylehead.rendering.mouth.crop import MouthCrop
from stylehead.rendering.patterns import Pattern, frame_crop, is_colourless, map_styles
from stylehead.rendering.portrait_mesh import PortraitMesh, build_portrait_mesh, nearness
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.warp import (
    FEATHER,
    Sampler,
    add_crop,
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
SEAM = 0.1  # of the way between two faces, over which one's crop gives way to the other's
BATCH = {"cpu": 4, "cuda": 16}
"""Frames completed at once."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MouthNetworks:
    """The two networks that complete mouths; any number of portraits share them."""

    intermediate: MouthGenerator
    """Completes the intermediate style patterns, without looking at any."""
    style_aware: MouthGenerator
    """Completes the frames, looking at the four patterns."""


def load_mouth_networks(device: torch.device) -> MouthNetworks:
    """Load the networks that complete mouths."""
    return MouthNetworks(
        intermediate=load_mouth_generator(resolve("style_mapping"), device),
        style_aware=load_mouth_generator(resolve("style_generator"), device),
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MeshScene:
    """A portrait ready to be rendered in any motion."""

    picture: Pixels
    """(H, W, 3) the still that frames are pasted into; the crop itself when only that is wanted."""
    mesh: PortraitMesh
    sampler: Sampler
    patterns: list[Pattern]
    """The portrait in the poses and with the mouths of the style's references."""
    completer: MouthCompleter
    """The style-aware generator, which has encoded the patterns."""
    device: torch.device
    paste: Floats | None
    """(S, S, 1) weight of the moved crop; None when the crop is the whole frame."""


def prepare(
    portrait: Portrait,
    references: tuple[StyleReference, ...],
    networks: MouthNetworks,
    *,
    crop_size: int | None,
    device: torch.device,
    neighbours: Sequence[Floats] = (),
) -> MeshScene:
    """Build a portrait's mesh and its intermediate style patterns, once.

    With `crop_size` frames are the face crop at that many pixels; without, they are the whole
    picture at its own resolution. `neighbours` are meshes (478, 3) of the picture's other faces,
    which are left to themselves.
    """
    mesh = build_portrait_mesh(portrait, size=crop_size, neighbours=neighbours)
    crop = crop_of(portrait.pixels, mesh)
    sampler = make_sampler(crop, device)
    grey = is_colourless(crop)
    mapper, completer = (
        MouthCompleter(net, device, colourless=grey)
        for net in (networks.intermediate, networks.style_aware)
    )
    patterns = map_styles(mesh, sampler, references, mapper)
    completer.encode_patterns([pattern.patch() for pattern in patterns])
    return MeshScene(
        picture=portrait.pixels if crop_size is None else crop,
        mesh=mesh,
        sampler=sampler,
        patterns=patterns,
        completer=completer,
        device=device,
        paste=_paste_weight(mesh, portrait, neighbours) if crop_size is None else None,
    )


def _paste_weight(mesh: PortraitMesh, portrait: Portrait, neighbours: Sequence[Floats]) -> Floats:
    """Return the weight (S, S, 1) of a crop: it ends at its edge, and half-way to another face."""
    weight = _feather(mesh.size)
    if not neighbours:
        return weight
    pixels = np.indices((mesh.size, mesh.size), np.float32)[::-1].transpose(1, 2, 0)
    face, *others = (mesh.in_crop(one) for one in (portrait.face.mesh, *neighbours))
    near = nearness(pixels, face, others)[..., None]
    return weight * smoothstep(((near - 0.5) / SEAM + 0.5).clip(0, 1))


def _feather(size: int) -> Floats:
    """Return the weight (S, S, 1) of a crop: 1 inside, falling to 0 at its edge."""
    steps = np.minimum(np.arange(size), np.arange(size)[::-1]) / (FEATHER * size)
    ramp = steps.clip(0, 1).astype(np.float32)
    return np.minimum(ramp[:, None], ramp[None])[..., None]


def render(scene: MeshScene, motion: Motion) -> Iterator[Pixels]:
    """Yield one (H, W, 3) RGB frame per frame of motion; memory does not grow with its length."""
    return (compose(scene, crop) for crop in render_crops(scene, motion))


def render_crops(scene: MeshScene, motion: Motion) -> Iterator[Pixels]:
    """Yield the moved crop (S, S, 3) alone for each frame of motion."""
    frames = _posed(scene.mesh, motion)
    while batch := list(islice(frames, BATCH[scene.device.type])):
        vertices, mouths = zip(*batch, strict=True)
        crops = [move(scene, posed) for posed in vertices]
        scene.completer.complete(crops, vertices, mouths)
        yield from crops


def _posed(mesh: PortraitMesh, motion: Motion) -> Iterator[tuple[Floats, MouthCrop]]:
    """Yield the vertices (N, 3) of each frame, and where its mouth lies."""
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
            vertices = mesh.pose_vertices(offsets, rotation, translation, float(blink), gaze)
            yield vertices, frame_crop(mesh, mesh.head_pose(rotation, translation))


def move(scene: MeshScene, vertices: Floats) -> Pixels:
    """Return the crop (S, S, 3) with its mesh moved to vertices (N, 3), nothing made up."""
    mesh = scene.mesh
    displacement = displacement_map(
        mesh.triangles, vertices, mesh.source, size=mesh.size, cells=min(mesh.size, CELLS)
    )
    moved = scene.sampler(displacement)
    soften_folds(moved, displacement)
    return moved


def compose(scene: MeshScene, moved: Pixels) -> Pixels:
    """Return the frame of a moved crop (S, S, 3): itself, or pasted into the still picture."""
    if scene.paste is None:
        return moved
    return paste_crop(scene.picture, moved, scene.mesh, scene.paste)


def compose_together(scenes: Sequence[MeshScene], moved: Sequence[Pixels]) -> Pixels:
    """Return the frame of several faces of one picture, each with its moved crop (S, S, 3)."""
    picture = scenes[0].picture
    frame = picture.copy()
    for scene, crop in zip(scenes, moved, strict=True):
        if scene.paste is None:
            raise ValueError("several faces need the whole picture")
        add_crop(frame, picture, crop, scene.mesh, scene.paste)
    return frame
