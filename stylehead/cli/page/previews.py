"""Short previews of styles: a face in lines that moves as the style's person did in their clip."""

from __future__ import annotations

import base64
import contextlib

import numpy as np

from stylehead.errors import StyleError
from stylehead.face.landmarks import POLYLINES
from stylehead.style.file import list_styles, load_style
from stylehead.types import Floats, Style

SECONDS, RATE = 2.4, 10  # length of a preview, and its drawings a second
SIDE = 96  # units of a drawing's side
REACH = 2.9  # side of what is drawn, in distances between the outer eye corners
MIDDLE = (0.0, 0.3)  # of what is drawn, in the same unit, from the face's origin
UPPER_LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))  # each with the lower one below it


def known_styles() -> dict[str, Style]:
    """Return all styles that can be read by name, built-in ones first; yours count before those."""
    known: dict[str, Style] = {}
    for name, path, _ in list_styles():
        with contextlib.suppress(StyleError):  # `stylehead styles` says what is wrong with it
            known[name] = load_style(path)
    return known


def preview(style: Style, *, moves: bool = True) -> str:
    """Return a drawing as an SVG, in motion or of its first moment."""
    points = _liveliest(style)
    drawn = "".join(_line(points[:, list(group)], closed, moves) for group, closed in POLYLINES)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}" fill="none" '
        'stroke="#e0703c" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">'
        f"{drawn}</svg>"
    )


def address(svg: str) -> str:
    """Return a drawing as an address that holds it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _liveliest(style: Style) -> Floats:
    """Return the landmarks (T, 68, 2) of the part of a clip in which most happens, as drawn."""
    motion = style.motion
    step = max(1, round(float(motion.fps) / RATE))
    faces = motion.neutral + motion.landmarks[::step]
    for upper, lower in UPPER_LIDS:
        shut = motion.blink[::step, None].clip(0, 1)
        faces[:, upper] += shut * (faces[:, lower] - faces[:, upper])
    placed = faces @ motion.rotation[::step] + motion.translation[::step, None]
    flat = (placed[..., :2] - MIDDLE) * (SIDE / REACH) + SIDE / 2
    count = min(len(flat), round(SECONDS * RATE))
    speeds = np.abs(np.diff(flat, axis=0)).mean((1, 2))
    sums = np.convolve(speeds, np.ones(max(count - 1, 1)), "valid") if len(speeds) else [0.0]
    first = int(np.argmax(sums))
    return np.asarray(flat[first : first + count], np.float32)


def _line(points: Floats, closed: bool, moves: bool) -> str:
    """Return a line (T, N, 2), there and back again so that it has no jump."""
    shapes = [
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in row) + ("Z" if closed else "")
        for row in points
    ]
    if not moves:
        return f'<path d="{shapes[0]}"/>'
    frames = ";".join([*shapes, *shapes[-2::-1]])
    seconds = 2 * len(shapes) / RATE
    return (
        f'<path d="{shapes[0]}"><animate attributeName="d" dur="{seconds:.1f}s" '
        f'repeatCount="indefinite" values="{frames}"/></path>'
    )
