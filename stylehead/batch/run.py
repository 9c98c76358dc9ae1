"""A list of jobs, done: what is left to make, by how many processes, and how each ended."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from stylehead.batch.events import Event, Failed, Finished, Waits
from stylehead.batch.record import (
    Record,
    forget_unfinished,
    made_from,
    place_of,
    put,
    read_record,
    unfinished_of,
    write_record,
)
from stylehead.compute.device import usable_cores
from stylehead.errors import ConfigError
from stylehead.options import sidecar_of

T = TypeVar("T")

MEMORY = 1 << 30
"""Bytes that a process may need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One video to make."""

    number: int
    """Of its row."""
    output: Path
    key: str
    """Digest of all that decides what the video is."""
    made_from: str | None
    """The key of the video that lies there already, untouched since it was made."""
    seconds: float
    """Length of the video."""
    task: Any
    """What the process that makes it is given."""


def to_make(jobs: Sequence[Job], *, retry_failed: bool) -> list[Job]:
    """Return the jobs whose videos are not there, or were made from something else.

    With `retry_failed` what was made once counts as made, whatever has changed since.
    """
    if retry_failed:
        return [job for job in jobs if job.made_from is None]
    return [job for job in jobs if job.made_from != job.key]


def tidy(jobs: Sequence[Job], left: Sequence[Job]) -> None:
    """Remove what was kept of videos that are not left to make.

    A run may have been ended when a video was whole and its segments were still there.
    """
    still = {job.output for job in left}
    for job in jobs:
        if job.output not in still and job.made_from == job.key:
            forget_unfinished(job.output)


def share_out(jobs: Sequence[T], part: int, parts: int) -> tuple[list[T], bool]:
    """Return the jobs of one of several machines, and whether they share each job's segments.

    Every N-th job is one machine's; where there are fewer jobs than machines, all have a part in
    each.
    """
    if len(jobs) < parts:
        return list(jobs), True
    return list(jobs[part - 1 :: parts]), False


def read_shard(text: str) -> tuple[int, int]:
    """Return I and N of a text I/N; raises ConfigError for any other."""
    parts = text.split("/")
    if len(parts) == 2 and all(part.isdecimal() for part in parts):
        part, parts_in_all = map(int, parts)
        if 1 <= part <= parts_in_all:
            return part, parts_in_all
    raise ConfigError(f"--shard {text} is no part of a list.", remedy="Write I/N, as in 1/3.")


def processes(wanted: int | None) -> int:
    """Return in how many processes to work: one for each core, as far as the memory goes."""
    if wanted is not None:
        return wanted
    cores = usable_cores()
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not told on this system
        free = cores * MEMORY
    return max(1, min(cores, free // MEMORY))


def follow(jobs: Sequence[Job], events: Iterable[Event]) -> Generator[tuple[Job, Event]]:
    """Yield what happens to which of the jobs; how each ended is remembered beside its video.

    A finished video is put where it belongs; one may come back as bytes, from a machine without
    this folder.
    """
    for event in events:
        job = jobs[event.job]
        if isinstance(event, Waits | Failed) and _made_meanwhile(job):
            continue  # another machine was quicker with the last segment
        if isinstance(event, Failed):
            told = asdict(event)
            del told["job"]
            write_record(job.output, replace(_base(job), **told))
        if isinstance(event, Finished):
            made = Path(event.facts["output"])
            event.facts["output"] = str(job.output)
            if video := event.facts.pop("video", None):
                made = place_of(unfinished_of(job.output, job.key), job.output)
                made.write_bytes(video)
                if signature := event.facts.pop("signature", None):
                    sidecar_of(made).write_bytes(signature)
            if made.exists() or not _made_meanwhile(job):
                put(made, job.output, job.key, event.facts)
        yield job, event


def _made_meanwhile(job: Job) -> bool:
    return job.made_from != job.key and made_from(job.output) == job.key


def _base(job: Job) -> Record:
    """Return what stays known of a job that failed: a video of before lies there still."""
    before = read_record(job.output)
    return before if before and before.done else Record(key=job.key, done=False)
