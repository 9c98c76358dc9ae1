"""The embedded renderer: the portrait's own pixels, moved with a mesh."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import smoothstep
from stylehead.face.landmarks import OVAL
from stylehead.models.mouth_generator import MouthGenerator
from stylehead.rendering.eyes.completer import EyeCompleter
from stylehead.rendering.eyes.lids import LidModel
from stylehead.rendering.mouth.completer import MouthCompleter
from stylehead.rendering.mouth.crop import MouthCrop
from stylehead.rendering.patterns import (
    Pattern,
    frame_crop,
    is_colourless,
    map_styles,
    show_patterns,
)
from stylehead.rendering.portrait_mesh import PortraitMesh, build_portrait_mesh, nearness
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.skin.folds import FoldModel, SkinShader
from stylehead.rendering.still.crown import crown_over
from stylehead.rendering.still.cut import Layer, cut_layer
from stylehead.rendering.warp import (
    FEATHER,
    Sampler,
    add_crop,
    crop_of,
    soften_folds,
)
from stylehead.types import Floats, Motion, Pixels, Portrait, StyleReference
from stylehead.weights.networks import load_mouth_generator
from stylehead.weights.store import resolve

Area = tuple[slice, slice]
"""Rows and columns of a picture."""
WHOLE: Area = (slice(None), slice(None))
CELLS = 512  # cells of the displacement map per 512 pixels: finer shows no difference
CHUNK = 64  # frames whose meshes are computed at once
SEAM = 0.1  # of the way between two faces, over which one's crop gives way to the other's
BATCH = {"cpu": 2, "cuda": 16}
"""Frames completed at once. On a CPU more of them leave the caches, and memory is fetched anew."""


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


class Memory(threading.local):
    """What a thread makes frames in, kept from frame to frame.

    Fresh memory of this size costs more than what is written to it: a fault for every 4 KB.
    """

    def __init__(self, size: int, device: torch.device, *, cut_out: bool = False) -> None:
        cells = min(size, CELLS)
        self.displacement = np.empty((cells, cells, 2), np.float32)
        self.depth = np.empty((cells, cells), np.float32)
        self.person = np.empty((size, size, 4), np.uint8)
        self.folds = np.empty((cells, cells), np.uint8)
        self.crops = np.empty((BATCH[device.type], size, size, 3), np.uint8)
        self.cuts = np.empty((BATCH[device.type] if cut_out else 0, size, size, 4), np.uint8)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MeshScene:
    """A portrait ready to be rendered in any motion."""

    picture: Pixels
    """(H, W, 3) the still that frames are pasted into; the crop itself when only that is wanted.

    Of persons cut out (H, W, 4): their colours times their cover, then the cover."""
    mesh: PortraitMesh
    sampler: Sampler
    """Of the crop, or of its person alone."""
    layer: Layer | None
    """The person and what is behind them; None where these cannot be told apart."""
    patterns: list[Pattern]
    """The portrait in the poses and with the mouths of the style's references."""
    completer: MouthCompleter
    """The style-aware generator, which has encoded the patterns."""
    eyes: EyeCompleter
    """What closes lids over eyeballs."""
    skin: SkinShader | None
    """What folds and shades the skin; None when it is only moved."""
    device: torch.device
    paste: Floats | None
    """(S, S) weight of the moved crop; None when the crop is the whole frame."""
    memory: Memory
    cut_out: bool
    """Whether frames show the persons alone."""

    @property
    def area(self) -> Area:
        """The part of the picture in which frames can differ from it."""
        height, width = self.picture.shape[:2]
        if self.paste is None:
            return np.s_[0:height, 0:width]
        left, top = self.mesh.corner.astype(int)
        size = self.mesh.size
        return np.s_[max(0, top) : min(height, top + size), max(0, left) : min(width, left + size)]


def prepare(
    portrait: Portrait,
    references: tuple[StyleReference, ...],
    networks: MouthNetworks,
    *,
    crop_size: int | None,
    device: torch.device,
    neighbours: Sequence[Floats] = (),
    appearance: bool = True,
    cut_out: Pixels | None = None,
) -> MeshScene:
    """Build a portrait's mesh and its intermediate style patterns, once.

    With `crop_size` frames are the face crop at that many pixels; without, they are the whole
    picture at its own resolution. `neighbours` are meshes (478, 3) of the picture's other faces,
    which are left to themselves. Without `appearance` skin neither folds nor changes its shading.
    `cut_out` (H, W, 4) is the picture's persons alone, for frames without a background.
    """
    mesh = build_portrait_mesh(portrait, size=crop_size, neighbours=neighbours)
    crop = crop_of(portrait.pixels, mesh)
    if mesh.matte is None:
        sampler, layer = Sampler(crop), None
    else:
        oval = mesh.source[OVAL, :2]
        layer = cut_layer(crop, mesh.matte, oval)
        sampler = Sampler(layer.pixels, crown_over(layer.pixels, oval[:, 1].min()))
    grey = is_colourless(crop)
    mapper, completer = (
        MouthCompleter(net, device, colourless=grey)
        for net in (networks.intermediate, networks.style_aware)
    )
    memory = Memory(mesh.size, device, cut_out=cut_out is not None)
    moved = partial(_moved, mesh, sampler, layer, memory)
    patterns = map_styles(mesh, moved, references, mapper)
    show_patterns(patterns, completer)
    if cut_out is None:
        picture = portrait.pixels if crop_size is None else crop
    else:
        picture = cut_out if crop_size is None or layer is None else layer.alone()
    return MeshScene(
        picture=picture,
        mesh=mesh,
        sampler=sampler,
        layer=layer,
        patterns=patterns,
        completer=completer,
        eyes=EyeCompleter(crop, mesh, portrait, LidModel.embedded()),
        skin=SkinShader(mesh, FoldModel.embedded(), colourless=grey) if appearance else None,
        device=device,
        paste=_paste_weight(mesh, portrait, neighbours) if crop_size is None else None,
        memory=memory,
        cut_out=cut_out is not None,
    )


