"""What a person sees of many jobs, and what a program is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from rich.progress import Progress, TaskID

from stylehead.batch.events import (
    Event,
    EventReporter,
    Failed,
    Finished,
    Progressed,
    Started,
    Told,
    Waits,
)
from stylehead.batch.run import Job
from stylehead.cli import console
from stylehead.errors import StyleheadError
from stylehead.progress import Reporter


class Board(Protocol):
    """Is shown what happens."""

    def show(self, job: Job, event: Event) -> None:
        """Show one event."""
        ...


class JsonLines:
    """Every event as a line of JSON on stdout."""

    def show(self, job: Job, event: Event) -> None:
        """Print one event; `job` is its row's number."""
        print_event(event, job.number, job.output)


def print_event(event: Event, number: int, output: Path) -> None:
    """Print an event of a job as a line of JSON on stdout."""
    told = asdict(event) | {"job": number, "output": str(output)}
    console.result(json.dumps({"event": type(event).__name__.lower()} | told))


@contextmanager
def one_in_json(output: Path) -> Generator[tuple[Reporter, Callable[[str], None]]]:
    """Yield a reporter that prints lines of JSON, and what is to be called with the facts, as JSON.

    A failure is printed as an event, and raised again.
    """

    def send(event: Event) -> None:
        print_event(event, 1, output)

    send(Started(1))
    try:
        yield EventReporter(send, 1), lambda facts: send(Finished(1, json.loads(facts)))
    except StyleheadError as failure:
        send(Failed(1, str(failure), failure.remedy))
        raise


class _Lines:
    """A line for each video that is done, where nobody watches."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0

    def show(self, job: Job, event: Event) -> None:
        if isinstance(event, Told):
            _tell(job, event)
        if isinstance(event, Finished | Waits | Failed):
            self._done += 1
            console.say(f"{self._done} of {self._total}: {_ended(job, event)}")


class _Bars:
    """One bar for all, and one for each video that is being made."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._all = progress.add_task("Videos", total=total)
        self._each: dict[int, TaskID] = {}

    def show(self, job: Job, event: Event) -> None:
        if isinstance(event, Started):
            self._each[job.number] = self._progress.add_task(job.output.name, total=None)
        elif isinstance(event, Progressed):
            said = f"{job.output.name}: {event.stage}"
            self._progress.update(
                self._each[job.number], description=said, completed=event.done, total=event.total
            )
        elif isinstance(event, Told):
            _tell(job, event)
        else:
            self._progress.remove_task(self._each.pop(job.number))
            self._progress.advance(self._all)
            console.say(_ended(job, event))


def _tell(job: Job, event: Told) -> None:
    console.say(f"{job.output.name}: {event.message}")


def _ended(job: Job, event: Finished | Waits | Failed) -> str:
    if isinstance(event, Waits):
        return f"{job.output.name}: {event.problem}"
    if isinstance(event, Failed):
        return f"{job.output.name} was not made: {event.problem}"
    return f"{job.output.name} was made."


@contextmanager
def board(total: int, *, json_lines: bool) -> Generator[Board]:
    """Yield what shows events: bars on a terminal, plain lines elsewhere, or JSON lines."""
    if json_lines:
        with console.own_stdout():
            yield JsonLines()
        return
    with console.bars() as progress:
        yield _Lines(total) if progress is None else _Bars(progress, total)
