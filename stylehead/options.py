"""Every option once: its default, its help, its bounds. Python and the command line read them here.

Imported by the command line before anything else, so nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

INPUT, LOOKS, MOVES = "Picture and sound", "Output", "Motion"
"""Panels of the help."""


class Device(str, Enum):
    """Where networks and warping run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Encoder(str, Enum):
    """The speech encoder whose features drive the motion generator."""

    WHISPER = "whisper"
    """Whisper-tiny's audio encoder; built in."""
    APC = "apc"
    """The paper's encoder: autoregressive predictive coding; built in."""


class Separate(str, Enum):
    """What takes the voice out of a recording."""

    AUTO = "auto"
    """Spleeter where music plays behind the voice, else the voice filter."""
    OFF = "off"
    """Nothing: the recording is a voice and nothing else."""
    SPLEETER = "spleeter"
    """Spleeter's two U-Nets, whatever sounds."""
    FILTER = "filter"
    """The voice filter, whatever sounds: faster, and good against noise."""


class StyleEffort(str, Enum):
    """How much work the style of a clip gets."""

    FAST = "fast"
    """How far and how fast its person moves."""
    NORMAL = "normal"
    """Also how its person shapes sounds, where that measures nearer; half a minute."""
    FULL = "full"
    """The same, with three times as many steps."""


class Renderer(str, Enum):
    """What turns a portrait and a motion into frames."""

    EMBEDDED = "embedded"
    """The portrait's own pixels, moved with a mesh; built in."""
    LIVEPORTRAIT = "liveportrait"
    """LivePortrait's warping network at 512 pixels; its weights are downloaded."""
    VID2VID = "vid2vid"
    """face-vid2vid, the paper's own warping network, at 256 pixels; its weights are downloaded."""


