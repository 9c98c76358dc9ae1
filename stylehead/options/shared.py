"""What options of several panels have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from stylehead.options.choices import Device, option

INPUT, LOOKS, MOVES, DELIVERY = "Picture and sound", "Output", "Motion", "Delivery"
"""Panels of the help."""
SLOWEST, FASTEST = 10, 60
TELEVISION, NEAR = 1001, 0.005
"""Television's rates are a 1001st below whole ones, and written 23.976 or 29.97."""


def share(default: float, help: str) -> Any:
    """Return an option of the motion from 0 to 1."""
    return option(default, help, panel=MOVES, low=0, high=1)


def frame_rate(said: str | float | Fraction) -> Fraction:
    """Return frames per second; a number near one of television's fractions is that fraction.

    Raises ValueError for what is no rate from SLOWEST to FASTEST.
    """
    text = str(said)
    try:
        # Through a float, for 1e999999999 as a fraction would be written out.
        exactly = Fraction(text) if "/" in text else Fraction(float(text))
        rate = exactly.limit_denominator(TELEVISION)
    except (ValueError, OverflowError, ZeroDivisionError):
        raise ValueError(f"{said} is neither a number nor a fraction") from None
    if not SLOWEST <= rate <= FASTEST:
        raise ValueError(f"{said} is not from {SLOWEST} to {FASTEST} frames a second")
    exact = Fraction(math.ceil(rate) * 1000, TELEVISION)
    return exact if abs(rate - exact) < NEAR else rate


@dataclass(frozen=True, kw_only=True)
class FrameRate:
    """Frames per second."""

    fps: Fraction | float = option(
        30,
        "Frames per second: a number from 10 to 60 or a fraction (25, 29.97, 24000/1001).",
        panel=LOOKS,
        metavar="RATE",
        reads=frame_rate,
    )

    @property
    def rate(self) -> Fraction:
        """Frames per second, exactly: 29.97 is 30000/1001."""
        return frame_rate(self.fps)


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
