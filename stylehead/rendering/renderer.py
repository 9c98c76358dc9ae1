"""The renderers behind one interface, and the choice of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from stylehead.face.landmarks import OVAL
from stylehead.options import Renderer
from stylehead.progress import SILENT, Reporter, clock
from stylehead.rendering import mesh_renderer, neural_renderer
from stylehead.rendering.batched.scene import BatchedPicture
from stylehead.rendering.mesh_renderer import (
    Area,
    MeshScene,
    MouthNetworks,
    compose,
    load_mouth_networks,
)
from stylehead.rendering.neural_renderer import (
    LIVEPORTRAIT,
    VID2VID,
    Animator,
    load_portrait_animator,
    load_style_mapper,
    neural_crops,
    prepare_neural,
)
from stylehead.rendering.patterns import Pattern
from stylehead.rendering.still.cut import cut_layer
from stylehead.types import Floats, Motion, Pixels, Portrait, StyleReference

FACE_FILES = (
    "face_landmarker",
    "selfie_segmenter",
    "face_model",
    "appearance",
    "style_mapping",
    "style_generator",
)
"""Model files that every video needs."""
ENCODING = 1.6e-8  # seconds a pixel of a frame, measured for x264 veryfast on one core
TRIAL_SHARE = 0.05
"""Frames rendered to estimate the time, as a share of all frames: not longer than the work."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """A picture ready to be rendered: one face of it in any motion, or several together."""

    picture: Pixels
    """(H, W, 3) RGB, as it is where nothing moves; the video's sides are the even numbers below.

    Without a background (H, W, 4): colours times cover, then the cover, 0 to 255."""
    area: Area
    """Where frames can differ from it."""
    draw: Callable[[Sequence[Motion]], Iterator[Pixels]]
    """A motion for each face -> the area of one frame after the other, streamed.

    Each is the thread's own memory, and changes as soon as the next is asked for."""
    patterns: list[list[Pattern]]
    """Each face's intermediate style patterns."""
    batch: int
    """Frames drawn at once."""
    parallel: bool
    """Whether threads of their own may draw; else one fills all cores or the GPU by itself."""
    trial_frames: int
    """Frames rendered to estimate the whole, after a first one."""
    device: torch.device

    @property
    def width(self) -> int:
        """Pixels."""
        return self.picture.shape[1]

    @property
    def height(self) -> int:
        """Pixels."""
        return self.picture.shape[0]

    def estimate(self, motions: Sequence[Motion], workers: int = 1) -> str:
        """Return a sentence: frames, size and estimated time, from a few frames rendered now.

        The first frame is timed apart, for it starts the compiler; without trial frames its time
        has to do. A trial is never more than a small share of the whole.
        """
        motion = motions[0]
        count = min(self.trial_frames, int(TRIAL_SHARE * len(motion)))
        rows = np.linspace(0, len(motion) - 1, count + 1).astype(int)
        frame = self._timed([one[rows[:1]] for one in motions])
        if count:
            frame = self._timed([one[rows[1:]] for one in motions]) / count
        seconds = (frame + ENCODING * self.width * self.height) * len(motion)
        seconds /= workers if self.parallel else 1
        slow = f" ({frame:.1f} s a frame)" if frame > 1 else ""
        return (
            f"{len(motion)} frames of {self.width} x {self.height} ({clock(motion.seconds)}), "
            f"about {max(1, round(seconds))} s on {self.device.type}{slow}"
        )

    def _timed(self, motions: Sequence[Motion]) -> float:
        began = time.perf_counter()
        for _ in self.draw(motions):
            pass
        return time.perf_counter() - began


