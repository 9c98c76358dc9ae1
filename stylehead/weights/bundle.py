"""Offline bundles: model files in one zip, to be carried to a machine without a connection."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stylehead.errors import WeightsError
from stylehead.files import atomic, check_file, digest
from stylehead.progress import Reporter
from stylehead.weights.cache import (
    FileProgress,
    check_room,
    copy,
    incoming,
    is_intact,
    locked,
    matches,
    put_in_place,
    unverified,
)
from stylehead.weights.manifest import WeightsEntry

FOLDER = "weights/"
"""Where a bundle keeps its files."""
CONTENTS = "CONTENTS.txt"


def write_bundle(
    path: Path, entries: Sequence[WeightsEntry], folder: Path, *, reporter: Reporter
) -> None:
    """Write intact files into a bundle. Raises WeightsError for one that is missing or damaged."""
    for entry in entries:
        if not is_intact(entry, folder / entry.file):
            raise WeightsError(
                f"{folder / entry.file} is missing or damaged.",
                remedy=f"Download it first: stylehead weights get {entry.name}",
            )
    reporter.start("Packing", len(entries))
    # Stored, not packed: numbers of networks hardly shrink.
    with atomic(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr(CONTENTS, "".join(_described(entry) for entry in entries))
        for entry in entries:
            bundle.write(folder / entry.file, FOLDER + entry.file)
            reporter.advance()


def _described(entry: WeightsEntry) -> str:
    return (
        f"{entry.file}\n  licence: {entry.licence} (commercial use: {entry.commercial})\n"
        f"  from: {entry.origin}\n  sha256: {entry.sha256 or 'not published'}\n"
    )


def read_bundle(
    path: Path,
    entries: Mapping[str, WeightsEntry],
    folder: Path,
    *,
    allow_unverified: bool,
    reporter: Reporter,
) -> list[WeightsEntry]:
    """Take a bundle's files into the folder and return their entries.

    A file goes where weights.toml says and nowhere else, whatever the bundle calls it, and only
    when its size and sha256 are right. What is there already is left alone.
    """
    check_file(path, "bundle")
    try:
        with zipfile.ZipFile(path) as bundle:
            members = _known(bundle, path, entries.values(), allow_unverified=allow_unverified)
            for entry, member in members:
                with locked(folder, entry.file, reporter):
                    if not is_intact(entry, folder / entry.file):
                        _unpack(bundle, path, entry, member, folder, reporter)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise _refused(path, str(error)) from error
    return [entry for entry, _ in members]


def _known(
    bundle: zipfile.ZipFile,
    path: Path,
    entries: Iterable[WeightsEntry],
    *,
    allow_unverified: bool,
) -> list[tuple[WeightsEntry, zipfile.ZipInfo]]:
    """Return what the bundle holds; anything that weights.toml does not list stops it."""
    by_name = {FOLDER + entry.file: entry for entry in entries if not entry.embedded}
    found: dict[str, tuple[WeightsEntry, zipfile.ZipInfo]] = {}
    for info in bundle.infolist():
        if info.filename == CONTENTS:
            continue
        entry = by_name.get(info.filename)
        if entry is None:
            raise _refused(path, f"{info.filename!r} is no file that weights.toml lists")
        if entry.bytes not in (None, info.file_size):
            raise _refused(path, f"{entry.file} has {info.file_size} bytes, not {entry.bytes}")
        if entry.sha256 is None and not allow_unverified:
            raise unverified(entry)
        found[entry.name] = (entry, info)
    if not found:
        raise _refused(path, "it holds no model file")
    return list(found.values())


def _unpack(
    bundle: zipfile.ZipFile,
    path: Path,
    entry: WeightsEntry,
    member: zipfile.ZipInfo,
    folder: Path,
    reporter: Reporter,
) -> None:
    # Not the name of a download's part: that one may be half there and worth keeping.
    part = incoming(folder) / f"{entry.file}.bundled"
    check_room(folder, member.file_size)
    try:
        with bundle.open(member) as file:
            copy(file, part, FileProgress(f"Unpacking {entry.file}", member.file_size, reporter))
        sha256 = digest(part)
        if not matches(entry, sha256):
            raise _refused(path, f"{entry.file} has the wrong sha256 {sha256[:12]}")
        put_in_place(entry, part, folder / entry.file, sha256)
    finally:
        part.unlink(missing_ok=True)


def _refused(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"{path} is not a bundle that can be used ({reason}).",
        remedy="Make it again with stylehead weights export.",
    )
