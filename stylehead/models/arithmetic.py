"""How the mouth generator's convolutions are computed: in floats, or in whole numbers of 8 bits."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Range = tuple[float, float]
HEADROOM = 1.15
"""How much further than measured a range goes: what is beyond is cut off, which shows before the
coarser steps do."""
STEPS = 255
Features = TypeVar("Features")
"""What goes from one convolution to the next."""


class Arithmetic(Protocol[Features]):
    """What a network of convolutions, bypasses and joins is made of.

    Features have names. Two that are joined have the same, for they share their steps.
    """

    def keep(self, values: Tensor, name: str) -> Features:
        """Make floats (B, C, H, W) into features."""
        ...

    def add(self, seen: Features, values: Tensor, name: str) -> Features:
        """Add floats (1 or B, C, H, W)."""
        ...

    def convolve(self, layer: nn.Conv2d, seen: Features, name: str) -> Features:
        """Convolve, and set to 0 what is below."""
        ...

    def floats(self, layer: nn.Conv2d, seen: Features) -> Tensor:
        """Convolve into floats (B, D, H, W)."""
        ...

    def beside(self, layer: nn.Conv2d, seen: Features, bypass: Features, name: str) -> Features:
        """Convolve, add the bypass, which is used up, and set to 0 what is below."""
        ...

    def join(self, layer: nn.Conv2d, coarse: Features, fine: Features, name: str) -> Features:
        """Convolve coarse features, each seen twice both ways, beside fine ones; as `convolve`."""
        ...


class Floats:
    """Single precision, as networks are trained."""

    def keep(self, values: Tensor, name: str) -> Tensor:
        """Return them as they are."""
        return values

    def add(self, seen: Tensor, values: Tensor, name: str) -> Tensor:
        """Return the sum."""
        return seen + values

    def convolve(self, layer: nn.Conv2d, seen: Tensor, name: str) -> Tensor:
        """Convolve and rectify."""
        return F.relu(layer(seen))

    def floats(self, layer: nn.Conv2d, seen: Tensor) -> Tensor:
        """Convolve."""
        return layer(seen)

    def beside(self, layer: nn.Conv2d, seen: Tensor, bypass: Tensor, name: str) -> Tensor:
        """Convolve beside a bypass."""
        return F.relu(bypass + layer(seen))

    def join(self, layer: nn.Conv2d, coarse: Tensor, fine: Tensor, name: str) -> Tensor:
        """Convolve both.

        What a filter of three by three sees of four equal pixels are sums of its weights: four
        products of each coarse pixel where nine were, and nothing is copied.
        """
        weight = layer.weight
        channels = coarse.shape[1]
        grown = sum(
            F.pad(weight[:, :channels].flip(2, 3), (right, 1 - right, down, 1 - down))
            for down in (0, 1)
            for right in (0, 1)
        )
        seen = F.conv_transpose2d(coarse, cast(Tensor, grown).transpose(0, 1), None, 2, 1)
        return F.relu(F.conv2d(fine, weight[:, channels:], layer.bias, 1, 1) + seen)


FLOATS = Floats()


class Measured(Floats):
    """Single precision, and what range the features of each name have."""

    def __init__(self) -> None:
        self.ranges: dict[str, Range] = {}

    def keep(self, values: Tensor, name: str) -> Tensor:
        """Return them as they are."""
        return self._note(values, name)

    def add(self, seen: Tensor, values: Tensor, name: str) -> Tensor:
        """Return the sum."""
        return self._note(super().add(seen, values, name), name)

    def convolve(self, layer: nn.Conv2d, seen: Tensor, name: str) -> Tensor:
        """Convolve and rectify."""
        return self._note(super().convolve(layer, seen, name), name)

    def beside(self, layer: nn.Conv2d, seen: Tensor, bypass: Tensor, name: str) -> Tensor:
        """Convolve beside a bypass."""
        return self._note(super().beside(layer, seen, bypass, name), name)

    def join(self, layer: nn.Conv2d, coarse: Tensor, fine: Tensor, name: str) -> Tensor:
        """Convolve both."""
        return self._note(super().join(layer, coarse, fine, name), name)

    def _note(self, values: Tensor, name: str) -> Tensor:
        low, high = self.ranges.get(name, (0.0, 0.0))
        self.ranges[name] = min(low, float(values.min())), max(high, float(values.max()))
        return values


class Coded(NamedTuple):
    """Floats as whole numbers: `(codes - zero) * step`."""

    codes: Tensor
    """(B, C, H, W) uint8, channels last in memory."""
    step: float
    zero: int


class _Packed(NamedTuple):
    """A convolution's weights as whole numbers, a step for each of its D filters."""

    weight: Tensor
    steps: Tensor
    zeros: Tensor


