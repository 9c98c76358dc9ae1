"""The style sheet: four reference frames with landmarks, and the mouth's curve, as one picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stylehead.face.geometry import align, crop_points, face_crop
from stylehead.face.landmarks import POLYLINES, RIGID, to_68
from stylehead.media.image import write_image
from stylehead.media.video import read_frames
from stylehead.progress import clock
from stylehead.style.references import Retrieval
from stylehead.types import FaceTrack, Floats, Pixels, Style, StyleReference

CELL = 320  # pixels of one face
LABEL, CURVE = 34, 200  # pixels of the heights of a face's label and of the curve
WIDTH, HEIGHT = 4 * CELL, CELL + LABEL + CURVE
DPI = 100
PAPER, INK, ACCENT, MESH = "#fafaf8", "#28282c", "#c4402a", "#5adc78"


def draw_sheet(
    path: Path, video: Path, style: Style, retrieval: Retrieval, track: FaceTrack
) -> None:
    """Write a PNG with the four references, their templates and times, and the opening's curve.

    Raises MediaError when the picture cannot be written, or the clip not be read again.
    """
    figure = Figure((WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor=PAPER)
    canvas = FigureCanvasAgg(figure)
    rows = [int(np.argmin(np.abs(track.seconds - ref.seconds))) for ref in style.references]
    crops = _crops(video, track, rows)
    for place, (reference, row) in enumerate(zip(style.references, rows, strict=True)):
        left = place * CELL / WIDTH
        axes = figure.add_axes((left, 1 - CELL / HEIGHT, CELL / WIDTH, CELL / HEIGHT))
        _draw_face(axes, crops.get(row), _in_crop(reference, track.mesh[row]))
        figure.text(
            left + 10 / WIDTH,
            (CURVE + LABEL / 2) / HEIGHT,
            f"{reference.title}   {clock(reference.seconds)}"
            if reference.in_clip
            else f"{reference.title}   not in the clip: made",
            color=INK,
            va="center",
        )
    low, high = 42 / HEIGHT, (CURVE - 34) / HEIGHT
    axes = figure.add_axes((56 / WIDTH, low, (WIDTH - 76) / WIDTH, high - low), facecolor=PAPER)
    _draw_opening(axes, retrieval.opening, track, style)
    canvas.draw()
    write_image(path, np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _crops(video: Path, track: FaceTrack, rows: list[int]) -> dict[int, Pixels]:
    """Return the face crop (CELL, CELL, 3) of some rows of a track, read again from the clip."""
    crops: dict[int, Pixels] = {}
    for frame in read_frames(video):
        row = int(np.argmin(np.abs(track.seconds - frame.seconds)))
        if row in rows and abs(track.seconds[row] - frame.seconds) < 1e-6:
            crop = face_crop(frame.pixels, track.mesh[row], 256)
            larger = cv2.resize(crop, (CELL, CELL), interpolation=cv2.INTER_CUBIC)
            crops[row] = np.asarray(larger, np.uint8)
    return crops


def _in_crop(reference: StyleReference, mesh: Floats) -> Floats:
    """Return where a reference's landmarks (68, 2) lie in the crop of its frame's mesh (478, 3).

    Those of the frame, unless the template is not in the clip: then those that were made.
    """
    tracked = to_68(crop_points(mesh, CELL))
    if reference.in_clip:
        return tracked[:, :2]
    rigid = list(RIGID)
    return align(reference.landmarks[rigid], tracked[rigid]).apply(reference.landmarks)[:, :2]


def _draw_face(axes: Axes, crop: Pixels | None, points: Floats) -> None:
    """Draw a face crop, when the clip gave it again, under the lines of 68 landmarks (68, 2)."""
    axes.set_axis_off()
    axes.set(xlim=(0, CELL), ylim=(CELL, 0))
    if crop is not None:
        axes.imshow(crop, extent=(0, CELL, CELL, 0), interpolation="nearest")
    for group, closed in POLYLINES:
        line = points[[*group, group[0]] if closed else list(group)]
        axes.plot(*line.T, color=MESH, linewidth=0.9)


def _draw_opening(axes: Axes, opening: Floats, track: FaceTrack, style: Style) -> None:
    """Draw the mouth opening (T,) over time, with the references marked."""
    axes.plot(track.seconds, opening, color=INK, linewidth=0.9)
    axes.set(
        xlim=(track.seconds[0], track.seconds[-1]), ylim=(0, 1.05 * max(float(opening.max()), 1e-3))
    )
    axes.set_title(
        "mouth opening, interocular distances", fontsize=9, color=INK, loc="left", pad=14
    )
    axes.xaxis.set_major_formatter(lambda seconds, _: clock(seconds))
    axes.tick_params(labelsize=8, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    middle = (track.seconds[0] + track.seconds[-1]) / 2
    for reference in style.references:
        early = bool(reference.seconds < middle)  # a late one's name would leave the picture
        axes.axvline(reference.seconds, color=ACCENT, linewidth=0.9)
        axes.annotate(
            reference.title if reference.in_clip else f"({reference.title})",
            (reference.seconds, 1),
            xycoords=("data", "axes fraction"),
            xytext=(2 if early else -2, 3),
            textcoords="offset points",
            ha="left" if early else "right",
            fontsize=8,
            color=ACCENT,
        )
