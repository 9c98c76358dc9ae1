"""The compact generator: a warped mouth and its facial map -> what the warp could not show."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = 2
"""Channels of a facial map: its lines, and the open mouth filled."""
FINE = 4
"""Pixels of the patch: what is finer inside an open mouth is as drawn, what is coarser is the
network's. The network alone gives the mean of all mouths: the right light, and no teeth."""
LIGHT = 0.6
"""How much of the coarser part is the network's, for the mean of all mouths is paler than one."""
UNCOVERED = -3.0
"""Logit of the cover at the start: the warp is left as it is until something better is learned."""


@dataclass(frozen=True, slots=True)
class MouthGeneratorConfig:
    """Shape of a compact generator."""

    patterns: int = 4
    """Intermediate style patterns it looks at; 0 for the generator that makes them."""
    facial_map: bool = True
    """Look at the facial map, and paint all of the open mouth; False is for comparison."""
    widths: tuple[int, ...] = (32, 48, 80, 112)
    """Channels at a half, a quarter, ... of the patch."""


class MouthGenerator(nn.Module):
    """A small U-Net at half the patch's size.

    It gives a layer to lay over the warped patch: cover and colour. Skin that the warp shows well
    keeps its own pixels. Patterns are looked at once per portrait (`remember`).
    """

    def __init__(self, config: MouthGeneratorConfig) -> None:
        super().__init__()
        self.config = config
        first, *rest = config.widths
        self.front = nn.Conv2d(5 + CHANNELS * config.facial_map, first, 4, 2, 1)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.ReLU(), _Residual(b))
            for a, b in zip(config.widths, rest, strict=False)
        )
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a + b, b, 3, 1, 1), nn.ReLU(), _Residual(b))
            for b, a in reversed(list(zip(config.widths, rest, strict=False)))
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

    def remember(self, patterns: Tensor) -> list[Tensor]:
        """Return what patterns (B, patterns x 3, S, S) in [0, 1] add to each level."""
        hidden, found = patterns * 2 - 1, []
        for look, recall in zip(self.memory, self.recall, strict=True):
            hidden = look(hidden)
            found.append(recall(hidden))
        return found

    def forward(
        self,
        warped: Tensor,
        facial_map: Tensor,
        memory: list[Tensor] | None = None,
        interior: Tensor | None = None,
    ) -> Tensor:
        """Return the layer (B, 4, S, S): cover in [0, 1], then RGB that is added.

        warped (B, 3, S, S), facial_map (B, CHANNELS, S, S), both in [0, 1]; memory of `remember`,
        left out by the intermediate generator; interior (B, 4, S, S) of mouth_interior, which is
        shown where the facial map is looked at.
        """
        looked_at, inside = warped * 2 - 1, None
        if self.config.facial_map:
            # Inside the lips the warp only stretches their rim: it is neither seen nor shown.
            inside = facial_map[:, 1:2]
            looked_at = torch.cat([looked_at * (1 - inside), facial_map], 1)
        # Teeth hang from the skull and the patch goes with it: where in the patch matters.
        place = _place(warped.shape[-1]).to(warped).expand(len(warped), -1, -1, -1)
        hidden = F.relu(self.front(torch.cat([looked_at, place], 1)))
        levels: list[Tensor] = []
        for number in range(len(self.config.widths)):
            hidden = self.down[number - 1](hidden) if number else hidden
            if memory is not None:
                hidden = hidden + memory[number]
            levels.append(hidden)
        levels.pop()
        for layer in self.up:
            hidden = F.interpolate(hidden, scale_factor=2.0)
            hidden = layer(torch.cat([hidden, levels.pop()], 1))
        cover, colour = F.pixel_shuffle(self.out(hidden), 2).split((1, 3), 1)
        cover = torch.sigmoid(cover)
        if inside is not None:
            cover = 1 - (1 - cover) * (1 - inside)
        layer = torch.cat([cover, colour], 1)
        if inside is not None and interior is not None:
            layer = show_interior(layer, interior)
        return layer * _window(warped.shape[-1]).to(warped)


def show_interior(layer: Tensor, interior: Tensor) -> Tensor:
    """Give a drawn inside of the mouth the layer's light: (B, 4, S, S) each, as mouth_interior's.

    The layer's colours less the drawn ones are smoothed within the lips; LIGHT of that is added to
    the drawn.
    """
    inside, drawn = interior.split((1, 3), 1)
    cover, colour = layer.split((1, 3), 1)
    light = LIGHT * _smooth(colour * inside - drawn) / _smooth(inside).clamp(min=1e-3)
    return torch.cat([cover, colour * (1 - inside) + drawn + light * inside], 1)


def _smooth(pictures: Tensor) -> Tensor:
    """Return pictures (B, C, S, S) without what is finer than FINE."""
    return F.interpolate(F.avg_pool2d(pictures, FINE), scale_factor=float(FINE), mode="bilinear")


def compose(warped: Tensor, layer: Tensor) -> Tensor:
    """Lay a layer over the warped patch: (B, 3, S, S) and (B, 4, S, S) -> (B, 3, S, S)."""
    return warped * (1 - layer[:, :1]) + layer[:, 1:]


def _place(size: int) -> Tensor:
    """Return (2, S, S): column and row of every pixel, -1 to 1."""
    steps = torch.linspace(-1, 1, size)
    return torch.stack(torch.meshgrid(steps, steps, indexing="xy"))


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

    def forward(self, hidden: Tensor) -> Tensor:
        return F.relu(hidden + self.second(F.relu(self.first(hidden))))
