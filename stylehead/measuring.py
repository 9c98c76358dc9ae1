"""What `stylehead evaluate` does: compare, and write table and page."""

from __future__ import annotations

import csv as comma
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stylehead import evaluation, files, report, weights
from stylehead.errors import MediaError
from stylehead.evaluation import Cell
from stylehead.progress import SILENT, Reporter


@dataclass(frozen=True, slots=True)
class Measured:
    """The table of an evaluation and what has to be said about it."""

    rows: dict[str, dict[str, Cell]]
    notes: list[str]

    def lines(self) -> Iterator[tuple[str, ...]]:
        """Yield the table as text: a header, then one line for each measure."""
        yield ("measure", *self.rows)
        for name in report.measures(self.rows):
            yield (name, *(report.shown(cells.get(name)) for cells in self.rows.values()))

    def as_json(self) -> str:
        """Return one line of JSON; what is not a number becomes null."""

        def number(value: float | None) -> float | None:
            return None if value is None or math.isnan(value) else value

        table = {
            row: {
                name: {"value": number(cell.value), "half_interval": number(cell.half)}
                for name, cell in cells.items()
            }
            for row, cells in self.rows.items()
        }
        return json.dumps({"rows": table, "notes": self.notes})


def measure(
    result: Path,
    reference: Path | None,
    style_video: Path | None,
    *,
    page: Path | None = None,
    csv: Path | None = None,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Measured:
    """Compare videos or folders of videos and write what was asked for."""
    for path, suffixes in ((page, (".html",)), (csv, (".csv",))):
        if path:
            files.check_output(path, overwrite=overwrite, suffixes=suffixes)
    weights.resolve("face_landmarker", reporter=reporter)
    other = reference or style_video
    assert other is not None  # the command line asks for one of them
    if result.is_dir():
        measured = _folders(result, reference, page, reporter)
    else:
        judge = evaluation.compare if reference else evaluation.compare_style
        comparison = judge(result, other, reporter=reporter)
        if page:
            report.write_report(page, comparison, result, other)
        measured = Measured(comparison.rows, comparison.notes)
    if csv:
        with files.atomic(csv) as part, part.open("w", encoding="utf-8", newline="") as file:
            comma.writer(file).writerows(measured.lines())
    return measured


def _folders(
    result: Path, reference: Path | None, page: Path | None, reporter: Reporter
) -> Measured:
    if reference is None or not reference.is_dir() or page:
        raise MediaError(
            f"{result} is a folder.",
            remedy="Give --reference a folder too, without --html; or name one video.",
        )
    each, rows = evaluation.compare_folders(result, reference, reporter=reporter)
    notes = [f"{len(each)} pairs; intervals are over pairs."]
    return Measured(rows, notes + [note for one in each for note in one.notes])
