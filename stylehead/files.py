"""Files read and written: what is wrong with them, and results that appear whole or not."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from stylehead.errors import MediaError


def lock(path: Path) -> Any:
    """Return filelock's lock of a file, which is made if it is not there; one process can hold it.

    Its methods are not typed all through.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def digest(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


def _sweep(path: Path) -> None:
    """Remove partial files of runs that were killed while they wrote this output."""
    for left in path.parent.glob(
        f".{glob.escape(_short(path.stem))}.*.part{glob.escape(path.suffix)}"
    ):
        number = left.name.removesuffix(f".part{path.suffix}").rsplit(".", 1)[-1]
        if number.isdigit() and not Path(f"/proc/{number}").exists() and Path("/proc").exists():
            left.unlink(missing_ok=True)


def _short(stem: str) -> str:
    """Cut a name so that a partial file's longer one is still allowed: disks take 255 bytes."""
    return stem.encode(errors="surrogateescape")[:200].decode(errors="ignore")


@contextmanager
def atomic(path: Path) -> Generator[Path]:
    """Yield a partial file that becomes `path` only if the block succeeds.

    Raises MediaError when the folder cannot be written or the disk is full.
    """
    # The process number keeps two runs apart; the suffix stays, since containers go by it.
    part = path.with_name(f".{_short(path.stem)}.{os.getpid()}.part{path.suffix}")
    try:
        _sweep(path)
        yield part
        part.replace(path)
    except OSError as error:
        raise MediaError(
            f"{path} cannot be written ({error.strerror or error}).",
            remedy="Choose another place, or free some space on the disk.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def check_output(path: Path | str, *, overwrite: bool, suffixes: tuple[str, ...] = ()) -> Path:
    """Return the path of a file that can be written; nothing is left behind.

    `suffixes` are the endings that fit what is written; none given, any ending does. Raises
    MediaError when it could not be written.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise MediaError(
            f"{path} does not end in {' or '.join(suffixes)}.", remedy="Change the file's name."
        )
    _check_name(path)
    if path.is_dir():
        raise MediaError(f"{path} is a folder.", remedy="Give the name of a file in it.")
    if path.exists() and not overwrite:
        raise MediaError(
            f"{path} exists already.", remedy="Pass --overwrite, or choose another name."
        )
    folder = path.parent
    if not folder.is_dir():
        raise MediaError(f"The folder {folder} does not exist.", remedy="Create it first.")
    probe = folder / f".{_short(path.stem)}.{os.getpid()}.probe"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise MediaError(
            f"{path} cannot be written ({error.strerror}).",
            remedy="Choose a folder you can write to.",
        ) from error
    return path


def _check_name(path: Path) -> None:
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise MediaError(
            f"{path} cannot be opened ({error.strerror}).", remedy="Choose another name."
        ) from error


def make_folder(path: Path) -> None:
    """Make a folder and its parents."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(
            f"The folder {path} cannot be created ({error.strerror}).",
            remedy="Set STYLEHEAD_HOME to a folder you can write to, or pass --output.",
        ) from error


def check_file(path: Path, kind: str) -> None:
    """Raise MediaError unless `path` is a readable file with content; `kind` says what it is."""
    _check_name(path)
    if not path.exists():
        raise MediaError(f"{path} does not exist.", remedy=f"Check the {kind}'s path.")
    if path.is_dir():
        raise MediaError(f"{path} is a folder.", remedy=f"Name one {kind} file.")
    if not os.access(path, os.R_OK):
        raise MediaError(
            f"You have no permission to read {path}.", remedy="Change the file's permissions."
        )
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes).", remedy=f"Give another copy of the {kind}.")
