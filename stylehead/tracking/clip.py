"""The main face of a clip, tracked frame by frame."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path

import numpy as np

from stylehead.compute.device import usable_cores
from stylehead.errors import FaceError
from stylehead.media.video import count_frames, every_of, read_frames
from stylehead.progress import SILENT, Reporter, track
from stylehead.tracking.detector import MOST_FACES, height_of, landmarker
from stylehead.tracking.doubts import Looks
from stylehead.tracking.portrait import search
from stylehead.tracking.stretches import track_stretches
from stylehead.types import FaceTrack, Floats

CUT = 0.35  # mean absolute change of a 16 x 16 thumbnail, full scale 1, that is a cut
MOST = 4  # workers: a part of their work is Python's, which has one of them go on at a time
NO_MESH, NO_SCORES = np.full((478, 3), np.nan, np.float32), np.full(52, np.nan, np.float32)


def track_video(
    path: Path,
    *,
    start: float = 0.0,
    duration: float | None = None,
    enough: float = math.inf,
    workers: int | None = None,
    reporter: Reporter = SILENT,
) -> FaceTrack:
    """Track the main face of a clip, one row per frame; memory grows by 6 KB a frame.

    With `start` and `duration`, in seconds, only that part. Of a fast film only each second frame
    is looked at, or third, as long as `enough` a second remain. Stretches of it are tracked by
    several workers at once, by default as many as there are cores; the track is the same for any
    number.

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
    every = every_of(path, enough)
    total = count_frames(path) if start == 0 and duration is None else None
    end = math.inf if duration is None else start + duration
    workers = workers or min(usable_cores(), MOST)
    tracked = track_stretches(path, start=start, end=end, workers=workers, every=every)
    with closing(tracked) as frames:
        for seen in track(frames, "Tracking", total and -(-total // every), reporter):
            if seconds and seen.seconds <= seconds[-1]:
                continue
            small = seen.glimpse.tiny()
            cuts.append(thumbnail is not None and np.abs(small - thumbnail).mean() > CUT)
            thumbnail, size = small, seen.size
            seconds.append(seen.seconds)
            sharpness.append(seen.sharpness)
            looks.watch(seen.glimpse)
            meshes.append(seen.face.mesh if seen.face else NO_MESH)
            expressions.append(seen.face.expression if seen.face else NO_SCORES)
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
