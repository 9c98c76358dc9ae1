"""Processes that do jobs one after the other, and live through a job that kills one of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from stylehead.errors import StyleheadError, of_the_machine
from stylehead.progress import Reporter

Facts = dict[str, Any]
Work = Callable[[Any, Reporter], Facts]
"""Does a job and returns what there is to say of it; importable by its name, for new processes."""
EVERY = 0.2  # seconds between two reports of progress of a process
QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread for each process: several share the cores."""


@dataclass(frozen=True, slots=True)
class Started:
    """A process has taken a job."""

    job: int


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a job is."""

    job: int
    stage: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """A fact that a job tells the user."""

    job: int
    message: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A job is done."""

    job: int
    facts: Facts


@dataclass(frozen=True, slots=True)
class Failed:
    """A job cannot be done."""

    job: int
    problem: str
    remedy: str
    details: str = ""
    """A traceback, for what no user can mend."""


Event = Started | Progressed | Told | Finished | Failed


class EventReporter:
    """Hands on as events what a job reports, progress not too often."""

    def __init__(self, send: Callable[[Event], None], job: int) -> None:
        self._tell, self._job = send, job
        self._stage, self._total, self._done, self._next = "", None, 0, 0.0

    def start(self, stage: str, total: int | None) -> None:
        """Begin a stage of `total` steps."""
        self._stage, self._total, self._done, self._next = stage, total, 0, 0.0
        self._send()

    def advance(self) -> None:
        """Count one step."""
        self._done += 1
        if time.monotonic() >= self._next:
            self._send()

    def _send(self) -> None:
        self._next = time.monotonic() + EVERY
        self._tell(Progressed(self._job, self._stage, self._done, self._total))

    def say(self, message: str) -> None:
        """Tell one fact."""
        self._tell(Told(self._job, message))


def _serve(connection: Connection, work: Work) -> None:
    """Do the jobs that come until the other end is closed; a lost other end stops a job, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the pool decides
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # partial files are removed on the way
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            job, task = connection.recv()
            try:
                event: Event = Finished(job, work(task, EventReporter(connection.send, job)))
            except StyleheadError as failure:
                event = Failed(job, str(failure), failure.remedy)
            except (EOFError, BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:  # noqa: BLE001 (one bad job stops no other)
                event = _unforeseen(job, error)
            connection.send(event)


def _unforeseen(job: int, error: Exception) -> Failed:
    if failure := of_the_machine(error):
        return Failed(job, str(failure), failure.remedy)
    return Failed(
        job,
        f"This should not have happened ({type(error).__name__}: {error}).",
        "Please report it, with the job's run.json.",
        traceback.format_exc(),
    )


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    job: int | None = None


def run_jobs(tasks: Sequence[Any], work: Work, workers: int) -> Generator[Event]:
    """Do tasks in so many processes, and yield what happens; a job's number is its task's place.

    A process that dies fails its job alone, and another takes its place. Leaving the iterator ends
    all processes, which clean up after themselves.
    """
    left = deque(enumerate(tasks))
    crew: list[_Worker] = []
    try:
        while left or any(one.job is not None for one in crew):
            idle = sum(one.job is None for one in crew)
            crew += [_hired(work) for _ in range(min(workers - len(crew), len(left) - idle))]
            for one in crew:
                if one.job is None and left:
                    one.job, task = left.popleft()
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        one.connection.send((one.job, task))
                    yield Started(one.job)
            busy = {one.connection: one for one in crew if one.job is not None}
            for connection in wait(list(busy)):
                one = busy[connection]  # pyright: ignore[reportArgumentType] (only connections are waited for)
                event = _next_event(one)
                if isinstance(event, Finished | Failed):
                    one.job = None
                if not one.process.is_alive():
                    crew.remove(one)
                yield event
    finally:
        _dismiss(crew)


def _hired(work: Work) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), daemon=True)
    before = {name: os.environ.get(name) for name in QUIET}
    os.environ.update({name: before[name] or value for name, value in QUIET.items()})
    try:
        process.start()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
    theirs.close()
    return _Worker(process, ours)


def _next_event(one: _Worker) -> Event:
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


PATIENCE = 10.0  # seconds in which ended processes clean up


def _dismiss(crew: Sequence[_Worker]) -> None:
    for one in crew:
        one.connection.close()
        if one.job is not None:
            one.process.terminate()
    until = time.monotonic() + PATIENCE
    for one in crew:
        one.process.join(max(0.0, until - time.monotonic()))
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
