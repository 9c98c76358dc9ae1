"""The folder of fetched model files: what is intact in it, its locks, its disk."""

from __future__ import annotations

import glob
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from stylehead.errors import WeightsError
from stylehead.files import digest
from stylehead.files.locks import lock
from stylehead.progress import Reporter

if TYPE_CHECKING:
    from stylehead.weights.manifest import WeightsEntry

INCOMING = ".incoming"
"""Sub-folder for files on their way in."""
MEGABYTE = 1_000_000
BLOCK = 1 << 20  # bytes
SPARE = 50 * MEGABYTE
"""What a download leaves free on the disk."""


def incoming(folder: Path) -> Path:
    """Make the folder for files on their way in, and return it."""
    path = folder / INCOMING
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"The model folder {folder} cannot be created ({error.strerror}).",
            remedy="Set STYLEHEAD_HOME to a folder you can write to.",
        ) from error
    return path


def partial(folder: Path, entry: WeightsEntry) -> Path:
    """Return where an entry's bytes are kept until they are whole; it outlives the process."""
    return folder / INCOMING / f"{entry.file}.part"


# ---- what is there --------------------------------------------------------------------------


def is_intact(entry: WeightsEntry, path: Path) -> bool:
    """Return whether a file is there and is what it should be.

    A file whose sha256 nobody has published must be the one that the user once allowed.
    """
    expected = entry.sha256 or recorded(path)
    if expected is None or not path.is_file():
        return False
    if entry.bytes is not None and path.stat().st_size != entry.bytes:
        return False
    return known_digest(path) == expected


def known_digest(path: Path) -> str:
    """Return a file's sha256, computed once in a process as long as the file does not change."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


@cache
def _digest(path: Path, *_: int) -> str:
    return digest(path)


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def recorded(path: Path) -> str | None:
    """Return the sha256 that was noted for a file here, or None."""
    try:
        words = _record(path).read_text(encoding="utf-8").split()
    except OSError:
        return None
    return words[0] if words else None


def record(path: Path, sha256: str) -> None:
    """Note a file's sha256 beside it, in the form that sha256sum reads."""
    with writing(_record(path)):
        _record(path).write_text(f"{sha256}  {path.name}\n", encoding="utf-8")


def matches(entry: WeightsEntry, sha256: str) -> bool:
    """Return whether a sha256 is the entry's, as far as that is known."""
    return sha256.startswith(entry.sha256 or entry.sha256_start or "")


def accept(entry: WeightsEntry, path: Path) -> None:
    """Note the sha256 of a file that the user put there, where no sha256 is published."""
    if entry.sha256 is None and path.is_file() and recorded(path) is None:
        sha256 = digest(path)
        if matches(entry, sha256):
            record(path, sha256)


def put_in_place(entry: WeightsEntry, part: Path, path: Path, sha256: str) -> None:
    """Give checked bytes their name, all at once."""
    with writing(path):
        if entry.sha256 is None:
            record(path, sha256)
        part.replace(path)


def set_aside(file: Path, path: Path) -> Path:
    """Move a file that should be what belongs at `path`, and is not, to a name nothing loads.

    Returns that name.
    """
    aside = path.with_name(f"{path.name}.wrong-{digest(file)[:12]}")
    with writing(aside):
        file.replace(aside)
    return aside


def converted(path: Path) -> Path:
    """Return where the safetensors form of a checkpoint lies."""
    return path.with_name(f"{path.name}.safetensors")


def files_of(folder: Path, entry: WeightsEntry) -> Iterator[Path]:
    """Yield every file that an entry has left in the folder."""
    path = folder / entry.file
    candidates = [path, _record(path), converted(path), _record(converted(path))]
    candidates += sorted(folder.glob(f"{glob.escape(entry.file)}.wrong-*"))
    candidates += [partial(folder, entry)]
    yield from (file for file in candidates if file.is_file() or file.is_symlink())


def unverified(entry: WeightsEntry) -> WeightsError:
    """Return the refusal of a file that cannot be checked."""
    return WeightsError(
        f"No sha256 is published for {entry.file}, so it cannot be checked.",
        remedy=f"If you trust its origin ({entry.origin}), run: "
        f"stylehead weights get {entry.name} --allow-unverified",
    )


# ---- the disk -------------------------------------------------------------------------------


@contextmanager
def locked(folder: Path, file: str, reporter: Reporter) -> Generator[None]:
    """Hold the lock of one file in the folder; a second process waits here, and the user knows."""
    path = incoming(folder) / f"{file}.lock"
    held = lock(path)
    try:
        held.acquire(blocking=False)
    except TimeoutError:  # itself an OSError
        reporter.say(f"Another process is downloading {file}; waiting for it.")
        held.acquire()
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Turn a disk's failure into one for the user, apart from those of the network."""
    try:
        yield
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> WeightsError:
    return WeightsError(
        f"{path} cannot be written ({error.strerror or error}).",
        remedy="Free some space, or set STYLEHEAD_HOME to a folder you can write to.",
    )


def check_room(folder: Path, size: int) -> None:
    """Raise WeightsError when the disk of a folder cannot take so many more bytes."""
    free, needed = shutil.disk_usage(folder).free, size + SPARE
    if free < needed:
        raise WeightsError(
            f"{folder} has only {free / MEGABYTE:.0f} MB free, "
            f"{needed / MEGABYTE:.0f} MB are needed.",
            remedy="Free some space, or set STYLEHEAD_HOME to a folder on another disk.",
        )


class FileProgress:
    """Tells a reporter how many megabytes of one file have come."""

    def __init__(self, stage: str, size: int | None, reporter: Reporter) -> None:
        self._reporter = reporter
        self._megabytes = 0
        reporter.start(f"{stage}, MB", None if size is None else max(1, round(size / MEGABYTE)))

    def reached(self, position: int) -> None:
        """Note how many bytes are there; going back counts nothing twice."""
        while self._megabytes < position // MEGABYTE:
            self._megabytes += 1
            self._reporter.advance()


def copy(source: IO[bytes], part: Path, progress: FileProgress) -> None:
    """Write an open file's bytes into a partial one."""
    with writing(part), part.open("wb") as file:
        while block := source.read(BLOCK):
            file.write(block)
            progress.reached(file.tell())
