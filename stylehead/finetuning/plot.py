"""The proof of a tuned style as one picture: distances before and after, and the mouth's curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from stylehead.face.landmarks import brow_height, mouth_opening
from stylehead.finetuning.holdout import NEUTRAL, HoldoutTest, Row
from stylehead.media.image import write_image
from stylehead.style.sheet import ACCENT, INK, PAPER, write
from stylehead.types import Floats, Motion, Pixels, Style

WIDTH, BARS, CURVES = 960, 260, 190  # pixels
COLOURS = {"un-tuned": (150, 150, 146), "statistics": (80, 130, 190), "tuned": ACCENT}
SHOWN = {"sld": "SLD", "slv": "SLV", "smd": "SMD", "posed_sld": "SLD, posed", "sync": "sync"}
SECONDS = 8.0  # of each curve


def draw_transfer(path: Path, holdout: HoldoutTest, style: Style, rows: dict[str, Row]) -> None:
    """Write the picture: bars relative to the un-tuned generator, then opening and brows."""
    motions = {
        "un-tuned": holdout.moved(None, holdout.neutral),
        "statistics": holdout.moved(replace(style, tuning=None), holdout.neutral),
        "tuned": holdout.moved(style, holdout.neutral),
    }
    held = holdout.held_out[0]
    parts = [bars(rows)]
    for title, measure in (
        ("mouth opening, interocular", lambda m: mouth_opening(m.landmarks + NEUTRAL)),
        ("brow height, interocular", lambda m: brow_height(m.landmarks + NEUTRAL)),
    ):
        lines = {name: _start(measure(one), one) for name, one in motions.items()}
        parts.append(curves(title, lines, _start(measure(held), held), float(held.fps)))
    write_image(path, np.concatenate(parts))


def _start(values: Floats, motion: Motion) -> Floats:
    return values[: round(SECONDS * motion.fps)]


def bars(rows: dict[str, Row]) -> Pixels:
    """Draw each measure of each row, the un-tuned generator's being 1."""
    canvas = np.full((BARS, WIDTH, 3), PAPER, np.uint8)
    floor, unit = BARS - 36, (BARS - 90) / 1.5
    step = WIDTH // len(SHOWN)
    for place, (field, title) in enumerate(SHOWN.items()):
        base = getattr(rows["un-tuned"], field)
        for number, (name, row) in enumerate(rows.items()):
            ratio = getattr(row, field) / base
            left = place * step + 30 + number * 44
            top = floor - int(min(ratio, 1.6) * unit)
            cv2.rectangle(canvas, (left, top), (left + 38, floor), COLOURS[name], -1)
            write(canvas, f"{ratio:.2f}", (left, top - 5), INK, 0.4)
        write(canvas, title, (place * step + 30, BARS - 14), INK, 0.5)
    for number, (name, colour) in enumerate(COLOURS.items()):
        write(canvas, name, (30 + number * 130, 22), colour, 0.5)
    write(canvas, "relative to un-tuned; distances: lower is nearer", (440, 22), INK, 0.45)
    return canvas


def curves(title: str, lines: dict[str, Floats], held: Floats, fps: float) -> Pixels:
    """Draw curves over time on one scale, the held-out part's own in thin ink."""
    canvas = np.full((CURVES, WIDTH, 3), PAPER, np.uint8)
    together = [*lines.values(), held]
    low = min(float(one.min()) for one in together)
    high = max(float(one.max()) for one in together) + 1e-6

    def draw(values: Floats, colour: tuple[int, int, int], width: int) -> None:
        x = 46 + np.arange(len(values)) / (SECONDS * fps) * (WIDTH - 60)
        y = CURVES - 20 - (values - low) / (high - low) * (CURVES - 60)
        line = np.round(np.stack([x, y], -1) * 16).astype(np.int32)
        cv2.polylines(canvas, [line], False, colour, width, cv2.LINE_AA, 4)

    draw(held, INK, 1)
    for name, values in lines.items():
        draw(values, COLOURS[name], 2)
    write(canvas, f"{title}: {low:.2f} to {high:.2f}; ink: the clip, held out", (46, 18), INK, 0.45)
    return canvas
