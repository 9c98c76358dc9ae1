"""Opening a container; decoding errors become ours."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError

from stylehead.errors import MediaError
from stylehead.files import check_file


@contextmanager
def open_container(path: Path, kind: str) -> Generator[InputContainer]:
    """Open a container; any decoding error inside the block becomes a MediaError."""
    check_file(path, kind)
    try:
        with av.open(str(path.absolute()), metadata_errors="replace") as container:
            yield container
    except (FFmpegError, UnicodeError) as error:
        raise MediaError(
            f"{path} is damaged or not a {kind} ({cause_of(error)}).",
            remedy=f"Convert it to a common {kind} format and try again.",
        ) from error


def cause_of(error: Exception) -> str:
    """Return the reason of a decoding error in a few words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
