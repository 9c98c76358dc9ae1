"""The built-in styles: which clip, and which part of it, each was learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stylehead.options import AudioRange
from stylehead.pipeline import learn_from_clip
from stylehead.progress import SILENT, Reporter
from stylehead.style.file import SUFFIX, save_style, style_folders
from stylehead.training.loop import checkout_manifest


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a clip."""

    file: str
    part: AudioRange = field(default_factory=AudioRange)


BUILT_IN = {
    "plain": Source("InfiniteTalk__ref_video.mp4"),  # an even talk to the camera
    "newsreader": Source("MimicTalk__German_20s.mp4"),  # small mouth, still head
    "orator": Source("EDTalk__uncrop_Obama.mp4"),  # wide mouth, nods and tilts
    "gentle": Source("styletalk__feifeili_clip2_short.mp4"),  # slow turns, moderate mouth
    "lively": Source(
        "PersonaLive__driving_video.mp4", part=AudioRange(duration=25.0)
    ),  # large mouth and nods
    "performer": Source("LivePortrait__d10.mp4"),  # lips and brows to music
}


def make_styles(data: Path, *, reporter: Reporter = SILENT) -> Iterator[Path]:
    """Extract every built-in style from the clips in `data`, yielding each file written."""
    checkout_manifest()  # an installed package's own files are not to be replaced
    folder = style_folders()[0]
    folder.mkdir(exist_ok=True)
    for name, source in BUILT_IN.items():
        style, _, _ = learn_from_clip(data / source.file, name, clip=source.part, reporter=reporter)
        path = folder / f"{name}{SUFFIX}"
        save_style(style, path)
        yield path
