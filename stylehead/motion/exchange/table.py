"""Tables of numbers over time: read line by line, refused by line, brought to a steady rate."""

from __future__ import annotations

import csv
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylehead.errors import StyleError
from stylehead.media import bounds
from stylehead.types import Floats

REMEDY = "Correct it; docs/motion-exchange.md lists the columns."
NEAR = 2e-4  # of a rate; 30 and 29.97 are five times as far apart


def refusal(path: Path, line: int, reason: str) -> StyleError:
    """Return what is wrong with a line of a table."""
    return StyleError(f"{path}, line {line}: {reason}.", remedy=REMEDY)


class Table:
    """A CSV file with a header, read once."""

    def __init__(self, path: Path, rows: Iterator[list[str]]) -> None:
        self.path = path
        self.line = 0
        """Of the row that was read last, from 1."""
        self._rows = rows
        self.header = [name.strip() for name in self._next() or []]

    def _next(self) -> list[str] | None:
        self.line += 1
        try:
            return next(self._rows, None)
        except csv.Error as error:
            raise self.refusal(f"it is no line of a CSV file ({error})") from error

    def refusal(self, reason: str) -> StyleError:
        """Return what is wrong with the row that was read last."""
        return refusal(self.path, self.line, reason)

    def places(self, names: tuple[str, ...]) -> list[int]:
        """Return where the columns of these names are; capitals do not matter."""
        found = {name.lower(): place for place, name in enumerate(self.header)}
        missing = [name for name in names if name.lower() not in found]
        if missing:
            more = f" and {len(missing) - 1} more columns" if len(missing) > 1 else ""
            raise self.refusal(f"it lacks {missing[0]}{more}")
        return [found[name.lower()] for name in names]

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows below the header that are not empty; raises StyleError for too many."""
        count = 0
        while (row := self._next()) is not None:
            if any(cell.strip() for cell in row):
                count += 1
                if count > bounds.MOST_FRAMES:
                    raise self.refusal(f"a motion has {bounds.MOST_FRAMES} frames at most")
                yield row

    def numbers(
        self, row: list[str], places: list[int], most: float = bounds.LARGEST
    ) -> NDArray[np.float64]:
        """Return the numbers of a row at these places; raises StyleError naming the column."""
        if len(row) != len(self.header):
            raise self.refusal(f"it has {len(row)} columns instead of {len(self.header)}")
        values = np.empty(len(places))
        for number, place in enumerate(places):
            try:
                values[number] = float(row[place])
            except ValueError:
                values[number] = math.nan
            if not abs(values[number]) <= most:
                shown = row[place].strip()[:20]
                raise self.refusal(
                    f"{self.header[place]} is {shown!r}, not a number from {-most:g} to {most:g}"
                )
        return values


@contextmanager
def opened(path: Path) -> Generator[Table]:
    """Yield a CSV file, open; a byte order mark is left out.

    What is no UTF-8 is read as escapes, and refused in its own line as any word is.
    """
    with path.open(encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
        yield Table(path, csv.reader(file))


def steady(
    path: Path, seconds: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[Fraction, Floats]:
    """Return the rate of rows at these times (T,), and the rows (N, C) at that steady rate.

    Between rows, also where some are missing, by straight lines. Raises StyleError for fewer than
    two rows, or a motion that is too long or too fast.
    """
    if len(seconds) < 2:
        raise refusal(path, 2, "a motion has two frames at least")
    steps = np.diff(seconds)
    usual = steps[steps <= 1.5 * np.median(steps)]
    fps = rate(1 / usual.mean())
    span = seconds[-1] - seconds[0]
    if span > bounds.LONGEST or not 0 < fps <= bounds.FASTEST:
        raise StyleError(
            f"{path} lasts {span:.0f} seconds at {float(fps):.0f} frames a second: "
            "more than three hours, or faster than 240.",
            remedy="Check its times.",
        )
    grid = np.arange(round(span * fps) + 1) / float(fps)
    if len(grid) != len(seconds) or np.abs(seconds - seconds[0] - grid).max() > 0.1 / fps:
        at = seconds - seconds[0]
        values = np.stack([np.interp(grid, at, column) for column in values.T], 1)
    return fps, values.astype(np.float32)


def rate(measured: float) -> Fraction:
    """Return the frame rate that is meant: whole, whole over 1.001, or a fraction near it."""
    whole = round(measured)
    slow = Fraction(round(measured * 1.001) * 1000, 1001)
    for meant in (Fraction(whole), slow):
        if meant and abs(measured / meant - 1) < NEAR:
            return meant
    return Fraction(measured).limit_denominator(1001)
