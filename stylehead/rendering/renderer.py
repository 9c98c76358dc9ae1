"""The renderers behind one interface, and the choice of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from stylehead.options import Renderer
from stylehead.progress import SILENT, Reporter, clock
from stylehead.rendering import mesh_renderer
from stylehead.rendering.mesh_renderer import MeshScene, MouthNetworks, load_mouth_networks
from stylehead.rendering.neural_renderer import (
    LIVEPORTRAIT,
    VID2VID,
    Animator,
    load_portrait_animator,
    load_style_mapper,
    prepare_neural,
    render_neural,
)
from stylehead.rendering.patterns import Pattern
from stylehead.types import Motion, Pixels, Portrait, StyleReference

ENCODING = 1.2e-8  # seconds a pixel of a frame, measured for x264 veryfast on 2 cores
TRIAL_SHARE = 0.05
"""Frames rendered to estimate the time, as a share of all frames: not longer than the work."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """A portrait ready to be rendered in any motion."""

    width: int
    """Pixels; the video's is the even number below."""
    height: int
    render: Callable[[Motion], Iterator[Pixels]]
    """Motion -> one (H, W, 3) RGB frame per frame, streamed."""
    patterns: list[Pattern]
    """The portrait's intermediate style patterns."""
    trial_frames: int
    """Frames rendered to estimate the whole, after a first one."""
    device: torch.device

    def estimate(self, motion: Motion) -> str:
        """Return a sentence: frames, size and estimated time, from a few frames rendered now.

        The first frame is timed apart, for it starts the compiler; without trial frames its time
        has to do. A trial is never more than a small share of the whole.
        """
        count = min(self.trial_frames, int(TRIAL_SHARE * len(motion)))
        rows = np.linspace(0, len(motion) - 1, count + 1).astype(int)
        frame = self._timed(motion[rows[:1]])
        if count:
            frame = self._timed(motion[rows[1:]]) / count
        seconds = (frame + ENCODING * self.width * self.height) * len(motion)
        slow = f" ({frame:.1f} s a frame)" if frame > 1 else ""
        return (
            f"{len(motion)} frames of {self.width} x {self.height} ({clock(motion.seconds)}), "
            f"about {max(1, round(seconds))} s on {self.device.type}{slow}"
        )

    def _timed(self, motion: Motion) -> float:
        began = time.perf_counter()
        for _ in self.render(motion):
            pass
        return time.perf_counter() - began


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

    def prepare(
        self,
        portrait: Portrait,
        references: tuple[StyleReference, ...],
        *,
        crop_size: int | None,
    ) -> Scene:
        """Prepare a portrait in a style, once.

        With `crop_size` frames are the face crop at that many pixels; without, they are the whole
        picture at its own resolution.
        """
        still, render = self._prepared(portrait, references, crop_size)
        height, width = still.picture.shape[:2]
        return Scene(
            width=width,
            height=height,
            render=render,
            patterns=still.patterns,
            trial_frames=self.trial_frames,
            device=self.device,
        )

    def _prepared(
        self, portrait: Portrait, references: tuple[StyleReference, ...], crop_size: int | None
    ) -> tuple[MeshScene, Callable[[Motion], Iterator[Pixels]]]:
        if self.network is None:
            scene = mesh_renderer.prepare(
                portrait, references, self.mouths, crop_size=crop_size, device=self.device
            )
            return scene, partial(mesh_renderer.render, scene)
        neural = prepare_neural(
            portrait,
            references,
            self.network,
            self.mouths,
            crop_size=crop_size,
            device=self.device,
        )
        return neural.still, partial(render_neural, neural)


def load_renderer(
    renderer: Renderer, device: torch.device, *, reporter: Reporter = SILENT
) -> LoadedRenderer:
    """Load a renderer; raises WeightsError when its weights cannot be had."""
    mouths = load_mouth_networks(device)
    if renderer is Renderer.EMBEDDED:
        return LoadedRenderer(
            name=renderer.value, weights=(), mouths=mouths, trial_frames=6, device=device
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
