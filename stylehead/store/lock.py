"""One process at a time for each model file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stylehead.store.folder import incoming
from stylehead.store.incoming import StoppedError, not_written

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
