import os
import random
import signal
from pathlib import Path

import pytest

from stylehead.errors import StyleError
from tests.fuzz import run as run_module
from tests.fuzz import targets, worker
from tests.fuzz.commands import FindingError
from tests.fuzz.run import jobs, run
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import Job

QUICK = [name for name, target in TARGETS.items() if not target.costly]


def test_three_hundred_broken_files_do_nothing_worse_than_be_refused(tmp_path: Path) -> None:
    totals = run(jobs(300, 0, QUICK), keep=tmp_path)
    assert sum(totals.cases.values()) == 300
    assert set(totals.cases) == set(QUICK)
    assert 30 < totals.refused < 300  # files that are all fine, or all hopeless, would tell little
    assert not totals.findings, "\n".join(totals.findings)


def test_cases_are_the_same_whenever_they_are_drawn(tmp_path: Path) -> None:
    for name, target in TARGETS.items():
        # Before 1.6 torch named storages by where they lay in memory.
        if target.make is not None and not target.costly and name != "old pth":
            one, other = (target.make(tmp_path, random.Random(f"{name} 3")) for _ in range(2))
            assert one == other, name


def test_all_cases_are_dealt_out_and_commands_get_few() -> None:
    dealt: dict[str, int] = {}
    for job in jobs(5000, 0, list(TARGETS)):
        dealt[job.target] = dealt.get(job.target, 0) + job.cases
    assert sum(dealt.values()) == 5000
    assert dealt["png"] == pytest.approx(10 * dealt["animate png"], abs=10)


# ---- findings are found ---------------------------------------------------------------------


def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(path: Path) -> None:
    while True:
        pass


def swell(path: Path) -> None:
    worker.LIMIT = worker.peak() + 300_000_000  # of this process, whatever it began with
    assert b"\x01" * 600_000_000  # written to: what is all zero takes no memory


def leak(path: Path) -> None:
    raise FindingError("left behind")


def refuse(path: Path) -> None:
    raise StyleError("no", remedy="none")


@pytest.mark.parametrize(
    ("use", "said"),
    [(crash, "crash (exit code -11)"), (hang, "hang"), (swell, "GB"), (leak, "left behind")],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_kind_of_finding_is_found_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, use: targets.Use, said: str
) -> None:
    # The child must know the targets: it gets them by fork, which the real one does not use.
    monkeypatch.setitem(TARGETS, "bad", targets.Target("bin", use, lambda *_: b"x"))
    monkeypatch.setitem(TARGETS, "good", targets.Target("bin", refuse, lambda *_: b"x"))
    monkeypatch.setattr(run_module, "START", "fork")
    monkeypatch.setattr(run_module, "PATIENCE", 1.0 if use is hang else 20.0)
    totals = run(iter([Job("bad", 0, 1), Job("good", 0, 2)]))
    assert len(totals.findings) == 1
    assert said in totals.findings[0]
    assert (totals.cases, totals.refused) == ({"bad": 1, "good": 2}, 2)
