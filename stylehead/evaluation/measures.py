"""The one table of the evaluation: rows (methods) by measures, each with its interval."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Measure:
    """One number, and half of its 95 % interval where there is one."""

    value: float
    half_interval: float | None = None

    def __str__(self) -> str:
        """Return three digits, two decimals from ten up; empty for NaN."""
        if math.isnan(self.value):
            return ""
        half = "" if self.half_interval is None else f" ± {self.half_interval:.2f}"
        return f"{self.value:{'.2f' if abs(self.value) >= 10 else '.3g'}}{half}"


@dataclass(frozen=True, slots=True)
class Measures:
    """A table of measures, and what has to be said about it."""

    rows: dict[str, dict[str, Measure]]
    """Row name -> name of the measure -> number; a row need not have every measure."""
    notes: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """Return the names of all measures in the order they first appear."""
        return list(dict.fromkeys(name for row in self.rows.values() for name in row))

    def transposed(self) -> Measures:
        """Return the table with measures as rows."""
        return Measures(
            {
                name: {row: numbers[name] for row, numbers in self.rows.items() if name in numbers}
                for name in self.names()
            },
            self.notes,
        )

    def table(self, corner: str = "measure") -> Iterator[tuple[str, ...]]:
        """Yield the table as text: `corner` and the rows' names, then one line for each measure."""
        yield (corner, *self.rows)
        for name in self.names():
            numbers = (row.get(name) for row in self.rows.values())
            yield (name, *("" if number is None else str(number) for number in numbers))

    def values(self) -> dict[str, dict[str, float]]:
        """Return the bare numbers: row name -> name of the measure -> value."""
        return {
            row: {name: number.value for name, number in numbers.items()}
            for row, numbers in self.rows.items()
        }

    @classmethod
    def from_values(cls, values: dict[str, dict[str, float]]) -> Measures:
        """Return the table of bare numbers, without intervals."""
        return cls(
            {
                row: {name: Measure(value) for name, value in numbers.items()}
                for row, numbers in values.items()
            }
        )

    def only(self, names: Sequence[str]) -> Measures:
        """Return the table with these measures alone, in this order."""
        return Measures(
            {
                row: {name: numbers[name] for name in names if name in numbers}
                for row, numbers in self.rows.items()
            },
            self.notes,
        )

    def to_json(self) -> str:
        """Return one line of JSON; what is not a number becomes null."""

        def number(value: float | None) -> float | None:
            return None if value is None or math.isnan(value) else value

        rows = {
            row: {
                name: {"value": number(one.value), "half_interval": number(one.half_interval)}
                for name, one in numbers.items()
            }
            for row, numbers in self.rows.items()
        }
        return json.dumps({"rows": rows, "notes": self.notes})


def mean_measures(tables: Sequence[Measures]) -> Measures:
    """Average every number that all tables have, with an interval over the tables.

    What is not a number in some table is left out of the mean, which is NaN when nothing is left.
    Notes are dropped.
    """
    rows: dict[str, dict[str, Measure]] = {}
    for row, first in tables[0].rows.items():
        numbers = [table.rows.get(row, {}) for table in tables]
        for name in first:
            if not all(name in measured for measured in numbers):
                continue
            values = np.array([measured[name].value for measured in numbers])
            values = values[np.isfinite(values)]
            mean = mean_with_interval(values) if len(values) else Measure(float("nan"))
            rows.setdefault(row, {})[name] = mean
    return Measures(rows)


def mean_with_interval(values: NDArray[np.floating], resamples: int = 1000) -> Measure:
    """Return the mean of numbers (N,) with its interval; none for a single one."""
    half = None
    if len(values) > 1:
        half = half_interval(lambda picks: float(values[picks].mean()), len(values), resamples)
    return Measure(float(values.mean()), half)


def half_interval(
    statistic: Callable[[NDArray[np.int64]], float], count: int, resamples: int
) -> float:
    """Return half the width of a 95 % percentile bootstrap interval.

    `statistic` is told which of `count` items are drawn, (count,) with repetition, and gives the
    number in question. The same draws come for every statistic of as many items.
    """
    rng = np.random.default_rng(0)
    picks = rng.integers(count, size=(resamples, count))
    low, high = np.nanpercentile([statistic(pick) for pick in picks], [2.5, 97.5])
    return float(high - low) / 2
