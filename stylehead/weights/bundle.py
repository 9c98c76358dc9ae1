"""Offline bundles: model files in one zip, to be carried to a machine without a connection."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stylehead.errors import WeightsError
from stylehead.files import atomic, check_file
from stylehead.progress import Reporter
from stylehead.weights.cache import alone, incoming, is_intact, record, unverified
from stylehead.weights.manifest import WeightsEntry
from stylehead.weights.partial import Meter, Part, disk_trouble

FOLDER = "weights/"
"""Where a bundle keeps its files."""
CONTENTS = "CONTENTS.txt"
BLOCK = 1 << 20


def write_bundle(
    path: Path, entries: Sequence[WeightsEntry], folder: Path, *, reporter: Reporter
) -> None:
    """Write intact files into a bundle. Raises WeightsError for one that is missing or damaged."""
    for entry in entries:
        if not is_intact(entry, folder / entry.file):
            raise WeightsError(
                f"{folder / entry.file} is missing or damaged.",
                remedy=f"Fetch it first: stylehead weights get {entry.name}",
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
    """AlignedFeatures a bundle's files into the folder and return their entries.

    A file goes where weights.toml says and nowhere else, whatever the bundle calls it, and only
    when its size and sha256 are right. What is there already is left alone.
    """
    check_file(path, "bundle")
    try:
        with zipfile.ZipFile(path) as bundle:
            found = _known(bundle, path, entries.values(), allow_unverified=allow_unverified)
            wanting = [each for each in found if not is_intact(each[0], folder / each[0].file)]
            if wanting:
                title = path.name
                meter = Meter(title, [info.file_size for _, info in wanting], reporter)
                for entry, info in wanting:
                    with alone(folder, entry.file, say=meter.say, leaving=threading.Event()):
                        _take(bundle, path, entry, info, folder, meter)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise _refused(path, str(error)) from error
    return [entry for entry, _ in found]


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


def _take(
    bundle: zipfile.ZipFile,
    path: Path,
    entry: WeightsEntry,
    info: zipfile.ZipInfo,
    folder: Path,
    meter: Meter,
) -> None:
    # Not the name of a download's part: that one may be half there and worth keeping.
    with Part(incoming(folder) / f"{entry.file}.bundled") as part:
        try:
            part.restart()
            part.check_room(info.file_size)
            with bundle.open(info) as file:
                while block := file.read(BLOCK):
                    part.write(block)
                    meter.reached(entry.name, part.size)
            part.finish()
            if not part.sha256.startswith(entry.sha256 or entry.sha256_start or ""):
                raise _refused(path, f"{entry.file} has the wrong sha256 {part.sha256[:12]}")
            with disk_trouble(folder / entry.file):
                if entry.sha256 is None:
                    record(folder / entry.file, part.sha256)
                part.path.replace(folder / entry.file)
        finally:
            part.path.unlink(missing_ok=True)


def _refused(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"{path} is not a bundle that can be used ({reason}).",
        remedy="Make it again with stylehead weights export.",
    )
