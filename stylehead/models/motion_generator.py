"""The motion generator: log-mel rows -> landmark offsets, streaming."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

FPS = 60
"""Frames per second the generator works at (paper, Implementation)."""
ROWS_PER_FRAME = 2
"""Mel rows per frame: 120 Hz (paper, Implementation)."""


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """Shape of the motion generator."""

    mels: int = 80  # paper, Implementation
    hidden: int = 160  # LSP has 256; our quarter of an hour overfits that within 750 steps
    layers: int = 2
    components: int = 32  # principal components of 204 offsets: nearly all of their weighted energy
    delay: int = 18  # frames of sound heard ahead: 300 ms (method notes, 3.1)
    dropout: float = 0.4


class MotionGenerator(nn.Module):
    """Two frames' mel rows side by side -> GRU -> weights of principal landmark offsets.

    The output at step t belongs to frame t - delay, so the net hears 300 ms ahead and still
    streams (paper 3.1 by way of Live Speech Portraits, which uses an LSTM).
    """

    filters: Tensor
    """(80, 257) mel filter bank the rows are made with."""
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
            nn.Linear(ROWS_PER_FRAME * config.mels, width),
            nn.LayerNorm(width),
            nn.LeakyReLU(0.2),
            nn.Dropout(config.dropout),
            nn.Linear(width, width),
        )
        between = config.dropout if config.layers > 1 else 0.0
        self.memory = nn.GRU(width, width, config.layers, batch_first=True, dropout=between)
        self.head = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, config.components),
        )
        self.register_buffer("filters", torch.zeros(config.mels, 257))
        self.register_buffer("components", torch.zeros(config.components, 204))
        self.register_buffer("spread", torch.ones(68, 3))
        self.register_buffer("predicted_spread", torch.ones(68, 3))

    def forward(self, rows: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return offsets of the frames `delay` earlier, and the state to go on with.

        rows (B, 2 T, 80) in [0, 1]; offsets (B, T, 68, 3) in units of an average person.
        """
        batch, count, mels = rows.shape
        pairs = rows.reshape(batch, count // ROWS_PER_FRAME, ROWS_PER_FRAME * mels)
        hidden, after = self.memory(self.front(pairs * 2 - 1), state)
        offsets = self.head(hidden) @ self.components
        return offsets.unflatten(-1, (68, 3)), after
