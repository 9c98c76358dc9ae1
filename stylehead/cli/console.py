"""The terminal: progress, tables, results and errors; the only importer of rich."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import time
from collections.abc import Generator, Sequence
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from stylehead.cli.log import LOG

_stderr = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
_stdout = Console(highlight=False, soft_wrap=True, emoji=False)
_quiet = False
_results: TextIO | None = None
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Characters that move a terminal's cursor, or worse; not tabs and ends of lines."""


def configure(*, quiet: bool, verbose: bool) -> None:
    """Set how much is printed: nothing but errors, or also log messages."""
    global _quiet
    _quiet = quiet
    logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr)
    # Not by basicConfig: it does nothing the second time, when -v stands after the command's name.
    logging.getLogger().setLevel(logging.DEBUG if verbose else logging.WARNING)
    if verbose:  # other people's libraries only talk from here up
        for name in ("numba", "PIL", "matplotlib"):
            logging.getLogger(name).setLevel(logging.INFO)


def result(text: str) -> None:
    """Print one result on stdout, where another program may read it."""
    LOG.note(text)
    out = _results or _stdout.file
    out.write(f"{text}\n")  # rich would turn tabs into spaces
    out.flush()


@contextlib.contextmanager
def own_stdout() -> Generator[None]:
    """Print results where stdout is now, though it may be redirected while the block runs."""
    global _results
    _results = sys.stdout
    try:
        yield
    finally:
        _results = None


def say(message: str) -> None:
    """Tell one fact on stderr."""
    LOG.note(message)
    if not _quiet:
        _stderr.print(_plain(message))


def _plain(text: str) -> str:
    """Return text that does to a terminal nothing but appear: files bring names of their own."""
    return escape(CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def error(problem: str, remedy: str, *, where: str = "Error") -> None:
    """Print what is wrong and what to do, in one line, also with -q."""
    LOG.note(f"{where}: {problem} {remedy}")
    said = _plain(problem.replace("\n", " "))
    _stderr.print(f"[bold red]{_plain(where)}:[/] {said} {_plain(remedy)}")


def debugging() -> bool:
    """Return whether tracebacks are wanted."""
    return os.environ.get("STYLEHEAD_DEBUG", "") not in ("", "0")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stderr."""
    if _quiet:
        return
    _stderr.print(_table(title, columns, rows))


def draws() -> bool:
    """Return whether results are read by a person, on a terminal."""
    return _stdout.is_terminal


def drawing(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that is the result itself on stdout."""
    _stdout.print(_table(title, columns, rows))


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    drawn = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        drawn.add_column(column, no_wrap=number == 0)  # names are to be copied
    for row in rows:
        drawn.add_row(*(_plain(cell) for cell in row))
    return drawn


def _begun(stage: str, total: int | None) -> str:
    return stage if total is None or total < 2 else f"{stage} ({total})"


class _Lines:
    """Progress as plain lines: one at the start of a stage, then one every ten seconds."""

    def __init__(self) -> None:
        self._stage = ""
        self._total: int | None = None
        self._done = 0
        self._began = self._next = 0.0  # seconds of the monotonic clock

    def start(self, stage: str, total: int | None) -> None:
        self._stage, self._total, self._done = stage, total, 0
        self._began = time.monotonic()
        self._next = self._began + 10
        say(_begun(stage, total))

    def advance(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 10
            rate = self._done / (now - self._began)
            of = "" if self._total is None else f" of {self._total}"
            say(f"{self._stage}: {self._done}{of}, {rate:.1f} a second")

    def say(self, message: str) -> None:
        say(message)


class _Bars:
    """Progress as one live bar on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        # Before the first stage libraries are imported and pictures read, which takes seconds.
        self._task: TaskID | None = progress.add_task("Starting", total=None)

    def start(self, stage: str, total: int | None) -> None:
        LOG.note(_begun(stage, total))
        if self._task is not None:
            self._progress.update(self._task, visible=False)
        self._task = self._progress.add_task(stage, total=total)

    def advance(self) -> None:
        if self._task is not None:
            self._progress.advance(self._task)

    def say(self, message: str) -> None:
        LOG.note(message)
        if not _quiet:
            self._progress.console.print(_plain(message))


class _Speed(ProgressColumn):
    """Steps a second; nothing before the first."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f} /s" if task.speed else "")


@contextlib.contextmanager
def progress() -> Generator[_Lines | _Bars]:
    """Yield a reporter: a live bar on a terminal, plain lines elsewhere."""
    with bars() as shown:
        yield _Lines() if shown is None else _Bars(shown)


@contextlib.contextmanager
def bars() -> Generator[Progress | None]:
    """Yield live bars on a terminal; None where nobody watches."""
    if not _stderr.is_terminal or _quiet:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_stderr, transient=True) as shown:
        yield shown
