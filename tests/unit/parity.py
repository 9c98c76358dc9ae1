"""Numbers that anybody can make again: the fill rule of the reference's parity cases."""

from __future__ import annotations

import zlib

import numpy as np


def hashed(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers in (-1, 1) that depend on a name and the place alone, in double precision."""
    mixed = np.arange(int(np.prod(shape)), dtype=np.uint64) * 0x9E3779B1
    mixed = (mixed + zlib.crc32(name.encode())) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        mixed = ((mixed ^ (mixed >> np.uint64(shift))) * factor) & 0xFFFFFFFF
    return (2 * ((mixed + 0.5) / 2**32) - 1).reshape(shape)
