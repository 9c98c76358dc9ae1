"""Jobs in real processes; what they do is simple, so that a process starts fast."""

import errno
import itertools
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from stylehead.batch.events import Failed, Finished, Progressed, Started, Told
from stylehead.batch.pool import hired, run_jobs
from stylehead.errors import MediaError


def work(task, reporter):
    name, value = task
    if name == "fail":
        raise MediaError(f"{value} is missing.", remedy="Find it.")
    if name == "crash":
        raise ZeroDivisionError("no user's fault")
    if name == "full":
        raise OSError(errno.ENOSPC, "No space left on device", value)
    if name == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "report":
        reporter.start("Counting", 3)
        for _ in range(3):
            reporter.advance()
        reporter.say("Note: counted")
    if name == "wait":
        Path(value).write_text(str(os.getpid()))
        try:
            while True:
                time.sleep(0.05)
                reporter.say("still here")
        finally:
            Path(value).unlink()
    return {"value": value, "process": os.getpid(), "threads": os.environ.get("MKL_NUM_THREADS")}


def ended(tasks, workers, **options):
    """Return how each job ended: what it said, or what was wrong with it."""
    facts: dict[int, dict[str, Any]] = {}
    failures: dict[int, Failed] = {}
    for event in run_jobs(tasks, work, workers, **options):
        if isinstance(event, Finished):
            facts[event.job] = event.facts
        elif isinstance(event, Failed):
            failures[event.job] = event
    return facts, failures


def test_every_job_is_done_once_and_processes_are_used_again():
    found, failures = ended([("do", number) for number in range(7)], 2)
    assert not failures
    assert [found[number]["value"] for number in range(7)] == list(range(7))
    assert 1 <= len({one["process"] for one in found.values()}) <= 2
    assert os.getpid() not in {one["process"] for one in found.values()}


def be_ready():
    os.environ["READY"] = "yes"


def ask_whether_ready(task, reporter):
    return {"ready": os.environ.get("READY"), "process": os.getpid()}


def test_processes_that_wait_are_ready_and_do_the_first_jobs():
    with hired(1, be_ready) as crew:
        process = crew[0].process.pid
        events = list(run_jobs([0, 1], ask_whether_ready, 1, crew=crew))
        facts = [event.facts for event in events if isinstance(event, Finished)]
        assert facts == [{"ready": "yes", "process": process}] * 2
    with hired(2) as crew:
        pass
    assert not any(one.process.is_alive() for one in crew)


def test_a_process_has_one_thread_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert ended([("do", 1)], 1)[0][0]["threads"] == "1"
    assert "MKL_NUM_THREADS" not in os.environ
    assert ended([("do", 1)], 1, sharing=False)[0][0]["threads"] is None
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    assert ended([("do", 1)], 1)[0][0]["threads"] == "3"


def test_bad_jobs_stop_no_others():
    found, failures = ended([("fail", "x"), ("do", 1), ("crash", 0), ("die", 0), ("do", 2)], 1)
    assert failures[0] == Failed(0, "x is missing.", "Find it.")
    assert "ZeroDivisionError" in failures[2].problem
    assert "test_pool.py" in failures[2].details
    assert "memory" in failures[3].problem
    assert (found[1]["value"], found[4]["value"]) == (1, 2)
    assert found[4]["process"] != found[1]["process"]


def test_what_the_machine_lacks_is_named_as_the_command_names_it():
    _, failures = ended([("full", "a.mp4")], 1)
    assert failures[0].problem == "a.mp4 cannot be read or written (No space left on device)."
    assert not failures[0].details


def test_progress_and_notes_arrive_in_order():
    events = list(run_jobs([("report", 0)], work, 1))
    assert events[0] == Started(0)
    assert events[1] == Progressed(0, "Counting", 0, 3)
    assert Told(0, "Note: counted") in events
    assert isinstance(events[-1], Finished)


def test_leaving_ends_the_processes_and_they_clean_up(tmp_path):
    events = run_jobs([("wait", str(tmp_path / "part")), ("do", 1)], work, 2)
    for event in events:
        if isinstance(event, Told):
            break
    process = int((tmp_path / "part").read_text())
    events.close()
    assert not (tmp_path / "part").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_process_whose_pool_was_killed_cleans_up_and_ends(tmp_path):
    part = tmp_path / "part"
    pool = os.fork()
    if pool == 0:
        for _ in run_jobs([("wait", str(part))], work, 1):
            pass
        os._exit(0)
    watch = threading.Event()
    while not (part.exists() and part.read_text()):
        watch.wait(0.05)
    process = int(part.read_text())
    os.kill(pool, signal.SIGKILL)
    os.waitpid(pool, 0)
    while part.exists():
        watch.wait(0.05)
    for _ in range(200):
        if not Path(f"/proc/{process}").exists() or "Z" in _state(process):
            return
        watch.wait(0.05)
    pytest.fail("the process goes on without a pool")


def _state(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def test_jobs_that_are_told_to_stop_end_and_clean_up(tmp_path):
    stopping = threading.Event()
    events = run_jobs([("wait", tmp_path / "here")], work, 1, stopping=stopping, patience=5)
    assert any(isinstance(event, Told) for event in itertools.islice(events, 5))
    stopping.set()
    assert all(isinstance(event, Told) for event in events)
    assert not (tmp_path / "here").exists()
