"""Sound in: any recording as blocks of samples, streamed, with its loudness measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
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
SAME_LENGTH = 0.5  # seconds by which a stem and its recording may differ
LONGEST_SOUND = 3 * 3600  # seconds; beyond it the file is more likely a mistake


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording on disk and the part of it that is used; samples are read when needed."""

    path: Path
    start: float
    """Seconds skipped at the beginning of the file."""
    seconds: float
    """Length of what is read: of the used part, measured by decoding, unless it was fitted."""
    sample_rate: int
    """The recording's own rate in Hz."""
    channels: int
    energies: Floats
    """(P,) mean square of each PIECE of the used part as mono, full scale 1."""
    lead: float = 0.0
    """Seconds of silence that come before the used part and count in `seconds`."""

    @property
    def loudness(self) -> float:
        """RMS of the louder half of the pieces: voice without its pauses."""
        return loudness(self.energies)

    def blocks(self, rate: int = SPEECH_RATE, channels: int = 1) -> Iterator[Floats]:
        """Yield `seconds` of float32 samples, some frames at a time.

        Blocks are (N,), the mean of all channels; with two channels (N, 2), left and right. Where
        the file has nothing, before and behind, there is silence.
        """
        missing = round(self.seconds * rate)
        shape = () if channels == 1 else (channels,)
        ahead = min(round(self.lead * rate), missing)
        yield from _nothing(ahead, rate, shape)
        missing -= ahead
        for block in _decoded(self.path, self.start, self.seconds, rate, channels):
            if missing > 0:
                yield block[:missing]
            missing -= len(block)
        yield from _nothing(missing, rate, shape)


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
    for block in _decoded(path, start, duration, SPEECH_RATE, 1):
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


def open_stem(
    path: Path, played: Sound, offset: float | None = None, *, cut: bool = False
) -> Sound:
    """Return a stem (one voice of a mix), fitted to the recording that is played.

    It starts `offset` seconds after the recording's file does, before it when negative. Without
    an offset both start together, and MediaError says when their lengths differ too much; of a
    recording that is `cut` short, the stem may go on.
    """
    start = played.start - (offset or 0.0)
    wanted = played.seconds + min(start, 0.0)
    if wanted < 0.1:
        raise MediaError(
            f"{path} begins only after the recording has ended.",
            remedy="Give a smaller --vocals-offset.",
        )
    beyond = 2 * SAME_LENGTH if offset is None and not cut else 0.0  # to notice a longer one
    stem = open_audio(path, start=max(start, 0.0), duration=wanted + beyond)
    longer = stem.seconds - played.seconds
    if offset is None and abs(longer) > SAME_LENGTH:
        raise MediaError(
            f"{path} is more than {SAME_LENGTH} s {'longer' if longer > 0 else 'shorter'} than "
            f"{played.path}.",
            remedy="Give a stem of the same recording, or say where it begins with "
            "--vocals-offset SECONDS.",
        )
    lead = max(-start, 0.0)
    pieces = round((played.seconds - lead) * SPEECH_RATE) // PIECE
    return replace(stem, seconds=played.seconds, lead=lead, energies=stem.energies[:pieces])


def at_speech_rate(blocks: Iterable[Floats], rate: int) -> Iterator[Floats]:
    """Yield a stream (N, 2) at `rate` as one at SPEECH_RATE, as long; each column by itself."""
    resampler = AudioResampler("fltp", "stereo", SPEECH_RATE)
    taken = given = 0
    for block in blocks:
        taken += len(block)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), "fltp", "stereo")
        frame.sample_rate = rate
        for made in resampler.resample(frame):
            given += made.samples
            yield made.to_ndarray().T
    wanted = round(taken * SPEECH_RATE / rate)
    for made in resampler.resample(None) if taken else ():
        rest = made.to_ndarray().T[: wanted - given]
        given += len(rest)
        yield rest
    yield from _nothing(wanted - given, SPEECH_RATE, (2,))


def _nothing(samples: int, rate: int, shape: tuple[int, ...]) -> Iterator[Floats]:
    """Yield silence, a second at a time."""
    for start in range(0, samples, rate):
        yield np.zeros((min(rate, samples - start), *shape), np.float32)


def _decoded(
    path: Path, start: float, duration: float | None, rate: int, channels: int
) -> Iterator[Floats]:
    """Yield a part of the file as blocks at a rate: mono (N,), or (N, 2)."""
    left = None if duration is None else round(duration * rate)
    skip = round(start * rate)
    for frame in resampled(path, "fltp", None, rate):
        decoded = np.asarray(frame.to_ndarray(), np.float32)
        block = _mixed(np.nan_to_num(decoded, posinf=1.0, neginf=-1.0), channels)
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


def _mixed(block: Floats, channels: int) -> Floats:
    """Return samples (C, N) of a file as mono (N,), or as left and right (N, 2)."""
    if channels == 2 and len(block) == 2:
        return np.ascontiguousarray(block.T, np.float32)
    mono = block.mean(0, dtype=np.float32)
    return mono if channels == 1 else np.repeat(mono[:, None], channels, 1)


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
