"""A file on its way in: its bytes hashed as they come, its progress told, its failures named."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from stylehead.errors import WeightsError
from stylehead.progress import Reporter

MEGABYTE = 1_000_000
SPARE = 50 * MEGABYTE
"""What a download leaves free on the disk."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how often to ask again."""

    connect: float = 10.0
    """Seconds until a connection stands."""
    read: float = 20.0
    """Seconds without a byte."""
    slowest: float = 2_000.0
    """Bytes a second; a source below it over a whole window is left for the next one."""
    window: float = 20.0
    """Seconds."""
    rounds: int = 5
    """Times that every source is asked; those that say no for good are asked once."""
    first_pause: float = 1.0
    """Seconds between the first two rounds; each pause is twice the one before."""
    longest_pause: float = 60.0
    """Seconds; also what a busy server may ask for."""
    continuations: int = 20
    """Times that a broken connection is taken up again at once, while bytes still come."""


class SourceError(Exception):
    """A source did not give the file; another may, or the same one later."""

    def __init__(self, reason: str, *, final: bool = False, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.final = final
        """True when asking again is useless."""
        self.pause = pause
        """Seconds that the source asks to be left alone."""


class StoppedError(Exception):
    """The program is leaving; a worker thread must not hold it up."""


class Meter:
    """Counts the bytes of all files on their way in and reports whole megabytes."""

    def __init__(self, title: str, sizes: list[int | None], reporter: Reporter) -> None:
        known = [size for size in sizes if size is not None]
        total = max(1, round(sum(known) / MEGABYTE)) if len(known) == len(sizes) else None
        self._reporter = reporter
        self._lock = threading.Lock()
        self._reached: dict[str, int] = {}
        self._told = 0
        reporter.start(f"Fetching {title}, MB", total)

    def reached(self, name: str, position: int) -> None:
        """Note how far one file has come; going back counts nothing twice."""
        with self._lock:
            self._reached[name] = max(position, self._reached.get(name, 0))
            while self._told < sum(self._reached.values()) // MEGABYTE:
                self._told += 1
                self._reporter.advance()

    def say(self, message: str) -> None:
        """Tell the user one fact."""
        with self._lock:
            self._reporter.say(message)


class Part:
    """A partial file that outlives the process, so that a download can go on where it stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.tag = ""
        """What the server calls this version of the file."""
        self._hasher = hashlib.sha256()
        with disk_trouble(self.path):
            self._file = path.open("a+b")
            self._file.seek(0)
            while block := self._file.read(1 << 20):
                self._hasher.update(block)
                self.size += len(block)
        self.mixed = False
        """Whether the first bytes came in another try, perhaps from another source."""

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with disk_trouble(self.path):
            self._file.close()
            if not self.size:
                self.path.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """Hash of the bytes so far, in hexadecimal."""
        return self._hasher.hexdigest()

    def write(self, block: bytes) -> None:
        """Append some bytes."""
        with disk_trouble(self.path):
            self._file.write(block)
        self._hasher.update(block)
        self.size += len(block)

    def restart(self) -> None:
        """Drop what is there."""
        with disk_trouble(self.path):
            self._file.seek(0)
            self._file.truncate()
        self._hasher, self.size, self.mixed = hashlib.sha256(), 0, False

    def finish(self) -> None:
        """Write everything to the disk."""
        with disk_trouble(self.path):
            self._file.flush()

    def check_room(self, bytes_to_come: int) -> None:
        """Raise WeightsError when the disk cannot take what is still to come."""
        if free_bytes(self.path.parent) < bytes_to_come + SPARE:
            raise lacks_room(self.path.parent.parent, bytes_to_come + SPARE)

    def move_to(self, path: Path) -> None:
        """Move what is there to another name in the same folder tree, and start anew."""
        with disk_trouble(path):
            self._file.close()
            self.path.replace(path)
            self._file = self.path.open("a+b")
        self.restart()


def free_bytes(folder: Path) -> int:
    """Return what the disk of a folder still takes."""
    return shutil.disk_usage(folder).free


def lacks_room(folder: Path, needed: int) -> WeightsError:
    """Return the failure of a disk that is too full."""
    return WeightsError(
        f"{folder} has only {free_bytes(folder) / MEGABYTE:.0f} MB free, "
        f"{needed / MEGABYTE:.0f} MB are needed.",
        remedy="Make room, or set STYLEHEAD_HOME to a folder on another disk.",
    )


@contextmanager
def disk_trouble(path: Path) -> Generator[None]:
    """Turn a disk's failure into one for the user, apart from those of the network."""
    try:
        yield
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> WeightsError:
    """Return the failure of a file that the disk does not take."""
    return WeightsError(
        f"{path} cannot be written ({error.strerror or error}).",
        remedy="Make room, or set STYLEHEAD_HOME to a folder you can write to.",
    )
