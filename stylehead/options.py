"""Every option once: its default, its help, its bounds. Python and the command line read them here.

Imported by the command line before anything else, so nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylehead.choices import Device, Encoder, Renderer, Separate, StyleEffort, option

INPUT, LOOKS, MOVES = "Picture and sound", "Output", "Motion"  # panels of the help


def share(default: float, help: str) -> Any:
    """Return an option of the motion from 0 to 1."""
    return option(default, help, panel=MOVES, low=0, high=1)


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
        "Seconds after the recording's beginning at which --vocals and the stems of --sing begin. "
        "Default: all begin together and are equally long.",
        panel=INPUT,
        low=-1e6,
        high=1e6,
    )


@dataclass(frozen=True, kw_only=True)
class Singing:
    """Who sings in a picture of several faces, and when."""

    sing: list[str] | None = option(
        None,
        "A face, counted from the left, the stem that its mouth follows and, after a colon, its "
        "style; repeat it for each singer (--sing 1=lead.wav --sing 2=low.wav:lively). The "
        "recording is still what is played. Default: one face follows the recording.",
        panel=INPUT,
        metavar="N=STEM[:STYLE]",
    )
    cues: Path | None = option(
        None,
        "Lyrics with times (.lrc, .srt): mouths open in their own lines alone, and the lines "
        "become the video's subtitles. A line may begin with who sings it, as in 1: or 1+2:. "
        "Default: none.",
        panel=INPUT,
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
    shapes: float = option(
        1.0,
        "How far mouths are brought to shapes that filmed faces have: 0 not at all, 1 all the way.",
        panel=MOVES,
        low=0,
        high=1,
    )
    pose: float = option(
        1.0, "How much the head moves: 2 twice as much, 0.5 half.", panel=MOVES, low=0, high=3
    )
    beat: float = share(
        0.3,
        "How much the head moves with the beat where music plays: 0 not at all, 1 as far as the "
        "style's head moves.",
    )
    effort: float = option(
        1.0,
        "How much wider than usual the mouth opens for a raised voice: 0 not at all, 1 as filmed "
        "people do.",
        panel=MOVES,
        low=0,
        high=2,
    )
    hold: float = share(
        1.0,
        "How still the mouth keeps while a singer holds a note: 0 as it comes, 1 still.",
    )
    breath: float = share(
        0.2,
        "How far the mouth parts and the head lifts for a breath before a sung phrase: 0 not at "
        "all, 1 as far as in singing.",
    )
    phrasing: float = share(
        0.2,
        "How much the head rises into a sung phrase and settles after it: 0 not at all, 1 as far "
        "as the style's head moves.",
    )
    posture: float = share(
        0.5,
        "How far the head is held as the style's person holds it, tilted or lowered: 0 as in the "
        "picture, 1 as in the clip.",
    )
    still: bool = option(
        False, "Keep the head still; blinks stay.", flag="--still/--no-still", panel=MOVES
    )
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
    matte: Path | None = option(
        None,
        "The portrait's person in white on black, in its size; what is black in the face is in "
        "front of it. Default: the portrait's own transparency, else found.",
        panel=INPUT,
    )
    crop: bool = option(
        False,
        "Show a square around the face instead of the whole picture.",
        flag="--crop/--no-crop",
        panel=LOOKS,
    )
    size: int = option(
        512, "With --crop: side of the square in pixels.", panel=LOOKS, low=128, high=2048
    )
    appearance: bool = option(
        True,
        "Fold and shade the skin as expressions do; without, it is only moved.",
        flag="--appearance/--no-appearance",
        panel=LOOKS,
    )
    renderer: Renderer = option(
        Renderer.EMBEDDED,
        "How frames are made. `embedded` is built in; the others download weights and are slow "
        "without a GPU.",
        panel=LOOKS,
    )
    workers: int | None = option(
        None,
        "Frames that are rendered at once, each on one core; the video is the same. Default: the "
        "cores that this process may use.",
        panel=LOOKS,
        low=1,
        high=1024,
    )

    @property
    def crop_size(self) -> int | None:
        """Side of the face crop in pixels; None for the whole picture at its own resolution."""
        return self.size if self.crop else None


@dataclass(frozen=True, kw_only=True)
class Options(Picture, Singing, MotionOptions):
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
