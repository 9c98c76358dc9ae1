"""The folder of a page's server, which goes with the server however that ends."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stylehead.files import lock

PREFIX = "stylehead-page-"
ALIVE = "alive"
"""A file that a server holds locked as long as it lives."""


@contextmanager
def own_folder() -> Generator[Path]:
    """Yield a new temporary folder; those that killed servers have left are removed first."""
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name).resolve()
        with lock(folder / ALIVE):
            yield folder


def _sweep(temporary: Path) -> None:
    for alive in temporary.glob(f"{PREFIX}*/{ALIVE}"):
        folder = alive.parent
        # Links, and what belongs to others, are none of ours; a lock is refused while it is held.
        with contextlib.suppress(OSError):
            if not folder.is_symlink():
                held = lock(alive)
                held.acquire(blocking=False)
                held.release()
                shutil.rmtree(folder)
