"""Sound and video in and out; the only importer of av."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from stylehead.errors import MediaError
from stylehead.files import atomic, check_file
from stylehead.types import Floats, Frame, Pixels

SPEECH_RATE = 16_000
"""Sample rate in Hz that the motion model listens at (paper, section 2)."""
PIECE = 800  # samples at SPEECH_RATE, 50 ms: the grain of loudness
LONGEST_SOUND = 3 * 3600  # seconds; beyond it the file is more likely a mistake


def clock(seconds: float) -> str:
    """Return a time as m:ss.t, the way messages name moments."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


@contextmanager
def _open(path: Path, kind: str) -> Generator[InputContainer]:
    """Open a container; any decoding error inside the block becomes a MediaError."""
    check_file(path, kind)
    try:
        with av.open(str(path.absolute()), metadata_errors="replace") as container:
            yield container
    except (FFmpegError, UnicodeError) as error:
        raise MediaError(
            f"{path} is damaged or not a {kind} ({_cause(error)}).",
            remedy=f"Convert it to a common {kind} format and try again.",
        ) from error


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


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
    with _open(path, "video") as container:
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
            seconds = picture.time
            if seconds is None:
                seconds = frames / float(stream.average_rate or 25)
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
    with _open(path, "video") as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
        if stream.frames:
            return stream.frames
        if container.duration and stream.average_rate:
            return round(container.duration / 1e6 * float(stream.average_rate))
        return None


# ---- sound in -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording on disk and the part of it that is used; samples are read when needed."""

    path: Path
    start: float
    """Seconds skipped at the beginning of the file."""
    seconds: float
    """Length of the used part, measured by decoding."""
    sample_rate: int
    """The recording's own rate in Hz."""
    channels: int
    energies: Floats
    """Mean square of each PIECE of the used part as mono, full scale 1."""

    @property
    def loudness(self) -> float:
        """RMS of the louder half of the pieces: voice without its pauses."""
        return loudness(self.energies)

    def blocks(self) -> Iterator[Floats]:
        """Yield the used part as mono float32 blocks at SPEECH_RATE, a second or so at a time."""
        return _mono(self.path, self.start, self.seconds)


def open_sound(path: Path, *, start: float = 0.0, duration: float | None = None) -> Sound:
    """Measure a recording: any container, rate and channel count, also a video's sound track.

    Decodes it once, streaming. Raises MediaError for files without usable sound.
    """
    with _open(path, "recording") as container:
        if not container.streams.audio:
            raise MediaError(f"{path} has no sound.", remedy="Give a recording of a voice.")
        context = container.streams.audio[0].codec_context
        rate, channels = context.sample_rate, context.channels
    samples, energies, rest = 0, [], np.zeros(0, np.float32)
    for block in _mono(path, start, duration):
        samples += len(block)
        rest = np.concatenate([rest, block])
        whole = len(rest) // PIECE * PIECE
        energies.append(piece_energies(rest[:whole]))
        rest = rest[whole:]
        if samples > LONGEST_SOUND * SPEECH_RATE:
            raise MediaError(
                f"{path} is longer than {LONGEST_SOUND // 3600} hours.",
                remedy="Use --start and --duration to choose a part.",
            )
    seconds = samples / SPEECH_RATE
    if seconds < 0.1:
        whole = "" if start == 0 else f" after {clock(start)}"
        raise MediaError(
            f"{path} has only {seconds:.2f} s of sound{whole}.",
            remedy="Give at least 0.1 s of sound.",
        )
    return Sound(path, start, seconds, rate, channels, np.concatenate(energies))


def piece_energies(samples: Floats) -> Floats:
    """Return the mean square of each whole PIECE of samples."""
    whole = len(samples) // PIECE * PIECE
    return np.square(samples[:whole].reshape(-1, PIECE)).mean(1)


