"""What happens to jobs, whoever does them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stylehead.errors import StyleheadError, UnfinishedError, of_the_machine
from stylehead.progress import Reporter

Facts = dict[str, Any]
Work = Callable[[Any, Reporter], Facts]
"""Does a job and returns what there is to say of it; importable by its name, for new processes."""
EVERY = 0.2  # seconds between two reports of a job's progress


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


@dataclass(frozen=True, slots=True)
class Waits:
    """A part of a job is done, and the job waits for the others."""

    job: int
    problem: str


Event = Started | Progressed | Told | Finished | Waits | Failed


class EventReporter:
    """Reports what a job does as events; progress only now and then."""

    def __init__(self, tell: Callable[[Event], object], job: int) -> None:
        self._tell, self._job = tell, job
        self._stage, self._total, self._done, self._next = "", None, 0, 0.0

    def start(self, stage: str, total: int | None) -> None:
        """Tell of a stage."""
        self._stage, self._total, self._done, self._next = stage, total, 0, 0.0
        self._send()

    def advance(self) -> None:
        """Tell of a step, where it is time."""
        self._done += 1
        if time.monotonic() >= self._next:
            self._send()

    def say(self, message: str) -> None:
        """Tell a fact."""
        self._tell(Told(self._job, message))

    def _send(self) -> None:
        self._next = time.monotonic() + EVERY
        self._tell(Progressed(self._job, self._stage, self._done, self._total))


def outcome(job: int, work: Work, task: Any, reporter: Reporter) -> Finished | Waits | Failed:
    """Do a job, and return how it ended; one bad job stops no other.

    A lost connection is raised: nobody is there to be told.
    """
    try:
        return Finished(job, work(task, reporter))
    except UnfinishedError as waiting:
        return Waits(job, str(waiting))
    except StyleheadError as failure:
        return Failed(job, str(failure), failure.remedy)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # noqa: BLE001
        return _unforeseen(job, error)


def _unforeseen(job: int, error: Exception) -> Failed:
    if failure := of_the_machine(error):
        return Failed(job, str(failure), failure.remedy)
    return Failed(
        job,
        f"This should not have happened ({type(error).__name__}: {error}).",
        "Please report it, with the job's run.json.",
        traceback.format_exc(),
    )
