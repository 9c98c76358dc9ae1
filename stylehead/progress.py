"""How long work reports its progress, without knowing who listens."""

from __future__ import annotations

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
