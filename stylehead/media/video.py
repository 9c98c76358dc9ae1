"""Video in and out: frames with their true times; H.264 and AAC in MP4."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from stylehead.errors import MediaError
from stylehead.files import atomic
from stylehead.media.audio import Sound, mono
from stylehead.media.container import (
    beginning,
    cause_of,
    film_track,
    open_container,
    sound_track,
    until_damaged,
)
from stylehead.media.sound_stream import SoundFormat, read_sound, sound_format
from stylehead.progress import clock
from stylehead.types import Floats, Frame, Pixels

WIDEST_PIXEL = 4.0  # width over height of a pixel beyond which a file's word for it is a mistake

# ---- video in -------------------------------------------------------------------------------


def read_frames(
    path: Path, *, start: float = 0.0, duration: float | None = None
) -> Iterator[Frame]:
    """Yield the frames of a video with their true times, upright, one at a time.

    With `start` and `duration`, in seconds, only that part.

    Time counts from the file's beginning, wherever its time stamps start; variable frame rates keep
    their times. Pixels are square, and a flag that turns or mirrors is applied. A damaged tail ends
    the clip quietly once some frames were read. Raises MediaError when no frame can be read.
    """
    frames = 0
    for picture, seconds, aspect in _decoded(path, start):
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


def _decoded(path: Path, start: float) -> Iterator[tuple[av.VideoFrame, float, float]]:
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
                if back == start or (first is not None and first[1] <= start):
                    aspect = float(stream.sample_aspect_ratio or 1)
                    for picture, seconds in itertools.chain([first] if first else [], frames):
                        yield picture, seconds, aspect
                    return


def _timed(
    container: InputContainer, stream: av.VideoStream, zero: float
) -> Iterator[tuple[av.VideoFrame, float]]:
    rate = float(stream.average_rate or 25)
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


# ---- video out ------------------------------------------------------------------------------


def missing_encoders() -> list[str]:
    """Return the names of needed encoders that this build of PyAV lacks."""
    return [name for name in ("libx264", "aac") if name not in av.codecs_available]


VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov")
"""Endings of files that write_video makes."""
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


def write_video(
    path: Path,
    frames: Iterator[Pixels],
    *,
    fps: Fraction,
    sound: Sound,
    metadata: dict[str, str],
) -> int:
    """Encode frames (H, W, 3) RGB as they come, with the recording's own sound; return how many.

    H.264 and AAC in MP4, playable before it is fully loaded. Sound keeps its rate and channels
    where AAC can carry them. An odd side loses its last pixels. The file appears only when
    everything was written; raises MediaError when it cannot be.
    """
    with atomic(path) as part, _encoder(path, part) as container:
        container.metadata.update(metadata)
        first = next(frames)
        height, width = (side // 2 * 2 for side in first.shape[:2])
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height = width, height
        video.pix_fmt = "yuv420p"
        video.options = {"preset": "veryfast", "crf": "18"}
        video.codec_context.color_range = 1  # tv
        video.codec_context.colorspace = 1  # bt709
        video.codec_context.color_primaries = 1
        video.codec_context.color_trc = 1
        track = _SoundTrack(container, sound)
        count = 0
        for pixels in itertools.chain([first], frames):
            picture = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(pixels[:height, :width]), format="rgb24"
            ).reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
            picture.pts = count
            picture.time_base = 1 / fps
            container.mux(video.encode(picture))
            count += 1
            track.write_until(count / fps)
        container.mux(video.encode(None))
        track.write_until(None)
    return count


@contextmanager
def _encoder(path: Path, part: Path) -> Generator[OutputContainer]:
    try:
        with av.open(
            str(part.absolute()),
            "w",
            format="mp4",
            options={"movflags": "faststart+use_metadata_tags"},
        ) as container:
            yield container
    except FFmpegError as error:
        raise MediaError(
            f"{path} cannot be written ({cause_of(error)}).",
            remedy="Choose another --output, or free some space on the disk.",
        ) from error


AAC_PLACES = {
    "mono": "FC",
    "stereo": "FL FR",
    "3.0": "FL FR FC",
    "4.0": "FL FR FC BC",
    "5.0": "FL FR FC BL BR",
    "5.1": "FL FR FC LFE BL BR",
    "7.1": "FL FR FC LFE BL BR SL SR",
}
"""Layouts that AAC names, and the channels of each."""
UNNAMED = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""What so many channels are, where a file does not name their places."""


def aac_layout(stored: SoundFormat) -> str:
    """Return the smallest layout AAC has a name for that holds all channels, else stereo.

    Side channels are the back ones of a layout with one pair. Channels without places are mono,
    but for the counts that everybody uses for one layout.
    """
    if not stored.has_places:
        return UNNAMED.get(stored.channels, "mono")
    places = {channel.name for channel in av.AudioLayout(stored.layout).channels}
    if not places & {"BL", "BR"}:
        places = {{"SL": "BL", "SR": "BR"}.get(place, place) for place in places}
    fitting = (name for name, held in AAC_PLACES.items() if places <= set(held.split()))
    return next(fitting, "stereo")


class _SoundTrack:
    """The recording's sound, written alongside the pictures so that memory stays flat."""

    def __init__(self, container: OutputContainer, sound: Sound) -> None:
        stored = sound_format(sound.path)
        rate = sound.sample_rate if sound.sample_rate in AAC_RATES else 48_000
        self._layout = aac_layout(stored)
        self._container = container
        self._stream = container.add_stream("aac", rate=rate, layout=self._layout)
        channels = self._stream.codec_context.channels
        self._stream.codec_context.bit_rate = (96_000 if rate >= 32_000 else 48_000) * channels
        self._mixed = self._layout == "mono" and stored.channels > 1
        self._signs = sound.signs
        self._blocks = read_sound(
            sound.path, rate=rate, layout=None if self._mixed else self._layout
        )
        self._skip = round(sound.start * rate)
        self._left = round(sound.seconds * rate)
        self._written = 0
        self._rate = rate

    def write_until(self, seconds: Fraction | None) -> None:
        """Write sound up to this time; None writes the rest and closes the track."""
        while self._left and (seconds is None or self._written < seconds * self._rate):
            block = next(self._blocks, None)
            if block is None:
                self._left = 0
                break
            samples = block[self._skip : self._skip + self._left]
            self._skip -= min(self._skip, len(block))
            if len(samples):
                self._encode(mono(samples, self._signs)[:, None] if self._mixed else samples)
        if seconds is None:
            self._container.mux(self._stream.encode(None))

    def _encode(self, samples: Floats) -> None:
        packed = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts = self._written
        frame.time_base = Fraction(1, self._rate)
        self._container.mux(self._stream.encode(frame))
        self._written += len(samples)
        self._left -= len(samples)
