"""The paper's landmark metrics and their windowed style forms (paper, Eq. 10; Tables 1 and 2).

Landmarks are (T, 68, 2) in pixels; every metric is lower-is-better and 0 for equal inputs.
Distances in percent are relative to the width of the face in each frame; LMD is in pixels, so the
frame size has to be stated with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from stylehead.face.landmarks import MOUTH
from stylehead.types import Floats

INNER_LIPS = slice(60, 68)
WINDOWS = tuple((length, stride) for length in range(10, 101) for stride in range(1, 20))
"""The 1,729 window lengths and strides, in frames, of the authors' script."""


class Mode(str, Enum):
    """How the style metrics are taken."""

    PAPER = "paper"
    """Eq. 10: mean over reference windows of the least distance; SMD compares mouth areas."""
    AUTHORS = "authors"
    """The released script: least running mean over windows; its SMD is LMD in pixels."""


# ---- frame by frame -------------------------------------------------------------------------


def normalised(points: Floats) -> Floats:
    """Move each frame's least corner to the origin and divide by the face's width."""
    points = np.asarray(points, np.float64)
    corner = points.min(-2, keepdims=True)
    return (points - corner) / np.ptp(points[..., :1], axis=-2, keepdims=True)


def velocities(points: Floats) -> Floats:
    """Return (T - 1, 68, 2) steps of corner-subtracted frames over the later frame's width."""
    points = np.asarray(points, np.float64)
    moved = points - points.min(-2, keepdims=True)
    width = np.ptp(moved[1:, :, :1], axis=1, keepdims=True)
    return np.diff(moved, axis=0) / width


def centred_mouth(points: Floats) -> Floats:
    """Return the 20 mouth points about their mean, pixels."""
    mouth = np.asarray(points, np.float64)[..., MOUTH, :]
    return mouth - mouth.mean(-2, keepdims=True)


def mouth_area(points: Floats) -> Floats:
    """Return the inner-lip polygon's area (shoelace) in squared face widths: (T,)."""
    x, y = np.moveaxis(normalised(points)[..., INNER_LIPS, :], -1, 0)
    return np.abs((x * np.roll(y, -1, -1) - y * np.roll(x, -1, -1)).sum(-1)) / 2


def lmd(reference: Floats, result: Floats) -> float:
    """LMD: mean distance of the mouth points about their centre, pixels (paper, Table 1)."""
    return float(_distance(centred_mouth(reference), centred_mouth(result)).mean())


def landmark_distance(reference: Floats, result: Floats) -> float:
    """D-L: mean landmark distance, percent of the face's width (MakeItTalk)."""
    return 100 * float(_distance(normalised(reference), normalised(result)).mean())


def velocity_distance(reference: Floats, result: Floats) -> float:
    """D-V: mean distance of landmark velocities, percent of the face's width a frame."""
    return 100 * float(_distance(velocities(reference), velocities(result)).mean())


def area_distance(reference: Floats, result: Floats) -> float:
    """D-A: mean difference of open-mouth areas, percent of the largest reference area.

    NaN when the reference mouth never opens.
    """
    wanted = mouth_area(reference)
    largest = float(wanted.max())
    if largest == 0:
        return float("nan")
    return 100 * float(np.abs(wanted - mouth_area(result)).mean()) / largest


def _distance(a: Floats, b: Floats) -> Floats:
    return np.linalg.norm(a - b, axis=-1)


# ---- windows --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StyleDistance:
    """SLD and SLV in percent of the face's width; SMD in percent (paper) or pixels (authors)."""

    sld: float
    slv: float
    smd: float


