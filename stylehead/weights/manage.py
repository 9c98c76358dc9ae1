"""What a user does with model files: list, check, remove, export and import them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from stylehead.weights.manifest import WeightsEntry
from stylehead.weights.profiles import PROFILES
from stylehead.weights.store import folder, is_there, named, place_of, read_manifest

SHORT = ("name", "MB", "here", "licence", "what it is for")


def seems_here(entry: WeightsEntry) -> bool:
    """Return whether a file is here, as far as its size tells; nothing is hashed."""
    path = place_of(entry)
    return path.is_file() and entry.bytes in (None, path.stat().st_size)


def described(entry: WeightsEntry) -> dict[str, object]:
    """Return what the list says of one file, for JSON."""
    return {
        "name": entry.name,
        "profile": entry.profile,
        "file": entry.file,
        "path": str(place_of(entry)),
        "bytes": entry.size,
        "here": seems_here(entry),
        "verifiable": entry.sha256 is not None,
        "licence": entry.licence,
        "commercial": entry.commercial,
        "origin": entry.origin,
        "role": entry.role,
    }


def cells(entry: WeightsEntry) -> tuple[str, ...]:
    """Return the texts of one line of the list."""
    size, here = _size_and_place(entry)
    return entry.name, entry.profile, size, here, entry.licence, entry.commercial, entry.role


def short_cells(entry: WeightsEntry) -> tuple[str, ...]:
    """Return the texts under SHORT, for a terminal."""
    terms = {"yes": "", "no": ", not commercial", "unknown": ", commercial unclear"}
    licence = entry.licence.split(";")[0] + terms[entry.commercial]
    return entry.name, *_size_and_place(entry), licence, entry.role


def _size_and_place(entry: WeightsEntry) -> tuple[str, str]:
    size = "?" if entry.size is None else f"{entry.size / MEGABYTE:.1f}"
    return size, "yes" if seems_here(entry) else "no" if entry.sha256 else "no, unverified"


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
            remedy="Do not ask for these files, or leave out --commercial-only.",
        )


def intact_path(entry: WeightsEntry) -> Path:
    """Return where an entry's intact file is; nothing is fetched."""
    if not is_there(entry):
        raise _missing(entry)
    return place_of(entry)


def _missing(entry: WeightsEntry) -> WeightsError:
    remedy = f"Download it: stylehead weights get {entry.name}"
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
            problems.append(f"{path} cannot be checked, since no sha256 is published for it")
        elif entry.embedded:
            problems.append(f"{path} is damaged")
        else:
            aside = set_aside(path, path)
            problems.append(f"{path} has a wrong sha256 and is set aside as {aside.name}")
    if problems:
        raise WeightsError(
            f"Not all of {len(entries)} model files are intact: {'; '.join(problems)}.",
            remedy="Run stylehead weights get NAME; for files of the package, install stylehead "
            "again with pip.",
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
