"""The voice filter: voice activity, and a mask that separates the voice."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

ROWS_PER_STEP = 2
"""Mel rows at 100 Hz that the filter takes in one step."""


@dataclass(frozen=True, slots=True)
class VoiceFilterConfig:
    """Shape of the voice filter."""

    mels: int = 80
    width: int = 128
    layers: int = 2


class VoiceFilter(nn.Module):
    """Log-mel rows -> bidirectional GRU -> activity, and a mask over mel bands."""

    def __init__(self, config: VoiceFilterConfig) -> None:
        super().__init__()
        self.config = config
        width, rows = config.width, ROWS_PER_STEP * config.mels
        self.front = nn.Sequential(nn.Linear(rows, width), nn.LayerNorm(width), nn.GELU())
        self.memory = nn.GRU(width, width, config.layers, batch_first=True, bidirectional=True)
        self.activity = nn.Linear(2 * width, 1)
        self.mask = nn.Linear(2 * width, rows)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, T / 2) of voice activity, and the voice's mask (B, T, 80).

        mel (B, T, 80) log-mel rows at 100 Hz in [0, 1]; the mask is in [0, 1], of the magnitude.
        """
        steps = torch.unflatten(mel, 1, (-1, ROWS_PER_STEP)).flatten(2)
        hidden, _ = self.memory(self.front(steps * 2 - 1))
        mask = torch.unflatten(torch.sigmoid(self.mask(hidden)), 2, (ROWS_PER_STEP, -1))
        return self.activity(hidden)[..., 0], mask.flatten(1, 2)
