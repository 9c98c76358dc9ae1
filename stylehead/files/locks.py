"""What one process holds as long as it lives: locked files, and temporary folders."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ALIVE = "alive"
"""A file in a temporary folder that its process holds locked."""
PREFIX = "stylehead-"
YOUNG = 60  # seconds in which a new folder is left alone: its process may not have locked it yet


def lock(path: Path) -> Any:
    """Return filelock's lock of a file, which is made if it is not there; one process can hold it.

    Its methods are not typed all through.
    """
    from filelock import FileLock  # not for every command's start

    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


@contextmanager
def temporary_folder(use: str = "") -> Generator[Path]:
    """Yield a new temporary folder that goes with the block; `use` becomes part of its name.

    Those that killed processes have left are removed first.
    """
    _sweep(Path(tempfile.gettempdir()))
    with ExitStack() as stack:
        prefix = f"{PREFIX}{use}-" if use else PREFIX
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix))
        folder = Path(name).resolve()
        # Without locks, which not all file systems have, there is no sweeping either.
        with contextlib.suppress(OSError):
            stack.enter_context(lock(folder / ALIVE))
        yield folder


def _sweep(place: Path) -> None:
    for alive in place.glob(f"{PREFIX}*/{ALIVE}"):
        folder = alive.parent
        # Links, and what belongs to others, are none of ours; a lock is refused while it is held.
        with contextlib.suppress(OSError):
            if not folder.is_symlink() and time.time() - alive.stat().st_mtime > YOUNG:
                held = lock(alive)
                held.acquire(blocking=False)
                held.release()
                shutil.rmtree(folder)
