"""What `stylehead evaluate` does: compare, and write table and page."""

from __future__ import annotations

import csv as comma
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stylehead import evaluation, files, ravdess, ravdess_videos, report, weights
from stylehead.device import choose_device
from stylehead.errors import MediaError
from stylehead.evaluation import Cell
from stylehead.motion_file import load_motion
from stylehead.motion_models import load_motion_models
from stylehead.options import Device, Encoder, Options
from stylehead.pipeline import choose_style
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


def motion_rows(motion: Path, landmarks: Path) -> list[tuple[str, ...]]:
    """Return the table of a saved motion against tracked landmarks."""
    scores = ravdess.judge_motion(load_motion(motion), landmarks)
    return [("row", *ravdess.COLUMNS), *ravdess.table(scores)]


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
        models = load_motion_models(encoder, choose_device(device), reporter=reporter)
        scores = ravdess.evaluate(
            root, models, choose_style(style), actors=actors, reporter=reporter
        )
        note = (
            "Mean over clips, half of a 95 % interval. Frontal faces, head pose taken off; LMD in "
            f"pixels of a face {ravdess.FACE_WIDTH:.0f} pixels wide. Published rows used other "
            "detectors, whole videos and head pose: do not compare them with ours."
        )
        rows = [*ravdess.table(scores)]
        if per_actor:
            rows += ravdess.table(scores[-1].by_actor())
        return [("method", *ravdess.COLUMNS), *rows, *_published()], note
    videos = ravdess_videos.find_videos(root, actors)
    options = Options(device=device, encoder=encoder, overwrite=True)
    scored = ravdess_videos.evaluate_folder(videos, cache, options, reporter=reporter)
    rows = evaluation.mean_rows(list(scored.values()))
    if per_actor:
        for one in sorted({ravdess.actor_of(name) for name in scored}):
            of_actor = [rows for name, rows in scored.items() if ravdess.actor_of(name) == one]
            rows[f"result, actor {one}"] = evaluation.mean_rows(of_actor)["result"]
    names = ("CPBD", *ravdess.COLUMNS[:7])
    table = [
        (row, *(report.shown(cells.get(name)) for name in names)) for row, cells in rows.items()
    ]
    table += [(row[0], "", *row[1:8]) for row in _published()]
    note = (
        f"{len(scored)} clips. Landmarks by MediaPipe in a 512-pixel frame at 29.97 fps; published "
        "rows used another detector: compare rows of one run only."
    )
    return [("method", *names), *table], note


def _published() -> list[tuple[str, ...]]:
    """Return the paper's rows under COLUMNS."""
    blank = [""] * (len(ravdess.COLUMNS) - 7)
    return [
        (f"published: {method}", *(f"{value:.2f}" for value in values), *blank)
        for method, values in ravdess.PUBLISHED.items()
    ]
