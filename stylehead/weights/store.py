"""Model files by name: listed in weights.toml, embedded or fetched, verified, loaded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from stylehead.errors import WeightsError
from stylehead.progress import SILENT, Reporter
from stylehead.weights.cache import accept, is_intact, unverified

if TYPE_CHECKING:
    from torch import Tensor

    from stylehead.weights.manifest import WeightsEntry

PACKAGE = Path(__file__).resolve().parent.parent


def asset(name: str) -> Path:
    """Return the path of a file that ships inside the package."""
    return PACKAGE / "assets" / name


def demo_files() -> tuple[Path, Path]:
    """Return the paths of a portrait and of a recording to try with.

    The portrait is NASA's of Eileen Collins, public domain; the voice was made with the free
    synthesiser Flite (see examples/README.md).
    """
    return asset("demo_portrait.webp"), asset("demo_voice.ogg")


def read_manifest(path: Path | None = None) -> dict[str, WeightsEntry]:
    """Return the entries of weights.toml by name.

    A wheel carries the file inside the package; a checkout and an editable install have it
    one folder up.
    """
    from stylehead.weights.manifest import parse  # pydantic takes a while

    places = [path] if path else [PACKAGE / "weights.toml", PACKAGE.parent / "weights.toml"]
    for place in places:
        if place.is_file():
            return dict(parse(place.read_text(encoding="utf-8"), place))
    raise WeightsError(
        f"weights.toml is not at {places[-1]}.", remedy="Install stylehead again with pip."
    )


def home() -> Path:
    """Return the folder for fetched models and user styles; STYLEHEAD_HOME overrides it."""
    chosen = os.environ.get("STYLEHEAD_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("stylehead", False))


def folder() -> Path:
    """Return the folder of the fetched files."""
    return home() / "weights"


def place_of(entry: WeightsEntry) -> Path:
    """Return where an entry's file lies, or will lie."""
    return asset(entry.file) if entry.embedded else folder() / entry.file


def is_there(entry: WeightsEntry) -> bool:
    """Return whether an entry's file is there and intact."""
    return is_intact(entry, place_of(entry))


def resolve(
    name: str,
    *,
    allow_unverified: bool = False,
    manifest: Mapping[str, WeightsEntry] | None = None,
    reporter: Reporter = SILENT,
) -> Path:
    """Return the verified local file of one entry, fetching it when it is not there yet.

    Raises WeightsError for an unknown name, a damaged file, when no source answers, and for a
    file that cannot be checked unless that is allowed, once.
    """
    entry = named(name, read_manifest() if manifest is None else manifest)
    return get([entry], allow_unverified=allow_unverified, reporter=reporter)[0]


def load_state(
    name: str,
    section: str | None = None,
    *,
    allow_unverified: bool = False,
    manifest: Mapping[str, WeightsEntry] | None = None,
    reporter: Reporter = SILENT,
) -> dict[str, Tensor]:
    """Return one network's tensors, on the CPU in the file's dtype, from a verified file.

    Names come without the prefixes of the file. `section` names the network where a file holds
    several. A file listed as standing in for `name` serves when it is there, or when the first
    cannot be had.
    """
    from stylehead.weights import checkpoints
    from stylehead.weights.checkpoints import is_converted

    entries = read_manifest() if manifest is None else manifest
    entry = named(name, entries)
    path = place_of(entry)
    # A conversion was made from the intact file and is checked itself: no need to hash both.
    if not is_converted(entry, path):
        entry, path = _first_to_be_had(
            entry, entries, allow_unverified=allow_unverified, reporter=reporter
        )
    return checkpoints.load_state(entry, path, section)


def named(name: str, entries: Mapping[str, WeightsEntry]) -> WeightsEntry:
    """Return the entry of a name."""
    if name not in entries:
        raise WeightsError(
            f"weights.toml has no entry {name!r}.", remedy=f"Use one of: {', '.join(entries)}."
        )
    return entries[name]


def get(
    entries: Iterable[WeightsEntry],
    *,
    allow_unverified: bool = False,
    reporter: Reporter = SILENT,
) -> list[Path]:
    """Return the verified files of some entries, fetching those that are not there."""
    entries = list(entries)
    for entry in entries:
        if entry.embedded and not is_there(entry):
            raise WeightsError(
                f"{place_of(entry)} is missing or damaged.",
                remedy="Install stylehead again with pip.",
            )
        if allow_unverified:
            accept(entry, place_of(entry))
    wanting = [entry for entry in entries if not is_there(entry)]
    for entry in wanting:
        if entry.sha256 is None and not allow_unverified:
            raise unverified(entry)
    if wanting:
        from stylehead.weights.download import fetch  # loads a web client

        fetch(wanting, folder(), reporter=reporter)
    return [place_of(entry) for entry in entries]


def _first_to_be_had(
    entry: WeightsEntry,
    entries: Mapping[str, WeightsEntry],
    *,
    allow_unverified: bool,
    reporter: Reporter,
) -> tuple[WeightsEntry, Path]:
    """Return the entry, or another that holds the same networks, and its file."""
    choices = [entry, *(other for other in entries.values() if other.instead_of == entry.name)]
    for choice in choices:
        if is_there(choice):
            return choice, place_of(choice)
    failures: list[WeightsError] = []
    for choice in choices:
        if choice is entry or choice.sha256 or allow_unverified:
            try:
                got = get([choice], allow_unverified=allow_unverified, reporter=reporter)
                return choice, got[0]
            except WeightsError as failure:
                failures.append(failure)
    raise failures[0]
