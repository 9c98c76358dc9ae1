"""The speech encoders that were compared, by name; the product offers the best of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from stylehead.errors import ConfigError
from stylehead.options import Encoder, Encoding
from stylehead.speech.encoders import LogMelEncoder, SpeechEncoder
from stylehead.speech.listen import load_encoder
from stylehead.types import CHUNK, MOTION_FPS, SPEECH_RATE, Floats

NAMES = ("log-mel", "apc", "apc-projected", "whisper", "whisper-pitch")
PROJECTION = 0.5
"""Strength of the projection in `apc-projected`."""


def encoder_named(name: str) -> SpeechEncoder:
    """Build a speech encoder, by the product's own loader where it has one.

    Raises ConfigError for a name that is not in NAMES.
    """
    if name not in NAMES:
        raise ConfigError(f"There is no encoder {name}.", remedy=f"Use: {', '.join(NAMES)}.")
    if name == "log-mel":
        return LogMelEncoder()
    kind, _, more = name.partition("-")
    strength = PROJECTION if more == "projected" else 0.0
    encoder = load_encoder(Encoding(encoder=Encoder(kind), projection=strength))
    return PitchEncoder(encoder) if more == "pitch" else encoder


class PitchEncoder:
    """Another encoder's features with pitch, voicing and level beside them."""

    def __init__(self, encoder: SpeechEncoder) -> None:
        self._encoder = encoder
        self.width = encoder.width + 3

    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, width); pitch is found a whole recording at a time."""
        samples = np.concatenate(list(blocks))
        features = torch.cat(list(self._encoder.encode([samples])))
        yield torch.cat([features, pitch(samples)[: len(features)]], 1)


def pitch(samples: Floats) -> Tensor:
    """Return (T, 3) at 60 fps of samples (N,) at 16 kHz: pitch, voicing and level.

    The pitch is the lag of the greatest normalised autocorrelation over 50 ms, 60 to 600 Hz; it is
    given as its logarithm over 150 Hz times the voicing.
    """
    frames = math.ceil(len(samples) * MOTION_FPS / SPEECH_RATE)
    size, shortest, longest = 800, SPEECH_RATE // 600, SPEECH_RATE // 60
    padded = np.pad(samples, (size // 2, size + CHUNK)).astype(np.float32)
    starts = torch.arange(frames) * SPEECH_RATE // MOTION_FPS
    cut = torch.from_numpy(padded)[starts[:, None] + torch.arange(size)]
    cut = (cut - cut.mean(1, keepdim=True)) * torch.hann_window(size)
    power = torch.fft.rfft(cut, 2 * size).abs().square()
    correlation = torch.fft.irfft(power)[:, : longest + 1]
    energy = correlation[:, :1].clamp(min=1e-6)
    best, lag = (correlation[:, shortest:] / energy).max(1)
    hertz = SPEECH_RATE / (lag + shortest).float()
    level = (energy[:, 0] / size).log10()
    return torch.stack([(hertz / 150).log() * best.clamp(min=0), best, level], 1)
