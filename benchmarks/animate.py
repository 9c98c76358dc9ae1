"""Speed and memory of `stylehead animate` with the embedded defaults, beside the machine's floors.

    python benchmarks/animate.py [--seconds 10 60 600] [--workers 1 2] [--sides 512 1080 2160]

Each length runs as a whole process, as a user would start it, with the demo's voice repeated.
Pictures: the demo's portrait as a 512-pixel face crop, then whole, scaled to each side. Floors and
stages are CPU time of one thread, the least of several rounds; frames a second are wall time. Last
come the published warping networks, at their own sizes and with random weights.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch

from stylehead.compute.device import one_thread, usable_cores
from stylehead.media.audio import open_audio
from stylehead.media.image import read_image
from stylehead.media.segment import EncoderPicture, SegmentEncoder
from stylehead.models.layers import fold_spectral_norms
from stylehead.models.liveportrait.portrait_animator import PortraitAnimator
from stylehead.models.vid2vid.style_mapper import StyleMapper
from stylehead.options import DEFAULT_STYLE, Encoder, Encoding, Options
from stylehead.pipeline.film import Shot, film
from stylehead.pipeline.run import load_predictor
from stylehead.rendering import mesh_renderer, renderer, warp
from stylehead.rendering.mouth import completer
from stylehead.rendering.neural_renderer import DRIVING_SIZE
from stylehead.rendering.renderer import load_renderer
from stylehead.style.file import find_style
from stylehead.tracking.portrait import find_portrait
from stylehead.types import SPEECH_RATE, Motion, Pixels
from stylehead.weights.store import demo_files

FPS = 25
ROUNDS = 3
MANY = 8  # workers, more than there are cores
CPU = torch.device("cpu")
BUSY = "while True: pass"
STAGES: list[tuple[str, Any, str]] = [
    ("pose the mesh", mesh_renderer.PortraitMesh, "pose_vertices"),
    ("rasterise", mesh_renderer, "displacement_map"),
    ("sample", warp.Sampler, "__call__"),
    ("folds", mesh_renderer, "soften_folds"),
    ("mouth: map and inside", completer, "mouth_interiors"),
    ("mouth: network", completer, "mouth_layer"),
    ("mouth: all", completer.MouthCompleter, "complete"),
    ("compose", renderer, "compose"),
    ("colours", EncoderPicture, "draw"),
    ("x264", SegmentEncoder, "add"),
]
"""Name, where it is looked up, and under which name; the network's time is in the mouth's."""


def repeat_voice(voice: Path, seconds: int, path: Path) -> None:
    """Write the voice over and over, `seconds` long, as 16 kHz FLAC."""
    samples = np.concatenate(list(open_audio(voice).blocks()))
    rate = SPEECH_RATE
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=rate, layout="mono")
        for second in range(seconds):
            rows = (np.arange(rate) + second * rate) % len(samples)
            block = (samples[rows] * 32767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate = rate
            frame.pts = second * rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def run_once(image: Path, audio: Path, folder: Path, *more: str) -> dict[str, Any]:
    """Run the command; return its stages, wall and CPU seconds, peak memory in MB.

    `before` are the seconds until rendering begins: imports, portrait, motion and scene.
    """
    command = [sys.executable, "-m", "stylehead", "animate", "--image", str(image)]
    command += ["--audio", str(audio), "--output", str(folder / "out.mp4"), "--overwrite"]
    command += ["--crop", "--fps", str(FPS), "--json", *more]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status  # it has been waited for, which Popen does not know
    took = time.perf_counter() - began
    if status:
        raise SystemExit(f"stylehead animate failed with status {status}")
    stages: dict[str, float] = json.loads(answer)["stages"]
    before = took - stages["rendering"]
    return {
        "wall": took,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss / 1024,
        "before": before,
        "stages": stages,
    }


def least(task: Callable[[], object], rounds: int = 20) -> float:
    """Return the least CPU milliseconds of this thread for a task."""
    best = float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        task()
        best = min(best, time.thread_time() - began)
    return 1e3 * best


def floors(frames: list[Pixels]) -> dict[str, float]:
    """Return CPU milliseconds a frame of what no renderer of these frames can do without."""
    side = frames[0].shape
    pictures = [EncoderPicture(frame) for frame in frames]

    def encode() -> None:
        encoder = SegmentEncoder(side[1] // 2 * 2, side[0] // 2 * 2, Fraction(FPS))
        for picture in pictures:
            encoder.add(picture)
        encoder.finish()

    rows, columns = np.indices(side[:2], np.float32)
    out = np.empty_like(frames[0])
    moved = [columns + 2 * np.sin(rows / 40), rows + 2 * np.sin(columns / 40)]
    return {
        "x264 alone": least(encode, ROUNDS) / len(frames),
        "one bicubic remap": least(
            lambda: cv2.remap(frames[0], moved[0], moved[1], cv2.INTER_CUBIC, dst=out)
        ),
        "memcpy": least(lambda: np.copyto(out, frames[0])),
    }


@contextmanager
def timed(found: dict[str, list[float]]) -> Generator[None]:
    """Have each stage add its user and system milliseconds and its page faults to `found`."""
    originals: list[tuple[Any, str, Any]] = []
    for name, where, attribute in STAGES:
        original = getattr(where, attribute)
        originals.append((where, attribute, original))

        def measured(*args: Any, name: str = name, original: Any = original, **more: Any) -> Any:
            before = resource.getrusage(resource.RUSAGE_SELF)
            answer = original(*args, **more)
            after = resource.getrusage(resource.RUSAGE_SELF)
            row = found.setdefault(name, [0.0, 0.0, 0.0])
            row[0] += 1e3 * (after.ru_utime - before.ru_utime)
            row[1] += 1e3 * (after.ru_stime - before.ru_stime)
            row[2] += after.ru_minflt - before.ru_minflt
            return answer

        setattr(where, attribute, measured)
    try:
        yield
    finally:
        for where, attribute, original in originals:
            setattr(where, attribute, original)


def usage(shot: Shot) -> tuple[float, float, float]:
    """Return user and system milliseconds and page faults a frame of filming with one worker."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in film(shot, workers=1):
        pass
    after = resource.getrusage(resource.RUSAGE_SELF)
    count = len(shot.motions[0])
    return (
        1e3 * (after.ru_utime - before.ru_utime) / count,
        1e3 * (after.ru_stime - before.ru_stime) / count,
        (after.ru_minflt - before.ru_minflt) / count,
    )


