"""The folder of fetched model files, and its lock."""

from __future__ import annotations

import glob
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from stylehead.errors import WeightsError
from stylehead.files import digest
from stylehead.weights.manifest import WeightsEntry
from stylehead.weights.partial import StoppedError, disk_trouble, not_written

INCOMING = ".incoming"
"""Sub-folder for files on their way in."""


def incoming(folder: Path) -> Path:
    """Make the folder for files on their way in, and return it."""
    path = folder / INCOMING
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"The model folder {folder} cannot be made ({error.strerror}).",
            remedy="Set STYLEHEAD_HOME to a folder you can write to.",
        ) from error
    return path


def is_intact(entry: WeightsEntry, path: Path) -> bool:
    """Return whether a file is there and is what it should be.

    A file whose sha256 nobody has published must be the one that the user once allowed.
    """
    wanted = entry.sha256 or recorded(path)
    if wanted is None or not path.is_file():
        return False
    if entry.bytes is not None and path.stat().st_size != entry.bytes:
        return False
    return known_digest(path) == wanted


def known_digest(path: Path) -> str:
    """Return a file's sha256, computed once in a process as long as the file does not change."""
    about = path.stat()
    return _digest(path, about.st_size, about.st_mtime_ns, about.st_ino)


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
    with disk_trouble(_record(path)):
        _record(path).write_text(f"{sha256}  {path.name}\n", encoding="utf-8")


def adopt(entry: WeightsEntry, path: Path) -> None:
    """AlignedFeatures a file that the user put there as what it should be, where nothing else can tell."""
    if entry.sha256 is None and path.is_file() and recorded(path) is None:
        sha256 = digest(path)
        if sha256.startswith(entry.sha256_start or ""):
            record(path, sha256)


def converted(path: Path) -> Path:
    """Return where the safetensors form of a checkpoint lies."""
    return path.with_name(f"{path.name}.safetensors")


def quarantine(path: Path, name: str, sha256: str) -> Path:
    """Put a wrong file aside under a name that nothing loads; return that name."""
    aside = path.with_name(f"{name}.wrong-{sha256[:12]}")
    if path.parent.name == INCOMING:
        aside = path.parent.with_name(aside.name)
    with disk_trouble(aside):
        path.replace(aside)
    return aside


def traces(folder: Path, entry: WeightsEntry) -> Iterator[Path]:
    """Yield every file that an entry has left in the folder."""
    path = folder / entry.file
    candidates = [path, _record(path), converted(path), _record(converted(path))]
    candidates += sorted(folder.glob(f"{glob.escape(entry.file)}.wrong-*"))
    candidates += [folder / INCOMING / f"{entry.file}.part"]
    yield from (each for each in candidates if each.is_file() or each.is_symlink())


def unverified(entry: WeightsEntry) -> WeightsError:
    """Return the refusal of a file that cannot be checked."""
    return WeightsError(
        f"No sha256 is published for {entry.file}, so it cannot be checked.",
        remedy=f"If you trust its origin ({entry.origin}), run: "
        f"stylehead weights get {entry.name} --allow-unverified",
    )


LOOK_UP = 0.2
"""Seconds between two looks at whether the program is leaving."""


@contextmanager
def alone(
    folder: Path, file: str, *, say: Callable[[str], None], leaving: threading.Event
) -> Generator[None]:
    """Hold the lock of one file in the folder; a second process waits here, and is told so.

    Raises StoppedError when the program leaves meanwhile.
    """
    path = incoming(folder) / f"{file}.lock"
    lock = FileLock(path)
    told = False
    while True:
        try:
            lock.acquire(timeout=LOOK_UP)
            break
        except Timeout:  # itself an OSError
            if leaving.is_set():
                raise StoppedError from None
            if not told:
                say(f"Another process is bringing {file}; waiting for it.")
                told = True
        except OSError as error:
            raise not_written(path, error) from error
    try:
        yield
    finally:
        lock.release()
