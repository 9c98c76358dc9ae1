"""Threads are waited for, wherever whoever started them is interrupted."""

import threading
import time

import pytest

from stylehead import threads
from stylehead.threads import at_work


class Interrupted(BaseException):
    pass


def workers(count):
    """Return tasks that last until they are stopped, what stops them, and what they leave."""
    stopped, left = threading.Event(), []

    def task():
        stopped.wait(20)
        time.sleep(0.05)
        left.append(1)

    return [task] * count, stopped.set, left


def test_all_are_stopped_and_waited_for():
    tasks, stop, left = workers(3)
    with at_work(tasks, stop=stop):
        assert left == []
    assert left == [1, 1, 1]


def test_a_failure_stops_them_too():
    tasks, stop, left = workers(2)
    with pytest.raises(Interrupted), at_work(tasks, stop=stop):
        raise Interrupted
    assert left == [1, 1]


@pytest.mark.parametrize("late", [0, 0.2])
def test_one_whose_start_was_interrupted_is_waited_for(monkeypatch, late):
    class Slow(threading.Thread):
        """Begins late, as on a busy machine, and whoever starts it is interrupted meanwhile."""

        def start(self):
            threading.Timer(late, super().start).start()
            raise Interrupted

    monkeypatch.setattr(threads.threading, "Thread", Slow)
    tasks, stop, left = workers(2)
    with pytest.raises(Interrupted), at_work(tasks, stop=stop):
        pytest.fail("it was interrupted before")
    assert left == [1]


def test_one_that_never_begins_is_not_waited_for_forever(monkeypatch):
    class Never(threading.Thread):
        def start(self):
            raise Interrupted

    monkeypatch.setattr(threads.threading, "Thread", Never)
    monkeypatch.setattr(threads, "STARTING", 0.05)
    with pytest.raises(Interrupted), at_work([print], stop=lambda: None):
        pytest.fail("it was interrupted before")
