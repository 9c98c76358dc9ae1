"""What a video is, and what it was made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from stylehead import files
from stylehead.pipeline.deliver import written_to
from stylehead.pipeline.singers import Take
from stylehead.progress import Noting, Stopwatch
from stylehead.provenance.seal import Seal
from stylehead.rendering.patterns import Pattern
from stylehead.rendering.renderer import FACE_FILES, LoadedRenderer, Scene
from stylehead.speech.listen import VoiceReport
from stylehead.types import Motion, Portrait, StyleMix
from stylehead.version import __version__
from stylehead.weights.store import read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A video, and what it was made with."""

    output: Path
    motion: Motion
    """The motion that was rendered, at the video's frame rate; of several, the first singer's."""
    patterns: list[Pattern]
    """That face's four intermediate style patterns."""
    width: int
    """Pixels of the video."""
    height: int
    """Pixels of the video."""
    takes: list[Take]
    """How each face moves, from left to right; one, unless several are named."""
    singers: list[dict[str, object]]
    """Of each face that sings: its number, what it follows, its style and its voice_fraction."""
    style: str
    """Names of the styles, or "saved motion"."""
    not_in_clip: tuple[str, ...]
    """Templates that the clip of the mouth's style does not show."""
    encoder: str
    """The speech encoder, or "saved motion"."""
    separator: str
    """What took the voice out of the recording, or "saved motion"."""
    voice_fraction: float | None
    """Fraction of the time in which there is a voice, the most of any singer's; None with a saved
    motion."""
    renderer: str
    video_encoder: str
    """What encoded the pictures: x264, one of hardware, or FFmpeg's name of another."""
    sound: str
    """What became of the recording's sound: copied, encoded, or none."""
    device: str
    seed: int
    unsigned_sha256: str
    """Of the video before it was signed: the same whenever it is made from the same things. Of a
    folder of pictures, of its listing; empty for standard output."""
    signed: str
    """Where its signature is, `inside` or `beside` it; empty for none."""
    mark: bool
    """Whether it is marked."""
    notes: tuple[str, ...]
    """What changed the result or makes it doubtful, as it was said."""
    stages: dict[str, float]
    """Wall seconds of each stage."""

    def as_json(self) -> str:
        """Return one line of JSON: all but motion and patterns, with the length in frames."""
        facts = {
            "output": str(self.output),
            "seconds": self.motion.seconds,
            "frames": len(self.motion),
            "fps": float(self.motion.fps),
        }
        names = ("width", "height", "style", "not_in_clip", "encoder", "separator", "renderer")
        names = (*names, "video_encoder", "sound", "device", "seed", "notes", "stages")
        names = (*names, "unsigned_sha256", "signed", "mark")
        facts |= {name: getattr(self, name) for name in names}
        share = None if self.voice_fraction is None else round(self.voice_fraction, 3)
        return json.dumps(facts | {"voice_fraction": share, "singers": self.singers})

    def summary(self) -> str:
        """Return one sentence: what the video was made with."""
        if self.encoder == SAVED:
            return f"Made from a saved motion with {self._rendered}"
        heard = _heard(self.style, self.encoder, self.voice_fraction)
        return f"Made with {heard}, {self._rendered}"

    @property
    def _rendered(self) -> str:
        made = f"renderer {self.renderer}, video encoder {self.video_encoder}"
        sound = "no sound" if self.sound == "none" else f"sound {self.sound}"
        return f"{made}, {sound}, seed {self.seed}."


def _heard(style: str, encoder: str, voice_fraction: float | None) -> str:
    return f"style {style}, speech encoder {encoder}, a voice in {voice_fraction or 0:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionResult:
    """A motion that was predicted, and what it was made with."""

    motion: Motion
    style: str
    """Names of the styles."""
    encoder: str
    separator: str
    """What took the voice out of the recording."""
    voice_fraction: float
    """Fraction of the time in which there is a voice."""
    device: str
    seed: int

    def as_json(self, output: Path, notes: Sequence[str]) -> str:
        """Return one line of JSON: all but the motion, with its file and its length in frames."""
        facts = {
            "output": str(output),
            "seconds": self.motion.seconds,
            "frames": len(self.motion),
            "fps": float(self.motion.fps),
            "notes": list(notes),
            "voice_fraction": round(self.voice_fraction, 3),
        }
        names = ("style", "encoder", "separator", "device", "seed")
        return json.dumps(facts | {name: getattr(self, name) for name in names})

    def summary(self) -> str:
        """Return one sentence: what the motion was made with."""
        heard = _heard(self.style, self.encoder, self.voice_fraction)
        return f"Made with {heard}, seed {self.seed}."


