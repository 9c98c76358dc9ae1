"""The options of `animate` as fields of a form, read where the command line reads them."""

from __future__ import annotations

import contextlib
import math
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from stylehead.errors import ConfigError
from stylehead.media.image import read_colour
from stylehead.options import Effort, Options

ELSEWHERE = {
    "sing": "the faces of the picture have voices of their own",
    "overwrite": "each job has a folder of its own",
    "format": "there is no standard output",
    "encoder_args": "they could read and write any file",
    "sign_key": "a private key stays where it is",
    "sign_cert": "it belongs to a private key",
}
"""Options without a field in the form, and why."""
Uploaded = Callable[[object, str], Path]
"""Returns the file of an upload; raises ConfigError for anything else, naming what it is for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An option as a field of a form."""

    name: str
    label: str
    help: str
    panel: str
    default: Any
    kind: type
    """bool, int, float, str, Path, or an Enum."""
    optional: bool
    low: float | None
    high: float | None
    file: bool
    """Whether a text may be a file as well."""
    reads: Callable[[str], Any] | None
    """Makes a value of what is said, for a text that is no text."""

    def as_json(self) -> dict[str, Any]:
        """Return what a program has to know."""
        choices = [each.value for each in self.kind] if issubclass(self.kind, Enum) else None
        return {
            "name": self.name,
            "help": self.help,
            "default": self.default.value if isinstance(self.default, Enum) else self.default,
            "type": "file" if self.kind is Path else "text" if choices else self.kind.__name__,
            "choices": choices,
            "low": self.low,
            "high": self.high,
        }


def entries() -> Iterator[Entry]:
    """Yield all options that the form shows, in the order of the help's panels."""
    for group in (Options, Effort):
        hints = get_type_hints(group)
        for one in fields(group):
            if one.name not in ELSEWHERE:
                yield _entry(one, hints[one.name])


def _entry(one: Field[Any], hint: Any) -> Entry:
    about = one.metadata
    united = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kind = next(part for part in united if part is not type(None))
    return Entry(
        name=one.name,
        label=one.name.replace("_", " ").capitalize(),
        help=about["help"],
        panel=about["panel"],
        default=one.default,
        kind=str if about["reads"] else kind,
        optional=type(None) in united,
        low=about["low"],
        high=about["high"],
        file="FILE" in (about["metavar"] or ""),
        reads=about["reads"],
    )


def read(values: Mapping[str, object], uploaded: Uploaded) -> tuple[Options, Effort]:
    """Return the options of a filled form; what is None or left out has its default.

    Files are taken from uploads alone. Raises ConfigError for what is not an option, or a value
    that does not fit.
    """
    known = {entry.name: entry for entry in entries()}
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            why = ELSEWHERE.get(name)
            raise ConfigError(
                f"{name} is no option of the page{f': {why}' if why else ''}.",
                remedy=f"Use some of {', '.join(known)}.",
            )
        if value is not None and value != "":
            read[name] = _value(known[name], value, uploaded)
    effort = {one.name: read.pop(one.name) for one in fields(Effort) if one.name in read}
    return Options(**read), Effort(**effort)


def _value(entry: Entry, value: object, uploaded: Uploaded) -> Any:
    if entry.reads:
        try:
            return entry.reads(str(value))
        except ValueError as error:
            raise _unfit(entry, value, f"another: {error}") from error
    if entry.kind is Path:
        return uploaded(value, entry.label)
    if entry.kind is str:
        return _text(entry, value, uploaded)
    if entry.kind is bool:
        if isinstance(value, bool):
            return value
        raise _unfit(entry, value, "true or false")
    if issubclass(entry.kind, Enum):
        choices = [each.value for each in entry.kind]
        if value in choices:
            return entry.kind(value)
        raise _unfit(entry, value, f"one of {', '.join(choices)}")
    return _number(entry, value)


def _text(entry: Entry, value: object, uploaded: Uploaded) -> str:
    if not entry.file:
        if isinstance(value, str):
            return value
        raise _unfit(entry, value, "a text")
    if isinstance(value, str) and read_colour(value) is not None:
        return value
    return str(uploaded(value, entry.label))


def _number(entry: Entry, value: object) -> float:
    whole = entry.kind is int
    if isinstance(value, str):  # of a field that may stay empty
        with contextlib.suppress(ValueError):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and value % 1):
        raise _unfit(entry, value, "a whole number" if whole else "a number")
    try:
        if not math.isfinite(value):
            raise OverflowError
        number = entry.kind(value)
    except OverflowError as error:
        raise _unfit(entry, value, "a smaller number") from error
    if entry.low is not None and not value >= entry.low:
        raise _unfit(entry, value, f"at least {entry.low:g}")
    if entry.high is not None and not value <= entry.high:
        raise _unfit(entry, value, f"at most {entry.high:g}")
    return number


def _unfit(entry: Entry, value: object, wanted: str) -> ConfigError:
    return ConfigError(f"{entry.label} cannot be {value!r}.", remedy=f"Give {wanted}.")
