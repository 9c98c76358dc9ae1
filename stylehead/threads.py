"""Threads that are waited for, wherever whoever started them is interrupted."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

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
            begun[-1].start()
        yield
    finally:
        stop()
        for thread in begun:
            _wait_for(thread, patience)


def _wait_for(thread: threading.Thread, patience: float | None) -> None:
    """Wait for a thread that was started, or whose start was interrupted at some place."""
    until = time.monotonic() + STARTING
    while time.monotonic() < until:
        with contextlib.suppress(RuntimeError):  # it has not begun yet
            thread.join(patience)
            return
        time.sleep(0.01)
