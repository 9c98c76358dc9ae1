"""Every way of hearing that was compared, by name; the product knows the best of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from stylehead.errors import WeightsError
from stylehead.options import Encoder
from stylehead.speech.encoders import LogMelEncoder, SpeechEncoder
from stylehead.speech.listen import load_encoder
from stylehead.types import CHUNK, MOTION_FPS, SPEECH_RATE, Floats

NAMES = (
    "log-mel",
    "apc",
    "apc-projected",
    "distilled",
    "distilled-projected",
    "whisper",
    "whisper-pitch",
)


def encoder_named(name: str) -> SpeechEncoder:
    """Build one way of hearing; the product's own loader, where it knows it."""
    if name not in NAMES:
        raise WeightsError(f"There is no encoder {name}.", remedy=f"Use: {', '.join(NAMES)}.")
    if name == "log-mel":
        return LogMelEncoder()
    kind, _, more = name.partition("-")
    ears = load_encoder(Encoder(kind), projected=more == "projected")
    return PitchEncoder(ears) if more == "pitch" else ears


class PitchEncoder:
    """Other ears, and beside their features pitch, voicing and level."""

    def __init__(self, ears: SpeechEncoder) -> None:
        self._ears = ears
        self.width = ears.width + 3

    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, width); pitch is found a whole recording at a time."""
        samples = np.concatenate(list(blocks))
        features = torch.cat(list(self._ears.encode([samples])))
        yield torch.cat([features, pitch(samples)[: len(features)]], 1)


def pitch(samples: Floats) -> Tensor:
    """Return (T, 3): logarithm of the pitch over 150 Hz, voicing and level, at 60 fps.

    The pitch is the lag of the greatest normalised autocorrelation over 50 ms, 60 to 600 Hz.
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
