"""Numbers that anybody can make again: the fill rule of the reference's parity cases."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

GOLDEN = Path(__file__).parent
Net = TypeVar("Net", bound=nn.Module)
ONE_HOT = {"weight_u": 0, "weight_v": 1}  # so that spectral norms divide by exactly 2


def hashed(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers in (-1, 1) that depend on a name and the place alone, in double precision."""
    mixed = np.arange(math.prod(shape), dtype=np.uint32)  # wraps at 2 ** 32, as it should
    mixed *= np.uint32(0x9E3779B1)
    mixed += np.uint32(zlib.crc32(name.encode()))
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    return (2 * ((mixed + 0.5) / 2**32) - 1).reshape(shape)


def case(name: str) -> dict[str, Any]:
    """Return one stored parity case."""
    return json.loads((GOLDEN / "parity" / f"{name}.json").read_text())


def published(family: str, net: str) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of a published network's parameters and buffers."""
    rows = [
        row.split("\t") for row in (GOLDEN / f"{family}_state_dict.tsv").read_text().split("\n")
    ]
    return {
        row[1]: () if row[2] == "scalar" else tuple(map(int, row[2].split("x")))
        for row in rows
        if row[0] == net
    }


def fill(net: Net, rule: dict[str, Any]) -> Net:
    """Give every parameter and buffer the value its published name stands for; eval mode."""
    for name, value in net.state_dict().items():
        if name not in rule["left_as_constructed"]:
            value.copy_(torch.from_numpy(_filled(name, tuple(value.shape), rule)))
    return net.eval()


def _filled(name: str, shape: tuple[int, ...], rule: dict[str, Any]) -> np.ndarray:
    last = name.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        return np.zeros(shape)
    if last in ONE_HOT:
        return np.eye(1, shape[0], ONE_HOT[last])[0]
    s = hashed(name, shape)
    if last.startswith(("weight_ih", "weight_hh")):
        return s * math.sqrt(3 / shape[1])
    if last == "running_var":
        return 1 + 0.5 * s
    if last == "gamma":
        return 0.5 + 0.25 * s
    if not last.startswith("weight"):
        return 0.1 * s
    if len(shape) == 1:
        return 1 + 0.25 * s
    gain = rule["gain"] * rule["multipliers"].get(name, 1.0)
    s *= math.sqrt(3) * gain / math.sqrt(math.prod(shape[1:]))
    if last == "weight_orig":
        s *= 2
        s.flat[1] = 2.0
    return s


def picture(tag: str) -> Tensor:
    """Return the reference's made-up picture (1, 3, 256, 256)."""
    y, x = np.mgrid[:256, :256]
    channel = np.arange(1, 4)[:, None, None]
    phase = 6 * (zlib.crc32(tag.encode()) % 1000) / 1000
    waves = 0.5 + 0.35 * np.sin(0.05 * channel * x + 0.03 * y + phase)
    return torch.from_numpy(waves[None] + 0.15 * hashed(f"input:{tag}", (1, 3, 256, 256))).float()


def noise(name: str, shape: tuple[int, ...], size: float = 1.0) -> Tensor:
    """Return made-up numbers within -size and size, single precision."""
    return torch.from_numpy(size * hashed(f"input:{name}", shape)).float()


def check(found: Tensor, wanted: dict[str, Any], tolerance: dict[str, float]) -> float:
    """Assert that shape, twenty values, mean and spread agree; return the largest error of them."""
    assert list(found.shape) == wanted["shape"]
    flat = found.detach().double().flatten()
    pairs = list(zip(flat[wanted["flat_indices"]].tolist(), wanted["values"], strict=True))
    pairs += [(float(flat.mean()), wanted["mean"])]
    pairs += [(float(flat.std(correction=0)), wanted["std"])]
    for have, want in pairs:
        assert abs(have - want) <= tolerance["atol"] + tolerance["rtol"] * abs(want), (have, want)
    return max(abs(have - want) for have, want in pairs)


def check_all(pairs: Iterable[tuple[Tensor, str]], reference: dict[str, Any]) -> float:
    """Check named outputs, and named intermediate maps, against a stored case."""
    wanted = reference["outputs"] | reference.get("intermediate_module_outputs", {})
    return max(
        check(found, wanted[name], reference["suggested_tolerance"]) for found, name in pairs
    )


def same_form(net: nn.Module, family: str, name: str) -> None:
    """Assert that every published name and shape is there, and nothing else."""
    have = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    assert have == published(family, name)


@contextmanager
def watched(net: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Collect what submodules give while a network runs."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, given: object, found: Tensor) -> None:
            del part, given
            seen[name] = found

        return hook

    handles = [net.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    yield seen
    for handle in handles:
        handle.remove()
