"""Jobs to child processes, which are watched: crashes, hangs, and what they found."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import Job, Outcome, work

PATIENCE = 20.0  # CPU seconds that one case may take
ASLEEP = 300.0  # seconds that one case may take at all
START = "spawn"  # a fresh process for each child
BATCH = 25  # cases of a job
COSTLY = 10  # times as rarely is a target drawn whose cases are whole commands


@dataclass(slots=True)
class Totals:
    """What came of all jobs."""

    cases: dict[str, int] = field(default_factory=dict[str, int])
    """Target -> cases tried."""
    refused: int = 0
    """Cases that ended in one line for the user; the others gave a result."""
    findings: list[str] = field(default_factory=list[str])

    def add(self, job: Job, outcome: Outcome) -> None:
        """Count a job."""
        self.cases[job.target] = self.cases.get(job.target, 0) + outcome.cases
        self.refused += outcome.refused
        for problem in outcome.problems:
            print(f"{problem}\n", flush=True)
        self.findings += outcome.problems


def jobs(cases: int, seed: int, names: Sequence[str]) -> Iterator[Job]:
    """Yield jobs that together have so many cases, target after target."""
    weights = {name: 1 if TARGETS[name].costly else COSTLY for name in names}
    whole = sum(weights.values())
    # What rounding leaves over goes to the first targets.
    shares = {name: max(cases * weight // whole, 1) for name, weight in weights.items()}
    for name in itertools.islice(itertools.cycle(names), cases - sum(shares.values())):
        shares[name] += 1
    for name, share in shares.items():
        for number, start in enumerate(range(0, share, BATCH)):
            yield Job(name, seed + number, min(BATCH, share - start))


class _Child:
    """One child process and the job that it is at."""

    def __init__(self, keep: Path | None, place: Path) -> None:
        context = multiprocessing.get_context(START)
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, keep, place))
        self._process.start()
        theirs.close()
        self.job: Job | None = None
        self._case = "its start"
        self._began = self._spent = 0.0

    def take(self, job: Job) -> None:
        self.job, self._case = job, "its start"
        self._note_time()
        self.pipe.send(job)

    def _note_time(self) -> None:
        self._began, self._spent = time.monotonic(), self._cpu()

    def _cpu(self) -> float:
        """Return the CPU seconds of the child; 0 where that is not known."""
        if sys.platform != "linux":
            return 0.0
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def hear(self) -> Outcome | None:
        """Return the outcome of the job when it is there; raises EOFError after a crash."""
        found = self.pipe.recv()
        if isinstance(found, Outcome):
            self.job = None
            return found
        self._case = found
        self._note_time()
        return None

    def stuck(self) -> str | None:
        """Return what takes too long, or None."""
        if self.job is None or self._case == "its start":
            return None
        if self._cpu() - self._spent > PATIENCE or time.monotonic() - self._began > ASLEEP:
            return f"hang: {self._case}"
        return None

    def crashed(self) -> str:
        self._process.join(10)
        return f"crash (exit code {self._process.exitcode}): {self._case}"

    def end(self) -> None:
        self.pipe.close()
        self._process.kill()
        self._process.join()


def run(cases: Iterator[Job], *, workers: int = 1, keep: Path | None = None) -> Totals:
    """Do all jobs in child processes, a new one after each crash or hang.

    What they write goes with this one, for those that crash cannot tidy up.
    """
    with tempfile.TemporaryDirectory(prefix="stylehead-fuzz-") as name:
        return _run(iter(cases), workers, keep, Path(name))


def _run(waiting: Iterator[Job], workers: int, keep: Path | None, place: Path) -> Totals:
    totals = Totals()
    children = [_Child(keep, place) for _ in range(workers)]
    try:
        for child in children:
            _give(child, waiting)
        while busy := [child for child in children if child.job is not None]:
            ready = wait([child.pipe for child in busy], timeout=1.0)
            for child in busy:
                job = child.job
                assert job is not None
                problem = child.stuck()
                if problem is None and child.pipe in ready:
                    try:
                        outcome = child.hear()
                    except (EOFError, ConnectionError):
                        problem = child.crashed()
                    else:
                        if outcome is not None:
                            totals.add(job, outcome)
                            _give(child, waiting)
                if problem is not None:
                    totals.add(job, Outcome(job.cases, 0, [problem]))
                    child.end()
                    children[children.index(child)] = fresh = _Child(keep, place)
                    _give(fresh, waiting)
    finally:
        for child in children:
            child.end()
    return totals


def _give(child: _Child, waiting: Iterator[Job]) -> None:
    if (job := next(waiting, None)) is not None:
        child.take(job)
