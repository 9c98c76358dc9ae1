"""A comparison as one self-contained web page: table, curves, worst moments."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylehead import files
from stylehead.evaluation.compare import UNITS, Cell, Comparison
from stylehead.evaluation.measurements import FPS, worst_moments
from stylehead.media.image import encode_jpeg
from stylehead.types import Floats

WIDTH, HEIGHT, MARGIN = 900, 120, 4  # of a curve, in the units of its own drawing
POINTS = 900  # of a curve at most: more cannot be seen
STYLE = """
:root { color-scheme: light dark; --ink: #1d1d22; --paper: #fbfaf7; --line: #d8d5cd;
  --soft: #6c6a66; --result: #b8432b; --reference: #2b6cb8; --sound: #b9b4a6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e7e2; --paper: #17171a; --line: #38373c;
  --soft: #a19e98; --result: #f08a70; --reference: #7fb2ee; --sound: #55524b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.35rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; font-size: .9rem; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--paper); }
td.main { font-weight: 600; } small { color: var(--soft); }
svg { width: 100%; height: 7.5rem; display: block; border-bottom: 1px solid var(--line); }
.result { stroke: var(--result); } .reference { stroke: var(--reference); }
.sound { fill: var(--sound); stroke: none; opacity: .5; }
path.result, path.reference { fill: none; stroke-width: 1.6;
  vector-effect: non-scaling-stroke; }
.key span { margin-right: 1.2rem; } .key b { display: inline-block; width: 1.6rem; height: 3px;
  vertical-align: middle; margin-right: .4rem; }
.moments { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .8rem; }
.moments img { width: 100%; border-radius: 4px; display: block; } figure { margin: 0 0 .8rem; }
"""


def write_report(path: Path, comparison: Comparison, result: Path, reference: Path) -> None:
    """Write the page; pictures and styles are inside it, nothing is fetched when it is opened."""
    made, real = comparison.result, comparison.reference
    curves = [_curve("Mouth opening, interocular", made.opening, real.opening, made.level)]
    for column, name in enumerate(("pitch", "yaw", "roll")):
        title = f"Head {name}, degrees"
        curves.append(_curve(title, made.angles[:, column], real.angles[:, column], None))
    parts = [
        f"<h1>{html.escape(comparison.title)}</h1>",
        *(f"<p><small>{html.escape(note)}</small></p>" for note in comparison.notes),
        "<h2>Numbers</h2>",
        _table(comparison.rows),
        "<p><small>± is half of a 95 % interval. Distances are lower-is-better and 0 for the "
        "ground truth; frozen and mean face show what a number means. Values compare only within "
        "one detector and frame size.</small></p>",
        "<h2>Over time</h2>",
        '<p class="key"><span><b style="background:var(--result)"></b>result</span>'
        '<span><b style="background:var(--reference)"></b>reference</span>'
        '<span><b style="background:var(--sound)"></b>loudness of the result</span></p>',
        *curves,
    ]
    if comparison.worst:
        parts += ["<h2>Largest differences</h2>", _moments(comparison.worst, result, reference)]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(comparison.title)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )
    with files.atomic(path) as part:
        part.write_text(page, encoding="utf-8")


def measures(rows: dict[str, dict[str, Cell]]) -> list[str]:
    """Return the names of all measures in the order they first appear."""
    return list(dict.fromkeys(name for cells in rows.values() for name in cells))


def shown(cell: Cell | None) -> str:
    """Write a number with its interval; empty where there is none."""
    if cell is None or math.isnan(cell.value):
        return ""
    half = "" if cell.half is None else f" ± {cell.half:.2f}"
    return f"{cell.value:.3g}{half}"


def _table(rows: dict[str, dict[str, Cell]]) -> str:
    head = "".join(f"<th>{html.escape(row)}</th>" for row in rows)
    lines: list[str] = []
    for name in measures(rows):
        unit = f" <small>{UNITS[name]}</small>" if name in UNITS else ""
        cells = "".join(
            f'<td class="{"main" if place == 0 else "side"}">{shown(cells.get(name))}</td>'
            for place, cells in enumerate(rows.values())
        )
        lines.append(f"<tr><td>{html.escape(name)}{unit}</td>{cells}</tr>")
    body = "".join(lines)
    return f'<div class="table"><table><tr><th></th>{head}</tr>{body}</table></div>'


def _curve(title: str, made: Floats, real: Floats, level: Floats | None) -> str:
    frames = max(len(made), len(real))
    low, high = float(min(made.min(), real.min())), float(max(made.max(), real.max()))
    room = max(high - low, 1e-6)

    def path(values: Floats, kind: str) -> str:
        rows = np.unique(np.linspace(0, len(values) - 1, min(POINTS, len(values))).astype(int))
        x = rows / max(frames - 1, 1) * WIDTH
        y = HEIGHT - MARGIN - (values[rows] - low) / room * (HEIGHT - 2 * MARGIN)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        return f'<path class="{kind}" d="M {points.replace(" ", " L ")}"/>'

    sound = "" if level is None else _envelope(level, frames)
    return (
        f"<figure><figcaption><small>{title}: {low:.2f} to {high:.2f}, "
        f"{frames / float(FPS):.1f} s</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{title}">{sound}{path(real, "reference")}{path(made, "result")}</svg>'
        "</figure>"
    )


def _envelope(level: Floats, frames: int) -> str:
    rows = np.unique(np.linspace(0, len(level) - 1, min(POINTS, len(level))).astype(int))
    height = ((level[rows] + 45) / 50).clip(0, 1) * (HEIGHT - 2 * MARGIN)
    x = rows / max(frames - 1, 1) * WIDTH
    points = [f"{a:.1f},{HEIGHT - MARGIN - b:.1f}" for a, b in zip(x, height, strict=True)]
    ends = [f"{x[0]:.1f},{HEIGHT - MARGIN}", *points, f"{x[-1]:.1f},{HEIGHT - MARGIN}"]
    return f'<path class="sound" d="M {" L ".join(ends)} Z"/>'


def _moments(seconds: Sequence[float], result: Path, reference: Path) -> str:
    figures: list[str] = []
    for name, path in (("result", result), ("reference", reference)):
        crops = worst_moments(path, list(seconds))
        for moment, crop in zip(seconds, crops, strict=False):
            data = base64.b64encode(encode_jpeg(crop)).decode()
            figures.append(
                f'<figure><img alt="{name} at {moment:.1f} s" src="data:image/jpeg;base64,{data}">'
                f"<figcaption><small>{name}, {moment:.1f} s</small></figcaption></figure>"
            )
    return f'<div class="moments">{"".join(figures)}</div>'