def rate(shot: Shot, workers: int) -> float:
    """Return frames a second of rendering with encoding, wall time."""
    began = time.perf_counter()
    for _ in film(shot, workers=workers):
        pass
    return len(shot.motions[0]) / (time.perf_counter() - began)


def serial_share(shot: Shot, workers: int) -> float:
    """Return the part of the CPU time of filming that the calling thread alone can do."""
    whole, alone = time.process_time(), time.thread_time()
    for _ in film(shot, workers=workers):
        pass
    return (time.thread_time() - alone) / (time.process_time() - whole)


def picture_report(name: str, shot: Shot, workers: list[int]) -> None:
    """Print floors, stages and rates of one picture."""
    count = len(shot.motions[0])
    with one_thread():
        sample = Shot(shot.scene, [motion[np.arange(min(50, count))] for motion in shot.motions])
        frames: list[Pixels] = []
        for part in sample.scene.draw(sample.motions):
            frames.append(sample.scene.picture.copy())
            frames[-1][sample.scene.area] = part
        bottom = floors(frames)
    user, system, faults = min(usage(shot) for _ in range(ROUNDS))
    print(f"\n{name}: {shot.size[0]} x {shot.size[1]}, {count} frames")
    print("  floors, CPU ms a frame: " + ", ".join(f"{k} {v:.2f}" for k, v in bottom.items()))
    whole = user + system
    print(
        f"  one worker: {whole:.1f} CPU ms a frame ({user:.1f} user, {system:.1f} system), "
        f"{faults:.0f} page faults; {whole / sum(bottom.values()):.1f} times the floors' sum"
    )
    found: dict[str, list[float]] = {}
    with timed(found):
        for _ in film(shot, workers=1):
            pass
    for stage, (in_user, in_system, pages) in found.items():
        print(
            f"    {stage:22} {in_user / count:6.2f} user {in_system / count:5.2f} system "
            f"{pages / count:6.0f} faults"
        )
    rates = {number: max(rate(shot, number) for _ in range(ROUNDS)) for number in workers}
    alone = rates[workers[0]]
    shown = ", ".join(f"{n}: {fps:.0f} ({fps / alone:.2f} x)" for n, fps in rates.items())
    print(f"  frames a second by workers: {shown}")
    print(f"  done by one thread alone, with {MANY} workers: {serial_share(shot, MANY):.1%}")


