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