def option(
    default: Any,
    help: str,
    *,
    flag: str | None = None,
    panel: str | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Return a dataclass field that is an option.

    Args:
        default: What counts when nothing is said; its type follows the field's annotation.
        help: The sentence that `--help` shows, and the field's documentation.
        flag: The command line's flag where it is not the field's name.
        panel: Heading of the help under which the option stands.
        low: Least value allowed on the command line.
        high: Largest value allowed on the command line.
    """
    metadata = {"help": help, "flag": flag, "panel": panel, "low": low, "high": high}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class AudioRange:
    """Which part of a recording is used."""

    start: float = option(
        0.0, "Seconds to skip at the beginning.", panel=INPUT, low=0, high=1_000_000
    )
    duration: float | None = option(
        None, "Seconds to use from there. Default: all.", panel=INPUT, low=0.1, high=1_000_000
    )


@dataclass(frozen=True, kw_only=True)
class Stem:
    """The voice alone, where the user has it."""

    vocals: Path | None = option(
        None,
        "The voice alone: listened to in place of the recording, which is still what is played. "
        "Default: none.",
        panel=INPUT,
    )
    vocals_offset: float | None = option(
        None,
        "Seconds after the recording's beginning at which --vocals begins. Default: both begin "
        "together and are equally long.",
        panel=INPUT,
        low=-1e6,
        high=1e6,
    )


@dataclass(frozen=True, kw_only=True)
class Separation:
    """What takes the voice out of a recording."""

    separate: Separate = option(
        Separate.AUTO,
        "What takes the voice out of music or noise. `auto` uses `spleeter` where music plays "
        "behind the voice, and else the `filter`; with `off` all that sounds is a voice.",
        panel=INPUT,
    )


@dataclass(frozen=True, kw_only=True)
class StyleStrength:
    """How much of the style."""

    style_strength: float = option(
        1.0,
        "How much of the style: 0 none, 1 as learned, above 1 exaggerated.",
        panel=MOVES,
        low=0,
        high=1.5,
    )


@dataclass(frozen=True, kw_only=True)
class MotionControls:
    """Scales on a motion; 1 leaves it as the style has it."""

    expression: float = option(
        1.0, "How much the face moves: 2 twice as much, 0.5 half.", panel=MOVES, low=0, high=3
    )
    pose: float = option(
        1.0, "How much the head moves: 2 twice as much, 0.5 half.", panel=MOVES, low=0, high=3
    )
    beat: float = option(
        0.3,
        "How much the head moves with the beat where music plays: 0 not at all, 1 as far as the "
        "style's head moves.",
        panel=MOVES,
        low=0,
        high=1,
    )
    still: bool = option(False, "Keep the head still; blinks stay.", panel=MOVES)
    blinks_per_minute: float | None = option(
        None,
        "Blinks per minute. Default: the style's.",
        flag="--blink",
        panel=MOVES,
        low=0,
        high=60,
    )
    seed: int = option(
        0,
        "Random seed: another number gives other head motion, brows, blinks and gaze.",
        panel=MOVES,
        low=0,
    )

    @property
    def head_scale(self) -> float:
        """Scale of head motion, 0 when the head is kept still."""
        return 0.0 if self.still else self.pose


@dataclass(frozen=True, kw_only=True)
class FrameRate:
    """Frames per second."""

    fps: int = option(30, "Frames per second.", panel=LOOKS, low=10, high=60)


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """Whose features drive the motion generator."""

    encoder: Encoder = option(
        Encoder.WHISPER,
        "Speech encoder: Whisper's, or the paper's own (apc); both are built in.",
        panel=MOVES,
    )


@dataclass(frozen=True, kw_only=True)
class Encoding(Hearing):
    """The speech encoder, and what is done to its features."""

    projection: float = option(
        0.0,
        "How far speech features are brought to those of many known voices: 0 not at all, 1 "
        "wholly.",
        panel=MOVES,
        low=0,
        high=1,
    )


@dataclass(frozen=True, kw_only=True)
class Compute:
    """The device."""

    device: Device = option(
        Device.AUTO,
        "Processor or GPU to compute on; auto takes a GPU if there is one.",
        panel=LOOKS,
    )


@dataclass(frozen=True, kw_only=True)
class Overwrite:
    """What happens to files that exist."""

    overwrite: bool = option(False, "Replace existing output.", panel=LOOKS)


@dataclass(frozen=True, kw_only=True)
class MotionOptions(
    Overwrite,
    Compute,
    Encoding,
    FrameRate,
    MotionControls,
    StyleStrength,
    Separation,
    Stem,
    AudioRange,
):
    """What may be chosen about a motion."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What may be chosen about the picture."""

    face: int | None = option(
        None, "Which face, counted from the left. Default: the largest.", panel=INPUT, low=1
    )
    crop: bool = option(
        False, "Show a square around the face instead of the whole picture.", panel=LOOKS
    )
    size: int = option(
        512, "With --crop: side of the square in pixels.", panel=LOOKS, low=128, high=2048
    )
    renderer: Renderer = option(
        Renderer.EMBEDDED,
        "How frames are made. `embedded` is built in; the others download weights and are slow "
        "without a GPU.",
        panel=LOOKS,
    )

    @property
    def crop_size(self) -> int | None:
        """Side of the face crop in pixels; None for the whole picture at its own resolution."""
        return self.size if self.crop else None


@dataclass(frozen=True, kw_only=True)
class Options(Picture, MotionOptions):
    """What may be chosen about a video."""


@dataclass(frozen=True, kw_only=True)
class VoiceOptions(Overwrite, Compute, Separation, AudioRange):
    """What may be chosen about the voice of a recording."""


@dataclass(frozen=True, kw_only=True)
class TuningOptions(Overwrite, Encoding, Separation):
    """What may be chosen about tuning a style."""

    style: str | None = option(None, "Style file or name to tune to, instead of clips.")
    audio: Path | None = option(
        None,
        "With --style: a recording in that style. With one clip: its voice alone, in place of "
        "its own sound.",
    )
    projection: float = option(
        0.0,
        "How far any voice is brought to this person's own sounds: 0 not at all, 1 wholly.",
        low=0,
        high=1,
    )
    steps: int = option(
        200,
        "Number of tuning steps; more go on from a refused or stopped run.",
        low=1,
        high=100_000,
    )
    dynamics: bool = option(
        True,
        "Also match how far and how fast the face moves.",
        flag="--dynamics/--no-dynamics",
    )
    run: Path | None = option(
        None,
        "Folder for checkpoints, log and tracked clips; tuning resumes from it. Default: beside "
        "the style, removed when that is written.",
    )
    force: bool = option(
        False,
        "Write the style even when it fails the test; at once, if it was refused and kept before.",
    )


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much work the style of a clip gets."""

    style_effort: StyleEffort = option(
        StyleEffort.NORMAL,
        "How much work a clip's style gets: `fast` learns how far its person moves, `normal` also "
        "how they shape sounds, in half a minute, `full` takes longer for it. What measures no "
        "nearer to the clip is left out.",
        panel=INPUT,
    )


DEFAULT_STYLE = "plain"
