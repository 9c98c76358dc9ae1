"""What a video is filmed from, as values: they can be sent to where it is filmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stylehead.options import Device, Options, Renderer
from stylehead.pipeline.film import Shot
from stylehead.pipeline.singers import Take
from stylehead.rendering.renderer import LoadedRenderer
from stylehead.types import Motion, Portrait, StyleReference


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Staging:
    """The faces of a picture, their motions, and how they are rendered."""

    portraits: Sequence[Portrait]
    references: Sequence[tuple[StyleReference, ...]]
    """Of each face's style."""
    motions: Sequence[Motion]
    """Of each face, all of one length."""
    renderer: Renderer
    device: Device
    crop_size: int | None
    appearance: bool

    def shot(self, renderer: LoadedRenderer) -> Shot:
        """Prepare what is filmed, with the renderer that `renderer` names."""
        scene = renderer.prepare(
            self.portraits,
            self.references,
            crop_size=self.crop_size,
            appearance=self.appearance,
        )
        return Shot(scene, self.motions)


def stage(portraits: Sequence[Portrait], takes: Sequence[Take], options: Options) -> Staging:
    """Return what is filmed: each face as it moves through its take."""
    return Staging(
        portraits=portraits,
        references=[take.mix.references for take in takes],
        motions=[take.motion for take in takes],
        renderer=options.renderer,
        device=options.device,
        crop_size=options.crop_size,
        appearance=options.appearance,
    )