@torch.inference_mode()
def rivals() -> None:
    """Print CPU milliseconds a frame of the published warping networks, on one thread."""
    networks = {"LivePortrait": PortraitAnimator(), "face-vid2vid": StyleMapper()}
    pictures = torch.rand(2, 1, 3, DRIVING_SIZE, DRIVING_SIZE)
    print("\nwarping networks, CPU ms a frame on one thread, without what drives or encodes them:")
    for name, network in networks.items():
        network.eval()
        fold_spectral_norms(network)
        with one_thread():
            source = network.encode_source(pictures[0])
            side = network.drive(source, pictures[1]).shape[-1]
            took = least(partial(network.drive, source, pictures[1]), 1)  # it is seconds
        print(f"  {name}, {side} x {side}: {took:.0f}")


def main() -> None:
    """Print a row for each length, then a part for each picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", nargs="*", type=int, default=[10, 60])
    parser.add_argument("--workers", nargs="+", type=int, default=[*range(1, usable_cores() + 1)])
    parser.add_argument("--sides", nargs="*", type=int, default=[512, 1080, 2160])
    parser.add_argument("--frames", type=int, default=300)
    given = parser.parse_args()
    image, voice = demo_files()
    # First, while this process is small: a child's peak counts what its parent had when it began.
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for seconds in given.seconds:
            audio = folder / f"{seconds}.flac"
            repeat_voice(voice, seconds, audio)
            found = run_once(image, audio, folder)
            print(
                f"{seconds:4} s of sound: {found['wall']:.1f} s, real-time factor "
                f"{found['wall'] / seconds:.2f}, {found['cpu']:.0f} s of CPU, "
                f"{found['before']:.1f} s before rendering, peak {found['peak']:.0f} MB; "
                + ", ".join(f"{stage} {value:.1f}" for stage, value in found["stages"].items())
            )
        if given.seconds:
            beside_load(image, folder / f"{given.seconds[0]}.flac", folder)
    pixels, style = read_image(image), find_style(DEFAULT_STYLE)
    models = load_predictor(Encoding(encoder=Encoder.WHISPER), CPU)
    motion: Motion = models.predict(open_audio(voice), style, fps=Fraction(FPS), controls=Options())
    motion = motion[np.arange(given.frames) % len(motion)]
    loaded = load_renderer(Options().renderer, CPU)
    for side in given.sides:
        larger = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC)
        portrait = find_portrait(np.asarray(larger, np.uint8), name=str(image))
        crop = 512 if side == 512 else None
        scene = loaded.prepare([portrait], [style.references], crop_size=crop)
        name = "face crop" if crop else "whole picture"
        picture_report(name, Shot(scene, [motion]), given.workers)
    rivals()


def beside_load(image: Path, audio: Path, folder: Path) -> None:
    """Print how much longer the first length takes beside four busy processes."""
    idle = run_once(image, audio, folder)["wall"]
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(4)]
    try:
        loaded = run_once(image, audio, folder)["wall"]
    finally:
        for process in busy:
            process.kill()
            process.wait()
    cores = usable_cores()
    share = (4 + cores) / cores
    print(
        f"beside four busy processes: {loaded:.1f} s, idle {idle:.1f} s, {loaded / idle:.1f} times "
        f"({share:.1f} is the fair share)"
    )


if __name__ == "__main__":
    main()
