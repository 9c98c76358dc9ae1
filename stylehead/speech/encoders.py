"""Sound -> what the motion generator hears: one stream of features at 60 Hz for each encoder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from stylehead.models import whisper
from stylehead.models.audio_encoder import AudioEncoder
from stylehead.models.manifold import Manifold
from stylehead.speech.mel import mel_chunks, mel_filters, overlapping_windows
from stylehead.types import CHUNK, MEL_ROWS_PER_FRAME, MOTION_FPS, SPEECH_RATE, Floats


class SpeechEncoder(Protocol):
    """One way of hearing."""

    width: int
    """Features of a frame."""

    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, width) of samples at 16 kHz whose voice is at LOUDNESS.

        The same features come out however the samples are cut into blocks; a last frame that the
        sound does not fill is heard with silence.
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
    """The audio encoder's features of two rows side by side (paper 3.1), as they are or projected.

    With a manifold each row is first brought near to features of the training voices.
    """

    def __init__(self, net: AudioEncoder, manifold: Manifold | None = None) -> None:
        self._net, self._manifold = net.eval(), manifold
        self._filters = torch.from_numpy(mel_filters())
        self.width = net.config.width * MEL_ROWS_PER_FRAME

    @torch.inference_mode()
    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, 1024)."""
        state = None
        device = next(self._net.parameters()).device
        for rows in mel_chunks(blocks, self._filters, gain=1.0, frames=CHUNK):
            hidden, state = self._net(rows[None].to(device) * 2 - 1, state)
            features = hidden[0].cpu()
            if self._manifold:
                features = self._manifold.project(features)
            yield features.reshape(-1, self.width)


class WhisperSpeechEncoder:
    """Whisper's encoder over overlapping windows of 12 s, 10 s apart, brought to 60 Hz.

    Windows begin at fixed times, so that a stream and a whole recording give the same.
    """

    width = whisper.WIDTH
    rate = 50
    """Features a second that Whisper gives."""
    body = CHUNK // MOTION_FPS * 50
    margin = 50
    """Features heard before and after a window's body."""

    def __init__(self, net: whisper.WhisperEncoder) -> None:
        self._net = net.eval()
        self._filters = torch.from_numpy(mel_filters(400, whisper.MELS, (0.0, SPEECH_RATE / 2)))
        self._window = torch.hann_window(400)

    def encode(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield features (T, 384), on straight lines between Whisper's own."""
        samples = 0

        def counted() -> Iterator[Floats]:
            nonlocal samples
            for block in blocks:
                samples += len(block)
                yield block

        held, first, done = torch.zeros(0, self.width), 0, 0
        for heard in self.at_50_hz(counted()):
            held = torch.cat([held, heard])
            ready = (first + len(held) - 1) * MOTION_FPS // self.rate
            if ready > done:
                yield self._between(held, first, torch.arange(done, ready))
                done = ready
            kept = done * self.rate // MOTION_FPS - first
            held, first = held[kept:], first + kept
        total = math.ceil(samples * MOTION_FPS / SPEECH_RATE)
        if total > done:
            yield self._between(held, first, torch.arange(done, total))

    def _between(self, held: Tensor, first: int, frames: Tensor) -> Tensor:
        place = ((frames * self.rate - first * MOTION_FPS) / MOTION_FPS).clamp(max=len(held) - 1)
        low = place.floor().long()
        share = (place - low)[:, None]
        return held[low] * (1 - share) + held[(low + 1).clamp(max=len(held) - 1)] * share

    @torch.inference_mode()
    def at_50_hz(self, blocks: Iterable[Floats]) -> Iterator[Tensor]:
        """Yield Whisper's own features (T, 384), a window's body at a time."""
        hop = SPEECH_RATE // self.rate
        half = 200  # of Whisper's own window of 25 ms
        around = {"before": self.margin * hop + half, "after": self.margin * hop}
        for window, count in overlapping_windows(blocks, body=self.body * hop, **around):
            yield self._hear(window)[: math.ceil(count / hop)]

    def _hear(self, samples: Floats) -> Tensor:
        device = self._net.embed_positions.weight.device
        mel = whisper.whisper_mel(torch.from_numpy(samples), self._filters, self._window)
        mel = mel[None, :, : 2 * (self.body + 2 * self.margin)].to(device)
        return self._net(mel)[0, self.margin : self.margin + self.body].cpu()