def _paste_weight(mesh: PortraitMesh, portrait: Portrait, neighbours: Sequence[Floats]) -> Floats:
    """Return the weight (S, S) of a crop: it ends at its edge, and half-way to another face."""
    weight = _feather(mesh.size)
    if not neighbours:
        return weight
    pixels = np.indices((mesh.size, mesh.size), np.float32)[::-1].transpose(1, 2, 0)
    face, *others = (mesh.in_crop(one) for one in (portrait.face.mesh, *neighbours))
    near = nearness(pixels, face, others)
    return weight * smoothstep(((near - 0.5) / SEAM + 0.5).clip(0, 1))


def _feather(size: int) -> Floats:
    """Return the weight (S, S) of a crop: 1 inside, falling to 0 at its edge."""
    steps = np.minimum(np.arange(size), np.arange(size)[::-1]) / (FEATHER * size)
    ramp = steps.clip(0, 1).astype(np.float32)
    return np.minimum(ramp[:, None], ramp)


def render(scene: MeshScene, motion: Motion) -> Iterator[Pixels]:
    """Yield one (H, W, 3) RGB frame per frame of motion; memory does not grow with its length."""
    for crop in render_crops(scene, motion):
        frame = scene.picture.copy()
        compose([scene], [crop], frame)
        yield frame


def render_crops(scene: MeshScene, motion: Motion) -> Iterator[Pixels]:
    """Yield the moved crop (S, S, 3) alone for each frame of motion; cut out, (S, S, 4).

    It is the scene's own memory, and changes as soon as the next crop is asked for.
    """
    frames = posed_frames(scene.mesh, motion)
    while batch := list(islice(frames, BATCH[scene.device.type])):
        cuts = scene.memory.cuts[: len(batch)]
        crops: list[Pixels] = []
        for place, posed in enumerate(batch):
            crops.append(move(scene, posed.vertices, scene.memory.crops[place]))
            if len(cuts):
                cuts[place, ..., 3] = scene.memory.person[..., 3]
        for crop, posed in zip(crops, batch, strict=True):
            if scene.skin is not None:
                scene.skin.shade(crop, posed.vertices, posed.offsets, posed.rotation)
            scene.eyes.complete(crop, posed.vertices)
        scene.completer.complete(
            crops, [posed.vertices for posed in batch], [posed.mouth for posed in batch]
        )
        if scene.layer:
            for crop in crops:
                scene.layer.under_front(crop)
            for crop, cut in zip(crops, cuts, strict=False):
                scene.layer.lift(crop, cut)
        yield from cuts if len(cuts) else crops


class Posed(NamedTuple):
    """One frame's motion, and where it puts the mesh."""

    vertices: Floats
    """(N, 3)"""
    mouth: MouthCrop
    offsets: Floats
    """(68, 3) landmarks from neutral, head space."""
    rotation: Floats
    """(3, 3) the head's, from rest."""


def posed_frames(mesh: PortraitMesh, motion: Motion) -> Iterator[Posed]:
    """Yield what each frame of a motion makes of the mesh."""
    model = FaceModel.embedded()
    for start in range(0, len(motion), CHUNK):
        part = motion[slice(start, start + CHUNK)]
        meshes = model.mesh_offsets(part.landmarks)
        for row, offsets in enumerate(meshes):
            rotation, translation = part.rotation[row], part.translation[row]
            vertices = mesh.pose_vertices(
                offsets, rotation, translation, float(part.blink[row]), part.gaze[row]
            )
            mouth = frame_crop(mesh, mesh.head_pose(rotation, translation))
            yield Posed(vertices, mouth, part.landmarks[row], rotation)


def move(scene: MeshScene, vertices: Floats, out: Pixels | None = None) -> Pixels:
    """Return the crop (S, S, 3) with its mesh moved to vertices (N, 3), no mouth made up.

    It is in `out` where that is given, else in fresh memory.
    """
    return _moved(scene.mesh, scene.sampler, scene.layer, scene.memory, vertices, out)


def _moved(
    mesh: PortraitMesh,
    sampler: Sampler,
    layer: Layer | None,
    memory: Memory,
    vertices: Floats,
    out: Pixels | None = None,
) -> Pixels:
    displacement = displacement_map(
        mesh.triangles,
        vertices,
        mesh.source,
        size=mesh.size,
        cells=len(memory.depth),
        out=memory.displacement,
        depth=memory.depth,
    )
    moved = sampler(displacement, out if layer is None else memory.person)
    soften_folds(moved, displacement, memory.folds)
    return moved if layer is None else layer.over(moved, out)


def compose(
    scenes: Sequence[MeshScene], moved: Sequence[Pixels], frame: Pixels, area: Area = WHOLE
) -> None:
    """Lay the moved crop (S, S, C) of each face into a frame of their picture, in place.

    frame is the picture's `area`, (H, W, C) or less, as it is without them. A crop that is all
    there is to see fills it.
    """
    rows, columns = area
    for scene, crop in zip(scenes, moved, strict=True):
        if scene.paste is None:
            frame[:] = crop[area]
            continue
        left, top = scene.mesh.corner.astype(int)
        place = int(top) - (rows.start or 0), int(left) - (columns.start or 0)
        add_crop(frame, scene.picture[area], crop, place, scene.paste)
