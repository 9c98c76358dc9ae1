"""What `stylehead evaluate` does: compare, and write table and page."""

from __future__ import annotations

import csv
from pathlib import Path

from stylehead import files
from stylehead.compute.device import choose_device
from stylehead.errors import MediaError
from stylehead.evaluation.compare import compare, compare_folders, compare_style
from stylehead.evaluation.measures import Measures
from stylehead.evaluation.ravdess import (
    COLUMNS,
    FACE_WIDTH,
    PUBLISHED_COLUMNS,
    evaluate_motion,
    evaluate_videos,
    find_videos,
    published,
    read_recordings,
    summary,
)
from stylehead.evaluation.report import write_report
from stylehead.options import DEFAULT_STYLE, Device, Encoder, Encoding, Options
from stylehead.pipeline.run import load_predictor
from stylehead.progress import SILENT, Reporter
from stylehead.style.file import find_style


def evaluate(
    result: Path,
    *,
    reference: Path | None = None,
    style_video: Path | None = None,
    page: Path | None = None,
    table: Path | None = None,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Measures:
    """Compare a video, or a folder of them, with a reference or with a style's video.

    Writes a report (`page`, HTML) and the table (`table`, CSV) where they are asked for.
    Raises MediaError or FaceError for files that cannot be measured or written.
    """
    for path, suffix in ((page, ".html"), (table, ".csv")):
        if path:
            given = (result, reference, style_video)
            files.check_output(path, overwrite=overwrite, suffixes=(suffix,), inputs=given)
    if result.is_dir():
        if reference is None or not reference.is_dir() or page:
            raise MediaError(
                f"{result} is a folder.",
                remedy="Give --reference a folder too, and no --html; or name one video.",
            )
        measures = compare_folders(result, reference, reporter=reporter)
    else:
        other = reference or style_video
        assert other is not None  # the command line asks for one of them
        judge = compare if reference else compare_style
        comparison = judge(result, other, reporter=reporter)
        measures = comparison.measures
        if page:
            write_report(page, comparison, result, other)
    if table:
        with files.atomic(table) as part, part.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(measures.table())
    return measures


def evaluate_ravdess(
    root: Path,
    *,
    actors: list[str] | None = None,
    cache: Path,
    style: str | None = None,
    device: Device = Device.AUTO,
    encoder: Encoder = Encoder.WHISPER,
    per_actor: bool = False,
    reporter: Reporter = SILENT,
) -> Measures:
    """Return the benchmark's table, methods in rows, the published ones last.

    A folder with landmark files is measured motion against motion, one of videos by the paper's
    protocol (Tables 1 and 2). Raises MediaError for a folder with neither.
    """
    if any(root.glob("*.npz")):
        chosen = find_style(style or DEFAULT_STYLE)
        recordings = read_recordings(root, actors)
        predictor = load_predictor(
            Encoding(encoder=encoder), choose_device(device), reporter=reporter
        )
        tables = evaluate_motion(recordings, predictor, chosen, reporter=reporter)
        own = f"stylehead, style {chosen.name}"
        columns = COLUMNS
        note = (
            "Mean over clips, half of a 95 % interval. Frontal faces, head pose taken off; LMD in "
            f"pixels of a face {FACE_WIDTH:.0f} pixels wide. Published rows used other "
            "detectors, whole videos and head pose: do not compare them with ours."
        )
    else:
        options = Options(device=device, encoder=encoder, overwrite=True)
        videos = find_videos(root, actors)
        tables = evaluate_videos(videos, cache, options, reporter=reporter)
        own = "result"
        columns = ("CPBD", *PUBLISHED_COLUMNS)
        note = (
            f"{len(tables)} clips. Landmarks by MediaPipe in a 512-pixel frame at 29.97 fps; "
            "published rows used another detector: compare rows of one run only."
        )
    rows = summary(tables, own, per_actor=per_actor).only(columns).rows
    return Measures(rows | published().rows, (note,))
