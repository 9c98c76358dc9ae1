"""Read CTranslate2's model container: a list of named arrays."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylehead.errors import WeightsError

TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read_arrays(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Return the arrays whose names begin with `prefix`.

    The file holds: u32 version, name, u32 revision, u32 count; then per array its name, u8 rank,
    u32 sizes, u8 type, u32 bytes and the data. Names are u16 length, then bytes ending in zero.
    """
    data = path.read_bytes()
    place = 0

    def take(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{form}", data, place)
        place += struct.calcsize(form)
        return value

    def name() -> str:
        nonlocal place
        length = take("H")
        place += length
        return data[place - length : place].rstrip(b"\0").decode()

    try:
        take("I")
        name()
        take("I")
        arrays: dict[str, Tensor] = {}
        for _ in range(take("I")):
            title = name()
            shape = [take("I") for _ in range(take("B"))]
            kind, size = TYPES[take("B")], take("I")
            if title.startswith(prefix):
                values = np.frombuffer(data[place : place + size], kind).reshape(shape)
                arrays[title] = torch.from_numpy(values.copy())
            place += size
    except (struct.error, KeyError, UnicodeDecodeError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a CTranslate2 model.", remedy="Delete it; it is fetched again."
        ) from error
    return arrays
