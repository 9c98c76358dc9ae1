"""A plain log of one run: what was said and when, and by which versions."""

from __future__ import annotations

import logging
import platform
import re
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import TextIO

from stylehead.errors import MediaError
from stylehead.version import __version__

FIRST = "stylehead log"
"""How each run's first line begins: only a file that starts so is gone on with."""
LIBRARIES = ("torch", "numpy", "av", "mediapipe")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class _Log(logging.Handler):
    """Writes lines to a file once one is open; before that, nothing happens."""

    def __init__(self) -> None:
        super().__init__()
        self._file: TextIO | None = None

    def start(self, path: Path) -> None:
        """Begin a run's part at the end of a file; raises MediaError for one that is no log."""
        try:
            if path.exists() and not _is_log(path):
                raise MediaError(
                    f"{path} is no log, and would be written into.", remedy="Choose another name."
                )
            self._file = path.open("a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise MediaError(
                f"{path} cannot be written ({error.strerror}).",
                remedy="Choose a folder you can write to.",
            ) from error
        libraries = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
        self._file.write(f"{FIRST} of {__version__}, Python {platform.python_version()}\n")
        self.note(f"{libraries}; {platform.platform()}")
        self.note(shlex.join(["stylehead", *sys.argv[1:]]))
        logging.getLogger().addHandler(self)

    def note(self, text: str) -> None:
        """Write one line, with the time; what moves a terminal's cursor is left out."""
        if self._file is not None:
            now = datetime.now().astimezone().isoformat(timespec="seconds")
            self._file.write(f"{now} {CONTROL.sub(' ', text)}\n")
            self._file.flush()  # a run that is killed leaves what it said

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message of the library."""
        self.note(f"{record.name}: {record.getMessage()}")

    def end(self, code: object) -> None:
        """End a run's part."""
        self.note(f"Ended with exit code {code}.")
        logging.getLogger().removeHandler(self)
        if self._file is not None:
            self._file.close()
            self._file = None


LOG = _Log()


def _is_log(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(len(FIRST))
    return start in (b"", FIRST.encode())


def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow, and only logs need it

    try:
        return version(library)
    except PackageNotFoundError:  # installed in another way
        return "of unknown version"
