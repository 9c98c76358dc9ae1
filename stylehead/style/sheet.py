"""The style sheet: four reference frames with landmarks, and the mouth's curve, as one picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from stylehead.face.geometry import crop_points, face_crop
from stylehead.face.landmarks import POLYLINES, to_68
from stylehead.media.image import write_image
from stylehead.media.video import read_frames
from stylehead.progress import clock
from stylehead.style.references import Retrieval
from stylehead.types import FaceTrack, Floats, Pixels, Style

CELL = 320  # pixels of one face
CURVE = 200  # pixels of the curve's height
PAPER, INK, ACCENT = (250, 250, 248), (40, 40, 44), (196, 64, 42)


def draw_sheet(
    path: Path, video: Path, style: Style, retrieval: Retrieval, track: FaceTrack
) -> None:
    """Write a PNG with the four references, their templates and times, and the opening's curve."""
    rows = [int(np.argmin(np.abs(track.seconds - one.seconds))) for one in style.references]
    crops = _crops(video, track, rows)
    faces = np.concatenate(
        [
            _face(crops.get(row), one.template, one.seconds, track.mesh[row])
            for one, row in zip(style.references, rows, strict=True)
        ],
        axis=1,
    )
    curve = _curve(retrieval.opening, track, style, faces.shape[1])
    write_image(path, np.concatenate([faces, curve]))


def _crops(video: Path, track: FaceTrack, rows: list[int]) -> dict[int, Pixels]:
    """Return the face crop (256, 256, 3) of some rows of a track, read again from the clip."""
    crops: dict[int, Pixels] = {}
    for frame in read_frames(video):
        row = int(np.argmin(np.abs(track.seconds - frame.seconds)))
        if row in rows and abs(track.seconds[row] - frame.seconds) < 1e-6:
            crops[row] = face_crop(frame.pixels, track.mesh[row], 256)
    return crops


def _face(pixels: Pixels | None, template: str, seconds: float, mesh: Floats) -> Pixels:
    cell = np.full((CELL + 34, CELL, 3), PAPER, np.uint8)
    if pixels is not None:
        cell[:CELL] = cv2.resize(pixels, (CELL, CELL), interpolation=cv2.INTER_CUBIC)
        points = to_68(crop_points(mesh, CELL))
        for group, closed in POLYLINES:
            line = np.round(points[list(group), :2] * 16).astype(np.int32)
            cv2.polylines(cell[:CELL], [line], closed, (90, 220, 120), 1, cv2.LINE_AA, 4)
    write(cell, f"{template}   {clock(seconds)}", (8, CELL + 23))
    return cell


def _curve(opening: Floats, track: FaceTrack, style: Style, width: int) -> Pixels:
    """Draw the mouth opening over time, with the references marked."""
    canvas = np.full((CURVE, width, 3), PAPER, np.uint8)
    left, right, top, bottom = 46, width - 12, 30, CURVE - 28
    first, last = float(track.seconds[0]), float(track.seconds[-1])
    highest = max(float(opening.max()), 1e-3)

    def place(seconds: Floats, value: Floats) -> Floats:
        x = left + (seconds - first) / max(last - first, 1e-3) * (right - left)
        return np.stack([x, bottom - value / highest * (bottom - top)], -1)

    line = np.round(place(track.seconds, opening) * 16).astype(np.int32)
    cv2.polylines(canvas, [line], False, INK, 1, cv2.LINE_AA, 4)
    for one in style.references:
        x = int(place(np.array(one.seconds), np.array(0.0))[0])
        cv2.line(canvas, (x, top), (x, bottom), ACCENT, 1, cv2.LINE_AA)
        write(canvas, one.template, (x + 3, top + 10), ACCENT, 0.42)
    write(canvas, "mouth opening, interocular distances", (left, 18), INK, 0.45)
    write(canvas, f"{highest:.2f}", (4, top + 6), INK, 0.4)
    write(canvas, "0", (28, bottom), INK, 0.4)
    write(canvas, clock(first), (left, CURVE - 10), INK, 0.4)
    write(canvas, clock(last), (right - 46, CURVE - 10), INK, 0.4)
    return canvas


def write(
    canvas: Pixels,
    text: str,
    place: tuple[int, int],
    colour: tuple[int, int, int] = INK,
    size: float = 0.55,
) -> None:
    """Write one line of text; `place` is its lower left corner in pixels."""
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
