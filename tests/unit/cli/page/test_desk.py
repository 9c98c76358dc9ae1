"""Lines of jobs; what they do is simple, so that a process starts fast."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylehead.batch.events import Failed, Finished, Progressed
from stylehead.cli.page import desk as desks
from stylehead.cli.page.desk import LIVE, Desk, Job, State
from stylehead.errors import ConfigError, MediaError


def work(task, reporter):
    name, folder = task
    if name == "fail":
        raise MediaError("It is missing.", remedy="Find it.")
    (folder / LIVE).write_bytes(b"picture")
    (folder / "result").write_text(name)
    reporter.start("Counting", 2)
    if name == "wait":
        time.sleep(60)
    return {"name": name}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, work)
    yield made
    made.close()


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do jobs without a process."""

    def run_jobs(tasks, work, workers, *, sharing, stopping, patience):
        del work, workers, sharing, patience
        name, _ = tasks[0]
        yield Progressed(0, "Counting", 0, 2)
        if name == "wait":
            stopping.wait(5)
        elif name == "fail":
            yield Failed(0, "It is missing.", "Find it.")
        else:
            yield Finished(0, {"name": name})

    monkeypatch.setattr(desks, "run_jobs", run_jobs)


def submit(desk: Desk, name: str, *, device: str = "cpu", owner: str = "me") -> Job:
    return desk.submit(lambda folder: (name, folder), device=device, owner=owner)


def running(job: Job) -> None:
    until = time.monotonic() + 20
    while job.stage != "Counting" and time.monotonic() < until:
        time.sleep(0.01)
    assert job.stage == "Counting"


@pytest.mark.slow
def test_a_device_does_one_job_at_a_time_and_what_is_stopped_leaves_nothing(
    desk: Desk, tmp_path: Path
):
    first = submit(desk, "wait")
    second, third = submit(desk, "do", owner="you"), submit(desk, "do")
    other = submit(desk, "do", device="cuda")
    assert other.ended.wait(20)
    running(first)
    assert (first.state, second.state) == (State.RUNNING, State.WAITING)
    assert [desk.before(job) for job in (first, second, third)] == [0, 1, 2]
    assert first.picture() == b"picture"
    stopping = threading.Thread(target=desk.stop, args=("me",))  # one that runs, one that waits
    stopping.start()
    stopping.join(2)
    assert not stopping.is_alive()
    assert (first.state, third.state) == (State.STOPPED, State.STOPPED)
    assert second.ended.wait(20)
    assert (second.state, second.facts) == (State.DONE, {"name": "do"})
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == sorted(f"{job.folder.name}/result" for job in (second, other))


@pytest.mark.usefixtures("_at_once")
def test_what_failed_says_why_and_leaves_nothing(desk: Desk, tmp_path: Path):
    job = submit(desk, "fail")
    assert job.ended.wait(20)
    assert (job.state, job.problem) == (State.FAILED, "It is missing. Find it.")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_at_once")
def test_who_stops_looking_stops_the_job(desk: Desk):
    job = submit(desk, "wait")
    running(job)
    watched = job.watch()
    assert next(watched) is job
    watched.close()
    assert job.ended.wait(5)
    assert job.state is State.STOPPED


@pytest.mark.usefixtures("_at_once")
def test_the_oldest_results_go_and_a_line_has_an_end(tmp_path: Path):
    desk = Desk(tmp_path, work)
    for _ in range(desks.KEPT + 3):
        assert submit(desk, "do").ended.wait(5)
    assert len(list(tmp_path.iterdir())) == desks.KEPT
    for _ in range(desks.WAITING_AT_MOST):
        submit(desk, "wait")
    with pytest.raises(ConfigError, match="wait already"):
        submit(desk, "do")
    desk.close()
    assert len(list(tmp_path.iterdir())) == desks.KEPT
    assert not [one for one in threading.enumerate() if one.name.startswith("page-")]


def test_time_left_is_of_the_stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    now = [100.0]
    monkeypatch.setattr(desks.time, "monotonic", lambda: now[0])
    job = Job(tmp_path, None, "cpu", "me")
    job.hear(Progressed(0, "Listening", 5, 10))
    now[0] = 200.0
    job.hear(Progressed(0, "Rendering", 0, 100))
    assert job.seconds_left is None
    now[0] = 204.0
    job.hear(Progressed(0, "Rendering", 20, 100))
    assert job.seconds_left == pytest.approx(16)


def test_files_are_named_as_they_were_uploaded():
    place = "/tmp/stylehead-page-x1_/uploads/0af3/"
    assert desks.plain(f"in {place}my song.wav, so") == "in my song.wav, so"
    assert desks.plain("in C:\\t\\stylehead-page-q\\results\\7\\x.mp4") == "in x.mp4"
    assert desks.plain("/tmp/other/a.wav") == "/tmp/other/a.wav"
