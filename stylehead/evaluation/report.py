"""A comparison as one self-contained web page: table, curves, worst moments."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stylehead import files
from stylehead.evaluation.compare import UNITS, Comparison
from stylehead.evaluation.measurements import FPS, face_crops_at
from stylehead.media.image import encode_jpeg
from stylehead.types import Floats

TEMPLATE = "report.html.jinja"
WIDTH, HEIGHT, MARGIN = 900, 120, 4  # of a curve, in the units of its own drawing
POINTS = 900  # of a curve at most: more cannot be seen
LOWEST_LEVEL, LEVELS = -45.0, 50.0  # dB under the loud parts at the curve's foot, and its height


@dataclass(frozen=True, slots=True)
class Curve:
    """One drawing: a measure of both videos over time, as SVG paths."""

    title: str
    low: float
    high: float
    seconds: float
    result: str
    reference: str
    loudness: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """The face of one video at one time, as a JPEG in base64."""

    name: str
    seconds: float
    jpeg: str


def write_report(path: Path, comparison: Comparison, result: Path, reference: Path) -> None:
    """Write the page; pictures and styles are inside it, nothing is fetched when it is opened."""
    measured, real = comparison.result, comparison.reference
    curves = [_curve("Mouth opening, interocular", measured.opening, real.opening, measured.level)]
    for axis, name in enumerate(("pitch", "yaw", "roll")):
        curves.append(
            _curve(f"Head {name}, degrees", measured.angles[:, axis], real.angles[:, axis])
        )
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    header, *lines = comparison.measures.table()
    page = environment.get_template(TEMPLATE).render(
        title=comparison.title,
        notes=comparison.measures.notes,
        header=header,
        lines=lines,
        units=UNITS,
        curves=curves,
        size=(WIDTH, HEIGHT),
        moments=[
            *_moments("result", result, comparison.worst),
            *_moments("reference", reference, comparison.worst),
        ],
    )
    with files.atomic(path) as part:
        part.write_text(page, encoding="utf-8", errors="replace")  # names need not be text


def _curve(title: str, result: Floats, reference: Floats, level: Floats | None = None) -> Curve:
    frames = max(len(result), len(reference))
    low = float(min(result.min(), reference.min()))
    high = float(max(result.max(), reference.max()))
    room = max(high - low, 1e-6)
    return Curve(
        title=title,
        low=low,
        high=high,
        seconds=frames / float(FPS),
        result=_path((result - low) / room, frames),
        reference=_path((reference - low) / room, frames),
        loudness="" if level is None else _envelope(level, frames),
    )


def _path(heights: Floats, frames: int) -> str:
    """Return the SVG path of a curve (T,) in [0, 1], of a drawing `frames` wide."""
    rows = np.unique(np.linspace(0, len(heights) - 1, min(POINTS, len(heights))).astype(int))
    x = rows / max(frames - 1, 1) * WIDTH
    y = HEIGHT - MARGIN - heights[rows] * (HEIGHT - 2 * MARGIN)
    return "M" + " L".join(f"{right:.1f},{down:.1f}" for right, down in zip(x, y, strict=True))


def _envelope(level: Floats, frames: int) -> str:
    """Return the closed path of a loudness (T,) in dB under the loud parts."""
    line = _path(((level - LOWEST_LEVEL) / LEVELS).clip(0, 1), frames)
    end = (len(level) - 1) / max(frames - 1, 1) * WIDTH
    return f"{line} L{end:.1f},{HEIGHT - MARGIN} L0,{HEIGHT - MARGIN} Z"


def _moments(name: str, path: Path, seconds: Sequence[float]) -> list[Moment]:
    crops = face_crops_at(path, list(seconds))
    return [
        Moment(name, moment, base64.b64encode(encode_jpeg(crop)).decode())
        for moment, crop in zip(seconds, crops, strict=False)  # no face, no picture
    ]
