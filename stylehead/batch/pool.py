"""Processes that do jobs one after the other, and live through a job that kills one of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from stylehead.batch.events import (
    Event,
    EventReporter,
    Failed,
    Finished,
    Started,
    Waits,
    Work,
    outcome,
)

QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread for each process: several share the cores."""


def _nothing() -> None: ...


def _serve(connection: Connection, ready: Callable[[], object]) -> None:
    """Do the jobs that come until the other end is closed; a lost other end stops a job, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the pool decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # partial files are removed on the way
    ready()
    work: Work | None = None
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            job, other, task = connection.recv()
            work = other or work
            assert work is not None
            connection.send(outcome(job, work, task, EventReporter(connection.send, job)))


@dataclass(slots=True)
class Worker:
    """A process, and what it is at."""

    process: BaseProcess
    connection: Connection
    job: int | None = None
    work: Work | None = None
    """What it was sent to do jobs with; large, perhaps, and sent once."""

    def give(self, job: int, work: Work, task: Any) -> None:
        """Send it a job."""
        self.job = job
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((job, None if work is self.work else work, task))
        self.work = work


PATIENCE = 10.0  # seconds in which ended processes clean up
HEED = 0.1  # seconds between two looks at whether to stop


@contextmanager
def hired(
    count: int, ready: Callable[[], object] = _nothing, *, sharing: bool = True
) -> Generator[list[Worker]]:
    """Start so many processes before there are jobs for them; leaving ends them.

    Each does `ready` first, which is importable by its name.
    """
    crew: list[Worker] = []
    try:
        for _ in range(count):
            crew.append(_hire(sharing, ready))
        yield crew
    finally:
        _dismiss(crew, PATIENCE)


def run_jobs(
    tasks: Sequence[Any],
    work: Work,
    workers: int,
    *,
    crew: list[Worker] | None = None,
    sharing: bool = True,
    stopping: threading.Event | None = None,
    patience: float = PATIENCE,
) -> Generator[Event]:
    """Do tasks in so many processes, and yield what happens; a job's number is its task's place.

    A `crew` that was hired for this does the first ones; it is no larger than `workers`.
    A process that dies fails its job alone, and another takes its place. Leaving the iterator ends
    all processes, which have `patience` seconds to clean up after themselves; so does `stopping`
    when it is set, from any thread. With `sharing` each computes with one thread, for several share
    the cores.
    """
    left = deque(enumerate(tasks))
    crew = [] if crew is None else crew
    try:
        while left or any(one.job is not None for one in crew):
            idle = sum(one.job is None for one in crew)
            for _ in range(min(workers - len(crew), len(left) - idle)):
                crew.append(_hire(sharing))
            for one in crew:
                if one.job is None and left:
                    job, task = left.popleft()
                    one.give(job, work, task)
                    yield Started(job)
            busy = {one.connection: one for one in crew if one.job is not None}
            if stopping and stopping.is_set():
                return
            for connection in wait(list(busy), HEED if stopping else None):
                one = busy[connection]  # pyright: ignore[reportArgumentType] (only connections are waited for)
                event = _next_event(one)
                if isinstance(event, Finished | Waits | Failed):
                    one.job = None
                if not one.process.is_alive():
                    crew.remove(one)
                yield event
    finally:
        _dismiss(crew, patience)


def _hire(sharing: bool, ready: Callable[[], object] = _nothing) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, ready))  # which may start others itself
    before = {name: os.environ.get(name) for name in QUIET if sharing}
    os.environ.update({name: value or QUIET[name] for name, value in before.items()})
    try:
        process.start()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
    theirs.close()
    return Worker(process, ours)


def _next_event(one: Worker) -> Event:
    assert one.job is not None
    try:
        return one.connection.recv()
    except (EOFError, OSError):
        one.process.join(5)
        code = one.process.exitcode
        why = "for want of memory, perhaps" if code == -signal.SIGKILL else f"exit code {code}"
        return Failed(
            one.job,
            f"The process that made it was ended ({why}).",
            "Run it alone, or use fewer --workers.",
        )


def _dismiss(crew: Sequence[Worker], patience: float) -> None:
    for one in crew:
        one.connection.close()
        if one.job is None:
            one.process.kill()  # it has nothing to clean up, and takes a second to leave by itself
        else:
            one.process.terminate()
    until = time.monotonic() + patience
    for one in crew:
        one.process.join(max(0.0, until - time.monotonic()))
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
