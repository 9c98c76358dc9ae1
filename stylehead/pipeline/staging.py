"""What a video is filmed from, as values: they can be sent to where it is filmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stylehead.options import Options
from stylehead.pipeline.deliver import backdrop, delivered
from stylehead.pipeline.film import Shot
from stylehead.pipeline.singers import Take
from stylehead.provenance.mark import Mark
from stylehead.rendering.framed import Frame
from stylehead.rendering.renderer import LoadedRenderer
from stylehead.types import Motion, Pixels, Portrait, StyleReference


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Staging:
    """The faces of a picture, their motions, and how they are shown."""

    portraits: Sequence[Portrait]
    references: Sequence[tuple[StyleReference, ...]]
    """Of each face's style."""
    motions: Sequence[Motion]
    """Of each face, all of one length."""
    frame: Frame | None
    behind: Pixels | None
    """What is put behind the person: a picture (H, W, 3) or a colour (3,)."""
    options: Options

    def shot(self, renderer: LoadedRenderer) -> Shot:
        """Prepare what is filmed, with the renderer that the options name."""
        scene = renderer.prepare(
            self.portraits,
            self.references,
            crop_size=self.options.crop_size,
            appearance=self.options.appearance,
            cut_out=self.options.cut_out,
        )
        scene = delivered(scene, self.frame, self.behind, self.options)
        marked = Mark.of(scene.picture, scene.area, self.motions[0].fps)
        return Shot(scene, self.motions, self, marked if self.options.mark else None)


def stage(
    portraits: Sequence[Portrait], takes: Sequence[Take], frame: Frame | None, options: Options
) -> Staging:
    """Return what is filmed: each face as it moves through its take."""
    return Staging(
        portraits=portraits,
        references=[take.mix.references for take in takes],
        motions=[take.motion for take in takes],
        frame=frame,
        behind=backdrop(options),
        options=options,
    )
