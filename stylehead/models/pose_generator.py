"""The pose generator: head pose as an autoregressive Gaussian, conditioned on the voice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

AXES = 6
"""Pitch, yaw, roll and the three shifts, each about its mean and in units of its own spread."""
STATE = 2 * AXES
"""The axes and their steps since the frame before (paper 3.2)."""
FPS = 15
"""Poses a second: a quarter of the paper's, which quarters the receptive field that is needed."""
LEAST_SPREAD = 0.03
"""Floor of the Gaussian's spread (Live Speech Portraits)."""


@dataclass(frozen=True, slots=True)
class PoseConfig:
    """Shape of the pose generator; with 2 blocks of dilations to 16 it looks 4.2 s back."""

    heard: int = 80
    """Audio features of each pose: its mean log-mel row."""
    style: int = AXES
    """Features of the style: how fast each axis moves for its range."""
    width: int = 64  # LSP has 128 for one person's hour
    skip: int = 64
    layers: int = 5
    blocks: int = 2
    dropout: float = 0.5  # of whole history channels (LSP)
    ahead: int = 4  # poses of sound heard ahead: 0.27 s (LSP: 0.25 s)

    @property
    def dilations(self) -> list[int]:
        """Poses between the two taps of each layer."""
        return [2**layer for _ in range(self.blocks) for layer in range(self.layers)]

    @property
    def receptive(self) -> int:
        """Poses that the next one depends on."""
        return sum(self.dilations) + 1


class PoseGenerator(nn.Module):
    """A WaveNet over past poses, conditioned on sound and style: mean and spread of the next."""

    def __init__(self, config: PoseConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.hear = nn.Sequential(
            nn.Linear(config.heard + config.style, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
        )
        self.front = nn.Sequential(nn.Linear(STATE, width), nn.LeakyReLU(0.2))
        self.taps = nn.ModuleList(nn.Linear(2 * width, 2 * width) for _ in config.dilations)
        self.conditions = nn.ModuleList(nn.Linear(width, 2 * width) for _ in config.dilations)
        self.onward = nn.ModuleList(nn.Linear(width, width) for _ in config.dilations)
        self.skips = nn.ModuleList(nn.Linear(width, config.skip) for _ in config.dilations)
        self.end = nn.Sequential(nn.LeakyReLU(0.2), nn.Linear(config.skip, 2 * STATE))

    def forward(self, states: Tensor, heard: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log precision (B, T, 12) of the state after each of those given.

        states (B, T, 12), heard (B, T, 80) the sound at the state that is to come, style (B, 6).
        """
        condition = self.hear(torch.cat([heard, style[:, None].expand(-1, len(heard[0]), -1)], -1))
        # Channel dropout without rescaling, so that the net cannot just copy the last pose.
        if self.training:
            keep = torch.rand(states.shape[0], 1, STATE, device=states.device)
            states = states * (keep > self.config.dropout)
        hidden = self.front(states)
        skip = torch.zeros((), device=states.device)
        for layer, dilation in enumerate(self.config.dilations):
            before = F.pad(hidden, (0, 0, dilation, 0))[:, : hidden.shape[1]]
            hidden, skip = self._layer(layer, hidden, before, condition, skip)
        return self._shaped(skip)

    def _layer(
        self, layer: int, hidden: Tensor, before: Tensor, condition: Tensor, skip: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gated unit of one dilation: the hidden states now and a dilation ago."""
        both = self.taps[layer](torch.cat([before, hidden], -1)) + self.conditions[layer](condition)
        filtered, gate = both.chunk(2, -1)
        out = torch.tanh(filtered) * torch.sigmoid(gate)
        return hidden + self.onward[layer](out), skip + self.skips[layer](out)

    def _shaped(self, skip: Tensor) -> tuple[Tensor, Tensor]:
        mean, precision = self.end(skip).chunk(2, -1)
        return mean, precision.clamp(max=-torch.tensor(LEAST_SPREAD).log())

    @torch.inference_mode()
    def sample(self, heard: Tensor, style: Tensor, noise: Tensor, *, temperature: float) -> Tensor:
        """Return axes (T, 6) drawn pose by pose: noise (T, 12) standard normal, heard (T, 80).

        Each layer keeps a queue as long as its dilation, so that a pose costs one step of every
        layer and not the whole receptive field. Only the axes are drawn; their steps follow.
        A step is some multiplications of small matrices: torch would mostly be called.
        """
        count, width = len(heard), self.config.width
        condition = self.hear(torch.cat([heard, style.expand(count, -1)], -1))
        added, taps, onward, biases = [], [], [], []
        for layer in range(len(self.taps)):
            tap, on, out_of = self.taps[layer], self.onward[layer], self.skips[layer]
            added.append((self.conditions[layer](condition) + tap.bias).numpy())
            taps.append(_numbers(tap.weight))
            onward.append(np.concatenate([_numbers(on.weight), _numbers(out_of.weight)]))
            biases.append(np.concatenate([_numbers(on.bias), _numbers(out_of.bias)]))
        queues = [np.zeros((d, width), np.float32) for d in self.config.dilations]
        both = np.zeros(2 * width, np.float32)  # hidden states a dilation ago, and now
        state, out = np.zeros(STATE, np.float32), np.zeros((count, AXES), np.float32)
        for t in range(count):
            both[width:] = self.front(torch.from_numpy(state)).numpy()
            skip = np.zeros(self.config.skip, np.float32)
            for layer, queue in enumerate(queues):
                slot = t % len(queue)
                both[:width], queue[slot] = queue[slot], both[width:]
                gates = taps[layer] @ both + added[layer][t]
                unit = np.tanh(gates[:width]) / (1 + np.exp(-gates[width:]))
                step = onward[layer] @ unit + biases[layer]
                both[width:] += step[:width]
                skip += step[width:]
            mean, precision = (part.numpy() for part in self._shaped(torch.from_numpy(skip)))
            drawn = mean + temperature * np.exp(-precision) * noise[t].numpy()
            out[t] = drawn[:AXES].clip(-3.5, 3.5)
            state = np.concatenate([out[t], out[t] - out[t - 1] if t else np.zeros(AXES)])
            state = state.astype(np.float32)
        return torch.from_numpy(out)


def _numbers(values: Tensor | nn.Module) -> NDArray[np.float32]:
    assert isinstance(values, Tensor)
    return values.numpy()
