"""A recording -> its voice and what a speech encoder makes of it, as one stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from stylehead.device import to_array
from stylehead.errors import MediaError
from stylehead.media.audio import Sound
from stylehead.models import pose_generator
from stylehead.models.audio_encoder import AudioEncoder
from stylehead.models.voice_filter import VoiceFilter
from stylehead.options import Encoder, Encoding
from stylehead.progress import SILENT, Reporter
from stylehead.speech.encoders import (
    ApcEncoder,
    ProjectedEncoder,
    SpeechEncoder,
    WhisperSpeechEncoder,
)
from stylehead.speech.mel import FLOOR, LOUDNESS, log_mel, mel_filters
from stylehead.speech.separation import VoiceSeparator
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

QUIETEST = 10 ** (-60 / 20)  # loudness below which a recording counts as silent


@dataclass(frozen=True, slots=True)
class Listener:
    """The networks that listen: a voice separator and a speech encoder."""

    name: str
    """The encoder's, as in `Encoder`."""
    separator: VoiceSeparator
    encoder: SpeechEncoder

    projected: bool = False
    """Whether the encoder's features are brought to those of known voices."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names in weights.toml of what was loaded."""
        encoding = (f"encoder_{self.name}", f"projection_{self.name}")
        return "voice_filter", *encoding[: 1 + self.projected]


def load_listener(
    encoding: Encoding, device: torch.device, *, reporter: Reporter = SILENT
) -> Listener:
    """Load voice separator and speech encoder; raises WeightsError when they cannot be had."""
    encoder = load_encoder(encoding, device, reporter=reporter)
    separator = VoiceSeparator(load_network(VoiceFilter, resolve("voice_filter"), device))
    return Listener(encoding.encoder.value, separator, encoder, encoding.projection > 0)


def load_encoder(
    encoding: Encoding, device: torch.device = CPU, *, reporter: Reporter = SILENT
) -> SpeechEncoder:
    """Load one speech encoder; training asks here too, so that both get the same features."""
    name = encoding.encoder.value
    path = resolve(f"encoder_{name}", reporter=reporter)
    if encoding.encoder is Encoder.WHISPER:
        encoder = WhisperSpeechEncoder(load_whisper(path, device))
    else:
        encoder = ApcEncoder(load_network(AudioEncoder, path, device))
    if not encoding.projection:
        return encoder
    base = resolve(f"projection_{name}", reporter=reporter)
    return ProjectedEncoder(encoder, load_manifold(base, encoding.projection))


def listen(sound: Sound, listener: Listener, *, reporter: Reporter = SILENT) -> Speech:
    """Return a recording as the motion takes it: voice separated, encoded, measured.

    Memory stays flat: the recording is read while the chunks are. Raises MediaError for a silent
    recording.
    """
    if sound.loudness < QUIETEST:
        raise MediaError(
            f"{sound.path} is silent.", remedy="Give a recording in which a voice can be heard."
        )
    return Speech(sound.seconds, _chunks(sound, listener, reporter))


def speech_features(
    sound: Sound, listener: Listener, *, reporter: Reporter = SILENT
) -> torch.Tensor:
    """Return a recording's speech features (T, F) at 60 Hz, its voice separated first."""
    voice = _Voice(sound, listener.separator, reporter)
    return torch.cat(list(listener.encoder.encode(voice.blocks())))


def _chunks(sound: Sound, listener: Listener, reporter: Reporter) -> Iterator[SpeechChunk]:
    frames = math.ceil(round(sound.seconds * MOTION_FPS, 6))
    reporter.start("Listening", math.ceil(frames / CHUNK))
    voice = _Voice(sound, listener.separator, reporter)
    for features in listener.encoder.encode(voice.blocks()):
        yield SpeechChunk(features, *voice.measured())


class _Voice:
    """Passes a recording's voice on, block by block, and measures it on the way."""

    def __init__(self, sound: Sound, separator: VoiceSeparator, reporter: Reporter) -> None:
        self._sound, self._separator, self._reporter = sound, separator, reporter
        self._filters = torch.from_numpy(mel_filters())
        self._gain = np.float32(LOUDNESS / sound.loudness)
        self._measures: list[tuple[Floats, Floats, Floats]] = []

    def blocks(self) -> Iterator[Floats]:
        """Yield the voice, 10 s at a time."""
        loud = (block * self._gain for block in self._sound.blocks())
        for samples, activity in self._separator.separate(loud):
            frames = len(activity)
            padded = np.zeros((frames + 2) * SPEECH_RATE // MOTION_FPS, np.float32)
            padded[: len(samples)] = samples
            rows = log_mel(torch.from_numpy(padded), self._filters)[: frames * MEL_ROWS_PER_FRAME]
            magnitude = torch.exp((1 - rows) * math.log(FLOOR)).mean(1)
            magnitude = to_array(magnitude.unflatten(0, (-1, MEL_ROWS_PER_FRAME)).mean(1))
            per_pose = MOTION_FPS // pose_generator.FPS * MEL_ROWS_PER_FRAME
            missing = -len(rows) % per_pose
            rows = torch.cat([rows, rows[-1:].expand(missing, -1)])
            prosody = to_array(rows.unflatten(0, (-1, per_pose)).mean(1))
            self._measures.append((activity, 20 * np.log10(magnitude + 1e-9), prosody))
            self._reporter.advance()
            yield samples

    def measured(self) -> tuple[Floats, Floats, Floats]:
        """Return activity (N,), level in dB (N,) and prosody (P, 80) since the last call."""
        taken, self._measures = self._measures, []
        if not taken:
            return np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros((0, 80), np.float32)
        activity, level, prosody = (np.concatenate(part) for part in zip(*taken, strict=True))
        return activity, level, prosody
