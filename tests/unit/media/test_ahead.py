"""Frames are read ahead, in order, and no thread is left."""

from __future__ import annotations

import threading

import pytest

from stylehead.media.ahead import ahead


def counted(until, taken, closed):
    try:
        for number in range(until):
            taken.append(number)
            yield number
        if until == 3:
            raise ValueError("no more")
    finally:
        closed.append(threading.current_thread())


def test_items_come_in_order_and_the_thread_ends():
    taken, closed = [], []
    assert list(ahead(counted(50, taken, closed))) == list(range(50))
    assert closed[0] is not threading.current_thread() and not closed[0].is_alive()


def test_no_more_is_read_than_was_asked_for():
    taken, closed = [], []
    items = ahead(counted(50, taken, closed), 4)
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert len(taken) <= 6 and len(closed) == 1 and not closed[0].is_alive()


def test_what_fails_there_is_raised_here_after_what_came_before():
    seen = []
    with pytest.raises(ValueError, match="no more"):
        seen.extend(ahead(counted(3, [], [])))
    assert not [one for one in threading.enumerate() if one.name.endswith("(read)")]


def test_items_that_are_nothing_are_items():
    assert list(ahead(one for one in (0, None, (), False))) == [0, None, (), False]
