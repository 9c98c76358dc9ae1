"""Whisper's audio encoder, the tiny English one: log-mel -> speech features at 50 Hz.

Layers and parameter names are those of the published checkpoint (Radford et al. 2022).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MELS = 80
WIDTH = 384
LAYERS = 4
HEADS = 6
POSITIONS = 1500
"""Longest input in features: 30 s."""


class WhisperEncoder(nn.Module):
    """Two convolutions, the second with stride 2, and four transformer layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(MELS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(POSITIONS, WIDTH)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.layer_norm = nn.LayerNorm(WIDTH)

    def forward(self, mel: Tensor) -> Tensor:
        """Return features (B, T, 384): (B, 80, 2 T) log-mel at 100 Hz in, T at most 1500."""
        hidden = F.gelu(self.conv1(mel))
        hidden = F.gelu(self.conv2(hidden)).transpose(1, 2)
        hidden = hidden + self.embed_positions.weight[: hidden.shape[1]]
        for layer in self.layers:
            hidden = layer(hidden)
        return self.layer_norm(hidden)


class _Layer(nn.Module):
    """Self-attention and a feed-forward part, each after a norm and beside a bypass."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = _Attention()
        self.self_attn_layer_norm = nn.LayerNorm(WIDTH)
        self.fc1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.fc2 = nn.Linear(4 * WIDTH, WIDTH)
        self.final_layer_norm = nn.LayerNorm(WIDTH)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self.self_attn(self.self_attn_layer_norm(hidden))
        return hidden + self.fc2(F.gelu(self.fc1(self.final_layer_norm(hidden))))


class _Attention(nn.Module):
    """Every moment looks at every other one; keys have no bias."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, WIDTH)
        self.k_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.v_proj = nn.Linear(WIDTH, WIDTH)
        self.out_proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, hidden: Tensor) -> Tensor:
        parts = [
            projection(hidden).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        ]
        mixed = F.scaled_dot_product_attention(*parts)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


def positions() -> Tensor:
    """Return the table of positions (POSITIONS, WIDTH): sinusoids, as the checkpoint rounds them.

    Wavelengths grow geometrically from 2 pi to 20,000 pi features; sines, then cosines.
    """
    steps = torch.arange(WIDTH // 2, dtype=torch.float64) / (WIDTH // 2 - 1)
    angles = torch.arange(POSITIONS)[:, None] * torch.exp(-math.log(10_000) * steps)
    return torch.cat([angles.sin(), angles.cos()], 1).half().float()


def whisper_mel(samples: Tensor, filters: Tensor, window: Tensor) -> Tensor:
    """Return Whisper's log-mel at 100 Hz: (N + 400,) at 16 kHz -> (80, N / 160 + 1).

    The first row is centred on sample 200. Levels are taken as they are: where the published code
    compresses against the loudest moment of 30 s, we use a fixed one, so that streams stay
    streams.
    """
    power = torch.stft(samples, 400, 160, window=window, center=False, return_complex=True)
    mel = filters @ power.abs().square()
    level = mel.clamp(min=1e-10).log10().clamp(LOUDEST - 8, LOUDEST)
    return (level + 4) / 4


LOUDEST = 1.25
"""log10 of the loudest mel band of speech at the loudness all recordings are brought to."""
