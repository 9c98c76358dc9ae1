"""Jobs of the page: each device does one at a time, the others wait in line."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from stylehead.batch.events import Event, Facts, Failed, Finished, Progressed, Told, Work
from stylehead.batch.pool import run_jobs
from stylehead.errors import ConfigError

KEPT = 10  # results that stay; the oldest goes when another is made
WAITING_AT_MOST = 20  # jobs, done or not
PATIENCE = 0.5  # seconds in which a process that is stopped cleans up; then its folder is removed
EVERY = 0.25  # seconds between two looks at a job
STEADY = 1.0  # seconds of a stage after which its rate tells how long it takes
PLACE = re.compile(r"[^\s\"']*[\\/]stylehead-page-[^\\/]+[\\/]\w+[\\/]\w+[\\/]")
"""Where a file of the page is, which nobody who uploaded it knows."""
LIVE = "live.jpg"
"""The frame that was made last, in the job's folder."""


class State(str, Enum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


def plain(text: str) -> str:
    """Return what is said with files named as they were uploaded."""
    return PLACE.sub("", text)


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work, and what is known of it; its own thread writes, others read."""

    folder: Path
    """Of this job alone; it is removed with all it holds unless the job is done."""
    task: Any
    device: str
    owner: str
    """Who asked for it."""
    state: State = State.WAITING
    stage: str = ""
    done: int = 0
    total: int | None = None
    said: list[str] = field(default_factory=list[str])
    facts: Facts = field(default_factory=dict[str, Any])
    problem: str = ""
    """What is wrong and what to do, of a job that failed."""
    stopping: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    began: float = 0.0
    """Seconds of the monotonic clock at which the stage began."""

    def hear(self, event: Event) -> None:
        """Note what happened."""
        if isinstance(event, Progressed):
            if event.stage != self.stage:
                self.began = time.monotonic()
            self.stage, self.done, self.total = event.stage, event.done, event.total
        elif isinstance(event, Told):
            self.said.append(plain(event.message))
        elif isinstance(event, Finished):
            self.facts, self.state = event.facts, State.DONE
        elif isinstance(event, Failed):
            self.problem = plain(f"{event.problem} {event.remedy}")
            self.state = State.FAILED

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the stage ends, at the rate so far; None while that is not known."""
        passed = time.monotonic() - self.began
        if not self.total or not self.done or passed < STEADY:
            return None
        return passed / self.done * max(self.total - self.done, 0)

    def picture(self) -> bytes | None:
        """Return the frame that was made last, as a JPEG."""
        try:
            return (self.folder / LIVE).read_bytes()
        except OSError:
            return None

    def watch(self) -> Generator[Job]:
        """Yield the job again and again until it has ended, and then once more.

        Whoever stops looking stops the job.
        """
        try:
            while not self.ended.wait(EVERY):
                yield self
            yield self
        finally:
            self.stopping.set()  # means nothing to one that has ended


class Desk:
    """Takes jobs and has them done, each in a process of its own."""

    def __init__(self, folder: Path, work: Work) -> None:
        """Keep what jobs make in `folder`; `work` does a task in a new process."""
        self._folder = folder
        self._work = work
        self._lines: dict[str, ThreadPoolExecutor] = {}
        self._jobs: list[Job] = []
        self._lock = threading.Lock()

    def submit(self, task_in: Callable[[Path], Any], *, device: str, owner: str = "") -> Job:
        """Put a job in the line of its device; its task is made for the folder it gets.

        Raises ConfigError when too many wait.
        """
        with self._lock:
            if sum(not job.ended.is_set() for job in self._jobs) >= WAITING_AT_MOST:
                raise ConfigError(
                    f"{WAITING_AT_MOST} jobs wait already.", remedy="Try again when some are done."
                )
            folder = self._folder / secrets.token_hex(8)
            folder.mkdir(parents=True)
            job = Job(folder, task_in(folder), device, owner)
            self._jobs.append(job)
            line = self._lines.setdefault(device, ThreadPoolExecutor(1, f"page-{device}"))
            line.submit(self._do, job).add_done_callback(_raise)
        return job

    def before(self, job: Job) -> int:
        """Return how many jobs its device does first."""
        with self._lock:
            earlier = self._jobs[: self._jobs.index(job)] if job in self._jobs else []
            return sum(one.device == job.device and not one.ended.is_set() for one in earlier)

    def stop(self, owner: str) -> None:
        """Stop what somebody has asked for; returns when nothing of it is left."""
        with self._lock:
            jobs = [job for job in self._jobs if job.owner == owner and not job.ended.is_set()]
        for job in jobs:
            job.stopping.set()
            if job.state is State.WAITING:
                self._end(job)
        for job in jobs:
            job.ended.wait()

    def close(self) -> None:
        """Stop all jobs, and return when they have ended."""
        for job in list(self._jobs):
            job.stopping.set()
        for line in self._lines.values():
            line.shutdown(wait=True)

    def _do(self, job: Job) -> None:
        if job.ended.is_set():
            return
        try:
            if not job.stopping.is_set():
                job.state = State.RUNNING
                events = run_jobs(
                    [job.task],
                    self._work,
                    1,
                    sharing=False,
                    stopping=job.stopping,
                    patience=PATIENCE,
                )
                with closing(events):
                    for event in events:
                        job.hear(event)
        finally:
            self._end(job)

    def _end(self, job: Job) -> None:
        """Tidy up after a job, whose process has ended."""
        with self._lock:
            if job.state is not State.DONE:
                shutil.rmtree(job.folder, ignore_errors=True)
                if job.state is not State.FAILED:
                    job.state = State.STOPPED
            else:
                with contextlib.suppress(OSError):
                    (job.folder / LIVE).unlink()
            self._jobs = [one for one in self._jobs if one.folder.exists()]
            finished = [one for one in self._jobs if one.state is State.DONE]
            for old in finished[:-KEPT]:
                shutil.rmtree(old.folder, ignore_errors=True)
                self._jobs.remove(old)
        job.ended.set()


def _raise(future: Future[None]) -> None:
    """Have what is our own mistake seen."""
    if not future.cancelled():
        future.result()