SAVED = "saved motion"


@dataclass(frozen=True, slots=True)
class Source:
    """What a video's motion came from."""

    takes: list[Take]
    encoder: str
    weights: tuple[str, ...]

    @property
    def mixes(self) -> list[StyleMix]:
        """Styles of those who sing, each once."""
        return list(dict.fromkeys(take.mix for take in self.takes if take.singer))

    @property
    def style(self) -> str:
        """Names of the styles, or "saved motion"."""
        return ", ".join(dict.fromkeys(mix.name for mix in self.mixes)) or SAVED

    @property
    def not_in_clip(self) -> tuple[str, ...]:
        """Templates that a style's clip does not show."""
        made = [each.title for mix in self.mixes for each in mix.references if not each.in_clip]
        return tuple(dict.fromkeys(made))

    @property
    def reports(self) -> list[VoiceReport]:
        """One for each separator that was used."""
        found = {take.report.separator: take.report for take in self.takes if take.report}
        return list(found.values())

    @property
    def voice_fraction(self) -> float | None:
        """Fraction of the time with a voice, the most of any singer's; None with none."""
        return max((take.voice_fraction for take in self.takes if take.singer), default=None)

    def weights_of(self, renderer: LoadedRenderer) -> dict[str, str]:
        """Return the digests of all model files that a video was made with."""
        entries = read_manifest()
        separators = chain.from_iterable(report.files for report in self.reports)
        names = (*FACE_FILES, *renderer.weights, *self.weights, *separators)
        return {name: entries[name].sha256 or "unknown" for name in names}

    def metadata(
        self, title: str, renderer: LoadedRenderer, video_encoder: str, seed: int
    ) -> dict[str, str]:
        """Return what the video says about itself."""
        source = " ".join(dict.fromkeys(mix.source_sha256 for mix in self.mixes))
        hashes = {name: sha256[:16] for name, sha256 in self.weights_of(renderer).items()}
        return {
            "title": f"{files.as_text(title)} (AI-generated)",
            "comment": f"AI-generated: a portrait animated by stylehead {__version__}; "
            "what it shows was never filmed.",
            "software": f"stylehead {__version__}",
            "stylehead_weights": json.dumps(hashes),
            "stylehead_style": json.dumps({"name": self.style, "source_sha256": source}),
            "stylehead_encoder": self.encoder,
            "stylehead_renderer": renderer.name,
            "stylehead_video_encoder": video_encoder,
            "stylehead_seed": str(seed),
        }


class Encoded(NamedTuple):
    """How a video was encoded, in the words of `Result`."""

    pictures: str
    sound: str


def result_of(
    output: Path,
    portraits: list[Portrait],
    scene: Scene,
    source: Source,
    made: Encoded,
    seal: Seal,
    reporter: Noting,
    clock: Stopwatch,
) -> Result:
    """Return what there is to say of a video that has been written."""
    takes, options = source.takes, seal.options
    singing = [place for place, take in enumerate(takes) if take.singer]
    first = singing[0] if singing else 0
    return Result(
        output=written_to(output),
        motion=takes[first].motion,
        patterns=scene.patterns[first],
        takes=takes,
        singers=[takes[place].facts(portraits[place].number) for place in singing],
        width=scene.width // 2 * 2,
        height=scene.height // 2 * 2,
        style=source.style,
        not_in_clip=source.not_in_clip,
        encoder=source.encoder,
        separator=", ".join(one.separator for one in source.reports) if singing else SAVED,
        voice_fraction=source.voice_fraction,
        renderer=options.renderer.value,
        video_encoder=made.pictures,
        sound=made.sound,
        device=scene.device.type,
        seed=options.seed,
        unsigned_sha256=seal.sha256,
        signed=seal.signed,
        mark=options.mark,
        notes=tuple(reporter.notes),
        stages=clock.laps,
    )
