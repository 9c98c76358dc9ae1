"""What options of several panels have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stylehead.choices import Device, option

INPUT, LOOKS, MOVES, DELIVERY = "Picture and sound", "Output", "Motion", "Delivery"
"""Panels of the help."""


def share(default: float, help: str) -> Any:
    """Return an option of the motion from 0 to 1."""
    return option(default, help, panel=MOVES, low=0, high=1)


@dataclass(frozen=True, kw_only=True)
class FrameRate:
    """Frames per second."""

    fps: int = option(30, "Frames per second.", panel=LOOKS, low=10, high=60)


@dataclass(frozen=True, kw_only=True)
class Compute:
    """The device."""

    device: Device = option(
        Device.AUTO,
        "Processor or GPU to compute on; auto takes a GPU if there is one.",
        panel=LOOKS,
    )


@dataclass(frozen=True, kw_only=True)
class Overwrite:
    """What happens to files that exist."""

    overwrite: bool = option(False, "Replace existing output.", panel=LOOKS)