class WholeNumbers:
    """Whole numbers of 8 bits, by oneDNN: a third of the time on processors that count so (VNNI).

    Weights have 127 steps to each side of 0, features 255 over what was measured of their range.
    """

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        self._steps: dict[str, tuple[float, int]] = {}
        for name, (low, high) in ranges.items():
            step = max(HEADROOM * (high - low) / STEPS, 1e-6)
            self._steps[name] = step, round(-HEADROOM * low / step)
        self._packed: dict[nn.Conv2d, _Packed] = {}

    @staticmethod
    def work_on(device: torch.device) -> bool:
        """Whether oneDNN computes in whole numbers there."""
        machine = platform.machine().lower()
        has = device.type == "cpu" and torch.backends.mkldnn.is_available()
        return has and machine in ("x86_64", "amd64")

    def keep(self, values: Tensor, name: str) -> Coded:
        """Round to codes."""
        step, zero = self._steps[name]
        codes = (values * (1 / step)).add_(zero + 0.5).clamp_(0, STEPS).to(torch.uint8)
        return Coded(codes, step, zero)

    def add(self, seen: Coded, values: Tensor, name: str) -> Coded:
        """Add floats, and round to codes anew."""
        return self.keep((seen.codes - float(seen.zero)) * seen.step + values, name)

    def convolve(self, layer: nn.Conv2d, seen: Coded, name: str) -> Coded:
        """Convolve and rectify."""
        step, zero = self._steps[name]
        return Coded(self._apply(layer, seen, "relu", step, zero, torch.uint8), step, zero)

    def floats(self, layer: nn.Conv2d, seen: Coded) -> Tensor:
        """Convolve."""
        return self._apply(layer, seen, "none", 1.0, 0, torch.float32)

    def beside(self, layer: nn.Conv2d, seen: Coded, bypass: Coded, name: str) -> Coded:
        """Convolve beside a bypass, in the bypass' own memory."""
        step, zero = self._steps[name]
        before, after = self._arguments(layer, seen)
        summed = torch.ops.onednn.qconv2d_pointwise.binary(
            *before, bypass.codes, *after, step, zero, torch.uint8, bypass.step, bypass.zero,
            "sum", 1.0, "relu", [], "",
        )  # fmt: skip
        return Coded(summed, step, zero)

    def join(self, layer: nn.Conv2d, coarse: Coded, fine: Coded, name: str) -> Coded:
        """Convolve both, which have the same steps."""
        batch, channels, height, width = coarse.codes.shape
        more = fine.codes.shape[1]
        both = coarse.codes.new_empty(batch, height, 2, width, 2, channels + more)
        both[..., :channels] = coarse.codes.permute(0, 2, 3, 1)[:, :, None, :, None]
        both = both.view(batch, 2 * height, 2 * width, channels + more)
        both[..., channels:] = fine.codes.permute(0, 2, 3, 1)
        return self.convolve(layer, Coded(both.permute(0, 3, 1, 2), fine.step, fine.zero), name)

    def _apply(
        self, layer: nn.Conv2d, seen: Coded, after: str, step: float, zero: int, kind: torch.dtype
    ) -> Tensor:
        before, shape = self._arguments(layer, seen)
        return torch.ops.onednn.qconv2d_pointwise(
            *before, *shape, step, zero, kind, after, [], None
        )

    def _arguments(self, layer: nn.Conv2d, seen: Coded) -> tuple[list[object], list[object]]:
        """Return oneDNN's arguments before and from the bias on."""
        packed = self._packed.get(layer) or self._pack(layer, seen)
        shape = list(layer.stride), layer.padding, list(layer.dilation), layer.groups
        return [*seen, *packed], [layer.bias, *shape]

    def _pack(self, layer: nn.Conv2d, seen: Coded) -> _Packed:
        weight = layer.weight.detach()
        steps = weight.abs().amax((1, 2, 3)).clamp_min(1e-8) / 127
        codes = (weight / steps[:, None, None, None]).round().to(torch.int8).contiguous()
        packed = torch.ops.onednn.qconv_prepack(
            codes, steps, seen.step, seen.zero, list(layer.stride), layer.padding,
            list(layer.dilation), layer.groups, list(seen.codes.shape),
        )  # fmt: skip
        zeros = torch.zeros(len(steps), dtype=torch.int32)
        return self._packed.setdefault(layer, _Packed(packed, steps, zeros))
