"""The mouth generator: a warped mouth and its facial map -> what the warp could not show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylehead.models.arithmetic import FLOATS, Arithmetic, Features

CHANNELS = 2
"""Channels of a facial map: its lines, and the open mouth filled."""
UNCOVERED = -3.0
"""Logit of the cover at the start: the warp is left as it is until something better is learned."""


@dataclass(frozen=True, slots=True)
class MouthGeneratorConfig:
    """Shape of a mouth generator; the paper's size has widths of 64 to 512 over seven levels."""

    patterns: int = 4
    """Intermediate style patterns it looks at; 0 for the generator that makes them."""
    facial_map: bool = True
    """Look at the facial map, and paint all of the open mouth; False is for comparison."""
    widths: tuple[int, ...] = (32, 48, 80, 112)
    """Channels at a half, a quarter, ... of the patch's side."""


class MouthGenerator(nn.Module):
    """A U-Net at half the patch's size.

    It gives a layer to lay over the warped patch: cover and colour. Skin that the warp shows well
    keeps its own pixels. Patterns are encoded once per portrait (`encode`).
    """

    def __init__(self, config: MouthGeneratorConfig) -> None:
        super().__init__()
        self.config = config
        first, *deeper = config.widths
        self.front = nn.Conv2d(5 + CHANNELS * config.facial_map, first, 4, 2, 1)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.ReLU(), _Residual(b))
            for a, b in zip(config.widths, deeper, strict=False)
        )
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a + b, b, 3, 1, 1), nn.ReLU(), _Residual(b))
            for b, a in reversed(list(zip(config.widths, deeper, strict=False)))
        )
        self.out = nn.Conv2d(first, 16, 3, 1, 1)
        nothing = [UNCOVERED] * 4 + [0.0] * 12
        nn.init.zeros_(self.out.weight)
        self.out.bias = nn.Parameter(torch.tensor(nothing))
        if config.patterns:
            pairs = zip((3 * config.patterns, *config.widths), config.widths, strict=False)
            self.memory = nn.ModuleList(
                nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.ReLU()) for a, b in pairs
            )
            self.recall = nn.ModuleList(nn.Conv2d(w, w, 1) for w in config.widths)
            for layer in self.recall:
                assert isinstance(layer, nn.Conv2d) and layer.bias is not None
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def encode(self, patterns: Tensor) -> list[Tensor]:
        """Return what patterns (B, patterns x 3, S, S) in [0, 1] add to each level's features."""
        hidden, added = patterns * 2 - 1, list[Tensor]()
        for encoder, projection in zip(self.memory, self.recall, strict=True):
            hidden = encoder(hidden)
            added.append(projection(hidden))
        return added

    def forward(
        self, warped: Tensor, facial_map: Tensor, memory: list[Tensor] | None = None
    ) -> Tensor:
        """Return the layer (B, 4, S, S), faded at the rim: cover in [0, 1], then added RGB.

        warped (B, 3, S, S), facial_map (B, CHANNELS, S, S), both in [0, 1]; memory of `encode`,
        left out by the intermediate generator.
        """
        return fade_rim(self.layer(warped, facial_map, memory, FLOATS))

    def layer(
        self,
        warped: Tensor,
        facial_map: Tensor,
        memory: list[Tensor] | None,
        arithmetic: Arithmetic[Features],
    ) -> Tensor:
        """Return the layer (B, 4, S, S) before its rim is faded; arguments as in `forward`."""
        # Teeth hang from the skull and the patch goes with it: where in the patch matters.
        position = _positions(warped.shape[-1]).to(warped).expand(len(warped), -1, -1, -1)
        looked_at, inside = [warped * 2 - 1, position], None
        if self.config.facial_map:
            # Inside the lips the warp only stretches their rim: it is neither seen nor shown.
            inside = facial_map[:, 1:2]
            looked_at = [looked_at[0] * (1 - inside), facial_map, position]
        hidden = F.relu(self.front(torch.cat(looked_at, 1)))
        painted = self._paint(hidden, memory, arithmetic)
        cover, colour = torch.split(F.pixel_shuffle(painted, 2), [1, 3], 1)
        cover = torch.sigmoid(cover)
        if inside is not None:
            cover = 1 - (1 - cover) * (1 - inside)
        return torch.cat([cover, colour], 1)

    def _paint(
        self, hidden: Tensor, memory: list[Tensor] | None, do: Arithmetic[Features]
    ) -> Tensor:
        """Return what the U-Net makes (B, 16, S/2, S/2) of its first level (B, C, S/2, S/2)."""
        # The deepest level is joined with the one above it, which has its name.
        names = [f"level {number}" for number in range(len(self.down))]
        hidden = hidden if memory is None else hidden + memory[0]
        levels = [do.keep(hidden, names[0])]
        for number, (block, name) in enumerate(
            zip(self.down, [*names[1:], names[-1]], strict=True)
        ):
            convolution, residual = _parts(block)
            seen = do.convolve(convolution, levels[-1], f"down {number}")
            if memory is None:
                seen = residual.walk(seen, name, do)
            else:
                seen = residual.walk(seen, f"{name} alone", do)
                seen = do.add(seen, memory[number + 1], name)
            levels.append(seen)
        seen = levels.pop()
        for block, name in zip(self.up, [*names[-2::-1], "last"], strict=True):
            convolution, residual = _parts(block)
            seen = do.join(convolution, seen, levels.pop(), f"up to {name}")
            seen = residual.walk(seen, name, do)
        return do.floats(self.out, seen)


def _parts(block: nn.Module) -> tuple[nn.Conv2d, _Residual]:
    """Return the convolution of a level and what refines it."""
    assert isinstance(block, nn.Sequential)
    convolution, _, residual = block
    assert isinstance(convolution, nn.Conv2d) and isinstance(residual, _Residual)
    return convolution, residual


def fade_rim(layer: Tensor) -> Tensor:
    """Fade a layer (B, C, S, S) to 0 at its rim, where the patch must not show."""
    return layer * _window(layer.shape[-1]).to(layer)


def compose(warped: Tensor, layer: Tensor) -> Tensor:
    """Lay a layer over the warped patch: (B, 3, S, S) and (B, 4, S, S) -> (B, 3, S, S)."""
    return warped * (1 - layer[:, :1]) + layer[:, 1:]


@cache
@torch.inference_mode(mode=False)  # kept ones are also used where networks learn
def _positions(size: int) -> Tensor:
    """Return (2, S, S): column and row of every pixel, -1 to 1."""
    steps = torch.linspace(-1, 1, size)
    return torch.stack(torch.meshgrid(steps, steps, indexing="xy"))


@cache
@torch.inference_mode(mode=False)  # kept ones are also used where networks learn
def _window(size: int) -> Tensor:
    """Return (S, S): 1 inside, falling to 0 at the rim, where the patch must not show."""
    steps = torch.arange(size) + 0.5
    ramp = (torch.minimum(steps, steps.flip(0)) - 1).clamp(0, size / 12) / (size / 12)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return ramp[:, None] * ramp


class _Residual(nn.Module):
    """Two convolutions beside a bypass."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)

    def walk(self, seen: Features, name: str, do: Arithmetic[Features]) -> Features:
        """Refine features, which are used up; the new ones have that name."""
        inner = do.convolve(self.first, seen, f"{name} inside")
        return do.beside(self.second, inner, seen, name)
