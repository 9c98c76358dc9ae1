"""Choice of renderer behind one interface: a portrait set on a stage, then shown in motions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

from stylehead import neural_rendering, rendering
from stylehead.neural_models import LIVEPORTRAIT, VID2VID, load_portrait_animator, load_style_mapper
from stylehead.options import Renderer
from stylehead.progress import SILENT, Reporter
from stylehead.style_mapping import Pattern
from stylehead.types import Motion, Pixels, Portrait, StyleReference

Show = Callable[[Motion], Iterator[Pixels]]
"""Motion -> one (H, W, 3) RGB frame per frame, streamed."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A portrait ready to be shown in any motion."""

    width: int
    height: int
    show: Show
    patterns: list[Pattern]
    """The portrait's intermediate style patterns."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedRenderer:
    """A renderer whose weights are there."""

    name: str
    weights: tuple[str, ...]
    """Entries of weights.toml it uses beyond what comes along."""
    trial_frames: int
    """Frames shown to estimate the whole, after a first one."""
    network: neural_rendering.Animator | None = None

    def set_stage(
        self,
        portrait: Portrait,
        references: tuple[StyleReference, ...],
        *,
        crop_size: int | None,
        device: torch.device,
    ) -> Stage:
        """Prepare a portrait in a style once; `crop_size` as in rendering."""
        if self.network is None:
            scene = rendering.prepare(portrait, references, crop_size=crop_size, device=device)
            show: Show = partial(rendering.render, scene)
        else:
            moved = neural_rendering.prepare(
                portrait, references, self.network, crop_size=crop_size, device=device
            )
            scene, show = moved.still, partial(neural_rendering.render, moved)
        height, width = scene.picture.shape[:2]
        return Stage(width, height, show, scene.patterns)


def load_renderer(
    renderer: Renderer, device: torch.device, *, reporter: Reporter = SILENT
) -> LoadedRenderer:
    """Load a renderer; raises WeightsError when its weights cannot be had."""
    if renderer is Renderer.EMBEDDED:
        return LoadedRenderer(renderer.value, (), 6)
    # Many seconds each on a CPU, where the first one has to do; two batches on a GPU.
    trial = 0 if device.type == "cpu" else 16
    load, parts = {
        Renderer.LIVEPORTRAIT: (load_portrait_animator, LIVEPORTRAIT),
        Renderer.VID2VID: (load_style_mapper, VID2VID),
    }[renderer]
    network = load(device, reporter=reporter)
    names = tuple(sorted({name for name, _ in parts.values()}))
    return LoadedRenderer(renderer.value, names, trial, network)
