"""The audio encoder: log-mel rows at 120 Hz -> speech features, causal and streaming."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class AudioEncoderConfig:
    """Shape of the audio encoder."""

    mels: int = 80  # paper, Implementation
    width: int = 512  # authors' code
    layers: int = 3  # authors' code
    ahead: int = 3  # rows between the last one heard and the one predicted
    teacher: int = 0
    """Width of the teacher's features that distillation predicts; 0: APC alone, as in the paper."""
    lookahead: int = 24
    """Rows of sound between a row and the prediction of its teacher's feature: 0.2 s."""


class AudioEncoder(nn.Module):
    """Autoregressive predictive coding: three GRUs whose last hidden states are the features.

    With `teacher`, the same hidden states also had to give a large speech encoder's features
    (distillation). Layer names of the GRUs are those of Live Speech Portraits.
    """

    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.rnns = nn.ModuleList(
            nn.GRU(config.mels if layer == 0 else width, width, batch_first=True)
            for layer in range(config.layers)
        )
        self.postnet = nn.Linear(width, config.mels)
        self.student = nn.Linear(width, config.teacher) if config.teacher else None

    def forward(
        self, rows: Tensor, state: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return features (B, T, width) of rows (B, T, 80) in [0, 1], and the state to go on."""
        after: list[Tensor] = []
        for layer, rnn in enumerate(self.rnns):
            rows, last = rnn(rows, state[layer] if state else None)
            after.append(last)
        return rows, after
