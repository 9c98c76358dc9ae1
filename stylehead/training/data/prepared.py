"""Reading what `stylehead prepare` wrote: a damaged file is named."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from stylehead.errors import DataError

UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)


@contextmanager
def open_prepared(path: Path) -> Generator[Any]:
    """Yield the arrays of a prepared npz file by name, to be read inside the block.

    Raises DataError when the file is damaged, or lacks an array that is read.
    """
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file) as arrays:
            yield arrays
    except UNREADABLE as error:
        raise DataError(
            f"{path} is damaged, or was not made by stylehead prepare.",
            remedy="Delete it, and run stylehead prepare again.",
        ) from error
