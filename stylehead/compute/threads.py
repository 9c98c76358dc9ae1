"""Threads that are waited for, wherever whoever started them is interrupted."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import torch

Item = TypeVar("Item")
Made = TypeVar("Made")
Awaited = SimpleQueue[Made | BaseException]
"""Where a thread puts what it has made of an item, or what went wrong."""
Asked = SimpleQueue[tuple[Item, Awaited[Made]] | None]
"""What threads are to do next; None ends one."""

ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
"""Signals that end a program."""
STARTING = 1.0
"""Seconds in which a thread begins whose start was interrupted, unless it never will."""


@contextmanager
def at_work(
    tasks: Sequence[Callable[[], object]],
    *,
    stop: Callable[[], object],
    patience: float | None = None,
) -> Generator[None]:
    """Do each task in a thread of its own until the context is left.

    Then `stop` asks them to end, and they are waited for, `patience` seconds each at most. Python
    that leaves while one is in foreign code ends with a crash, not with its exit code.
    """
    begun: list[threading.Thread] = []
    try:
        for task in tasks:
            begun.append(threading.Thread(target=task, daemon=True))
            _start(begun[-1])
        yield
    finally:
        stop()
        for thread in begun:
            _wait_for(thread, patience)


def _start(thread: threading.Thread) -> None:
    """Start a thread; an interrupt stays one."""
    try:
        thread.start()
    except RuntimeError as error:
        # Interrupted while it waits for the thread to begin, Python finds its own lock open.
        if error.__context__ is None:
            raise
        raise error.__context__ from None


@contextmanager
def uninterrupted() -> Generator[None]:
    """Have signals wait until the block is left.

    A library that is interrupted while it starts a thread may forget the thread, and Python waits
    for it for ever when it leaves.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone is interrupted
        yield
        return
    came: list[int] = []
    before: dict[int, Any] = {}
    try:
        for number in ENDING:
            if callable(signal.getsignal(number)):
                before[number] = signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, answer in before.items():
            signal.signal(number, answer)
        if came:
            signal.raise_signal(came[0])


def in_order(
    make: Callable[[Item], Made],
    items: Iterable[Item],
    *,
    workers: int,
    alone: bool = True,
    patience: float | None = None,
) -> Generator[Made]:
    """Yield what `make` makes of each item, in their order; several threads work ahead.

    As many items as there are workers are at work while one is used. `alone` has torch compute on
    each worker's thread alone. What fails in a thread is raised here, after all have stopped.
    """
    # Through queues alone, as an executor does not: an interrupt is raised in the calling thread at
    # any place, also where a condition is half locked.
    asked: Asked[Item, Made] = SimpleQueue()
    awaited: deque[Awaited[Made]] = deque()
    tasks = [partial(_work, make, asked, alone)] * workers
    with at_work(tasks, stop=partial(_end, asked, workers), patience=patience):
        for item in items:
            awaited.append(SimpleQueue())
            asked.put((item, awaited[-1]))
            if len(awaited) > workers:
                yield _taken(awaited.popleft())
        while awaited:
            yield _taken(awaited.popleft())


def _taken(awaited: Awaited[Made]) -> Made:
    made = awaited.get()
    if isinstance(made, BaseException):
        raise made
    return made


def _work(make: Callable[[Item], Made], asked: Asked[Item, Made], alone: bool) -> None:
    if alone:
        torch.set_num_threads(1)  # a setting of each thread
    while task := asked.get():
        item, awaited = task
        try:
            awaited.put(make(item))
        except BaseException as failure:  # noqa: BLE001 (raised again where it is awaited)
            awaited.put(failure)
        del item, task, awaited  # what an item holds is let go while the next one is waited for


def _end(asked: Asked[Item, Made], workers: int) -> None:
    """Have threads end after the item they are at."""
    with contextlib.suppress(Empty):
        while True:
            asked.get_nowait()
    for _ in range(workers):
        asked.put(None)


def _wait_for(thread: threading.Thread, patience: float | None) -> None:
    """Wait for a thread that was started, or whose start was interrupted at some place."""
    until = time.monotonic() + STARTING
    while time.monotonic() < until:
        with contextlib.suppress(RuntimeError):  # it has not begun yet
            thread.join(patience)
            return
        time.sleep(0.01)
