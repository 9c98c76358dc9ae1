"""How long work reports its progress, without knowing who listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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


@runtime_checkable
class Viewer(Protocol):
    """A reporter that also looks at frames of a video as they are made."""

    def view(self, frame: Callable[[], NDArray[np.uint8]]) -> None:
        """Look at a frame (H, W, C), if it is time for one; from any thread."""
        ...


def look(reporter: Reporter, frame: Callable[[], NDArray[np.uint8]]) -> None:
    """Offer a frame (H, W, C) to a reporter, which asks for its pixels if it wants them."""
    if isinstance(reporter, Viewer):
        reporter.view(frame)


class _Silent:
    def start(self, stage: str, total: int | None) -> None:
        pass

    def advance(self) -> None:
        pass

    def say(self, message: str) -> None:
        pass


SILENT: Reporter = _Silent()


class Noting:
    """Passes everything on, and keeps what was said as a note or a warning."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.notes: list[str] = []
        """Facts that changed the result or make it doubtful, each once."""

    @staticmethod
    def of(reporter: Reporter) -> Noting:
        """Return the reporter itself when it takes notes, else one around it."""
        return reporter if isinstance(reporter, Noting) else Noting(reporter)

    def start(self, stage: str, total: int | None) -> None:
        """Begin a stage of `total` steps."""
        self._reporter.start(stage, total)

    def advance(self) -> None:
        """Count one step of the current stage."""
        self._reporter.advance()

    def say(self, message: str) -> None:
        """Tell the user one fact, now."""
        if message.startswith(("Note: ", "Warning: ")) and message not in self.notes:
            self.notes.append(message)
        self._reporter.say(message)

    def view(self, frame: Callable[[], NDArray[np.uint8]]) -> None:
        """Offer a frame of a video."""
        look(self._reporter, frame)


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
