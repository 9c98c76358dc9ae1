"""Speech encoders: blocks of samples in, one feature vector per 60 Hz frame out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Protocol

import torch
from torch import Tensor

from stylehead.compute.threads import in_order
from stylehead.models import whisper
from stylehead.models.audio_encoder import AudioEncoder
from stylehead.models.manifold import Manifold
from stylehead.speech.mel import mel_chunks, mel_filters, overlapping_windows
from stylehead.types import CHUNK, MEL_ROWS_PER_FRAME, MOTION_FPS, SPEECH_RATE, Floats

AT_ONCE = 4  # windows that Whisper encodes: more would be waited for by the rest of the work


class SpeechEncoder(Protocol):
    """A speech encoder: blocks of samples in, one feature vector per 60 Hz frame out."""

    width: int
    """Numbers in a frame's feature vector."""

    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, width) of samples at 16 kHz whose voice is at LOUDNESS.

        The same features come out however the samples are cut into blocks; a last frame that the
        sound does not fill is completed with silence.
        """
        ...


class LogMelEncoder:
    """Two log-mel rows side by side; nothing learned."""

    width = 80 * MEL_ROWS_PER_FRAME

    def __init__(self) -> None:
        self._filters = torch.from_numpy(mel_filters())

    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, 160)."""
        for rows in mel_chunks(blocks, self._filters, gain=1.0, frames=CHUNK):
            yield rows.reshape(-1, self.width)


class ApcEncoder:
    """The paper's audio encoder (3.1): the features of two mel rows side by side."""

    def __init__(self, net: AudioEncoder) -> None:
        self._net = net.eval()
        self._filters = torch.from_numpy(mel_filters())
        self.width = net.config.width * MEL_ROWS_PER_FRAME

    @torch.inference_mode()
    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, 1024)."""
        state = None
        device = next(self._net.parameters()).device
        for rows in mel_chunks(blocks, self._filters, gain=1.0, frames=CHUNK):
            hidden, state = self._net(rows[None].to(device) * 2 - 1, state)
            yield hidden[0].cpu().reshape(-1, self.width)


class WhisperSpeechEncoder:
    """Whisper's encoder over overlapping windows of 12 s, 10 s apart, brought to 60 Hz.

    Windows begin at fixed times, so that a stream and a whole recording give the same.
    """

    width = whisper.WIDTH
    rate = 50
    """Features per second of Whisper."""
    body = CHUNK // MOTION_FPS * 50
    margin = 50
    """Features encoded before and after a window's body, so that its ends have context."""

    def __init__(self, net: whisper.WhisperEncoder, *, workers: int = 1) -> None:
        """Take the network; up to `workers` windows are encoded at once."""
        self._net, self._workers = net.eval(), min(workers, AT_ONCE)
        self._filters = torch.from_numpy(mel_filters(400, whisper.MELS, (0.0, SPEECH_RATE / 2)))
        self._window = torch.hann_window(400)

    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, 384), linearly interpolated between Whisper's own."""
        samples = 0

        def counted() -> Iterator[Floats]:
            nonlocal samples
            for block in blocks:
                samples += len(block)
                yield block

        pending, first, done = torch.zeros(0, self.width), 0, 0
        for encoded in self.at_50_hz(counted()):
            pending = torch.cat([pending, encoded])
            ready = (first + len(pending) - 1) * MOTION_FPS // self.rate
            if ready > done:
                yield self._between(pending, first, torch.arange(done, ready))
                done = ready
            kept = done * self.rate // MOTION_FPS - first
            pending, first = pending[kept:], first + kept
        total = math.ceil(samples * MOTION_FPS / SPEECH_RATE)
        if total > done:
            yield self._between(pending, first, torch.arange(done, total))

    def _between(self, features: Tensor, first: int, frames: Tensor) -> Tensor:
        """Interpolate features (N, 384) at 50 Hz, the first one number `first`, at 60 Hz frames."""
        position = ((frames * self.rate - first * MOTION_FPS) / MOTION_FPS).clamp(
            max=len(features) - 1
        )
        low = position.floor().long()
        fraction = (position - low)[:, None]
        high = (low + 1).clamp(max=len(features) - 1)
        return features[low] * (1 - fraction) + features[high] * fraction

    def at_50_hz(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield Whisper's own features (T, 384), a window's body at a time."""
        hop = SPEECH_RATE // self.rate
        half = 200  # of Whisper's own window of 25 ms
        before, after = self.margin * hop + half, self.margin * hop
        windows = overlapping_windows(blocks, body=self.body * hop, before=before, after=after)
        encoded = in_order(self._encode, windows, workers=self._workers)
        with closing(encoded):
            yield from encoded

    @torch.inference_mode()
    def _encode(self, window: tuple[Floats, int]) -> Tensor:
        samples, count = window
        device = self._net.embed_positions.weight.device
        mel = whisper.whisper_mel(torch.from_numpy(samples), self._filters, self._window)
        mel = mel[None, :, : 2 * (self.body + 2 * self.margin)].to(device)
        encoded = self._net(mel)[0, self.margin : self.margin + self.body].cpu()
        return encoded[: math.ceil(count * self.rate / SPEECH_RATE)]


class ProjectedEncoder:
    """Another encoder's features, brought to those of known voices (paper, 3.1)."""

    def __init__(self, encoder: SpeechEncoder, manifold: Manifold) -> None:
        self._encoder, self._manifold = encoder, manifold
        self.width = encoder.width

    @torch.inference_mode()
    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield projected features (T, width)."""
        for features in self._encoder.encode(blocks):
            yield self._manifold.project(features)
