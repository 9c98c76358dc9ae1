"""Video in and out: frames with their true times; H.264 and AAC in MP4."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from stylehead.errors import MediaError
from stylehead.files import atomic
from stylehead.media.audio import Sound, resampled
from stylehead.media.container import cause_of, open_container
from stylehead.media.cues import Subtitle
from stylehead.progress import clock
from stylehead.types import Frame, Pixels

# ---- video in -------------------------------------------------------------------------------


def read_frames(
    path: Path, *, start: float = 0.0, duration: float | None = None
) -> Iterator[Frame]:
    """Yield the frames of a video with their true times, upright, one at a time.

    With `start` and `duration`, in seconds, only that part.

    Variable frame rates keep their times; a rotation flag is applied. A damaged tail ends the clip
    quietly once some frames were read. Raises MediaError when no frame can be read.
    """
    frames = 0
    with open_container(path, "video") as container:
        if not container.streams.video:
            raise MediaError(f"{path} has no picture.", remedy="Give a video with a face in it.")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        if start > 5:  # to the key frame before it; the frames between are skipped below
            container.seek(int((start - 1) * 1_000_000))
        decoded = container.decode(stream)
        while True:
            try:
                picture = next(decoded)
            except StopIteration:
                break
            except FFmpegError:
                if frames:
                    break
                raise
            seconds = (
                frames / float(stream.average_rate or 25) if picture.pts is None else picture.time
            )
            if seconds < start:
                continue
            if duration is not None and seconds >= start + duration:
                break
            pixels = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
            turns = round(picture.rotation / 90) % 4
            if turns:
                pixels = np.ascontiguousarray(np.rot90(pixels, turns))
            frames += 1
            yield Frame(pixels, float(seconds))
    if not frames:
        part = f" after {clock(start)}" if start else ""
        raise MediaError(
            f"{path} has no frame that can be read{part}.",
            remedy="Give a smaller --start." if start else "Convert it to MP4.",
        )


def count_frames(path: Path) -> int | None:
    """Return the number of frames a video announces, or None when it does not say."""
    with open_container(path, "video") as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
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
MOST_WORDS = 65_535  # bytes of one subtitle, whose length has two
MILLISECONDS = 1000  # of a second: the times of subtitles
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


def write_video(
    path: Path,
    frames: Iterator[Pixels],
    *,
    fps: Fraction,
    sound: Sound,
    metadata: dict[str, str],
    shown: Sequence[Subtitle] = (),
) -> int:
    """Encode frames (H, W, 3) RGB as they come, with the recording's own sound; return how many.

    H.264 and AAC in MP4, playable before it is fully loaded. Sound keeps its rate and channels
    where AAC can carry them. What is `shown` as subtitles is a track of its own (mov_text), which
    players show or hide. An odd side loses its last pixels. The file appears only when
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
        words = _WordTrack(container, shown) if shown else None
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
            if words:
                words.write_until(count / fps)
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


class _WordTrack:
    """Subtitles, each written when its time has come; the container fills the gaps."""

    def __init__(self, container: OutputContainer, shown: Sequence[Subtitle]) -> None:
        self._container = container
        self._stream = container.add_stream("mov_text")
        self._stream.codec_context.subtitle_header = b""  # the player's own look; None is an error
        self._left = list(shown)

    def write_until(self, seconds: Fraction) -> None:
        """Write what is shown from before this time on."""
        while self._left and self._left[0].start < seconds:
            start, end, text = self._left.pop(0)
            encoded = text.encode()[:MOST_WORDS].decode(errors="ignore").encode()
            packet = av.Packet(len(encoded).to_bytes(2, "big") + encoded)
            packet.stream = self._stream
            packet.time_base = Fraction(1, MILLISECONDS)
            packet.pts = packet.dts = round(start * MILLISECONDS)
            packet.duration = round(end * MILLISECONDS) - packet.pts
            self._container.mux(packet)


class _SoundTrack:
    """The recording's sound, written alongside the pictures so that memory stays flat."""

    def __init__(self, container: OutputContainer, sound: Sound) -> None:
        with open_container(sound.path, "recording") as source:
            context = source.streams.audio[0].codec_context
            layout = context.layout.name if 1 <= context.channels <= 6 else "stereo"
        if layout.split()[0].isdigit():  # "2 channels": no places named
            layout = {1: "mono", 2: "stereo", 6: "5.1"}.get(int(layout.split()[0]), "stereo")
        rate = sound.sample_rate if sound.sample_rate in AAC_RATES else 48_000
        self._container = container
        self._stream = container.add_stream("aac", rate=rate, layout=layout)
        channels = self._stream.codec_context.channels
        self._stream.codec_context.bit_rate = (96_000 if rate >= 32_000 else 48_000) * channels
        self._frames = resampled(sound.path, "fltp", layout, rate)
        self._skip = round(sound.start * rate)
        self._left = round(sound.seconds * rate)
        self._written = 0
        self._rate = rate

    def write_until(self, seconds: Fraction | None) -> None:
        """Write sound up to this time; None writes the rest and closes the track."""
        while self._left and (seconds is None or self._written < seconds * self._rate):
            frame = next(self._frames, None)
            if frame is None:
                self._left = 0
                break
            samples = np.asarray(frame.to_ndarray(), np.float32)[:, self._skip :]
            self._skip -= min(self._skip, frame.samples)
            samples = np.nan_to_num(samples[:, : self._left], posinf=1.0, neginf=-1.0)
            if samples.shape[1]:
                self._encode(frame, np.ascontiguousarray(samples))
        if seconds is None:
            self._container.mux(self._stream.encode(None))

    def _encode(self, like: av.AudioFrame, samples: NDArray[np.float32]) -> None:
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=like.layout.name)
        frame.sample_rate = self._rate
        frame.pts = self._written
        frame.time_base = Fraction(1, self._rate)
        self._container.mux(self._stream.encode(frame))
        self._written += samples.shape[1]
        self._left -= samples.shape[1]
