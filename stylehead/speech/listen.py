"""A recording -> its voice and what a speech encoder makes of it, as one stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from stylehead.compute.device import to_array
from stylehead.errors import MediaError
from stylehead.media.audio import Sound
from stylehead.models import pose_generator
from stylehead.models.audio_encoder import AudioEncoder
from stylehead.options import Encoder, Encoding, Separation
from stylehead.progress import SILENT, Reporter, clock
from stylehead.speech.encoders import (
    ApcEncoder,
    ProjectedEncoder,
    SpeechEncoder,
    WhisperSpeechEncoder,
)
from stylehead.speech.mel import FLOOR, LOUDNESS, log_mel, mel_filters
from stylehead.speech.separation import NOTHING, Separator, Voice
from stylehead.speech.separators import Separators
from stylehead.types import (
    CHUNK,
    MEL_ROWS_PER_FRAME,
    MOTION_FPS,
    SPEECH_RATE,
    Floats,
    Speech,
    SpeechChunk,
)
from stylehead.weights.networks import CPU, load_manifold, load_network, load_whisper
from stylehead.weights.store import resolve

RISE = 3  # mel rows in which an onset rises: 25 ms
ACTIVE = 0.5  # probability from which a voice is there
LEAST_VOICE = 0.01  # of the time in which anything sounds: with less of it, no voice was found
FAINT = LOUDNESS * 10 ** (-30 / 20)  # RMS of a frame below which nothing sounds


class Chooser(Protocol):
    """Chooses a separator for each recording."""

    def choose(self, sound: Sound, reporter: Reporter = SILENT) -> Separator:
        """Return the separator for a recording."""
        ...


@dataclass(frozen=True, slots=True)
class Listener:
    """The networks that listen: voice separators and a speech encoder."""

    name: str
    """The encoder's, as in `Encoder`."""
    separators: Chooser
    encoder: SpeechEncoder

    projected: bool = False
    """Whether the encoder's features are brought to those of known voices."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names in weights.toml of the encoder's; `VoiceReport` has those of the separator."""
        return (f"encoder_{self.name}", f"projection_{self.name}")[: 1 + self.projected]


@dataclass(slots=True)
class VoiceReport:
    """How much of a recording is a voice; complete when its last chunk has been read."""

    separator: str
    """Name of what took the voice out; itself it is let go when it is done, for it may be large."""
    files: tuple[str, ...] = ()
    """Names in weights.toml of what it computed with."""
    frames: int = 0
    """At 60 Hz."""
    voiced: int = 0
    """Frames in which a voice was active."""
    sounding: int = 0
    """Frames in which anything sounds."""
    voice_energy: float = NOTHING
    mix_energy: float = NOTHING

    def count(self, voice: Voice) -> None:
        """Add a stretch."""
        self.frames += len(voice.activity)
        self.voiced += int((voice.activity > ACTIVE).sum())
        self.sounding += _sounding(voice.mix, len(voice.activity))
        self.voice_energy += float(np.square(voice.samples).sum())
        self.mix_energy += float(np.square(voice.mix).sum())

    @property
    def voice_fraction(self) -> float:
        """Fraction of the time in which a voice was active."""
        return self.voiced / max(self.frames, 1)

    def summary(self, sound: Sound) -> str:
        """Return one sentence for the user; where no voice was found, with what to do."""
        if self.voiced >= LEAST_VOICE * self.sounding and self.voiced:
            share = f"{self.voice_fraction:.{1 if self.voice_fraction < 0.01 else 0}%}"
            return f"A voice in {share} of {clock(sound.seconds)}."
        level = 10 * math.log10(self.voice_energy / self.mix_energy)
        return (
            f"Warning: no voice was found in {sound.path}, so the mouth stays shut. What might be "
            f"one is {-level:.0f} dB under the recording. Give the voice alone with --vocals, or "
            "another --separate; `stylehead voice` writes what was listened to."
        )


@dataclass(frozen=True, slots=True, eq=False)
class SeparatedSpeech(Speech):
    """A recording as the motion takes it, and how much of it is a voice."""

    report: VoiceReport


def load_listener(
    encoding: Encoding,
    device: torch.device,
    *,
    separation: Separation = Separation(),  # noqa: B008 (frozen)
    workers: int = 1,
    reporter: Reporter = SILENT,
) -> Listener:
    """Load voice separator and speech encoder; raises WeightsError when they cannot be had.

    `workers` stretches of a recording are listened to at once.
    """
    encoder = load_encoder(encoding, device, workers=workers, reporter=reporter)
    separators = Separators(separation.separate, device, workers=workers)
    return Listener(encoding.encoder.value, separators, encoder, encoding.projection > 0)


def load_encoder(
    encoding: Encoding,
    device: torch.device = CPU,
    *,
    workers: int = 1,
    reporter: Reporter = SILENT,
) -> SpeechEncoder:
    """Load one speech encoder; training asks here too, so that both get the same features."""
    name = encoding.encoder.value
    path = resolve(f"encoder_{name}", reporter=reporter)
    if encoding.encoder is Encoder.WHISPER:
        encoder = WhisperSpeechEncoder(load_whisper(path, device), workers=workers)
    else:
        encoder = ApcEncoder(load_network(AudioEncoder, path, device))
    if not encoding.projection:
        return encoder
    base = resolve(f"projection_{name}", reporter=reporter)
    return ProjectedEncoder(encoder, load_manifold(base, encoding.projection))


