"""What `stylehead evaluate` does: compare, and write table and page."""

from __future__ import annotations

import csv as comma
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stylehead import files
from stylehead.device import choose_device
from stylehead.errors import MediaError
from stylehead.evaluation import ravdess
from stylehead.evaluation.compare import Cell, compare, compare_folders, compare_style, mean_rows
from stylehead.evaluation.ravdess import (
    COLUMNS,
    FACE_WIDTH,
    PUBLISHED,
    actor_of,
    evaluate,
    evaluate_folder,
    find_videos,
    judge_motion,
)
from stylehead.evaluation.report import measures, shown, write_report
from stylehead.motion.file import load_motion
from stylehead.options import DEFAULT_STYLE, Device, Encoder, Encoding, Options
from stylehead.pipeline import load_predictor
from stylehead.progress import SILENT, Reporter
from stylehead.style.file import find_style


@dataclass(frozen=True, slots=True)
class Measured:
    """The table of an evaluation and what has to be said about it."""

    rows: dict[str, dict[str, Cell]]
    notes: list[str]

    def lines(self) -> Iterator[tuple[str, ...]]:
        """Yield the table as text: a header, then one line for each measure."""
        yield ("measure", *self.rows)
        for name in measures(self.rows):
            yield (name, *(shown(cells.get(name)) for cells in self.rows.values()))

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
    other = reference or style_video
    assert other is not None  # the command line asks for one of them
    if result.is_dir():
        measured = _folders(result, reference, page, reporter)
    else:
        validate = compare if reference else compare_style
        comparison = validate(result, other, reporter=reporter)
        if page:
            write_report(page, comparison, result, other)
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
    each, rows = compare_folders(result, reference, reporter=reporter)
    notes = [f"{len(each)} pairs; intervals are over pairs."]
    return Measured(rows, notes + [note for one in each for note in one.notes])


def motion_rows(motion: Path, landmarks: Path) -> list[tuple[str, ...]]:
    """Return the table of a saved motion against tracked landmarks."""
    scores = judge_motion(load_motion(motion), landmarks)
    return [("row", *COLUMNS), *ravdess.table(scores)]


def ravdess_rows(
    root: Path,
    actors: list[str] | None,
    cache: Path,
    style: str | None,
    device: Device,
    encoder: Encoder,
    *,
    per_actor: bool = False,
    reporter: Reporter = SILENT,
) -> tuple[list[tuple[str, ...]], str]:
    """Return the benchmark's table and what has to be said about it.

    A folder with landmark files is scored motion against motion, one of videos by the paper's
    protocol.
    """
    if any(root.glob("*.npz")):
        models = load_predictor(Encoding(encoder=encoder), choose_device(device), reporter=reporter)
        scores = evaluate(
            root, models, find_style(style or DEFAULT_STYLE), actors=actors, reporter=reporter
        )
        note = (
            "Mean over clips, half of a 95 % interval. Frontal faces, head pose taken off; LMD in "
            f"pixels of a face {FACE_WIDTH:.0f} pixels wide. Published rows used other "
            "detectors, whole videos and head pose: do not compare them with ours."
        )
        rows = [*ravdess.table(scores)]
        if per_actor:
            rows += ravdess.table(scores[-1].by_actor())
        return [("method", *COLUMNS), *rows, *_published()], note
    videos = find_videos(root, actors)
    options = Options(device=device, encoder=encoder, overwrite=True)
    scored = evaluate_folder(videos, cache, options, reporter=reporter)
    rows = mean_rows(list(scored.values()))
    if per_actor:
        for one in sorted({actor_of(name) for name in scored}):
            of_actor = [rows for name, rows in scored.items() if actor_of(name) == one]
            rows[f"result, actor {one}"] = mean_rows(of_actor)["result"]
    names = ("CPBD", *COLUMNS[:7])
    table = [(row, *(shown(cells.get(name)) for name in names)) for row, cells in rows.items()]
    table += [(row[0], "", *row[1:8]) for row in _published()]
    note = (
        f"{len(scored)} clips. Landmarks by MediaPipe in a 512-pixel frame at 29.97 fps; published "
        "rows used another detector: compare rows of one run only."
    )
    return [("method", *names), *table], note


def _published() -> list[tuple[str, ...]]:
    """Return the paper's rows under COLUMNS."""
    blank = [""] * (len(COLUMNS) - 7)
    return [
        (f"published: {method}", *(f"{value:.2f}" for value in values), *blank)
        for method, values in PUBLISHED.items()
    ]