def style_distance(
    reference: Floats,
    result: Floats,
    windows: Iterable[tuple[int, int]] = WINDOWS,
    *,
    mode: Mode = Mode.PAPER,
    area_of_window: bool = False,
) -> StyleDistance:
    """Mean over windows of SLD, SLV and SMD between a style's video and a result (Eq. 10).

    The videos may differ in length; windows longer than either are left out (NaN when none fits).
    SMD in paper mode is relative to the largest mouth area of the whole reference, so that windows
    with a shut mouth do not divide by zero; with `area_of_window` to that of the reference window.
    """
    pairs = _Pairs(reference, result, mode, area_of_window)
    values = [
        pairs.distances(length, stride)
        for length, stride in windows
        if 2 <= length <= min(len(reference), len(result))
    ]
    if not values:
        return StyleDistance(float("nan"), float("nan"), float("nan"))
    return StyleDistance(*np.mean(values, axis=0).tolist())


class _Pairs:
    """Distances between every reference and every result frame, summed along diagonals.

    A window pair is a run on a diagonal of the (N_s, N_a) table of frame distances, so that all
    windows of one length come from one difference of running sums.
    """

    def __init__(self, reference: Floats, result: Floats, mode: Mode, area_of_window: bool) -> None:
        self._mode = mode
        self._areas = mouth_area(reference)
        self._area_of_window = area_of_window and mode is Mode.PAPER
        shape = 100 * _table(normalised(reference), normalised(result))
        speed = np.zeros_like(shape)
        if min(shape.shape) > 1:
            speed[1:, 1:] = 100 * _table(velocities(reference), velocities(result))
        if mode is Mode.AUTHORS:
            mouth = _table(centred_mouth(reference), centred_mouth(result))
        else:
            apart = 100 * np.abs(self._areas[:, None] - mouth_area(result)[None])
            mouth = apart if self._area_of_window else _ratio(apart, self._areas.max())
        self._shape, self._speed, self._mouth = map(_along_diagonals, (shape, speed, mouth))
        self._kept: tuple[int, list[Floats]] = (0, [])

    def distances(self, length: int, stride: int) -> tuple[float, float, float]:
        """Return SLD, SLV and SMD of one window length and stride."""
        if self._kept[0] != length:
            self._kept = (length, self._window_means(length))
        sld, slv, smd = (self._least(means[::stride, ::stride]) for means in self._kept[1])
        return sld, slv, smd

    def _window_means(self, length: int) -> list[Floats]:
        def sums(table: Floats, first: int) -> Floats:
            """Sums from frame `first` of each window to its last."""
            ends = table[length:, length:]
            starts = table[first : len(table) - length + first]
            return ends - starts[:, first : table.shape[1] - length + first]

        mouth = sums(self._mouth, 0) / length
        if self._area_of_window:
            windows = np.lib.stride_tricks.sliding_window_view(self._areas, length)
            mouth = _ratio(mouth, windows.max(-1)[:, None])
        return [sums(self._shape, 0) / length, sums(self._speed, 1) / (length - 1), mouth]

    def _least(self, means: Floats) -> float:
        if self._mode is Mode.AUTHORS:
            # The script never clears its list: window j is judged by the mean over windows 0..j.
            means = np.cumsum(means, axis=1) / np.arange(1, means.shape[1] + 1)
        return float(means.min(axis=1).mean())


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Divide; NaN where the whole is 0: the mouth never opens."""
    return part / np.where(whole > 0, whole, np.nan)


def _table(a: Floats, b: Floats) -> Floats:
    """Mean point distance of every frame of a with every frame of b: (N, P, 2), (M, P, 2)."""
    table = np.empty((len(a), len(b)))
    for row, points in enumerate(a):  # a row at a time: the whole would be N x M x 68 numbers
        table[row] = np.hypot(*np.moveaxis(b - points, -1, 0)).mean(-1)
    return table


def _along_diagonals(table: Floats) -> Floats:
    """Return running sums C with C[i + 1, j + 1] = C[i, j] + table[i, j]."""
    sums = np.zeros((table.shape[0] + 1, table.shape[1] + 1))
    for row in range(table.shape[0]):
        sums[row + 1, 1:] = sums[row, :-1] + table[row]
    return sums


Metric = Callable[[Floats, Floats], float]
FRAME_METRICS: dict[str, Metric] = {
    "LMD": lmd,
    "D-L": landmark_distance,
    "D-V": velocity_distance,
    "D-A": area_distance,
}
