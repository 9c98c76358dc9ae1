"""The main face of a clip, tracked frame by frame."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from stylehead.errors import FaceError
from stylehead.face.landmarks import to_68
from stylehead.media.ahead import ahead
from stylehead.media.video import count_frames, read_frames
from stylehead.progress import SILENT, Reporter, track
from stylehead.tracking.detector import MOST_FACES, FaceLandmarker, faces_in, height_of, landmarker
from stylehead.tracking.doubts import Looks
from stylehead.tracking.portrait import search
from stylehead.types import Face, FaceTrack, Floats, Pixels

CUT = 0.35  # mean absolute change of a 16 x 16 thumbnail, full scale 1, that is a cut
SMALL = 0.2  # height of a face, of the picture's longer side, under which it gets a window
WINDOW = 4.0  # side of that window in face heights
OFF_CENTRE, GROWN = 0.25, 1.6
"""The window is re-centred when the face has moved by OFF_CENTRE of its side or changed size by
the factor GROWN."""
EYES_AND_NOSE = slice(27, 48)
SHARPNESS_BOX = (128, 96)  # pixels in width and height at which sharpness is measured
WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds between two searches for a face that is not there


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
            x, y = (_middle(face) - side / 2).round().astype(int).tolist()
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
        away = np.abs(_middle(face) - (x + side / 2, y + side / 2)).max() / side
        grown = WINDOW * height_of(face) / side
        return bool(away > OFF_CENTRE or not 1 / GROWN < grown < GROWN)


def _middle(face: Face) -> Floats:
    return (face.mesh[:, :2].min(0) + face.mesh[:, :2].max(0)) / 2


def track_video(
    path: Path,
    *,
    start: float = 0.0,
    duration: float | None = None,
    reporter: Reporter = SILENT,
) -> FaceTrack:
    """Track the main face of a clip, one row per frame; memory grows by 6 KB a frame.

    With `start` and `duration`, in seconds, only that part.

    What makes the clip doubtful is said. Raises MediaError for an unreadable clip and FaceError
    when no frame shows a face.
    """
    meshes: list[Floats] = []
    expressions: list[Floats] = []
    sharpness: list[float] = []
    seconds: list[float] = []
    cuts: list[bool] = []
    size = (0, 0)
    thumbnail, looks = None, Looks()
    with ExitStack() as stack:
        tracker = _ClipTracker(stack)
        total = count_frames(path) if start == 0 and duration is None else None
        part = ahead(read_frames(path, start=start, duration=duration))
        for frame in track(part, "Tracking", total, reporter):
            if seconds and frame.seconds <= seconds[-1]:
                continue  # a repeated time stamp: the earlier picture was never shown
            size = (frame.pixels.shape[1], frame.pixels.shape[0])
            face = tracker.face(frame.pixels, frame.seconds)
            small = cv2.resize(frame.pixels, (16, 16), interpolation=cv2.INTER_AREA) / 255.0
            cuts.append(thumbnail is not None and np.abs(small - thumbnail).mean() > CUT)
            thumbnail = small
            seconds.append(frame.seconds)
            looks.watch(frame.pixels, face.mesh if face else None)
            if face:
                meshes.append(face.mesh)
                expressions.append(face.expression)
                sharpness.append(_sharpness(frame.pixels, face.mesh))
            else:
                meshes.append(np.full((478, 3), np.nan, np.float32))
                expressions.append(np.full(52, np.nan, np.float32))
                sharpness.append(0.0)
    result = FaceTrack(
        np.stack(meshes),
        np.stack(expressions),
        np.array(sharpness, np.float32),
        np.array(seconds),
        np.array(cuts),
        size,
    )
    if not result.found.any():
        raise FaceError(
            f"{path} shows no face in any of its {len(seconds)} frames.",
            remedy="Give a clip of one person who faces the camera.",
        )
    for doubt in looks.doubts(result.seconds):
        reporter.say(f"Note: {doubt}")
    return result


def crowd_share(path: Path, *, samples: int = 12) -> float:
    """Return the fraction of sampled frames that show a second face at least half as high.

    `samples` frames are taken over the clip's length.
    """
    total = count_frames(path) or 300
    step = max(1, total // samples)
    crowded: list[bool] = []
    with landmarker(video=False, faces=MOST_FACES) as task:
        for number, frame in enumerate(read_frames(path)):
            if number % step == 0:
                heights = sorted(height_of(face) for face in search(task, frame.pixels))
                crowded.append(len(heights) > 1 and heights[-2] > heights[-1] / 2)
    return float(np.mean(crowded))


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
