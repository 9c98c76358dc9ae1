"""What is remembered of each job of a folder, so that a repeated run goes on where one ended."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from stylehead import files
from stylehead.errors import MediaError
from stylehead.files import locks
from stylehead.options import sidecar_of

FOLDER = ".stylehead"
"""Beside the videos: a folder for each job, with its record and its lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How a job ended."""

    key: str
    """What it was made from: digest of options, inputs and version."""
    done: bool
    sha256: str = ""
    """Of the video as it lies there, with its signature; `unsigned_sha256` among the facts is what
    stays the same when it is made again."""
    replaced: str = ""
    """Of the video that lay there before and was made from something else."""
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """What there is to say of the video, as `animate --json` does."""
    problem: str = ""
    remedy: str = ""
    details: str = ""


_READ = TypeAdapter(Record)


def folder_of(output: Path) -> Path:
    """Return the folder in which a job is remembered, by its video's name."""
    return output.parent / FOLDER / output.name


@contextmanager
def alone(output: Path, part: str = "") -> Generator[None]:
    """Keep other runs from making the same part of a video; raises MediaError when one does."""
    files.make_folder(folder_of(output))
    held = locks.lock(folder_of(output) / f"lock{part}")
    try:
        held.acquire(timeout=0)
    except TimeoutError:
        raise MediaError(
            f"{output} is being made by another run.",
            remedy="Repeat this one when that has ended, if it is still missing.",
        ) from None
    try:
        yield
    finally:
        held.release()


def read_record(output: Path) -> Record | None:
    """Return how a job ended the last time; None when nobody knows."""
    try:
        return _READ.validate_json((folder_of(output) / "run.json").read_bytes())
    except (OSError, ValueError):  # never made, or its disk was full: it is made again
        return None


def write_record(output: Path, record: Record) -> None:
    """Remember how a job ended; raises MediaError when the disk is full."""
    folder = folder_of(output)
    files.make_folder(folder)
    with files.atomic(folder / "run.json") as part:
        part.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


SEGMENTS = "segments-"


def unfinished_of(output: Path, key: str) -> Path:
    """Return the folder for what is finished of a video; what was made of other things goes."""
    own = folder_of(output) / f"{SEGMENTS}{key[:16]}"
    forget_unfinished(output, but=own)
    return own


def forget_unfinished(output: Path, but: Path | None = None) -> None:
    """Remove what was kept of a video while it was made."""
    for folder in folder_of(output).glob(f"{SEGMENTS}*"):
        if folder != but:
            shutil.rmtree(folder, ignore_errors=True)


def place_of(unfinished: Path, output: Path, part: int = 1) -> Path:
    """Return where a video is written before it is put where it belongs."""
    folder = unfinished / f"made-{part}"
    files.make_folder(folder)
    return folder / output.name


def put(made: Path, output: Path, key: str, facts: dict[str, Any]) -> None:
    """Put a video where it belongs, and remember that it was made from what `key` stands for.

    It is known before it is there: a run that is ended in between, by whatever, leaves no video
    that the next one takes for a stranger's.
    """
    replaced = files.digest(output) if made_from(output) is not None else ""
    digest = files.digest(made)
    record = Record(key=key, done=True, sha256=digest, replaced=replaced, facts=facts)
    write_record(output, record)
    beside, signature = sidecar_of(output), sidecar_of(made)
    if signature.exists():
        with files.atomic(beside) as part:
            shutil.move(signature, part)
    else:
        beside.unlink(missing_ok=True)
    with files.atomic(output) as part:
        shutil.move(made, part)
    forget_unfinished(output)


def made_from(output: Path) -> str | None:
    """Return the key of the video that lies there; None for none, an edited or a stranger's one.

    It is empty for one that was to be replaced when a run ended.
    """
    record = read_record(output)
    with contextlib.suppress(OSError):
        if record and record.done:
            known = {record.replaced: "", record.sha256: record.key}
            return known.get(files.digest(output))
    return None