def listen(sound: Sound, listener: Listener, *, reporter: Reporter = SILENT) -> SeparatedSpeech:
    """Return a recording as the motion takes it: voice separated, encoded, measured.

    Memory stays flat: the recording is read while the chunks are. Raises MediaError for a silent
    recording.
    """
    report, separator = report_of(sound, listener.separators, reporter=reporter)
    chunks = _chunks(_Voice(sound, separator, report, reporter), listener.encoder)
    return SeparatedSpeech(sound.seconds, chunks, report)


def measure_voice(sound: Sound, separators: Chooser) -> tuple[Floats, Floats]:
    """Return probability and level in dB (N,) at 60 Hz of a recording's voice; nothing is encoded.

    Raises MediaError for a silent recording.
    """
    report, separator = report_of(sound, separators)
    voice = _Voice(sound, separator, report, SILENT)
    for _ in voice.blocks():
        pass
    activity, level, *_ = voice.measured()
    return activity, level


def report_of(
    sound: Sound, separators: Chooser, *, reporter: Reporter = SILENT
) -> tuple[VoiceReport, Separator]:
    """Return a report to be filled in, and its separator; MediaError for a silent recording."""
    refuse_silent(sound)
    separator = separators.choose(sound, reporter)
    return VoiceReport(separator.name, separator.files), separator


def refuse_silent(sound: Sound) -> None:
    """Raise MediaError for a recording, or a part of one, in which there is nothing to hear."""
    if not sound.silent:
        return
    if not sound.chosen:
        raise MediaError(
            f"{sound.path} is silent.", remedy="Give a recording in which a voice can be heard."
        )
    ends = sound.start + sound.seconds
    raise MediaError(
        f"{sound.path} is silent from {clock(sound.start)} to {clock(ends)}.",
        remedy="Choose a part in which a voice can be heard with --start and --duration.",
    )


def _chunks(voice: _Voice, encoder: SpeechEncoder) -> Iterator[SpeechChunk]:
    voice.start()
    for features in encoder.encode(voice.blocks()):
        yield SpeechChunk(features, *voice.measured())


class _Voice:
    """Passes a recording's voice on, block by block, and measures it on the way."""

    def __init__(
        self, sound: Sound, separator: Separator, report: VoiceReport, reporter: Reporter
    ) -> None:
        self._sound, self._separator, self._report = sound, separator, report
        self._reporter = reporter
        self._filters = torch.from_numpy(mel_filters())
        self._measures: list[tuple[Floats, ...]] = []
        self._last: torch.Tensor | None = None

    def start(self) -> None:
        """Tell the user that this recording is listened to."""
        frames = math.ceil(round(self._sound.seconds * MOTION_FPS, 6))
        self._reporter.start("Listening", math.ceil(frames / CHUNK))

    def blocks(self) -> Iterator[Floats]:
        """Yield what the encoder takes, 10 s at a time."""
        for voice in self._separator.separate(self._sound):
            self._report.count(voice)
            frames = len(voice.activity)
            rows = self._rows(voice.samples, frames)
            rest = self._rows(voice.mix - voice.samples, frames)
            measures = (voice.activity, _level(rows), _prosody(rows), _level(rest))
            self._measures.append((*measures, self._onsets(rest)))
            self._reporter.advance()
            yield voice.for_encoder

    def measured(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Return what a SpeechChunk holds beside features, measured since the last call."""
        taken, self._measures = self._measures, []
        nothing = (np.zeros(0, np.float32),) * 5
        columns = zip(*taken, strict=True) if taken else ((empty,) for empty in nothing)
        activity, level, prosody, music, onsets = (np.concatenate(part) for part in columns)
        return activity, level, prosody.reshape(-1, self._filters.shape[0]), music, onsets

    def _rows(self, samples: Floats, frames: int) -> torch.Tensor:
        padded = np.zeros((frames + 2) * SPEECH_RATE // MOTION_FPS, np.float32)
        padded[: len(samples)] = samples
        return log_mel(torch.from_numpy(padded), self._filters)[: frames * MEL_ROWS_PER_FRAME]

    def _onsets(self, rows: torch.Tensor) -> Floats:
        """Return the strength of onsets (T,): how much louder bands (T, 80) get in RISE rows."""
        before = rows[:1].expand(RISE, -1) if self._last is None else self._last
        joined = torch.cat([before, rows])
        self._last = joined[-RISE:]
        return to_array((joined[RISE:] - joined[:-RISE]).clamp(min=0).mean(1))


def _sounding(mix: Floats, frames: int) -> int:
    """Return in how many of its frames a recording (N,), at LOUDNESS, is more than faint."""
    bounds = np.arange(frames + 1) * len(mix) // max(frames, 1)
    energies = np.add.reduceat(np.square(mix), bounds[:-1]) / np.diff(bounds).clip(min=1)
    return int((energies > FAINT**2).sum())


def _level(rows: torch.Tensor) -> Floats:
    """Return the level in dB (N,) at 60 Hz of log-mel rows (2 N, 80)."""
    magnitude = torch.exp((1 - rows) * math.log(FLOOR)).mean(1)
    magnitude = to_array(magnitude.unflatten(0, (-1, MEL_ROWS_PER_FRAME)).mean(1))
    return 20 * np.log10(magnitude + 1e-9)


def _prosody(rows: torch.Tensor) -> Floats:
    """Return the mean (P, 80) of log-mel rows (T, 80) at each pose of the pose generator."""
    per_pose = MOTION_FPS // pose_generator.FPS * MEL_ROWS_PER_FRAME
    missing = -len(rows) % per_pose
    rows = torch.cat([rows, rows[-1:].expand(missing, -1)])
    return to_array(rows.unflatten(0, (-1, per_pose)).mean(1))
