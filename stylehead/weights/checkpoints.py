"""Published checkpoints -> tensors; nothing in them is executed."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from stylehead.errors import WeightsError
from stylehead.files import atomic, digest
from stylehead.weights.cache import converted, known_digest, record, recorded
from stylehead.weights.manifest import WeightsEntry

WRAPPER = "module."
"""What torch's DataParallel puts before every name."""

DEEPEST = 20  # dicts inside each other
SWELLING = 8  # times the file's size that its tensors may take: packed, or shared by several names
DAMAGED = (
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    AssertionError,
    AttributeError,
    TypeError,
    MemoryError,
    OverflowError,
    zipfile.BadZipFile,
    OSError,  # of a seek to a place that no file has
    struct.error,
)
"""What torch's reader raises for bytes that are no checkpoint."""
OF_NUMPY = ("BOOL", "U8", "I8", "I16", "I32", "I64", "F16", "F32", "F64")
"""safetensors' names of the types of numbers that numpy has, too."""


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file."""
    opened: Any = safe_open(path, framework="pt")
    with opened as file:
        return file.metadata() or {}


def read_tensors(path: Path, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a safetensors file whose names begin with a prefix.

    They are read as numpy's arrays where numpy has their type: safetensors 0.8 never frees two
    objects of each tensor that it makes for torch, 2 MB in a hundred videos of one process.
    """
    arrays: Any = safe_open(path, framework="numpy")
    tensors: Any = safe_open(path, framework="pt")
    with arrays, tensors:
        for name in arrays.keys():  # noqa: SIM118 (no dict)
            if name.startswith(prefix):
                if arrays.get_slice(name).get_dtype() in OF_NUMPY:
                    yield name, torch.from_numpy(arrays.get_tensor(name))
                else:
                    yield name, tensors.get_tensor(name)


def load_state(entry: WeightsEntry, path: Path, section: str | None) -> dict[str, Tensor]:
    """Return the tensors of one network, on the CPU, names without the entry's prefix.

    `path` is the intact file of the entry. A .pth is read once, as tensors only, and kept as
    safetensors beside it.
    """
    prefix = _prefix(entry, section)
    plain = path if entry.format == "safetensors" else _as_safetensors(entry, path)
    try:
        state = {name[len(prefix) :]: tensor for name, tensor in read_tensors(plain, prefix)}
    except SafetensorError as error:
        raise _unreadable(path, str(error)) from error
    if state and all(name.startswith(WRAPPER) for name in state):
        state = {name[len(WRAPPER) :]: tensor for name, tensor in state.items()}
    if not state:
        raise _unreadable(path, f"no tensor is called {prefix}*")
    return state


def _prefix(entry: WeightsEntry, section: str | None) -> str:
    """Return what the wanted tensors' names begin with."""
    if entry.format == "task":
        raise ValueError(f"{entry.name} is a {entry.format} file; it holds no state dict")
    if section is None and not entry.sections:
        return entry.prefix
    if section is None or section not in entry.sections:
        known = ", ".join(entry.sections) or "none"
        raise WeightsError(
            f"{entry.name} has no section {section!r}.", remedy=f"It has these: {known}."
        )
    return entry.sections[section]


def _as_safetensors(entry: WeightsEntry, path: Path) -> Path:
    """Return the safetensors form of a checkpoint, made when there is none of this very file."""
    plain = converted(path)
    if is_converted(entry, path):
        return plain
    starts = tuple(entry.sections.values()) or (entry.prefix,)
    found = _flat(path, _read_tensors_only(path))
    tensors = _copied(path, {name: tensor for name, tensor in found if name.startswith(starts)})
    about = {"source": json.dumps({"file": path.name, "sha256": entry.sha256 or recorded(path)})}
    with atomic(plain) as part:
        save_file(tensors, part, metadata=about)
        sha256 = digest(part)
    record(plain, sha256)
    return plain


def is_converted(entry: WeightsEntry, path: Path) -> bool:
    """Return whether an intact safetensors form of this very checkpoint is there."""
    plain = converted(path)
    if not plain.is_file() or known_digest(plain) != recorded(plain):
        return False
    return _source_of(plain) == (entry.sha256 or recorded(path))


def _source_of(plain: Path) -> str | None:
    try:
        return json.loads(read_metadata(plain).get("source", "{}")).get("sha256")
    except SafetensorError:
        return None


def _read_tensors_only(path: Path) -> Any:
    """Read a torch checkpoint with everything refused that is not a tensor or a plain value."""
    try:
        # Mapped files save memory; torch maps only those of the newer, zipped kind.
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors and is not loaded.",
            remedy="Get the file from its makers; a file that runs code is not needed for this.",
        ) from error
    except DAMAGED as error:
        raise _unreadable(path, str(error).splitlines()[0] if str(error) else "empty") from error


def _flat(
    path: Path, content: Any, start: str = "", depth: int = 0
) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested dicts under dotted names; counters and the like are left out."""
    if isinstance(content, Tensor):
        yield start.removesuffix("."), content
    elif isinstance(content, Mapping):
        if depth > DEEPEST:
            raise _unreadable(path, "a dict in itself")
        for key, value in cast("Mapping[Any, Any]", content).items():
            yield from _flat(path, value, f"{start}{key}.", depth + 1)


def _copied(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors that share no memory and lie in order, as safetensors wants them.

    A few numbers in a file can claim to be a tensor of terabytes: that is refused first.
    """
    odd = [name for name, tensor in tensors.items() if tensor.layout != torch.strided]
    odd += [name for name, tensor in tensors.items() if tensor.device.type != "cpu"]
    whole = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if odd or whole > SWELLING * path.stat().st_size:
        raise _unreadable(path, f"{odd[0]} has no numbers" if odd else f"{whole} bytes of tensors")
    return {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }


def _unreadable(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"{path} cannot be read as a model ({reason}).",
        remedy="Remove it with stylehead weights remove, and get it again.",
    )
