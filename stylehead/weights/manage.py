"""What a user does with model files: list, check, remove, export and import them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stylehead import files
from stylehead.errors import WeightsError
from stylehead.progress import Reporter, track
from stylehead.weights.bundle import read_bundle, write_bundle
from stylehead.weights.cache import (
    MEGABYTE,
    files_of,
    is_intact,
    recorded,
    set_aside,
    writing,
)
from stylehead.weights.manifest import PROFILES, WeightsEntry
from stylehead.weights.store import folder, is_there, named, place_of, read_manifest

SHORT = ("name", "MB", "here", "licence", "what it is for")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    name: str
    profile: str
    file: str
    path: str
    bytes: int | None
    """Exact or rounded size; None when unknown."""
    here: bool
    verifiable: bool
    """False where nobody has published a sha256."""
    licence: str
    commercial: str
    origin: str
    role: str

    def as_dict(self) -> dict[str, object]:
        """Return the fields, for JSON."""
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """Return the texts of a line."""
        size, here = self._size_and_place()
        return self.name, self.profile, size, here, self.licence, self.commercial, self.role

    def short_cells(self) -> tuple[str, ...]:
        """Return the texts under SHORT, for a terminal."""
        terms = {"yes": "", "no": ", not commercial", "unknown": ", commercial unclear"}
        licence = self.licence.split(";")[0] + terms[self.commercial]
        return self.name, *self._size_and_place(), licence, self.role

    def _size_and_place(self) -> tuple[str, str]:
        size = "?" if self.bytes is None else f"{self.bytes / MEGABYTE:.1f}"
        return size, "yes" if self.here else "no" if self.verifiable else "no, unverified"


def overview(entries: Iterable[WeightsEntry]) -> list[Row]:
    """Return the list; whether a file is here is told by its size, not by its hash."""
    return [
        Row(
            name=entry.name,
            profile=entry.profile,
            file=entry.file,
            path=str(place_of(entry)),
            bytes=entry.size,
            here=_seems_here(entry),
            verifiable=entry.sha256 is not None,
            licence=entry.licence,
            commercial=entry.commercial,
            origin=entry.origin,
            role=entry.role,
        )
        for entry in entries
    ]


def _seems_here(entry: WeightsEntry) -> bool:
    path = place_of(entry)
    return path.is_file() and entry.bytes in (None, path.stat().st_size)


def chosen(names: Sequence[str] | None, profiles: Sequence[str]) -> list[WeightsEntry]:
    """Return the entries of names and profiles, each once, in the list's order."""
    entries = read_manifest()
    for profile in profiles:
        if profile not in PROFILES:
            raise WeightsError(
                f"There is no profile {profile!r}.", remedy=f"Use one of: {', '.join(PROFILES)}."
            )
    selected = {named(name, entries).name for name in names or ()}
    return [e for e in entries.values() if e.name in selected or e.profile in profiles]


def check_commercial(entries: Iterable[WeightsEntry]) -> None:
    """Raise WeightsError when any file's licence is not known to allow commercial use."""
    barred = [entry for entry in entries if entry.commercial != "yes"]
    if barred:
        listed = ", ".join(f"{e.name} ({e.licence}: {e.commercial})" for e in barred)
        raise WeightsError(
            f"Not cleared for commercial use: {listed}.",
            remedy="Leave these out, or leave out --commercial-only.",
        )


def found(entry: WeightsEntry) -> Path:
    """Return where an entry's intact file is; nothing is fetched."""
    if not is_there(entry):
        raise _missing(entry)
    return place_of(entry)


def _missing(entry: WeightsEntry) -> WeightsError:
    remedy = f"Fetch it: stylehead weights get {entry.name}"
    if entry.embedded:
        remedy = "Install stylehead again with pip."
    return WeightsError(f"{place_of(entry)} is missing or damaged.", remedy=remedy)


def verify(
    entries: Sequence[WeightsEntry], *, needed: bool, reporter: Reporter
) -> list[WeightsEntry]:
    """Hash the files that are here; return the intact ones.

    Fetched files that are damaged are set aside. Raises WeightsError when any is damaged, or
    missing although `needed`.
    """
    good: list[WeightsEntry] = []
    problems: list[str] = []
    for entry in track(entries, "Checking", len(entries), reporter):
        path = place_of(entry)
        if not path.is_file():
            if needed or entry.embedded:
                problems.append(f"{path} is missing")
        elif is_intact(entry, path):
            good.append(entry)
        elif entry.sha256 is None and recorded(path) is None:
            problems.append(f"{path} cannot be checked, for no sha256 is published")
        elif entry.embedded:
            problems.append(f"{path} is damaged")
        else:
            aside = set_aside(path, path)
            problems.append(f"{path} is not what it should be and is set aside as {aside.name}")
    if problems:
        raise WeightsError(
            f"Not all of {len(entries)} model files are intact: {'; '.join(problems)}.",
            remedy="Run stylehead weights get NAME; for files of the package, install it again.",
        )
    return good


def remove(entries: Iterable[WeightsEntry]) -> list[Path]:
    """Delete everything that fetched entries left in the folder; return what was deleted."""
    removed: list[Path] = []
    for entry in entries:
        if entry.embedded:
            raise WeightsError(
                f"{entry.file} is part of the package.",
                remedy="pip uninstall stylehead removes it.",
            )
        for path in files_of(folder(), entry):
            with writing(path):
                path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def export(
    bundle: Path,
    entries: Sequence[WeightsEntry],
    *,
    needed: bool,
    overwrite: bool,
    reporter: Reporter,
) -> None:
    """Write a bundle of fetched files; `needed` says that each of them must be there."""
    files.check_output(bundle, overwrite=overwrite, suffixes=(".zip",))
    fetched = [entry for entry in entries if not entry.embedded]
    if not needed:
        fetched = [entry for entry in fetched if is_there(entry)]
    if not fetched:
        raise WeightsError(
            f"There is nothing to put into {bundle}.", remedy="Run stylehead weights get first."
        )
    write_bundle(bundle, fetched, folder(), reporter=reporter)


def import_bundle(bundle: Path, *, allow_unverified: bool, reporter: Reporter) -> list[Path]:
    """Take a bundle's files and return where they are."""
    taken = read_bundle(
        bundle,
        read_manifest(),
        folder(),
        allow_unverified=allow_unverified,
        reporter=reporter,
    )
    return [place_of(entry) for entry in taken]
