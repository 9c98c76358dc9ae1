"""Job lists -> rows: CSV, TOML, JSON lines, or every picture with every recording."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

from stylehead.errors import ConfigError
from stylehead.files import parse_toml

Value = str | bool | list[str]
SUFFIXES = (".csv", ".toml", ".jsonl")
DELIMITERS = ",;\t"
MOST = 10_000_000
"""Characters of a list that are read."""
SEVERAL = "|"
"""Parts the values of one cell of a CSV file, for options that may be given several times."""


@dataclass(frozen=True, slots=True)
class Row:
    """One job as it was written down."""

    number: int
    """Its line in a CSV file or in JSON lines; its place, from 1, elsewhere."""
    columns: Mapping[str, Value]
    """Long names of options, without dashes in front, and what they are given."""


def read_rows(path: Path) -> list[Row]:
    """Read a list of jobs, by its suffix.

    Empty cells of a CSV file are left out. A TOML file has a table `[[job]]` for each job, and may
    have `[defaults]` for all. Raises ConfigError for a file that is no list, naming the line.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"{path} is not a list of jobs.",
            remedy=f"Name a file that ends in {' or '.join(SUFFIXES)}.",
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read(MOST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(
            f"{path} cannot be read ({why}).",
            remedy="Check the list's path, and save it as UTF-8.",
        ) from error
    reader = {".csv": _csv_rows, ".toml": _toml_rows, ".jsonl": _json_rows}[path.suffix.lower()]
    try:
        if len(text) > MOST:
            raise ValueError(f"it has more than {MOST} characters")
        rows = reader(text)
    except ValueError as error:
        raise ConfigError(
            f"{path} is not a list of jobs: {error}.", remedy="Correct it; see docs/batch.md."
        ) from error
    if not rows:
        raise ConfigError(f"{path} has no jobs.", remedy="Give it at least one row.")
    return rows


def crossed_rows(
    images: Sequence[Path], audios: Sequence[Path], columns: Mapping[str, Value]
) -> list[Row]:
    """Return a row for every picture with every recording, each with the same other columns."""
    pairs = enumerate(product(images, audios), 1)
    return [
        Row(number, {"image": str(image), "audio": str(audio), **columns})
        for number, (image, audio) in pairs
    ]


def _csv_rows(text: str) -> list[Row]:
    header = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    try:
        for cells in reader:
            if None in cells:
                raise ValueError(f"line {reader.line_num} has more cells than the first line")
            given = {_name(name): cell.strip() for name, cell in cells.items() if cell}
            several = {name: _parted(cell) for name, cell in given.items() if cell}
            if several:
                rows.append(Row(reader.line_num, several))
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
    return rows


def _parted(cell: str) -> Value:
    return [part.strip() for part in cell.split(SEVERAL)] if SEVERAL in cell else cell


def _toml_rows(text: str) -> list[Row]:
    table = parse_toml(text)
    if unknown := sorted(set(table) - {"job", "defaults"}):
        raise ValueError(f"{unknown[0]} is neither [[job]] nor [defaults]")
    jobs, defaults = table.get("job", []), table.get("defaults", {})
    if not isinstance(jobs, list) or not isinstance(defaults, dict):
        raise ValueError("jobs are tables [[job]], and [defaults] is one table")
    rows = enumerate(cast("list[object]", jobs), 1)
    shared = _columns(cast("object", defaults), "[defaults]")
    return [Row(number, shared | _columns(job, f"job {number}")) for number, job in rows]


def _json_rows(text: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                rows.append(Row(number, _columns(json.loads(line), f"line {number}")))
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number} is not JSON ({error.msg})") from error
            except RecursionError as error:
                raise ValueError(f"line {number} has too many brackets") from error
    return rows


def _columns(table: object, where: str) -> dict[str, Value]:
    if not isinstance(table, dict):
        raise ValueError(f"{where} is not a table of options")
    named = cast("dict[str, Any]", table)
    return {_name(name): _value(value, f"{where}, {name}") for name, value in named.items()}


def _value(value: object, where: str) -> Value:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        parts = [_value(part, where) for part in cast("Iterable[object]", value)]
        if all(isinstance(part, str) for part in parts):
            return cast("list[str]", parts)
    raise ValueError(f"{where} is not text, a number, true, false or a list of texts")


def _name(name: str) -> str:
    return name.strip().removeprefix("--").replace("_", "-").lower()
