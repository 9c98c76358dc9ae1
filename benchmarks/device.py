"""The renderer that keeps frames on a device: agreement, what crosses to the host, and time.

    python benchmarks/device.py [PORTRAIT...] [--frames 60] [--side 512] [--device auto]

Agreement: the demo's voice, the style lively, each portrait as a face crop; differences of all
pixels from the processor's renderer, grey levels of 255. Below it, of one batch of the demo's
portrait: copies to the device and back with their bytes, operations that compute something (on a
GPU each is a kernel or a few), waits for the device, the bytes these operations read and write, and
floating-point operations of convolutions and products. The mouth's network counts in floats, as it
does on a GPU. The host's own milliseconds a frame are CPU time outside these operations: meshes,
drawn lines and teeth, Python. On a GPU frames a second are measured; without one they are estimated
for two cards from bytes, operations, launches and the host, and are named an estimate.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from stylehead.compute.device import choose_device
from stylehead.media.audio import open_audio
from stylehead.media.image import read_image
from stylehead.models.arithmetic import WholeNumbers
from stylehead.options import DEFAULT_STYLE, Device, Encoding, Options, Renderer
from stylehead.pipeline.run import load_predictor
from stylehead.rendering.renderer import LoadedRenderer, Scene, load_renderer
from stylehead.style.file import find_style
from stylehead.tracking.portrait import find_portrait
from stylehead.types import Motion, Style
from stylehead.weights.store import demo_files

CPU = torch.device("cpu")
CARDS = {
    "H100 SXM": (3.35e12, 67e12),
    "RTX 4060 Laptop": (256e9, 11.6e12),
}
"""Bytes and single-precision operations a second, from the makers' data sheets."""
IN_WHOLE, NEVER = WholeNumbers.work_on, staticmethod(lambda device: False)
SMALL = 128
LAUNCH = 5e-6  # seconds that starting an operation takes the host
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique")
"""Operations whose result the host has to wait for."""


def main() -> None:
    """Print all of it."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("portraits", nargs="*", type=Path)
    arguments.add_argument("--frames", type=int, default=60)
    arguments.add_argument("--side", type=int, default=512)
    arguments.add_argument("--device", type=Device, default=Device.AUTO)
    given = arguments.parse_args()
    device = choose_device(given.device)
    style, motion = find_style(DEFAULT_STYLE), spoken(given.frames)
    host = load_renderer(Renderer.EMBEDDED, CPU)
    there = replace(load_renderer(Renderer.EMBEDDED, device), batched=True)

    print(f"| portrait, {given.frames} frames | mean | 99.9th percentile | most |")
    print("| --- | --- | --- | --- |")
    for path in given.portraits or [demo_files()[0]]:
        one, other = (
            prepared(each, path, style, given.side).draw([motion]) for each in (host, there)
        )
        found = np.stack(
            [
                np.histogram(np.abs(a.astype(int) - b), np.arange(257))[0]
                for a, b in zip(one, other, strict=True)
            ]
        ).sum(0)
        share = np.cumsum(found) / found.sum()
        mean = (found * np.arange(256)).sum() / found.sum()
        most = np.flatnonzero(found)[-1]
        print(
            f"| {path.name} | {mean:.3f} | {np.searchsorted(share, 0.999)} | {most} |", flush=True
        )

    scene = prepared(there, demo_files()[0], style, given.side)
    rows = motion[np.arange(scene.batch) % len(motion)]
    drain(scene, rows)
    report(scene, rows, device, host_share(there, style, rows))


def spoken(frames: int) -> Motion:
    """Return frames of the demo's voice in motion, all over it."""
    models = load_predictor(Encoding(), CPU)
    voice, style = open_audio(demo_files()[1]), find_style(DEFAULT_STYLE)
    motion = models.predict(voice, style, fps=Fraction(25), controls=Options())
    return motion[np.linspace(0, len(motion) - 1, frames).astype(int)]


def prepared(renderer: LoadedRenderer, portrait: Path, style: Style, side: int) -> Scene:
    """Return a portrait's face crop, ready; in floats where frames are made on a device."""
    face = find_portrait(read_image(portrait), name=portrait.name)
    with patch.object(WholeNumbers, "work_on", IN_WHOLE if not renderer.batched else NEVER):
        return renderer.prepare([face], [style.references], crop_size=side)