def loudness(energies: Floats) -> float:
    """Return the RMS of the louder half of the pieces; 0 without any."""
    louder = np.sort(energies)[len(energies) // 2 :]
    return float(np.sqrt(louder.mean())) if len(louder) else 0.0


def _mono(path: Path, start: float, duration: float | None) -> Iterator[Floats]:
    """Yield mono blocks at SPEECH_RATE, the mean of all channels."""
    wanted = None if duration is None else round(duration * SPEECH_RATE)
    skip = round(start * SPEECH_RATE)
    for frame in _resampled(path, "fltp", None, SPEECH_RATE):
        block = frame.to_ndarray().mean(0, dtype=np.float32)
        block = np.nan_to_num(block, posinf=1.0, neginf=-1.0)
        if skip >= len(block):
            skip -= len(block)
            continue
        block, skip = block[skip:], 0
        if wanted is not None:
            block = block[:wanted]
            wanted -= len(block)
        if len(block):
            yield block
        if wanted == 0:
            return


def _resampled(
    path: Path, sample_format: str, layout: str | None, rate: int | None
) -> Iterator[av.AudioFrame]:
    """Decode the first sound track; None keeps the recording's own layout or rate.

    A late stream start is filled with silence, so that sound keeps its place in the file.
    """
    with _open(path, "recording") as container:
        stream = container.streams.audio[0]
        context = stream.codec_context
        rate = rate or context.sample_rate
        layout = layout or context.layout.name
        resampler = AudioResampler(sample_format, layout, rate)
        first, heard = True, False
        decoded = container.decode(stream)
        while True:
            try:
                frame = next(decoded)
            except StopIteration:
                break
            except FFmpegError:
                if heard:  # a damaged packet: keep what can be heard
                    break
                raise
            heard = True
            if first:
                first = False
                lead = _lead(container, stream, frame)
                if lead > 0:
                    yield from resampler.resample(_silence(frame, lead))
            frame.pts = None
            yield from resampler.resample(frame)
        if heard:
            yield from resampler.resample(None)


def _lead(container: InputContainer, stream: av.AudioStream, frame: av.AudioFrame) -> int:
    """Return samples of silence before the first sound when a picture starts earlier.

    Some containers (transport streams) start far from zero; only the difference to the earliest
    stream counts.
    """
    if not container.streams.video or frame.time is None:
        return 0
    starts = [
        float(other.start_time * other.time_base)
        for other in container.streams.video
        if other.start_time is not None and other.time_base is not None
    ]
    lead = frame.time - min(starts, default=0.0)
    return round(min(lead, 10.0) * frame.sample_rate) if lead > 0.001 else 0


def _silence(like: av.AudioFrame, samples: int) -> av.AudioFrame:
    frame = av.AudioFrame(format=like.format.name, layout=like.layout.name, samples=samples)
    frame.sample_rate = like.sample_rate
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    return frame


# ---- video out ------------------------------------------------------------------------------


def missing_encoders() -> list[str]:
    """Return the names of needed encoders that this build of PyAV lacks."""
    return [name for name in ("libx264", "aac") if name not in av.codecs_available]


AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


def write_video(
    path: Path,
    frames: Iterator[Pixels],
    *,
    fps: Fraction,
    sound: Sound,
    metadata: dict[str, str],
) -> int:
    """Encode frames as they come, with the recording's own sound, and return how many there were.

    H.264 and AAC in MP4, playable before it is fully loaded. Sound keeps its rate and channels
    where AAC can carry them. The file appears only when everything was written.
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
        for pixels in _chain(first, frames):
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


def _chain(first: Pixels, rest: Iterator[Pixels]) -> Iterator[Pixels]:
    yield first
    yield from rest


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
            f"{path} cannot be written ({_cause(error)}).",
            remedy="Choose another --output, or make room on the disk.",
        ) from error


class _SoundTrack:
    """The recording's sound, written alongside the pictures so that memory stays flat."""

    def __init__(self, container: OutputContainer, sound: Sound) -> None:
        with _open(sound.path, "recording") as source:
            context = source.streams.audio[0].codec_context
            layout = context.layout.name if 1 <= context.channels <= 6 else "stereo"
        if layout.split()[0].isdigit():  # "2 channels": no places named
            layout = {1: "mono", 2: "stereo", 6: "5.1"}.get(int(layout.split()[0]), "stereo")
        rate = sound.sample_rate if sound.sample_rate in AAC_RATES else 48_000
        self._container = container
        self._stream = container.add_stream("aac", rate=rate, layout=layout)
        channels = self._stream.codec_context.channels
        self._stream.codec_context.bit_rate = (96_000 if rate >= 32_000 else 48_000) * channels
        self._frames = _resampled(sound.path, "fltp", layout, rate)
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
