"""Threads are waited for, wherever whoever started them is interrupted."""

import signal
import threading
import time

import pytest

from stylehead.compute import threads
from stylehead.compute.threads import at_work, in_order, uninterrupted


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


def test_an_interrupt_of_a_start_stays_one(monkeypatch):
    class Confused(threading.Thread):
        """Begins, and loses its own lock to an interrupt, as Python's can."""

        def start(self):
            super().start()
            try:
                raise Interrupted
            finally:
                threading.Lock().release()

    monkeypatch.setattr(threads.threading, "Thread", Confused)
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


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_what_is_made_comes_in_order_a_few_items_ahead(workers):
    asked = []

    def items():
        for number in range(20):
            asked.append(number)
            yield number

    def make(number):
        time.sleep(0.01 * (number % 3 == 0))
        return 10 * number

    for place, made in enumerate(in_order(make, items(), workers=workers)):
        assert made == 10 * place
        assert len(asked) <= place + workers + 1


def test_as_many_are_made_at_once_as_there_are_workers():
    together = threading.Barrier(3, timeout=20)  # passed only by three at a time
    assert len(list(in_order(lambda _: together.wait(), range(6), workers=3))) == 6


def test_what_fails_in_a_thread_is_raised_where_it_is_awaited():
    def make(number):
        if number == 3:
            raise Interrupted
        return number

    made = in_order(make, range(9), workers=2)
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    before = threading.active_count()
    with pytest.raises(Interrupted):
        next(made)
    assert threading.active_count() == before - 2


def test_who_stops_taking_stops_the_threads():
    made = in_order(abs, range(100), workers=2)
    before = threading.active_count()
    next(made)
    made.close()
    assert threading.active_count() == before


def test_a_signal_waits_until_what_was_begun_is_whole():
    before, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("whole")
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is before


def test_threads_that_are_never_interrupted_need_not_wait():
    def work():
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    seen, before = [], signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
