"""The motion generator: speech features -> landmark offsets, streaming."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""Hidden and cell state of the LSTM, (layers, B, hidden) each."""


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """Shape of the motion generator, and whose features it was trained on."""

    encoder: str = "whisper"
    features: int = 384
    hidden: int = 160  # LSP has 256; our twenty minutes overfit that
    layers: int = 2
    components: int = 32  # principal components of 204 offsets: nearly all of their weighted energy
    delay: int = 18  # frames of sound heard ahead: 300 ms (Live Speech Portraits)
    dropout: float = 0.4


class MotionGenerator(nn.Module):
    """Features of a frame -> LSTM -> weights of principal landmark offsets.

    The output at step t belongs to frame t - delay, so the net hears 300 ms ahead and still
    streams (paper 3.1 by way of Live Speech Portraits).
    """

    mean: Tensor
    """(F,) of the encoder's features over the training clips."""
    scale: Tensor
    """(F,) their spread."""
    components: Tensor
    """(K, 204) principal offsets, in units of their standard deviation."""
    spread: Tensor
    """(68, 3) standard deviation of real offsets, pooled over training people."""
    predicted_spread: Tensor
    """(68, 3) the same for this net's own output on held-out people: regression under-shoots."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        width = config.hidden
        self.front = nn.Sequential(
            nn.Dropout(config.dropout / 2),
            nn.Linear(config.features, width),
            nn.LayerNorm(width),
            nn.GELU(),
            nn.Dropout(config.dropout),
        )
        between = config.dropout if config.layers > 1 else 0.0
        self.memory = nn.LSTM(width, width, config.layers, batch_first=True, dropout=between)
        self.head = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, config.components),
        )
        self.register_buffer("mean", torch.zeros(config.features))
        self.register_buffer("scale", torch.ones(config.features))
        self.register_buffer("components", torch.zeros(config.components, 204))
        self.register_buffer("spread", torch.ones(68, 3))
        self.register_buffer("predicted_spread", torch.ones(68, 3))

    def standardised(self, features: Tensor) -> Tensor:
        """Return features (..., F) about their mean, in units of their spread."""
        return (features - self.mean) / self.scale

    def forward(self, features: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return offsets of the frames `delay` earlier, and the state to go on with.

        features (B, T, F) of one encoder at 60 Hz; offsets (B, T, 68, 3) in units of an average
        person.
        """
        hidden, after = self.memory(self.front(self.standardised(features)), state)
        return self.last(self.head[:-1](hidden)), after

    def before_last(self, features: Tensor) -> Tensor:
        """Return what the last layer takes (T, H) for each frame of a recording's features (T, F).

        The last row stands for the sound after the end.
        """
        late = torch.cat([features, features[-1:].expand(self.config.delay, -1)])
        hidden, _ = self.memory(self.front(self.standardised(late[None])))
        return self.head[:-1](hidden)[0, self.config.delay :]

    def last(self, hidden: Tensor) -> Tensor:
        """Return offsets (..., 68, 3) of the last layer's inputs (..., H)."""
        return (self.head[-1](hidden) @ self.components).unflatten(-1, (68, 3))
