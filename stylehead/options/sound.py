"""Options of the recording: its part, its stems, who sings, what is a voice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stylehead.options.choices import Separate, option
from stylehead.options.shared import INPUT


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
        "The singer's voice alone (a stem): lips follow it, while the video still plays the "
        "recording. Default: none.",
        panel=INPUT,
    )
    vocals_offset: float | None = option(
        None,
        "Second of the recording at which --vocals and the stems of --sing begin; may be "
        "negative. Default: they begin with it and have the same length.",
        panel=INPUT,
        low=-1e6,
        high=1e6,
    )


@dataclass(frozen=True, kw_only=True)
class Singing:
    """Who sings in a picture of several faces, and when."""

    sing: list[str] | None = option(
        None,
        "A face, counted from the left; the stem that its mouth follows; after a colon, its "
        "style. Repeat it for each singer (--sing 1=lead.wav --sing 2=low.wav:lively). The video "
        "plays the recording. Default: one face follows the recording.",
        panel=INPUT,
        metavar="N=STEM[:STYLE]",
    )
    cues: Path | None = option(
        None,
        "Lyrics with times (.lrc, .srt): a mouth opens only in its own lines, and the lines "
        "become the video's subtitles. A line may begin with the face that sings it, as in 1: or "
        "1+2:. Default: none.",
        panel=INPUT,
    )


@dataclass(frozen=True, kw_only=True)
class Separation:
    """What takes the voice out of a recording."""

    separate: Separate = option(
        Separate.AUTO,
        "How the voice is separated from music or noise. `auto` uses `spleeter` if music plays "
        "behind the voice, else the `filter`; with `off` all sound counts as voice.",
        panel=INPUT,
    )
