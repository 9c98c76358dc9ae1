"""Files read and written: what is wrong with them, and results that appear whole or not."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from stylehead.errors import MediaError, StyleheadError
from stylehead.files.locks import temporary_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

OLD = "-old"  # ends the name of a folder of before, while a new one takes its place
STDIN = "-"
"""What stands for standard input where a recording is named."""
ABANDONED = 86_400  # seconds without a change after which another machine's partial file is swept


def digest(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text holds; raises ValueError, which names the line, for any other."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("too many brackets inside each other") from error


def is_file(path: Path) -> bool:
    """Return whether there is such a file; none has a name that no file can have."""
    with contextlib.suppress(OSError, ValueError):
        return path.is_file()
    return False


def as_text(name: str) -> str:
    """Return a file's name as text that can be stored: names need not be text."""
    return os.fsencode(name).decode(errors="replace")


def _machine() -> str:
    """Return a short name for this machine: containers that share a folder have different ones."""
    return f"{zlib.crc32(os.fsencode(platform.node())):08x}"


def _sweep(path: Path) -> None:
    """Remove partial files and folders of runs that were killed while they wrote this output.

    A run holds a lock on what it writes as long as it lives. Locks need not be seen from other
    machines: their files are taken only when nothing has been written to them for a day.
    """
    shape = rf"\.([0-9a-f]{{8}})-[0-9a-f]{{8}}\.part{re.escape(path.suffix)}({OLD})?$"
    for left in path.parent.glob(f".{glob.escape(_short(path.stem))}.*.part*") if fcntl else ():
        named = re.search(shape, left.name)
        part = left.with_name(left.name.removesuffix(OLD))
        if named is None or (part != left and part.exists()):
            continue
        with contextlib.suppress(OSError):
            if named[1] != _machine() and time.time() - left.stat().st_mtime < ABANDONED:
                continue
            with _locked(left, wait=False):  # refused while its run lives
                _settle(part, path)


