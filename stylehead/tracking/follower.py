"""One face followed from frame to frame, and what is seen of it in each."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from stylehead.face.landmarks import to_68
from stylehead.media.video import read_frames
from stylehead.tracking.detector import MOST_FACES, FaceLandmarker, faces_in, height_of, landmarker
from stylehead.tracking.doubts import Glimpse, glimpse
from stylehead.tracking.portrait import search
from stylehead.types import Face, Floats, Frame, Pixels

SMALL = 0.2  # height of a face, of the picture's longer side, under which it gets a window
WINDOW = 4.0  # side of that window in face heights
OFF_CENTRE, GROWN = 0.25, 1.6
"""The window is re-centred when the face has moved by OFF_CENTRE of its side or changed size by
the factor GROWN."""
EYES_AND_NOSE = slice(27, 48)
SHARPNESS_BOX = (128, 96)  # pixels in width and height at which sharpness is measured
WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds between two searches for a face that is not there


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Seen:
    """What is kept of a clip's frame."""

    seconds: float
    face: Face | None
    sharpness: float
    """Of the face; 0 without one."""
    glimpse: Glimpse
    size: tuple[int, int]
    """Width and height of the frame."""


class Follower:
    """Follows the main face of a clip from some time on, in each `every`-th frame."""

    def __init__(self, path: Path, start: float, every: int = 1) -> None:
        self._tasks = ExitStack()
        self._tracker: _ClipTracker | None = None
        self._source = read_frames(path, start=start, every=every)
        self._next: Frame | None = None
        self._last = -np.inf
        self.ended = False
        """Whether all frames were seen."""

    def until(self, end: float) -> list[Seen]:
        """Return what is seen in the next frames, up to a time in the clip.

        Raises MediaError when the clip has none at all from the start on.
        """
        seen: list[Seen] = []
        while frame := self._upcoming():
            if frame.seconds >= end:
                break
            self._next = None
            if frame.seconds > self._last:  # else a repeated time stamp: it was never shown
                self._last = frame.seconds
                seen.append(self._see(frame))
        return seen

    def close(self) -> None:
        """Close the clip, and let go of the tracker."""
        self._source.close()
        self._tasks.close()

    def _upcoming(self) -> Frame | None:
        if self._next is None and not self.ended:
            self._next = next(self._source, None)
            self.ended = self._next is None
        return self._next

    def _see(self, frame: Frame) -> Seen:
        pixels = frame.pixels
        if self._tracker is None:
            self._tracker = _ClipTracker(self._tasks)
        face = self._tracker.face(pixels, frame.seconds)
        return Seen(
            seconds=frame.seconds,
            face=face,
            sharpness=_sharpness(pixels, face.mesh) if face else 0.0,
            glimpse=glimpse(pixels, face.mesh if face else None),
            size=(pixels.shape[1], pixels.shape[0]),
        )


class _ClipTracker:
    """Tracks one face; a small one, which the detector overlooks, in a window of the picture."""

    def __init__(self, stack: ExitStack) -> None:
        self._tasks = stack.enter_context(ExitStack())
        self._stamp = -1  # milliseconds, rising: the tracker refuses equal ones
        self._search_at, self._wait = 0.0, WAIT
        self._start_tracking(None)

    def face(self, pixels: Pixels, seconds: float) -> Face | None:
        """Return the face in the clip's next frame (H, W, 3), in its pixels."""
        self._stamp = max(self._stamp + 1, round(seconds * 1000))
        face = self._detect(pixels)
        if face and self._window and self._left_window(face):
            self._start_tracking(face)
            return self._detect(pixels) or face
        if face or seconds < self._search_at:
            return face
        with landmarker(video=False, faces=MOST_FACES) as stills:  # seldom needed
            others = search(stills, pixels)
        if not others:
            self._search_at, self._wait = seconds + self._wait, min(2 * self._wait, LONGEST_WAIT)
            return None
        self._search_at, self._wait = seconds + WAIT, WAIT
        main = max(others, key=height_of)
        self._start_tracking(main if height_of(main) < SMALL * max(pixels.shape) else None)
        return self._detect(pixels)

    def _start_tracking(self, face: Face | None) -> None:
        """Start a tracker in a window around a face, or in the whole picture."""
        self._tasks.close()
        self._task: FaceLandmarker = self._tasks.enter_context(landmarker(video=True))
        self._window = None
        if face is not None:
            side = round(WINDOW * height_of(face))
            x, y = (middle_of(face) - side / 2).round().astype(int).tolist()
            self._window = (x, y, side)

    def _detect(self, pixels: Pixels) -> Face | None:
        if self._window is None:
            return next(iter(faces_in(self._task, pixels, self._stamp)), None)
        x, y, side = self._window
        x0, y0 = max(x, 0), max(y, 0)
        for face in faces_in(self._task, pixels[y0 : y + side, x0 : x + side], self._stamp):
            return replace(face, mesh=face.mesh + np.array([x0, y0, 0], np.float32))
        return None

    def _left_window(self, face: Face) -> bool:
        assert self._window is not None
        x, y, side = self._window
        away = np.abs(middle_of(face) - (x + side / 2, y + side / 2)).max() / side
        grown = WINDOW * height_of(face) / side
        return bool(away > OFF_CENTRE or not 1 / GROWN < grown < GROWN)


def middle_of(face: Face) -> Floats:
    """Return the middle (2,) of a face's mesh, in pixels."""
    return (face.mesh[:, :2].min(0) + face.mesh[:, :2].max(0)) / 2


def _sharpness(pixels: Pixels, mesh: Floats) -> float:
    """Variance of the Laplacian of the box of eyes and nose, scaled to one size.

    Without mouth and jaw: an open mouth has more edges, and would look sharper.
    """
    points = to_68(mesh)[EYES_AND_NOSE, :2]
    low = np.maximum(points.min(0).astype(int), 0)
    high = points.max(0).astype(int) + 1
    box = pixels[low[1] : high[1], low[0] : high[0]]
    if min(box.shape[:2]) < 8:
        return 0.0
    way = cv2.INTER_AREA if box.shape[1] > SHARPNESS_BOX[0] else cv2.INTER_LINEAR
    grey = cv2.resize(cv2.cvtColor(box, cv2.COLOR_RGB2GRAY), SHARPNESS_BOX, interpolation=way)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
