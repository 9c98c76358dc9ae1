"""Every way of hearing that was compared, by name; the product knows the best of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from stylehead import weights
from stylehead.errors import WeightsError
from stylehead.hearing import CHUNK, Ears, EncoderEars, MelEars, WhisperEars
from stylehead.media import SPEECH_RATE
from stylehead.models.load import load_audio_encoder, load_whisper
from stylehead.models.motion_generator import FPS
from stylehead.types import Floats

NAMES = (
    "log-mel",
    "apc",
    "apc-projected",
    "distilled",
    "distilled-projected",
    "whisper",
    "whisper-pitch",
)


def ears_named(name: str) -> Ears:
    """Build one way of hearing; encoders are read from this checkout's own files."""
    if name == "log-mel":
        return MelEars()
    if name.startswith("whisper"):
        ears = WhisperEars(load_whisper(weights.resolve("whisper_tiny_en")))
        return PitchEars(ears) if name == "whisper-pitch" else ears
    kind, _, projected = name.partition("-")
    if name not in NAMES:
        raise WeightsError(f"There is no encoder {name}.", remedy=f"Use: {', '.join(NAMES)}.")
    path = weights.PACKAGE / "assets" / f"encoder_{kind}.safetensors"
    net, manifold = load_audio_encoder(path)
    if not projected:
        return EncoderEars(net)
    if manifold is None:
        raise WeightsError(f"{path} holds no manifold.", remedy="Train the encoder again.")
    return EncoderEars(net, replace(manifold, blend=0.5))


class PitchEars:
    """Other ears, and beside their features pitch, voicing and level."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self.width = ears.width + 3

    def listen(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, width); pitch is found a whole recording at a time."""
        samples = np.concatenate(list(blocks))
        features = torch.cat(list(self._ears.listen([samples])))
        yield torch.cat([features, pitch(samples)[: len(features)]], 1)


def pitch(samples: Floats) -> Tensor:
    """Return (T, 3): logarithm of the pitch over 150 Hz, voicing and level, at 60 fps.

    The pitch is the lag of the greatest normalised autocorrelation over 50 ms, 60 to 600 Hz.
    """
    frames = math.ceil(len(samples) * FPS / SPEECH_RATE)
    size, shortest, longest = 800, SPEECH_RATE // 600, SPEECH_RATE // 60
    padded = np.pad(samples, (size // 2, size + CHUNK)).astype(np.float32)
    starts = torch.arange(frames) * SPEECH_RATE // FPS
    cut = torch.from_numpy(padded)[starts[:, None] + torch.arange(size)]
    cut = (cut - cut.mean(1, keepdim=True)) * torch.hann_window(size)
    power = torch.fft.rfft(cut, 2 * size).abs().square()
    correlation = torch.fft.irfft(power)[:, : longest + 1]
    energy = correlation[:, :1].clamp(min=1e-6)
    best, lag = (correlation[:, shortest:] / energy).max(1)
    hertz = SPEECH_RATE / (lag + shortest).float()
    level = (energy[:, 0] / size).log10()
    return torch.stack([(hertz / 150).log() * best.clamp(min=0), best, level], 1)
