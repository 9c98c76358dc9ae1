"""Networks in Live Speech Portraits' own shapes and names, so that its checkpoints load.

Its audio encoder is `AudioEncoder`, its larger renderers are `StyleGenerator`, and its
discriminator is `MultiscaleDiscriminator`; what is here has no counterpart of the same shape.
Kept because the paper takes its audio-driven motion and head pose from these networks.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylehead.models.layers import initialise

HEARD = 1024
"""Two audio rows of 512, side by side: one video frame at 60 fps."""
WIDTH = 512
MOUTH_POINTS = 25
"""Jaw and mouth of the 73-point set."""
STATE = 12
"""Three angles in degrees, three shifts, and the steps of all six since the frame before."""
DILATIONS = tuple(2**layer for layer in range(7)) * 2
RECEPTIVE = sum(DILATIONS) + 1
"""Frames that the next head pose depends on: 255, 4.25 s."""
CHANNELS, SKIP = 128, 256
GAUSSIAN = 2 * STATE + 1
"""An unused mixture logit, means, and negative log spreads."""
SLOPE = 0.2


class FrameNorm(nn.BatchNorm1d):
    """Batch norm of the channels of (B, T, C), over batch and time."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the same shape."""
        return super().forward(input.flatten(0, 1)).view_as(input)


def listen() -> nn.Sequential:
    """Two audio rows (B, T, 1024) -> what is heard in a frame (B, T, 512)."""
    first, norm = nn.Linear(HEARD, WIDTH), FrameNorm(WIDTH)
    return nn.Sequential(first, norm, nn.LeakyReLU(SLOPE), nn.Linear(WIDTH, WIDTH))


class MouthNet(nn.Module):
    """Audio features -> mouth and jaw displacements (published as Audio2Feature)."""

    def __init__(self) -> None:
        super().__init__()
        self.downsample = listen()
        self.LSTM = nn.LSTM(WIDTH, WIDTH // 2, 3, batch_first=True)
        self.fc = nn.Sequential(
            nn.Linear(WIDTH // 2, WIDTH),
            FrameNorm(WIDTH),
            nn.LeakyReLU(SLOPE),
            nn.Linear(WIDTH, WIDTH),
            FrameNorm(WIDTH),
            nn.LeakyReLU(SLOPE),
            nn.Linear(WIDTH, 3 * MOUTH_POINTS),
        )

    def forward(self, rows: Tensor) -> Tensor:
        """Return displacements (B, T, 75) for the frames 18 earlier, of rows (B, 2 T, 512)."""
        return self.fc(self.LSTM(self.downsample(torch.unflatten(rows, 1, (-1, 2)).flatten(2)))[0])


class _Gate(nn.Module):
    """One dilated layer: gated by what is heard, with a way on and a way out."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.filter_conv = nn.Conv1d(CHANNELS, CHANNELS, 2, dilation=dilation)
        self.gate_conv = nn.Conv1d(CHANNELS, CHANNELS, 2, dilation=dilation)
        self.cond_filter_conv = nn.Conv1d(WIDTH, CHANNELS, 1)
        self.cond_gate_conv = nn.Conv1d(WIDTH, CHANNELS, 1)
        self.residual_conv = nn.Conv1d(CHANNELS, CHANNELS, 1)
        self.skip_conv = nn.Conv1d(CHANNELS, SKIP, 1)

    def forward(self, x: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        past = F.pad(x, (self.dilation, 0))
        filtered = (self.filter_conv(past) + self.cond_filter_conv(heard)).tanh()
        unit = filtered * (self.gate_conv(past) + self.cond_gate_conv(heard)).sigmoid()
        return x + self.residual_conv(unit), self.skip_conv(unit)


class _WaveNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.start_conv1 = nn.Conv1d(STATE, CHANNELS, 1)
        self.start_conv2 = nn.Conv1d(CHANNELS, CHANNELS, 1)
        self.residual_blocks = nn.ModuleList(_Gate(dilation) for dilation in DILATIONS)
        self.end_conv_1 = nn.Conv1d(SKIP, GAUSSIAN, 1)
        self.end_conv_2 = nn.Conv1d(GAUSSIAN, GAUSSIAN, 1)

    def forward(self, history: Tensor, heard: Tensor) -> Tensor:
        x = F.leaky_relu(self.start_conv1(history), SLOPE)
        x = F.leaky_relu(self.start_conv2(x), SLOPE)
        out = torch.zeros((), device=x.device)
        for gate in self.residual_blocks:
            x, skip = gate(x, heard)
            out = out + skip
        out = self.end_conv_1(F.leaky_relu(out, SLOPE))
        return self.end_conv_2(F.leaky_relu(out, SLOPE))


class HeadPoseNet(nn.Module):
    """Past head poses and audio rows -> a Gaussian of the next (published as Audio2Headpose)."""

    def __init__(self) -> None:
        super().__init__()
        self.audio_downsample = listen()
        self.forget = nn.Dropout1d(0.5)  # whole channels of the history
        self.WaveNet = _WaveNet()

    def forward(self, history: Tensor, rows: Tensor, *, frames: int) -> Tensor:
        """Return the last `frames` Gaussians (B, frames, 25): a logit, 12 means, 12 -ln spreads.

        history (B, T, 12); rows (B, T, 1024), two audio rows a frame. The first `RECEPTIVE` - 1
        outputs know less than the whole past.
        """
        heard = self.audio_downsample(rows).mT
        return self.WaveNet(self.forget(history.mT), heard).mT[:, -frames:]


class SmallRenderer(nn.Module):
    """Live Speech Portraits' small renderer, pix2pix's U-Net: 54.4 M parameters."""

    def __init__(self, *, inputs: int = 13, outputs: int = 3, width: int = 64) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(8)]
        block: nn.Module | None = None
        for outer, inner in reversed(list(itertools.pairwise(widths))):
            block = _PlainLevel(outer, inner, block)
        assert block is not None
        self.model = nn.Module()
        self.model.model = nn.Sequential(
            nn.Conv2d(inputs, width, 4, 2, padding=1, bias=False),
            block,
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, outputs, 4, 2, padding=1),
            nn.Tanh(),
        )
        initialise(self)

    def forward(self, condition: Tensor) -> Tensor:
        """Return pictures (B, 3, H, W) in [-1, 1] of conditions (B, inputs, H, W)."""
        return self.model.get_submodule("model")(condition)


class _PlainLevel(nn.Module):
    """One level of the U-Net around the deeper ones; gives its input beside its output."""

    def __init__(self, outer: int, inner: int, deeper: nn.Module | None) -> None:
        super().__init__()
        down: list[nn.Module] = [
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(outer, inner, 4, 2, padding=1, bias=False),
        ]
        if deeper:
            down += [nn.BatchNorm2d(inner), deeper]
        taken = inner * (2 if deeper else 1)
        up = nn.ConvTranspose2d(taken, outer, 4, 2, padding=1, bias=False)
        self.model = nn.Sequential(*down, nn.ReLU(), up, nn.BatchNorm2d(outer))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)
