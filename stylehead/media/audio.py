"""Sound in: any recording as blocks of samples, streamed, with its loudness measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.audio.resampler import AudioResampler

from stylehead.errors import MediaError
from stylehead.media.bounds import LONGEST
from stylehead.media.sound_stream import read_sound, sound_format
from stylehead.progress import clock
from stylehead.types import SPEECH_RATE, Floats

PIECE = 800  # samples at SPEECH_RATE, 50 ms: the grain of loudness
SAME_LENGTH = 0.5  # seconds by which a stem and its recording may differ
QUIETEST = 10 ** (-60 / 20)  # loudest piece below which a recording counts as silent
CANCELLED = 4.0  # times the energy of the mean that other signs give when channels cancel out
FLOOR = 1e-3  # energy of a piece, of a loud one's, below which it is a pause: 30 dB
CLICK = 2  # pieces that a click reaches: the loudest that is none comes after them


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

    signs: Floats | None = None
    """(C,) sign of each channel in the mono mix, where their plain mean would cancel out."""
    chosen: bool = False
    """Whether only a part of the recording was asked for."""

    @property
    def loudness(self) -> float:
        """RMS of the loud pieces: voice without its pauses."""
        return loudness(self.energies)

    @property
    def silent(self) -> bool:
        """Whether nothing in it is louder than -60 dB."""
        return not len(self.energies) or float(self.energies.max()) < QUIETEST**2

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
        for samples in _decoded(self.path, self.start, self.seconds, rate):
            block = samples
            if channels == 1 or samples.shape[1] != channels:
                block = mono(samples, self.signs)
                block = block if channels == 1 else np.repeat(block[:, None], channels, 1)
            if missing > 0:
                yield block[:missing]
            missing -= len(block)
        yield from _nothing(missing, rate, shape)


def open_audio(path: Path, *, start: float = 0.0, duration: float | None = None) -> Sound:
    """Measure a recording: any container, rate and channel count, also a video's sound track.

    Decodes it once, streaming. Raises MediaError for files without usable sound.
    """
    stored = sound_format(path)
    measured = _measure(path, start, duration, None)
    signs = _signs(measured.covariance)
    if signs is not None:
        measured = _measure(path, start, duration, signs)
    seconds = measured.samples / SPEECH_RATE
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
        sample_rate=stored.rate,
        channels=stored.channels,
        energies=measured.energies,
        signs=signs,
        chosen=start > 0 or duration is not None,
    )


class _Measured(NamedTuple):
    samples: int
    energies: Floats
    covariance: Floats
    """(C, C) sums of the products of each two channels."""


def _measure(path: Path, start: float, duration: float | None, signs: Floats | None) -> _Measured:
    samples, energies = 0, list[Floats]()
    remaining, covariance = np.zeros(0, np.float32), np.zeros((1, 1))
    for channels in _decoded(path, start, duration, SPEECH_RATE):
        block = mono(channels, signs)
        samples += len(block)
        covariance = covariance + channels.T @ channels
        remaining = np.concatenate([remaining, block])
        whole = len(remaining) // PIECE * PIECE
        energies.append(piece_energies(remaining[:whole]))
        remaining = remaining[whole:]
        if samples > LONGEST * SPEECH_RATE:
            raise MediaError(
                f"{path} is longer than {LONGEST // 3600} hours.",
                remedy="Use --start and --duration to choose a part.",
            )
    joined = np.concatenate(energies) if energies else np.zeros(0, np.float32)
    return _Measured(samples, joined, covariance)


def piece_energies(samples: Floats) -> Floats:
    """Return the mean square (P,) of each whole PIECE of samples (N,)."""
    whole = len(samples) // PIECE * PIECE
    return np.square(samples[:whole].reshape(-1, PIECE)).mean(1)


def loudness(energies: Floats) -> float:
    """Return the RMS of the loud pieces by their energies (P,); 0 without any.

    They are the louder half, or fewer where more than half of a recording is a pause: a sentence
    in a long silence is as loud as it is.
    """
    ordered = np.sort(energies)
    if not len(ordered):
        return 0.0
    loud = ordered[-1 - CLICK] if len(ordered) > 2 * CLICK else ordered[-1]
    voiced = int((ordered > FLOOR * (loud or ordered[-1])).sum())
    pauses = max(len(ordered) // 2, len(ordered) - max(voiced, 1))
    return float(np.sqrt(ordered[pauses:].mean()))


def open_together(
    path: Path,
    stems: Iterable[Path],
    *,
    start: float = 0.0,
    duration: float | None = None,
    offset: float | None = None,
) -> tuple[Sound, dict[Path, Sound]]:
    """Measure a recording and stems of it, each once; they are fitted as open_stem does."""
    played = open_audio(path, start=start, duration=duration)
    cut = duration is not None
    return played, {stem: open_stem(stem, played, offset, cut=cut) for stem in dict.fromkeys(stems)}


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


def _decoded(path: Path, start: float, duration: float | None, rate: int) -> Iterator[Floats]:
    """Yield a part of the file at a rate as blocks (N, C) with the file's own channels."""
    left = None if duration is None else round(duration * rate)
    skip = round(start * rate)
    for samples in read_sound(path, rate=rate):
        block = samples[skip:] if left is None else samples[skip : skip + left]
        skip -= min(skip, len(samples))
        if left is not None:
            left -= len(block)
        if len(block):
            yield block
        if left == 0:
            return


def mono(samples: Floats, signs: Floats | None = None) -> Floats:
    """Return the mean (N,) of all channels of samples (N, C), each times its sign (C,)."""
    return (samples if signs is None else samples * signs).mean(1, dtype=np.float32)


def _signs(covariance: Floats) -> Floats | None:
    """Return the signs (C,) that keep channels (C, C) from cancelling out; None where none do.

    A channel with its poles exchanged is the others turned over: their mean would be silence.
    """
    signs = np.where(np.linalg.eigh(covariance)[1][:, -1] < 0, -1.0, 1.0).astype(np.float32)
    signs *= 1 if signs.sum() >= 0 else -1
    kept = (signs[:, None] * covariance * signs).mean()
    return signs if kept > CANCELLED * covariance.mean() else None