class _Prepared(NamedTuple):
    """One face of a picture, ready."""

    still: MeshScene
    crops: Callable[[Motion], Iterator[Pixels]]
    """Motion -> moved crops."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoadedRenderer:
    """A renderer with its networks loaded, for any number of portraits."""

    name: str
    weights: tuple[str, ...]
    """Entries of weights.toml it uses beyond those that every video needs."""
    mouths: MouthNetworks
    trial_frames: int
    """Frames rendered to estimate the whole, after a first one."""
    device: torch.device
    network: Animator | None = None
    """The warping network of a neural renderer."""
    batched: bool = False
    """Whether frames are made on the device, many at once; the embedded renderer's alone."""

    @property
    def batch(self) -> int:
        """Frames drawn at once."""
        batches = neural_renderer.BATCH if self.network else mesh_renderer.BATCH
        return batches[self.device.type]

    def prepare(
        self,
        portraits: Sequence[Portrait],
        references: Sequence[tuple[StyleReference, ...]],
        *,
        crop_size: int | None,
        appearance: bool = True,
        cut_out: bool = False,
    ) -> Scene:
        """Prepare faces of one picture, each in a style, once.

        With `crop_size` frames are the face crop of a single portrait at that many pixels; without,
        they are the whole picture at its own resolution. Several faces do not move each other.
        Without `appearance` skin neither folds nor changes its shading. With `cut_out` the scene
        has no background: mattes are of the whole picture then, and the renderer is the embedded.
        """
        alone = _persons(portraits) if cut_out else None
        faces = [
            self._prepared(
                portrait,
                style,
                crop_size,
                [other.face.mesh for other in portraits if other is not portrait],
                appearance,
                alone,
            )
            for portrait, style in zip(portraits, references, strict=True)
        ]
        area = _around([face.still.area for face in faces])
        draw, batch = partial(_draw, faces, area), self.batch
        if self.batched:
            picture = BatchedPicture([face.still for face in faces], area, self.device)
            draw, batch = picture.draw, picture.batch
        return Scene(
            picture=faces[0].still.picture,
            area=area,
            draw=draw,
            patterns=[face.still.patterns for face in faces],
            batch=batch,
            parallel=self.network is None and not self.batched,
            trial_frames=self.trial_frames,
            device=self.device,
        )

    def _prepared(
        self,
        portrait: Portrait,
        references: tuple[StyleReference, ...],
        crop_size: int | None,
        neighbours: Sequence[Floats],
        appearance: bool,
        cut_out: Pixels | None,
    ) -> _Prepared:
        if self.network is None:
            scene = mesh_renderer.prepare(
                portrait,
                references,
                self.mouths,
                crop_size=crop_size,
                device=self.device,
                neighbours=neighbours,
                appearance=appearance,
                cut_out=cut_out,
            )
            return _Prepared(scene, partial(mesh_renderer.render_crops, scene))
        neural = prepare_neural(
            portrait,
            references,
            self.network,
            self.mouths,
            crop_size=crop_size,
            device=self.device,
            neighbours=neighbours,
            appearance=appearance,
        )
        return _Prepared(neural.still, partial(neural_crops, neural))


def _persons(portraits: Sequence[Portrait]) -> Pixels:
    """Return the persons of a picture alone (H, W, 4), by the matte that its portraits share."""
    pixels, matte = portraits[0].pixels, portraits[0].matte
    if matte is None:
        raise ValueError("persons are cut out by a matte")
    return cut_layer(pixels, matte, portraits[0].face.mesh[OVAL, :2]).alone()


def _around(areas: Sequence[Area]) -> Area:
    """Return the least area that holds all of these, from even rows and columns to even ones.

    It may end beyond the picture by one.
    """
    rows, columns = (
        slice(
            min(side.start for side in sides) // 2 * 2,
            (max(side.stop for side in sides) + 1) // 2 * 2,
        )
        for sides in zip(*areas, strict=True)
    )
    return rows, columns


def _draw(faces: Sequence[_Prepared], area: Area, motions: Sequence[Motion]) -> Iterator[Pixels]:
    """Yield the area of each frame of one face or of several, each in a motion of its own."""
    stills = [face.still for face in faces]
    before = stills[0].picture[area]
    frame = np.empty_like(before)
    moved = (face.crops(motion) for face, motion in zip(faces, motions, strict=True))
    for crops in zip(*moved, strict=True):
        frame[:] = before
        compose(stills, crops, frame, area)
        yield frame


def load_renderer(
    renderer: Renderer, device: torch.device, *, reporter: Reporter = SILENT
) -> LoadedRenderer:
    """Load a renderer; raises WeightsError when its weights cannot be had."""
    mouths = load_mouth_networks(device)
    if renderer is Renderer.EMBEDDED:
        return LoadedRenderer(
            name=renderer.value,
            weights=(),
            mouths=mouths,
            trial_frames=6 if device.type == "cpu" else 32,
            device=device,
            batched=device.type != "cpu",
        )
    load, parts = {
        Renderer.LIVEPORTRAIT: (load_portrait_animator, LIVEPORTRAIT),
        Renderer.VID2VID: (load_style_mapper, VID2VID),
    }[renderer]
    network = load(device, reporter=reporter)
    names = tuple(sorted({name for name, _ in parts.values()}))
    return LoadedRenderer(
        name=renderer.value,
        weights=names,
        mouths=mouths,
        # Many seconds each on a CPU, where the first one has to do; two batches on a GPU.
        trial_frames=0 if device.type == "cpu" else 16,
        device=device,
        network=network,
    )
