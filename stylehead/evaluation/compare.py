"""Compare a result with a reference video, or with the video of a style."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylehead.errors import MediaError
from stylehead.evaluation.measurements import FPS, SIDE, VideoMeasurements, lag_of, measure_video
from stylehead.evaluation.measures import Measure, Measures, half_interval, mean_measures
from stylehead.evaluation.metrics import FRAME_METRICS, Mode, style_distance
from stylehead.progress import SILENT, Reporter
from stylehead.types import Floats

VIDEO_SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"}
BLOCK = 30  # frames resampled together for intervals: neighbours are not independent
RESAMPLES = 50  # of blocks; each takes all frame metrics of the clip again
WORST, APART = 3, 15  # moments shown as thumbnails, and frames between two of them at least
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """A result against a reference: the table and the curves behind it."""

    title: str
    measures: Measures
    """The first row is the result."""
    result: VideoMeasurements
    reference: VideoMeasurements
    worst: list[float]
    """Seconds of the largest landmark distances."""


def compare(result: Path, reference: Path, *, reporter: Reporter = SILENT) -> Comparison:
    """Compare a result with a recording of the same words, frame by frame and by windows.

    Raises MediaError or FaceError for a video that cannot be measured.
    """
    measured = measure_video(result, reporter=reporter)
    real = measure_video(reference, reporter=reporter)
    frames = min(len(measured.landmarks), len(real.landmarks))
    notes = _notes(measured, real)
    if abs(len(measured.landmarks) - len(real.landmarks)) > 1:
        notes.append(
            f"Lengths differ: {len(measured.landmarks) / float(FPS):.2f} s against "
            f"{len(real.landmarks) / float(FPS):.2f} s; the first {frames / float(FPS):.2f} s are "
            "compared."
        )
    truth, points = real.landmarks[:frames], measured.landmarks[:frames]
    rows = {
        name: _frame_measures(truth, row) | _window_measures(truth, row)
        for name, row in {"result": points, **trivial_rows(truth)}.items()
    }
    correlation, lag = lag_of(real.opening[:frames], measured.opening[:frames])
    rows["result"] |= {"opening r": Measure(correlation), "opening lag, s": Measure(lag)}
    rows["result"] |= _own_measures(measured)
    rows["ground truth"] |= _own_measures(real)
    distance = np.linalg.norm(_about_centre(truth) - _about_centre(points), axis=-1).mean(-1)
    return Comparison(
        title=f"{measured.name} against {real.name}",
        measures=Measures(rows, tuple(notes)),
        result=measured,
        reference=real,
        worst=sorted(_peaks(distance, WORST)),
    )


def compare_style(result: Path, style_video: Path, *, reporter: Reporter = SILENT) -> Comparison:
    """Compare a result with the video its style came from: other words, so by windows only.

    Raises MediaError or FaceError for a video that cannot be measured.
    """
    measured = measure_video(result, reporter=reporter)
    real = measure_video(style_video, reporter=reporter)
    rows = {
        name: _window_measures(real.landmarks, row)
        for name, row in {"result": measured.landmarks, **trivial_rows(real.landmarks)}.items()
    }
    rows["result"] |= _own_measures(measured)
    rows["copied reference"] = rows.pop("ground truth") | _own_measures(real)
    return Comparison(
        title=f"{measured.name} in the style of {real.name}",
        measures=Measures(rows, tuple(_notes(measured, real))),
        result=measured,
        reference=real,
        worst=[],
    )


def compare_folders(results: Path, references: Path, *, reporter: Reporter = SILENT) -> Measures:
    """Compare all videos of the same name; return the mean over them, with everything noted.

    Raises MediaError when no names are shared, or for a video that cannot be measured.
    """
    pairs = [
        (path, references / path.name)
        for path in sorted(results.iterdir())
        if path.suffix.lower() in VIDEO_SUFFIXES and (references / path.name).exists()
    ]
    if not pairs:
        raise MediaError(
            f"{results} and {references} have no videos of the same name.",
            remedy="Give each result the file name of its reference.",
        )
    tables = [compare(*pair, reporter=reporter).measures for pair in pairs]
    notes = [f"Mean over {len(pairs)} videos; intervals are over videos."]
    notes += [note for table in tables for note in table.notes]
    return Measures(mean_measures(tables).rows, tuple(notes))


def trivial_rows(reference: Floats) -> dict[str, Floats]:
    """Return the rows that show what a number means: (T, 68, 2) each."""
    count = len(reference)
    return {
        "ground truth": reference,
        "held first frame": np.repeat(reference[:1], count, 0),
        "mean face": np.repeat(reference.mean(0, keepdims=True), count, 0),
    }


def _frame_measures(reference: Floats, points: Floats) -> dict[str, Measure]:
    blocks = max(1, len(reference) // BLOCK)
    rows = np.arange(blocks * BLOCK).reshape(blocks, BLOCK)

    def measure(name: str) -> Measure:
        metric = FRAME_METRICS[name]

        def of_blocks(picks: NDArray[np.int64]) -> float:
            frames = rows[picks].ravel()
            return metric(reference[frames], points[frames])

        half = half_interval(of_blocks, blocks, RESAMPLES) if blocks > 1 else None
        return Measure(metric(reference, points), half)

    return {name: measure(name) for name in FRAME_METRICS}


def _window_measures(reference: Floats, points: Floats) -> dict[str, Measure]:
    paper = style_distance(reference, points)
    authors = style_distance(reference, points, mode=Mode.AUTHORS)
    return {
        "SLD": Measure(paper.sld),
        "SLV": Measure(paper.slv),
        "SMD": Measure(paper.smd),
        "SLD (authors)": Measure(authors.sld),
        "SLV (authors)": Measure(authors.slv),
        "SMD (authors)": Measure(authors.smd),
    }


def _own_measures(video: VideoMeasurements) -> dict[str, Measure]:
    return {name: Measure(value) for name, value in video.numbers.items()}


def _notes(result: VideoMeasurements, reference: VideoMeasurements) -> list[str]:
    notes: list[str] = []
    if abs(result.rate - reference.rate) > 0.1:
        notes.append(
            f"Frame rates differ: {result.rate:.2f} and {reference.rate:.2f} a second; both are "
            f"resampled to {float(FPS):.2f}."
        )
    for video in (result, reference):
        missing = 1 - video.numbers["face found"]
        if missing > 0:
            notes.append(
                f"{video.name}: no face in {missing:.1%} of the frames; they are interpolated."
            )
        if video.level is None:
            notes.append(f"{video.name} has no sound: silence and sync are not measured.")
    return notes


def _about_centre(points: Floats) -> Floats:
    return points - points.mean(-2, keepdims=True)


def _peaks(distance: Floats, count: int) -> list[float]:
    """Return the seconds of the largest distances, half a second apart at least."""
    peaks: list[int] = []
    for row in np.argsort(-distance, kind="stable"):
        if all(abs(int(row) - peak) > APART for peak in peaks):
            peaks.append(int(row))
        if len(peaks) == count:
            break
    return [row / float(FPS) for row in peaks]
