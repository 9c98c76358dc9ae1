"""Voice separation and voice activity: music and noise must not move lips."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stylehead.media.audio import Sound
from stylehead.models.voice_filter import ROWS_PER_STEP, VoiceFilter
from stylehead.speech.mel import FLOOR, LOUDNESS, mel_filters, overlapping_windows
from stylehead.types import MOTION_FPS, SPEECH_RATE, Floats

N_FFT = 512
HOP = 160  # samples: 100 Hz
SPAN = (50.0, 8000.0)  # Hz
BODY, MARGIN = 10 * SPEECH_RATE, SPEECH_RATE  # samples of a window that are kept, and around them
STEP = HOP * ROWS_PER_STEP
ALL_VOICE, NO_VOICE = 0.9, 0.05  # mask values of a band taken for all voice and for none
CLEAN, MIXED = 0.95, 0.7  # the voice's fraction of a second's energy: left as it is; filtered
LEFT_IN = np.float32(0.2)  # of the amplitude of what is no voice: 14 dB lower
NOTHING = 1e-9  # energy, so that silence has a level
AROUND = 100  # rows: the second over which cleanness is measured


class Voice(NamedTuple):
    """The voice in a stretch of sound."""

    samples: Floats
    """(N,) at 16 kHz."""
    activity: Floats
    """(N * 60 / 16000, rounded up) probability of a voice, at 60 Hz."""
    mix: Floats
    """(N,) the recording itself, which the voice is a part of."""

    @property
    def for_encoder(self) -> Floats:
        """(N,) what a speech encoder takes: the voice, and a little of what it was taken out of.

        It fills the holes that separation leaves; docs/decisions.md says what that gives.
        """
        return self.samples + LEFT_IN * (self.mix - self.samples)


class Separator(Protocol):
    """Takes the voice out of a recording."""

    @property
    def name(self) -> str:
        """As the option `--separate` calls it."""
        ...

    @property
    def files(self) -> tuple[str, ...]:
        """Names in weights.toml of what it computes with."""
        ...

    def separate(self, sound: Sound) -> Iterator[Voice]:
        """Yield the voice in a recording, brought to LOUDNESS, 10 s at a time."""
        ...


class VoiceSeparator:
    """The voice filter over windows of 12 s, 10 s apart, at fixed times."""

    name = "filter"
    files = ("voice_filter",)

    def __init__(self, net: VoiceFilter) -> None:
        self._net = net.eval()
        self._filters = torch.from_numpy(mel_filters(N_FFT, net.config.mels, SPAN))
        self._window = torch.hann_window(N_FFT)
        # From bands back to bins: each bin takes the mean of its bands, weighted by their response.
        weights = self._filters.T / self._filters.sum(0).clamp(min=1e-9)[:, None]
        first, last = self._filters.sum(0).nonzero().flatten()[[0, -1]].tolist()
        weights[:first], weights[last:] = weights[first], weights[last]
        self._to_bins = weights

    def separate(self, sound: Sound) -> Iterator[Voice]:
        """Yield the voice in a recording, 10 s at a time."""
        gain = np.float32(LOUDNESS / sound.loudness)
        yield from self.filtered(block * gain for block in sound.blocks())

    def filtered(self, blocks: Iterable[Floats]) -> Iterator[Voice]:
        """Yield the voice in a stream of samples at LOUDNESS, 10 s at a time."""
        for span, count in overlapping_windows(blocks, body=BODY, before=MARGIN, after=MARGIN):
            yield self.filtered_window(span, count)

    @torch.inference_mode()
    def filtered_window(self, span: Floats, count: int) -> Voice:
        """Return the voice in the first `count` samples of a window's body."""
        samples = torch.from_numpy(span)
        spectrum = torch.stft(samples, N_FFT, HOP, window=self._window, return_complex=True)
        device = self._net.activity.weight.device
        mel = log_bands(spectrum, self._filters)[: len(span) // HOP]
        logits, mask = (part[0].cpu() for part in self._net(mel[None].to(device)))
        mask = torch.cat([mask, mask[-1:]])
        mask = ((mask - NO_VOICE) / (ALL_VOICE - NO_VOICE)).clamp(0, 1) @ self._to_bins.T
        mask = _open_where_clean(mask.T, spectrum)
        kept = torch.istft(spectrum * mask, N_FFT, HOP, window=self._window, length=len(span))
        frames = -(-count * MOTION_FPS // SPEECH_RATE)
        steps = torch.from_numpy(middles(frames) // STEP).clamp(max=len(logits) - 1)
        activity = torch.sigmoid(logits[steps]).float().numpy()
        body = slice(MARGIN, MARGIN + count)
        return Voice(kept[body].numpy(), activity, span[body])


class NoSeparator:
    """Leaves a recording as it is: all that sounds is taken for a voice."""

    name = "off"
    files: tuple[str, ...] = ()

    def separate(self, sound: Sound) -> Iterator[Voice]:
        """Yield the recording, 10 s at a time."""
        gain = np.float32(LOUDNESS / sound.loudness)
        loud = (block * gain for block in sound.blocks())
        for window, count in overlapping_windows(loud, body=BODY, before=0, after=0):
            frames = -(-count * MOTION_FPS // SPEECH_RATE)
            yield Voice(window[:count], np.ones(frames, np.float32), window[:count])


def music_level(voices: Iterable[Voice]) -> float:
    """Return how loud everything but the voice is where a voice is active, in dB against it."""
    alone = other = NOTHING
    for voice in voices:
        count = len(voice.samples)
        active = np.repeat(voice.activity > 0.5, -(-count // len(voice.activity)))[:count]
        alone += float(np.square(voice.samples[active]).sum())
        other += float(np.square((voice.mix - voice.samples)[active]).sum())
    return 10 * math.log10(other / alone)


def middles(frames: int) -> NDArray[np.int64]:
    """Return the samples of a window at which the first frames of its body are half over."""
    return ((np.arange(frames) + 0.5) * SPEECH_RATE / MOTION_FPS).astype(np.int64) + MARGIN


def _open_where_clean(mask: Tensor, spectrum: Tensor) -> Tensor:
    """Return the mask (257, T), opened where hardly anything but a voice sounds.

    A filter takes some of the voice too, and speech encoders were trained on whole voices.
    """
    energy = torch.stack([(spectrum * mask).abs(), spectrum.abs()]).square().sum(1)
    voice, total = F.avg_pool1d(energy[None], AROUND + 1, 1, AROUND // 2)[0]
    clean = ((voice / (total + 1e-9) - MIXED) / (CLEAN - MIXED)).clamp(0, 1)
    return mask + (1 - mask) * clean


def log_bands(spectrum: Tensor, filters: Tensor) -> Tensor:
    """Return log-mel rows (..., T, 80) in about [0, 1] of a spectrum (..., 257, T)."""
    mel = (filters @ spectrum.abs()).transpose(-1, -2)
    return 1 - mel.clamp(min=FLOOR).log() / np.log(FLOOR)
