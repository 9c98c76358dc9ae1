"""Options that would change nothing beside others: one table, for the command line and Python."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stylehead.errors import ConfigError
from stylehead.media.formats import GIF
from stylehead.options import MotionOptions
from stylehead.options.shared import frame_rate

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When some options would be ignored."""

    names: str
    """The options' names in Python, between spaces."""
    when: Callable[[Values], bool]
    beside: str
    """What makes them useless, as it is said after `changes nothing`."""
    because: str = ""
    """Names of the options that do, where leaving those out helps."""
    excluded: bool = False
    """Whether one of both has to be chosen, rather than one left out."""
    zero: bool = False
    """Whether 0 may be said: it asks for what happens anyway."""


def _saved(given: Values) -> bool:
    return given.get("motion") is not None


def _songs(given: Values) -> bool:
    return bool(given.get("sing") or given.get("cues"))


def _gif(given: Values) -> bool:
    output, outside = given.get("output"), given.get("encoder_args")
    return output is not None and not outside and Path(output).suffix.lower() in GIF.endings


SAVED = "with --motion: a saved motion is rendered as it is"
HEAD = "beat posture phrasing"
RULES = (
    Rule(
        names="style style_region style_video",
        when=_saved,
        beside="with --motion",
        excluded=True,
        because="motion",
    ),
    Rule(
        names="style",
        when=lambda given: bool(given.get("style_video")),
        beside="with --style-video",
        excluded=True,
        because="style_video",
    ),
    Rule(
        names="json",
        when=lambda given: bool(given.get("json_lines")),
        beside="with --json-lines",
        excluded=True,
    ),
    Rule(
        names="save_motion save_patterns",
        when=_songs,
        beside="with --sing or --cues",
        excluded=True,
        because="sing cues",
    ),
    Rule(
        names="vocals sing cues vocals_offset separate encoder projection style_strength "
        "style_effort effort hold breath beat posture phrasing",
        when=_saved,
        beside=SAVED,
        because="motion",
    ),
    Rule(
        names="shapes",
        when=lambda given: _saved(given) and given.get("expression") == 1,
        beside=f"{SAVED}, unless --expression scales it",
        because="motion",
    ),
    Rule(
        names="seed",
        when=lambda given: _saved(given) and given.get("blinks_per_minute") is None,
        beside=f"{SAVED}, unless --blink gives it other blinks",
        because="motion",
    ),
    Rule(names="size", when=lambda given: not given.get("crop"), beside="without --crop"),
    Rule(
        names="vocals_offset",
        when=lambda given: not (given.get("vocals") or given.get("sing")),
        beside="without --vocals or --sing",
    ),
    Rule(
        names="sign_cert",
        when=lambda given: not given.get("sign_key"),
        beside="without --sign-key",
    ),
    Rule(names="mark", when=_gif, beside="in a GIF, which is never marked"),
    Rule(
        names="style_effort",
        when=lambda given: not given.get("style_video"),
        beside="without --style-video",
    ),
    Rule(
        names=f"pose {HEAD}",
        when=lambda given: bool(given.get("still")),
        beside="with --still",
        because="still",
        zero=True,
    ),
    Rule(
        names=HEAD,
        when=lambda given: given.get("pose") == 0,
        beside="with --pose 0",
        because="pose",
        zero=True,
    ),
    Rule(
        names="effort hold",
        when=lambda given: given.get("expression") == 0,
        beside="with --expression 0",
        because="expression",
        zero=True,
    ),
)
"""Who looks for what is missing here: `device`, `workers` and `overwrite` never change a result,
and what depends on the files themselves (a song for `hold`, a matte) is not known before they are
read. What numbers of faces exclude, `open_song` refuses."""


@dataclass(frozen=True, slots=True)
class Unused:
    """An option that would be ignored."""

    name: str
    rule: Rule
    because: tuple[str, ...]
    """Names of the options that are given and make it so."""
    off: bool
    """Whether it is switched off."""

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return f"--{'no-' if self.off else ''}{self.name.replace('_', '-')}"

    @property
    def said(self) -> str:
        """One sentence."""
        verb = "cannot be given together" if self.rule.excluded else "changes nothing"
        return f"{self.flag} {verb} {self.rule.beside}."


def unused(values: Values, given: Collection[str]) -> Iterator[Unused]:
    """Yield the options that change nothing, of all that are `given`, in the order of the table."""
    for rule in RULES:
        if rule.when(values):
            why = tuple(name for name in rule.because.split() if name in given)
            for name in rule.names.split():
                if name in given and not (rule.zero and values.get(name) == 0):
                    yield Unused(name, rule, why, values.get(name) is False)


def check_options(
    options: MotionOptions, *, saved: bool = False, output: Path | str | None = None
) -> None:
    """Raise ConfigError for a wrong frame rate, or an option that is given and would be ignored.

    saved: whether a saved motion is rendered. output: the video that is made.
    """
    try:
        frame_rate(options.fps)
    except ValueError as error:
        raise ConfigError(
            f"--fps is wrong: {error}.", remedy="Give 25, 29.97 or 24000/1001."
        ) from error
    values = {one.name: getattr(options, one.name) for one in fields(options)}
    given = {one.name for one in fields(options) if values[one.name] != one.default}
    for one in unused(values | {"motion": saved or None, "output": output}, given):
        raise ConfigError(f"{one.flag} changes nothing {one.rule.beside}.", remedy="Leave it out.")
