"""Video in: frames with their true times."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from stylehead.errors import MediaError
from stylehead.media.container import (
    beginning,
    film_track,
    open_container,
    sound_track,
    until_damaged,
)
from stylehead.progress import clock
from stylehead.types import Frame, Pixels

WIDEST_PIXEL = 4.0  # width over height of a pixel beyond which a file's word for it is a mistake


def read_frames(
    path: Path, *, start: float = 0.0, duration: float | None = None, every: int = 1
) -> Generator[Frame]:
    """Yield the frames of a video with their true times, upright, one at a time.

    With `start` and `duration`, in seconds, only that part. Of the frames each `every`-th is taken,
    the same ones wherever it starts.

    Time counts from the file's beginning, wherever its time stamps start; variable frame rates keep
    their times. Pixels are square, and a flag that turns or mirrors is applied. A damaged tail ends
    the clip quietly once some frames were read. Raises MediaError when no frame can be read.
    """
    frames = 0
    for picture, seconds, aspect in _decoded(path, start, every):
        if seconds < start:
            continue
        if duration is not None and seconds >= start + duration:
            break
        frames += 1
        yield Frame(_upright(picture, aspect), seconds)
    if not frames:
        part = f" after {clock(start)}" if start else ""
        raise MediaError(
            f"{path} has no frame that can be read{part}.",
            remedy="Give a smaller --start." if start else "Convert it to MP4.",
        )


def _decoded(path: Path, start: float, every: int) -> Iterator[tuple[av.VideoFrame, float, float]]:
    """Yield decoded frames, their times in the file and the width of their pixels over the height.

    They begin before `start`, at a key frame near it where the file can be searched.
    """
    for back in (1.0, 12.0, start):  # without an index the next key frame may come late
        if start > 5 * back or back == start:
            with open_container(path, "video") as container:
                stream = film_track(path, container)
                if stream is None:
                    raise MediaError(
                        f"{path} has no picture.", remedy="Give a video with a face in it."
                    )
                zero = beginning(container, sound_track(container), stream)
                stream.thread_type = "AUTO"
                if back < start and stream.time_base:
                    container.seek(int((zero + start - back) / stream.time_base), stream=stream)
                frames = _timed(container, stream, zero)
                first = next(frames, None)
                # A frame without a time of its own would be taken for the file's first.
                early = first is not None and first[0].pts is not None and first[1] <= start
                if back == start or early:
                    aspect = float(stream.sample_aspect_ratio or 1)
                    rate = _rate(stream)
                    for picture, seconds in itertools.chain([first] if first else [], frames):
                        if round(seconds * rate) % every == 0:
                            yield picture, seconds, aspect
                    return


def _timed(
    container: InputContainer, stream: av.VideoStream, zero: float
) -> Iterator[tuple[av.VideoFrame, float]]:
    rate = _rate(stream)
    for number, picture in enumerate(until_damaged(container.decode(stream))):
        seconds = number / rate if picture.pts is None else float(picture.time)
        if zero and picture.pts is not None:
            seconds = round(seconds - zero, 6)  # 2 is to be 2, or a part would lack its first frame
        yield picture, seconds


def _upright(picture: av.VideoFrame, aspect: float) -> Pixels:
    """Return a frame (H, W, 3) as players show it: pixels made square, turned and mirrored."""
    height, width = picture.height, picture.width
    if WIDEST_PIXEL >= aspect > 1:  # by enlarging the shorter side: nothing seen is given up
        width = round(width * aspect)
    elif 1 > aspect >= 1 / WIDEST_PIXEL:
        height = round(height / aspect)
    square = picture.to_ndarray(format="rgb24", width=width, height=height)
    pixels = np.asarray(square, np.uint8)
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return pixels
    return _displayed(pixels, np.frombuffer(bytes(matrix), np.int32).reshape(3, 3)[:2, :2])


def _displayed(pixels: Pixels, matrix: NDArray[np.int32]) -> Pixels:
    """Apply a display matrix: its rows are where the picture's x and y axes point when shown.

    What is no quarter turn is taken for the nearest one.
    """
    (xx, xy), (yx, yy) = matrix.astype(float)
    if abs(xy) + abs(yx) > abs(xx) + abs(yy):
        pixels, xx, yy = pixels.transpose(1, 0, 2), yx, xy
    return np.ascontiguousarray(pixels[:: -1 if yy < 0 else 1, :: -1 if xx < 0 else 1])


def count_frames(path: Path) -> int | None:
    """Return the number of frames a video announces, or None when it does not say."""
    with open_container(path, "video") as container:
        stream = film_track(path, container)
        if stream is None:
            return None
        if stream.frames:
            return stream.frames
        if container.duration and stream.average_rate:
            return round(container.duration / 1e6 * float(stream.average_rate))
        return None


def every_of(path: Path, enough: float) -> int:
    """Return the largest step from frame to frame at which `enough` a second remain."""
    with open_container(path, "video") as container:
        stream = film_track(path, container)
        return 1 if stream is None else max(1, int(_rate(stream) / enough + 0.02))


def _rate(stream: av.VideoStream) -> float:
    return float(stream.average_rate or 25)


def length_of(path: Path) -> float:
    """Return the seconds that a video announces, or 0 when it does not say."""
    with open_container(path, "video") as container:
        return (container.duration or 0) / 1e6
