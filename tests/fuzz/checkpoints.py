"""Small checkpoints of every form that is read, and made-up pickles inside them."""

from __future__ import annotations

import io
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save

from tests.fuzz.mutations import mutated


def _state() -> dict[str, Any]:
    values = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    net = {"net.a.weight": values, "net.a.bias": values[0], "net.count": torch.tensor(3)}
    return {"state_dict": net, "step": 7, "betas": (0.5, 0.9), "turned": values.T}


def zipped() -> bytes:
    """Return a checkpoint as torch writes it today."""
    file = io.BytesIO()
    torch.save(_state(), file)
    return file.getvalue()


def plain() -> bytes:
    """Return a checkpoint as torch wrote it before 1.6."""
    file = io.BytesIO()
    torch.save(_state(), file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def numpy_pickle() -> bytes:
    """Return a checkpoint of numpy arrays, as .ckpt files may be."""
    return pickle.dumps({"a": np.arange(24, dtype=np.float32).reshape(4, 6)}, protocol=4)


def safetensors() -> bytes:
    """Return a file of two arrays."""
    return save({"net.a": np.ones((3, 4), np.float32), "net.b": np.zeros(5, np.float16)})


def ctranslate2() -> bytes:
    """Return a model of two arrays as CTranslate2 writes it."""

    def name(text: str) -> bytes:
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    values = np.arange(6, dtype=np.float32)
    made = struct.pack("<I", 6) + name("WhisperSpec") + struct.pack("<II", 3, 2)
    for title in ("encoder/conv1/bias", "decoder/x"):
        made += name(title) + struct.pack("<BII", 2, 2, 3)
        made += struct.pack("<BI", 0, values.nbytes) + values.tobytes()
    return made


FORMS: dict[str, Callable[[], bytes]] = {
    "pth": zipped,
    "old pth": plain,
    "ckpt": numpy_pickle,
    "safetensors": safetensors,
    "ctranslate2": ctranslate2,
}


class _Calls:
    """Something whose pickle calls a function."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._call = (function, args)

    def __reduce__(self) -> Any:
        return self._call


def _bomb(values: torch.Tensor) -> torch.Tensor:
    """Return a view of a few numbers that claims to be terabytes."""
    return torch.as_strided(values, (2**20, 2**20), (0, 0))


def _endless() -> dict[str, Any]:
    found: dict[str, Any] = {"a": torch.ones(2)}
    found["again"] = found
    return found


HOSTILE: dict[str, Callable[[], Any]] = {
    "runs code": lambda: {"a": _Calls(Path.touch, Path("ran"))},
    "opens a file": lambda: {"a": _Calls(open, "ran", "w")},
    "terabytes": lambda: {"net.a": _bomb(torch.ones(2))},
    "itself inside": _endless,
    "sparse": lambda: {"net.a": torch.eye(3).to_sparse()},
    "meta": lambda: {"net.a": torch.empty(2**40, device="meta")},
    "quantised": lambda: {"net.a": torch.ones(3).to(torch.float8_e4m3fn)},
    "complex": lambda: {"net.a": torch.ones(3, dtype=torch.complex64)},
    "odd keys": lambda: {3: torch.ones(2), None: {(): torch.ones(1)}, "": torch.ones(1)},
    "twice one name": lambda: {"net": {"a": torch.ones(1)}, "net.a": torch.ones(2)},
    "not a dict": lambda: [torch.ones(3)],
    "one tensor": lambda: torch.ones(3),
}
"""Contents of checkpoints by somebody who means harm."""


def hostile(name: str) -> bytes:
    """Return a checkpoint with one of the HOSTILE contents."""
    file = io.BytesIO()
    torch.save(HOSTILE[name](), file)
    return file.getvalue()


def inflated() -> bytes:
    """Return a zip whose only record unpacks to two gigabytes of zeros."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("archive/data.pkl", "w", force_zip64=True) as record:
            for _ in range(2048):
                record.write(bytes(1 << 20))
        archive.writestr("archive/version", "3")
    return file.getvalue()


def broken(form: str, chance: random.Random) -> bytes:
    """Return a broken checkpoint of one form."""
    if form == "pth" and chance.random() < 0.2:
        return hostile(chance.choice(tuple(HOSTILE)))
    return mutated(FORMS[form](), form, chance)