def drain(scene: Scene, motion: Motion) -> float:
    """Draw all frames of a motion; return the seconds it took."""
    began = time.perf_counter()
    for _ in scene.draw([motion]):
        pass
    return time.perf_counter() - began


@dataclass
class Counts(TorchDispatchMode):
    """Counts what is done to tensors."""

    device: torch.device
    operations: int = 0
    waits: list[str] = field(default_factory=list[str])
    bytes_moved: int = 0

    def __post_init__(self) -> None:
        """Begin as the base does."""
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Count an operation, and do it."""
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        if name.startswith(WAITS):
            self.waits.append(name)
        if not func.is_view and name not in ("empty", "detach", "lift_fresh"):
            self.operations += 1
            self.bytes_moved += sum(map(_size, _tensors([args, out])))
        return out


def _tensors(values: Any) -> list[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, list | tuple):
        return [tensor for value in values for tensor in _tensors(value)]
    return []


def _size(tensor: torch.Tensor) -> int:
    """Return the bytes of memory that a tensor covers: expanded sides are read once."""
    sides = zip(tensor.shape, tensor.stride(), strict=True)
    return tensor.element_size() * int(np.prod([n for n, step in sides if step], dtype=np.int64))


def report(scene: Scene, motion: Motion, device: torch.device, own: float) -> None:
    """Print what a batch costs."""
    count = len(motion)
    sent: list[int] = []
    from_numpy = torch.from_numpy

    def counted(array: Any) -> torch.Tensor:
        sent.append(array.nbytes)
        return from_numpy(array)

    torch.from_numpy = counted
    with FlopCounterMode(display=False) as flops, Counts(device) as counts:
        drain(scene, motion)
    torch.from_numpy = from_numpy
    frame = next(iter(scene.draw([motion])))
    operations = counts.operations / count
    print(f"\na batch of {count} frames, {frame.shape[1]} x {frame.shape[0]}:")
    print(f"- to the device: {len(sent)} copies, {sum(sent) / count / 1e3:.0f} KB a frame")
    print(f"- back: 1 copy, {frame.nbytes / 1e3:.0f} KB a frame")
    print(f"- waits for the device before it: {len(counts.waits)} {counts.waits or ''}")
    print(f"- operations: {counts.operations}, {operations:.1f} a frame")
    print(f"- read and written: {counts.bytes_moved / count / 1e6:.0f} MB a frame")
    print(f"- convolutions and products: {flops.get_total_flops() / count / 1e9:.2f} GFLOP a frame")
    print(f"- the host's own: {1e3 * own:.2f} ms a frame")
    if device.type == "cuda":
        best = min(drain(scene, motion) for _ in range(20)) / count
        print(f"- {torch.cuda.get_device_name()}: {1 / best:.0f} frames a second, drawn alone")
        return
    for card, (bandwidth, speed) in CARDS.items():
        pixels = counts.bytes_moved / count / bandwidth + flops.get_total_flops() / count / speed
        rate = 1 / max(pixels, own + operations * LAUNCH)
        print(f"- estimate for {card}: {1e3 * pixels:.2f} ms a frame, {rate:.0f} frames a second")


class Own(TorchDispatchMode):
    """Sums the CPU seconds of this thread within operations on tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.within = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Time an operation."""
        began = time.thread_time()
        out = func(*args, **(kwargs or {}))
        self.within += time.thread_time() - began
        return out


def host_share(renderer: LoadedRenderer, style: Style, motion: Motion) -> float:
    """Return the host's CPU seconds a frame outside operations on tensors, the least of several.

    A crop is small, for taking and freeing memory would count, too, and what is counted hardly
    depends on pixels.
    """
    scene = prepared(renderer, demo_files()[0], style, SMALL)

    def once() -> float:
        began = time.thread_time()
        with Own() as own:
            drain(scene, motion)
        return time.thread_time() - began - own.within

    return min(once() for _ in range(8)) / len(motion)


if __name__ == "__main__":
    main()
