"""Sound in: any recording as mono blocks at 16 kHz, streamed, with its loudness measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import FFmpegError

from stylehead.errors import MediaError
from stylehead.media.container import open_container
from stylehead.progress import clock
from stylehead.types import SPEECH_RATE, Floats

PIECE = 800  # samples at SPEECH_RATE, 50 ms: the grain of loudness
LONGEST_SOUND = 3 * 3600  # seconds; beyond it the file is more likely a mistake


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
    """(P,) mean square of each PIECE of the used part as mono, full scale 1."""

    @property
    def loudness(self) -> float:
        """RMS of the louder half of the pieces: voice without its pauses."""
        return loudness(self.energies)

    def blocks(self) -> Iterator[Floats]:
        """Yield the used part as mono float32 blocks (N,) at SPEECH_RATE, some frames at a time."""
        return _mono(self.path, self.start, self.seconds)


def open_audio(path: Path, *, start: float = 0.0, duration: float | None = None) -> Sound:
    """Measure a recording: any container, rate and channel count, also a video's sound track.

    Decodes it once, streaming. Raises MediaError for files without usable sound.
    """
    with open_container(path, "recording") as container:
        if not container.streams.audio:
            raise MediaError(f"{path} has no sound.", remedy="Give a recording of a voice.")
        context = container.streams.audio[0].codec_context
        rate, channels = context.sample_rate, context.channels
    samples, energies = 0, list[Floats]()
    remaining = np.zeros(0, np.float32)
    for block in _mono(path, start, duration):
        samples += len(block)
        remaining = np.concatenate([remaining, block])
        whole = len(remaining) // PIECE * PIECE
        energies.append(piece_energies(remaining[:whole]))
        remaining = remaining[whole:]
        if samples > LONGEST_SOUND * SPEECH_RATE:
            raise MediaError(
                f"{path} is longer than {LONGEST_SOUND // 3600} hours.",
                remedy="Use --start and --duration to choose a part.",
            )
    seconds = samples / SPEECH_RATE
    if seconds < 0.1:
        after = "" if start == 0 else f" after {clock(start)}"
        raise MediaError(
            f"{path} has only {seconds:.2f} s of sound{after}.",
            remedy="Give at least 0.1 s of sound.",
        )
    return Sound(
        path=path,
        start=start,
        seconds=seconds,
        sample_rate=rate,
        channels=channels,
        energies=np.concatenate(energies),
    )


def piece_energies(samples: Floats) -> Floats:
    """Return the mean square (P,) of each whole PIECE of samples (N,)."""
    whole = len(samples) // PIECE * PIECE
    return np.square(samples[:whole].reshape(-1, PIECE)).mean(1)


def loudness(energies: Floats) -> float:
    """Return the RMS of the louder half of the pieces' energies (P,); 0 without any."""
    louder = np.sort(energies)[len(energies) // 2 :]
    return float(np.sqrt(louder.mean())) if len(louder) else 0.0


def _mono(path: Path, start: float, duration: float | None) -> Iterator[Floats]:
    """Yield mono blocks at SPEECH_RATE, the mean of all channels."""
    left = None if duration is None else round(duration * SPEECH_RATE)
    skip = round(start * SPEECH_RATE)
    for frame in resampled(path, "fltp", None, SPEECH_RATE):
        block = frame.to_ndarray().mean(0, dtype=np.float32)
        block = np.nan_to_num(block, posinf=1.0, neginf=-1.0)
        if skip >= len(block):
            skip -= len(block)
            continue
        block, skip = block[skip:], 0
        if left is not None:
            block = block[:left]
            left -= len(block)
        if len(block):
            yield block
        if left == 0:
            return


def resampled(
    path: Path, sample_format: str, layout: str | None, rate: int | None
) -> Iterator[av.AudioFrame]:
    """Yield frames of the first sound track; None keeps the recording's own layout or rate.

    A late stream start is filled with silence, so that sound keeps its place in the file.
    """
    with open_container(path, "recording") as container:
        stream = container.streams.audio[0]
        context = stream.codec_context
        rate = rate or context.sample_rate
        layout = layout or context.layout.name
        resampler = AudioResampler(sample_format, layout, rate)
        first, decoded_any = True, False
        decoded = container.decode(stream)
        while True:
            try:
                frame = next(decoded)
            except StopIteration:
                break
            except FFmpegError:
                if decoded_any:  # a damaged packet: keep what was decoded
                    break
                raise
            decoded_any = True
            if first:
                first = False
                lead = _lead(container, stream, frame)
                if lead > 0:
                    yield from resampler.resample(_silence(frame, lead))
            frame.pts = None
            yield from resampler.resample(frame)
        if decoded_any:
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