@contextmanager
def _locked(part: Path, *, wait: bool) -> Generator[None]:
    assert fcntl
    handle = os.open(part, os.O_RDONLY if part.is_dir() else os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def _settle(part: Path, path: Path) -> None:
    """Remove what is partial; a folder of before is put back where no other took its place."""
    old = part.with_name(part.name + OLD)
    if old.exists() and not path.exists():
        old.replace(path)
    for folder in (old, part):
        shutil.rmtree(folder, ignore_errors=True)
    if part.is_file():
        part.unlink()


def _short(stem: str) -> str:
    """Cut a name so that a partial file's longer one is still allowed: disks take 255 bytes."""
    whole = os.fsencode(stem)
    if len(whole) <= 200:
        return stem
    return os.fsdecode(whole[:200].decode(errors="ignore").encode())  # no half letter at its end


@contextmanager
def _part_of(path: Path, *, folder: bool = False) -> Generator[Path]:
    """Yield a new file or folder of this run beside `path`, locked; remove what is left of it."""
    part: Path | None = None
    try:
        with ExitStack() as stack:
            while True:
                # The suffix stays, since containers go by it.
                unique = f"{_machine()}-{secrets.token_hex(4)}"
                part = path.with_name(f".{_short(path.stem)}.{unique}.part{path.suffix}")
                part.mkdir() if folder else part.touch(exist_ok=False)
                # Without locks, which not all file systems have, there is no sweeping either. On
                # Windows what is open could not be renamed.
                with contextlib.suppress(OSError):
                    stack.enter_context(_locked(part, wait=True) if fcntl else nullcontext())
                if part.exists():  # or a sweep came in between
                    break
            yield part
    finally:  # also of an interrupt that came before anybody knew the name
        if part is not None:
            with contextlib.suppress(OSError):
                _settle(part, path)


@contextmanager
def atomic(path: Path) -> Generator[Path]:
    """Yield a partial file that becomes `path` only if the block succeeds.

    A symbolic link stays one, and the file it points to is written. Raises MediaError when the
    folder cannot be written or the disk is full.
    """
    with _written(path, folder=False) as part:
        yield part


@contextmanager
def atomic_folder(path: Path) -> Generator[Path]:
    """Yield a new folder that becomes `path` only if the block succeeds; one there is replaced.

    Raises MediaError when it cannot be written.
    """
    with _written(path, folder=True) as part:
        yield part


@contextmanager
def _written(path: Path, *, folder: bool) -> Generator[Path]:
    with _refused(path):
        target = path.resolve() if folder else _target_of(path)
        _sweep(target)
        with _part_of(target, folder=folder) as part:
            yield part
            if folder and target.is_dir():
                target.replace(part.with_name(part.name + OLD))
            part.replace(target)


@contextmanager
def _refused(path: Path) -> Generator[None]:
    """Raise MediaError for what the disk does not do."""
    try:
        yield
    except OSError as error:
        raise MediaError(
            f"{path} cannot be written ({error.strerror or error}).",
            remedy="Choose another place, or free some space on the disk.",
        ) from error


def check_folder(
    path: Path, *, overwrite: bool, holds: str, inputs: Iterable[Path | str | None] = ()
) -> None:
    """Raise MediaError unless a folder of files called like `holds` (a glob) can be written."""
    path = path.resolve()
    held = list(path.iterdir()) if path.is_dir() else []
    given = {Path(one).resolve() for one in inputs if one is not None}
    if other := [one for one in held if not one.match(holds) or one.is_dir() or one in given]:
        raise MediaError(
            f"{path} holds {other[0].name}, which would be lost.", remedy="Choose another folder."
        )
    if held and not overwrite:
        raise MediaError(
            f"{path} exists already.", remedy="Pass --overwrite, or choose another name."
        )
    check_output(path.with_name(f"{path.name}-") if path.is_dir() else path, overwrite=False)


def _target_of(path: Path) -> Path:
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def check_output(
    path: Path | str,
    *,
    overwrite: bool,
    suffixes: tuple[str, ...] = (),
    inputs: Iterable[Path | str | None] = (),
) -> Path:
    """Return the path of a file that can be written; nothing is left behind.

    `suffixes` are the endings that fit what is written; none given, any ending does. `inputs` are
    files that it must not replace, under any name. Raises MediaError when it could not be written.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise MediaError(
            f"{path} does not end in {' or '.join(suffixes)}.", remedy="Change the file's name."
        )
    _check_name(path)
    if path.is_dir():
        raise MediaError(f"{path} is a folder.", remedy="Give the name of a file in it.")
    if any(given is not None and _same_file(path, Path(given)) for given in inputs):
        raise MediaError(
            f"{path} is one of the inputs, which the result would replace.",
            remedy="Choose another name.",
        )
    if path.exists() and not overwrite:
        raise MediaError(
            f"{path} exists already.", remedy="Pass --overwrite, or choose another name."
        )
    folder = _target_of(path).parent
    if not folder.is_dir():
        raise MediaError(f"The folder {folder} does not exist.", remedy="Create it first.")
    try:
        with tempfile.TemporaryFile(dir=folder):  # without a name: a kill leaves nothing
            pass
    except OSError as error:
        raise MediaError(
            f"{path} cannot be written ({error.strerror}).",
            remedy="Choose a folder you can write to.",
        ) from error
    return path


def _same_file(one: Path, other: Path) -> bool:
    """Return whether two names are one file, also through links; False for what is not there."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _check_name(path: Path) -> None:
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise MediaError(
            f"{path} cannot be opened ({_why(error)}).", remedy="Choose another name."
        ) from error


def _why(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or "nothing can have this name"


def make_folder(path: Path) -> None:
    """Make a folder and its parents."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise MediaError(
            f"The folder {path} cannot be created ({_why(error)}).",
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
    if not path.is_file():
        raise MediaError(
            f"{path} is not a file but a pipe or a device.",
            remedy=f"Save the {kind} to a file first.",
        )
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes).", remedy=f"Give another copy of the {kind}.")


@contextmanager
def seekable(paths: Iterable[Path]) -> Generator[list[Path]]:
    """Yield files that can be read again and again: copies of pipes and of standard input (`-`).

    Other paths stay as they are. Messages of the block name what was given.
    """
    with ExitStack() as stack:
        files: list[Path] = []
        copies: dict[str, str] = {}
        for path in paths:
            if not _is_pipe(path):
                files.append(path)
                continue
            name = "standard input" if str(path) == STDIN else str(path)
            folder = stack.enter_context(temporary_folder())
            copy = folder / name.replace(" ", "-").rsplit("/", 1)[-1]
            _save_pipe(path, copy, name)
            files.append(copy)
            copies[str(copy)] = name
        try:
            yield files
        except StyleheadError as failure:
            problem = str(failure)
            for copy, name in copies.items():
                problem = problem.replace(copy, name)
            raise type(failure)(problem, remedy=failure.remedy) from failure


def _is_pipe(path: Path) -> bool:
    try:
        return str(path) == STDIN or path.is_fifo()
    except OSError:  # what is wrong with the name is said where the file is checked
        return False


def _save_pipe(path: Path, copy: Path, name: str) -> None:
    if str(path) == STDIN and (sys.stdin is None or sys.stdin.isatty()):
        raise MediaError("Nothing is piped to standard input.", remedy="Pipe a recording to it.")
    try:
        with ExitStack() as stack:
            source = (
                sys.stdin.buffer if str(path) == STDIN else stack.enter_context(path.open("rb"))
            )
            shutil.copyfileobj(source, stack.enter_context(copy.open("wb")))
    except OSError as error:
        raise MediaError(
            f"{name} cannot be read ({error.strerror or error}).",
            remedy="Save the recording to a file first, or free some space on the disk.",
        ) from error
