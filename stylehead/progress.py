"""How long work reports its progress, without knowing who listens."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Reporter(Protocol):
    """Hears about progress; knows nothing of terminals."""

    def start(self, stage: str, total: int | None) -> None:
        """Begin a stage of `total` steps; None when the number is not known."""
        ...

    def advance(self) -> None:
        """Count one step of the current stage."""
        ...

    def say(self, message: str) -> None:
        """Tell the user one fact, now."""
        ...


class _Silent:
    def start(self, stage: str, total: int | None) -> None:
        pass

    def advance(self) -> None:
        pass

    def say(self, message: str) -> None:
        pass


SILENT: Reporter = _Silent()


def track(
    items: Iterable[T], stage: str, total: int | None, reporter: Reporter = SILENT
) -> Iterator[T]:
    """Yield the items, reporting each one when its consumer is done with it."""
    reporter.start(stage, total)
    for item in items:
        yield item
        reporter.advance()


def clock(seconds: float) -> str:
    """Return a time as m:ss.t, the way messages name moments."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


class Stopwatch:
    """Wall time of each stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        """Stage -> seconds."""
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage that began when the last one ended."""
        now = time.perf_counter()
        self.laps[stage] = round(now - self._last, 3)
        self._last = now
