"""The faces of a picture, boxed and numbered."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import cv2
import numpy as np

from stylehead.media.image import encode_jpeg, fit_video, read_image
from stylehead.tracking.portrait import faces_of
from stylehead.types import Face, Pixels

SHOWN = 720  # pixels of the longer side of what is shown
ROOM = 0.12  # of a face's size, left free around it
_one = threading.Lock()  # the tracker holds much memory: one picture at a time


def boxed(path: Path) -> tuple[str, int]:
    """Return a picture with its faces in numbered boxes, as HTML, and how many there are.

    Raises MediaError or FaceError for a picture without one.
    """
    with _one:
        pixels = fit_video(read_image(path))
        faces = faces_of(pixels, path.name)
    height, width = pixels.shape[:2]
    line = max(height, width) / 220
    marks = "".join(
        _box(face, number if len(faces) > 1 else None, (width, height), line)
        for number, face in enumerate(faces, 1)
    )
    many = "one face" if len(faces) == 1 else f"{len(faces)} faces, numbered from the left"
    drawn = (
        f'<figure class="faces"><svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="The portrait: {many}"><image href="{_address(pixels)}" width="{width}" '
        f'height="{height}"/>{marks}</svg><figcaption>{many.capitalize()}</figcaption></figure>'
    )
    return drawn, len(faces)


def _box(face: Face, number: int | None, size: tuple[int, int], line: float) -> str:
    """Return a face's box, and its number on the corner."""
    low, high = face.mesh[:, :2].min(0), face.mesh[:, :2].max(0)
    room = ROOM * (high - low)
    x, y = (max(float(one), line) for one in low - room)
    right, bottom = (
        min(float(one), side - line) for one, side in zip(high + room, size, strict=True)
    )
    box = (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{right - x:.0f}" height="{bottom - y:.0f}" '
        f'rx="{2 * line:.1f}" stroke-width="{line:.1f}"/>'
    )
    if number is None:
        return box
    radius = 5 * line
    x, y = max(x, radius), max(y, radius)
    return (
        f'{box}<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.1f}"/>'
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{7 * line:.1f}">{number}</text>'
    )


def _address(pixels: Pixels) -> str:
    scale = min(1.0, SHOWN / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    reduced = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return f"data:image/jpeg;base64,{base64.b64encode(encode_jpeg(reduced)).decode()}"
