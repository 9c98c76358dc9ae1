"""Compare a result with a reference video, or with the video of a style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stylehead.errors import MediaError
from stylehead.evaluation.measurements import FPS, SIDE, VideoMeasurements, lag_of, measure_video
from stylehead.evaluation.metrics import FRAME_METRICS, Mode, style_distance
from stylehead.progress import SILENT, Reporter
from stylehead.types import Floats

VIDEOS = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"}
BLOCK = 30  # frames resampled together for intervals: neighbours are not independent
RESAMPLES = 200
WORST = 3  # moments shown as thumbnails
UNITS = {
    "LMD": f"pixels of {SIDE}",
    "D-L": "%",
    "D-V": "%",
    "D-A": "%",
    "SLD": "%",
    "SLV": "%",
    "SMD": "%",
    "SLD (authors)": "%",
    "SLV (authors)": "%",
    "SMD (authors)": f"pixels of {SIDE}",
    "mouth opening range": "interocular",
    "opening while voiced": "interocular",
    "jitter": "% of interocular",
    "mouth flicker": "grey levels",
    "seam": "grey levels",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One number, and half of its 95 % interval where there is one."""

    value: float
    half: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A result against a reference: table rows and the curves behind them."""

    title: str
    rows: dict[str, dict[str, Cell]]
    """Row name -> measure -> number; the first row is the result."""
    result: VideoMeasurements
    reference: VideoMeasurements
    worst: list[float]
    """Seconds of the largest landmark distances."""
    notes: list[str]


def compare(result: Path, reference: Path, *, reporter: Reporter = SILENT) -> Comparison:
    """Compare a result with a recording of the same words, frame by frame and by windows."""
    made, real = (
        measure_video(result, reporter=reporter),
        measure_video(reference, reporter=reporter),
    )
    frames = min(len(made.landmarks), len(real.landmarks))
    notes = _notes(made, real)
    if abs(len(made.landmarks) - len(real.landmarks)) > 1:
        notes.append(
            f"Lengths differ: {len(made.landmarks) / float(FPS):.2f} s against "
            f"{len(real.landmarks) / float(FPS):.2f} s; the first {frames / float(FPS):.2f} s are "
            "compared."
        )
    a, b = real.landmarks[:frames], made.landmarks[:frames]
    rows: dict[str, dict[str, Cell]] = {}
    for name, points in {"result": b, **trivial_rows(a)}.items():
        rows[name] = _frame_cells(a, points) | _window_cells(a, points)
    best, lag = lag_of(real.opening[:frames], made.opening[:frames])
    rows["result"] |= {"opening r": Cell(best), "opening lag, s": Cell(lag)}
    _add_numbers(rows, made, real, "ground truth")
    distance = np.linalg.norm(_about_centre(a) - _about_centre(b), axis=-1).mean(-1)
    worst = sorted(_peaks(distance, WORST))
    return Comparison(f"{made.name} against {real.name}", rows, made, real, worst, notes)


def compare_style(result: Path, style_video: Path, *, reporter: Reporter = SILENT) -> Comparison:
    """Compare a result with the video its style came from: other words, so by windows only."""
    made, real = (
        measure_video(result, reporter=reporter),
        measure_video(style_video, reporter=reporter),
    )
    rows: dict[str, dict[str, Cell]] = {}
    for name, points in {"result": made.landmarks, **trivial_rows(real.landmarks)}.items():
        rows[name] = _window_cells(real.landmarks, points)
    rows["copied reference"] = rows.pop("ground truth")
    _add_numbers(rows, made, real, "copied reference")
    title = f"{made.name} in the style of {real.name}"
    return Comparison(title, rows, made, real, [], _notes(made, real))


def compare_folders(
    results: Path, references: Path, *, reporter: Reporter = SILENT
) -> tuple[list[Comparison], dict[str, dict[str, Cell]]]:
    """Compare all videos of the same name; return each comparison and the mean over them."""
    pairs = [
        (path, references / path.name)
        for path in sorted(results.iterdir())
        if path.suffix.lower() in VIDEOS and (references / path.name).exists()
    ]
    if not pairs:
        raise MediaError(
            f"{results} and {references} share no video names.",
            remedy="Give two folders with files of the same names.",
        )
    each = [compare(*pair, reporter=reporter) for pair in pairs]
    return each, mean_rows([one.rows for one in each])


def mean_rows(each: list[dict[str, dict[str, Cell]]]) -> dict[str, dict[str, Cell]]:
    """Average every number over comparisons, with a bootstrap interval over them."""
    rng = np.random.default_rng(0)
    rows: dict[str, dict[str, Cell]] = {}
    for row in each[0]:
        for name in [name for name in each[0][row] if all(name in one[row] for one in each)]:
            values = np.array([one[row][name].value for one in each])
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            picks = rng.integers(len(values), size=(RESAMPLES, len(values)))
            low, high = np.percentile(values[picks].mean(1), [2.5, 97.5])
            half = (high - low) / 2 if len(values) > 1 else None
            rows.setdefault(row, {})[name] = Cell(float(values.mean()), half)
    return rows


def trivial_rows(reference: Floats) -> dict[str, Floats]:
    """Return the rows that show what a number means: (T, 68, 2) each."""
    count = len(reference)
    return {
        "ground truth": reference,
        "frozen face": np.repeat(reference[:1], count, 0),
        "mean face": np.repeat(reference.mean(0, keepdims=True), count, 0),
    }


def _frame_cells(reference: Floats, points: Floats) -> dict[str, Cell]:
    rng = np.random.default_rng(0)
    blocks = max(1, len(reference) // BLOCK)
    picks = rng.integers(blocks, size=(RESAMPLES // 4, blocks))
    rows = [np.concatenate([np.arange(i * BLOCK, (i + 1) * BLOCK) for i in pick]) for pick in picks]
    cells: dict[str, Cell] = {}
    for name, metric in FRAME_METRICS.items():
        half = _interval(metric, reference, points, rows) if blocks > 1 else None
        cells[name] = Cell(metric(reference, points), half)
    return cells


def _interval(
    metric: Callable[[Floats, Floats], float], a: Floats, b: Floats, rows: list[Floats]
) -> float:
    values = [metric(a[row.astype(int)], b[row.astype(int)]) for row in rows]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(high - low) / 2


def _window_cells(reference: Floats, points: Floats) -> dict[str, Cell]:
    paper = style_distance(reference, points)
    authors = style_distance(reference, points, mode=Mode.AUTHORS)
    return {
        "SLD": Cell(paper.sld),
        "SLV": Cell(paper.slv),
        "SMD": Cell(paper.smd),
        "SLD (authors)": Cell(authors.sld),
        "SLV (authors)": Cell(authors.slv),
        "SMD (authors)": Cell(authors.smd),
    }


def _add_numbers(
    rows: dict[str, dict[str, Cell]], made: VideoMeasurements, real: VideoMeasurements, truth: str
) -> None:
    for name, observation in (("result", made), (truth, real)):
        rows[name] |= {key: Cell(value) for key, value in observation.numbers.items()}


def _notes(made: VideoMeasurements, real: VideoMeasurements) -> list[str]:
    notes: list[str] = []
    if abs(made.rate - real.rate) > 0.1:
        notes.append(
            f"Rates differ: {made.rate:.2f} and {real.rate:.2f} frames a second; both are brought "
            f"to {float(FPS):.2f}."
        )
    for one in (made, real):
        missing = 1 - one.numbers["face found"]
        if missing > 0:
            notes.append(f"{one.name}: no face in {missing:.1%} of the frames; bridged.")
        if one.level is None:
            notes.append(f"{one.name} has no sound: nothing is said about silence and sync.")
    return notes


def _about_centre(points: Floats) -> Floats:
    return points - points.mean(-2, keepdims=True)


def _peaks(distance: Floats, count: int) -> list[float]:
    """Return the seconds of the largest distances, half a second apart at least."""
    found: list[int] = []
    for row in np.argsort(-distance, kind="stable"):
        if all(abs(int(row) - other) > 15 for other in found):
            found.append(int(row))
        if len(found) == count:
            break
    return [row / float(FPS) for row in found]
