"""Options of learning a style."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stylehead.options.choices import StyleEffort, option
from stylehead.options.motion import Encoding
from stylehead.options.shared import INPUT, Overwrite
from stylehead.options.sound import Separation


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
        "How far any voice is moved towards this person's own sounds: 0 not at all, 1 fully.",
        low=0,
        high=1,
    )
    steps: int = option(
        200,
        "Number of tuning steps; a higher number continues a refused or stopped run.",
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
        "the style, removed when the style is written.",
    )
    force: bool = option(
        False,
        "Write the style even if it fails the test; without tuning again if it was refused before.",
    )


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much work the style of a clip gets."""

    style_effort: StyleEffort = option(
        StyleEffort.NORMAL,
        "How much is learned from a clip: `fast` learns how far and how fast its person moves; "
        "`normal` also how they shape sounds, in half a minute; `full` takes longer for that. How "
        "they shape sounds is used only if a test finds it closer to the clip.",
        panel=INPUT,
    )


DEFAULT_STYLE = "plain"
