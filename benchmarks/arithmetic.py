"""The mouth's network in floats, in bf16 and in whole numbers of 8 bits: time and difference.

    python benchmarks/arithmetic.py PORTRAIT... [--style lively]

CPU time of one thread for a frame, the least of many, in the renderer's batches; and how far a
completed mouth is from the one in floats, grey levels of 255, in 60 frames of the demo's voice.
Ranges are measured on each portrait's own style patterns, as the renderer does.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylehead.media.audio import open_audio
from stylehead.media.image import read_image
from stylehead.models.arithmetic import FLOATS, WholeNumbers
from stylehead.models.mouth_generator import MouthGenerator, compose
from stylehead.options import Encoding, Options
from stylehead.pipeline.run import load_predictor
from stylehead.rendering.mesh_renderer import load_mouth_networks, prepare, render
from stylehead.rendering.mouth import completer
from stylehead.style.file import find_style
from stylehead.tracking.portrait import find_portrait
from stylehead.weights.store import demo_files

CPU = torch.device("cpu")
FRAMES, TRIES = 60, 40
Seen = tuple[Tensor, Tensor, list[Tensor], Any]
"""Warped patches, facial maps, encoded patterns and the arithmetic."""


def least(task: Callable[[], object]) -> float:
    """Return the least CPU milliseconds of this thread."""
    found: list[float] = []
    for _ in range(TRIES):
        began = time.thread_time()
        task()
        found.append(time.thread_time() - began)
    return 1e3 * min(found)


def seen_by(net: MouthGenerator, portrait: Path, style: str) -> list[Seen]:
    """Return what the style-aware network is shown in a video."""
    models = load_predictor(Encoding(), CPU)
    chosen, voice = find_style(style), open_audio(demo_files()[1])
    motion = models.predict(voice, chosen, fps=Fraction(25), controls=Options())
    rows = np.linspace(0, len(motion) - 1, FRAMES).astype(int)
    face = find_portrait(read_image(portrait), name=str(portrait))
    scene = prepare(face, chosen.references, load_mouth_networks(CPU), crop_size=512, device=CPU)
    shown: list[Seen] = []
    drawn = completer.mouth_layer

    def noting(by: MouthGenerator, warped: Tensor, drawn_map: Tensor, *rest: Any, **more: Any):
        shown.append((warped.clone(), drawn_map.clone(), more["memory"], more["arithmetic"]))
        return drawn(by, warped, drawn_map, *rest, **more)

    completer.mouth_layer = noting
    try:
        for _ in render(scene, motion[rows]):
            pass
    finally:
        completer.mouth_layer = drawn
    return shown


@torch.inference_mode()
def row(net: MouthGenerator, shown: list[Seen]) -> str:
    """Return times and differences, as cells of a table."""
    levels: list[Tensor] = []
    for warped, drawn, memory, do in shown:
        if not isinstance(do, WholeNumbers):
            raise SystemExit("This processor does not count in whole numbers.")
        exact = compose(warped, net.layer(warped, drawn, memory, FLOATS))
        levels.append((exact - compose(warped, net.layer(warped, drawn, memory, do))).abs() * 255)
    warped, drawn, memory, do = shown[0]
    shorter = copy.deepcopy(net).to(torch.bfloat16)
    half, half_drawn = warped.bfloat16(), drawn.bfloat16()
    brief = [each.bfloat16() for each in memory]
    times = (
        least(lambda: net.layer(warped, drawn, memory, FLOATS)),
        least(lambda: shorter.layer(half, half_drawn, brief, FLOATS)),
        least(lambda: net.layer(warped, drawn, memory, do)),
    )
    apart = torch.cat(levels).flatten().numpy()
    high, most = np.percentile(apart, [99.9, 100])
    shares = " | ".join(f"{each / len(warped):.1f}" for each in times)
    return f"{shares} | {apart.mean():.2f} | {high:.1f} | {most:.0f}"


def main() -> None:
    """Print a row for each portrait."""
    parser = argparse.ArgumentParser()
    parser.add_argument("portraits", type=Path, nargs="+")
    parser.add_argument("--style", default="lively")
    given = parser.parse_args()
    torch.set_num_threads(1)
    net = load_mouth_networks(CPU).style_aware
    print("| portrait | floats, ms | bf16, ms | whole numbers, ms | mean | 99.9th | most |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for portrait in given.portraits:
        print(f"| {portrait.stem} | {row(net, seen_by(net, portrait, given.style))} |")


if __name__ == "__main__":
    main()
