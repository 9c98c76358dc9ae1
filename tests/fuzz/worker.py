"""A child process that feeds broken files to a target: what crashes, crashes here."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import sys
import tempfile
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from stylehead.errors import StyleheadError
from tests.fuzz.commands import FindingError
from tests.fuzz.targets import DRAWN_AS, MADE, TARGETS

LIMIT = 2_000_000_000  # bytes of memory that no file may take
ADDRESSES = 12 << 30  # bytes of address space, lest a bomb takes the machine along
SHOWN = 6  # lines of a traceback


class Job(NamedTuple):
    """Some cases of one target, which are the same whenever they are drawn."""

    target: str
    seed: int
    cases: int


class Outcome(NamedTuple):
    """How a job went."""

    cases: int
    refused: int
    """Cases that ended in a line for the user; the others gave a result."""
    problems: list[str]


def work(jobs: Connection, keep: Path | None, place: Path) -> None:
    """Take jobs from a pipe until it closes: a line for each case begun, an outcome for each job.

    Cases that a problem was found in are written to the folder `keep`, all else into `place`.
    """
    _limit_addresses()
    warnings.simplefilter("error", RuntimeWarning)  # they would reach the user's terminal
    tempfile.tempdir = str(place)  # what commands leave in theirs would stay after a crash
    with tempfile.TemporaryDirectory() as name:
        os.environ["STYLEHEAD_HOME"] = os.environ["XDG_CONFIG_HOME"] = str(Path(name) / "home")
        (Path(name) / "home").mkdir()
        os.chdir(name)
        with Path(os.devnull).open("w") as nowhere:  # what decoders write past Python
            os.dup2(nowhere.fileno(), 2)
            with contextlib.suppress(EOFError):
                while True:
                    job: Job = jobs.recv()
                    jobs.send(_done(job, Path(name), keep, jobs))


def _limit_addresses() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))


class _Cases:
    """The cases of one job, and what came of them."""

    def __init__(self, job: Job, folder: Path, keep: Path | None, jobs: Connection) -> None:
        self._job, self._keep, self._jobs = job, keep, jobs
        self._target = TARGETS[job.target]
        self._path = folder / f"case.{self._target.suffix}"
        self.tried = self.refused = 0
        self.problems: dict[str, str] = {}

    def check(self, content: bytes) -> None:
        """Try one case; raises what the target should not have raised."""
        self.tried += 1
        self._path.write_bytes(content)
        self._jobs.send(f"{self._job.target}, seed {self._job.seed}, case {self.tried}")
        _forget_peak()
        try:
            self._target.use(self._path)
        except StyleheadError:
            self.refused += 1
        if (most := peak()) > LIMIT:
            raise FindingError(f"{most / 1e9:.1f} GB were taken")

    def note(self, error: BaseException) -> None:
        """Keep a problem, once for each place in the code."""
        vars(error).pop("__notes__", None)  # hypothesis' copy of a whole file
        lines = "".join(traceback.format_exception(error, limit=-SHOWN))[-3000:]
        kept = f"{self._job.target}-{self._job.seed}-{self.tried}.{self._target.suffix}"
        kept = kept.replace(" ", "-")
        if self._keep is not None and self._path.exists():
            shutil.copy(self._path, self._keep / kept)
        place = re.sub(r"\d+", "", lines)
        self.problems.setdefault(place, f"{self._job.target} ({kept}): {lines}")


def _done(job: Job, folder: Path, keep: Path | None, jobs: Connection) -> Outcome:
    target, cases = TARGETS[job.target], _Cases(job, folder, keep, jobs)
    if target.make is None:
        drawn = MADE[DRAWN_AS.get(job.target, job.target)][1]()
        quiet = settings(
            max_examples=job.cases,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # to make a finding small would take most of the time
            report_multiple_bugs=False,
        )
        try:
            seeded(job.seed)(quiet(given(drawn)(cases.check)))()
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is the finding)
            cases.note(error)
    else:
        chance = random.Random(f"{job.target} {job.seed}")
        for _ in range(job.cases):
            content = target.make(folder, chance)
            try:
                cases.check(content)
            except BaseException as error:  # noqa: BLE001
                cases.note(error)
    return Outcome(cases.tried, cases.refused, list(cases.problems.values()))


def _forget_peak() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return the most memory since it was forgotten, in bytes; 0 where that is not known."""
    if sys.platform != "linux":
        return 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
