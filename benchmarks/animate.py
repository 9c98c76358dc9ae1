"""Wall time, real-time factor and peak memory of `stylehead animate` with the embedded defaults.

    python benchmarks/animate.py [--seconds 10 60 600]

Each length runs as a whole process, as a user would start it: 512-pixel face crop at 25 fps, the
demo's portrait and its voice repeated to the length.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from stylehead.demo import demo_files
from stylehead.media.audio import open_audio
from stylehead.media.image import read_image
from stylehead.options import DEFAULT_STYLE, Encoder, Encoding, Options
from stylehead.pipeline.run import load_predictor
from stylehead.rendering.mesh_renderer import load_mouth_networks, prepare, render
from stylehead.style.file import find_style
from stylehead.tracking.portrait import find_portrait
from stylehead.types import SPEECH_RATE

FPS = 25


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


def run_once(image: Path, audio: Path, folder: Path) -> tuple[dict[str, float], float, float]:
    """Run the command; return seconds per stage, of the whole process, and peak memory in MB."""
    command = [sys.executable, "-m", "stylehead", "--quiet", "animate", "--image", str(image)]
    command += ["--audio", str(audio), "--output", str(folder / "out.mp4"), "--overwrite"]
    command += ["--crop", "--fps", str(FPS), "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status  # it has been waited for, which Popen does not know
    took = time.perf_counter() - began
    if status:
        raise SystemExit(f"stylehead animate failed with status {status}")
    return json.loads(answer)["stages"], took, usage.ru_maxrss / 1024


def rendering_rate(image: Path, audio: Path) -> float:
    """Return frames a second of rendering alone, without encoding."""
    device = torch.device("cpu")
    portrait = find_portrait(read_image(image), name=str(image))
    style = find_style(DEFAULT_STYLE)
    networks = load_mouth_networks(device)
    scene = prepare(portrait, style.references, networks, crop_size=512, device=device)
    sound = open_audio(audio)
    controls = Options()
    models = load_predictor(Encoding(encoder=Encoder.WHISPER), device)
    motion = models.predict(sound, style, fps=Fraction(FPS), controls=controls)
    frames = render(scene, motion)
    next(frames)
    began = time.perf_counter()
    count = sum(1 for _ in frames)
    return count / (time.perf_counter() - began)


def main() -> None:
    """Print one row for each length."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", nargs="+", type=int, default=[10, 60])
    lengths = parser.parse_args().seconds
    image, voice = demo_files()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"rendering alone: {rendering_rate(image, voice):.0f} frames a second")
        for seconds in lengths:
            audio = folder / f"{seconds}.flac"
            repeat_voice(voice, seconds, audio)
            stages, took, memory = run_once(image, audio, folder)
            parts = ", ".join(f"{stage} {value:.1f}" for stage, value in stages.items())
            print(
                f"{seconds:4} s of sound: {took:6.1f} s whole command, "
                f"real-time factor {took / seconds:.2f} "
                f"({(took - 10) / seconds:.2f} after 10 s of start-up), "
                f"peak {memory:.0f} MB; stages in s: {parts}"
            )


if __name__ == "__main__":
    main()
