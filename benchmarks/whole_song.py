"""Does the mouth sing all through a song of four minutes, and rest where only the band plays?

    python benchmarks/whole_song.py --voice SINGER --band PIECE [--level 0]

A singer's recording, repeated, sings two spans over a band that plays all along: intro, verse,
break, verse, outro. `stylehead motion` makes the motion of it and of its first minute in processes
of their own. Prints what the mouth does in each span, how long the motion is, and time and memory
of both.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mixes import BAND_FROM, RATE, stereo, written

from stylehead.evaluation.mouth import OPEN, silence_leak
from stylehead.face.landmarks import mouth_opening
from stylehead.media.audio import open_audio
from stylehead.motion.file import load_motion
from stylehead.types import Floats

SPANS = (
    ("intro", 20.0, False),
    ("verse", 70.0, True),
    ("break", 30.0, False),
    ("verse", 90.0, True),
    ("outro", 30.0, False),
)
"""What a span is called, its seconds, whether there is a voice."""
EDGE = 0.5  # seconds at a span's ends that belong to its neighbours' breaths and closings
STRETCH = 5.0  # seconds of a verse in which the mouth has to move
MOVES = 0.05  # interocular: least way of the opening that is a movement
SHORT = 60.0  # seconds of the song whose memory is compared


class Run(NamedTuple):
    """What a process took."""

    wall: float
    cpu: float
    """Seconds of all its threads."""
    peak: float
    """MB."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--voice", type=Path, required=True)
    parser.add_argument("--band", type=Path, required=True)
    parser.add_argument("--level", type=float, default=0.0, help="dB of the band over the voice")
    asked = parser.parse_args()
    samples = song(asked.voice, asked.band, asked.level)
    with tempfile.TemporaryDirectory() as folder:
        whole, minute = Path(folder) / "song.wav", Path(folder) / "minute.wav"
        written(whole, samples)
        written(minute, samples[: round(SHORT * RATE)])
        short = run(minute, Path(folder) / "minute.npz")
        long = run(whole, Path(folder) / "song.npz")
        motion = load_motion(Path(folder) / "song.npz")
    rate = float(motion.fps)
    opening = mouth_opening(motion.landmarks + motion.neutral) - mouth_opening(motion.neutral)
    print(f"span\tseconds\tmoves, % of stretches of {STRETCH:g} s\topen by more than {OPEN}, %")
    start = 0.0
    for name, seconds, _ in SPANS:
        inside = opening[round((start + EDGE) * rate) : round((start + seconds - EDGE) * rate)]
        start += seconds
        print(f"{name}\t{seconds:g}\t{moving(inside, rate):.0f}\t{100 * opened(inside):.1f}")
    print(f"\n{len(motion)} frames at {rate:g} fps for {len(samples) / RATE:g} s of song")
    for name, took in ((f"{SHORT:g} s", short), ("whole song", long)):
        print(f"{name}: {took.wall:.0f} s, {took.cpu:.0f} s of CPU, {took.peak:.0f} MB at most")


def song(voice: Path, band: Path, level: float) -> Floats:
    """Return the song (N, 2), the band `level` dB over the voice."""
    sung = stereo(open_audio(voice))
    played = stereo(open_audio(band))[round(BAND_FROM * RATE) :]
    count = round(sum(seconds for _, seconds, _ in SPANS) * RATE)
    samples = np.tile(played, (-(-count // len(played)), 1))[:count] * np.float32(
        10 ** (level / 20)
    )
    start = taken = 0
    for _, seconds, has_voice in SPANS:
        length = round(seconds * RATE)
        if has_voice:
            rows = np.arange(taken, taken + length) % len(sung)
            samples[start : start + length] += sung[rows]
            taken += length
        start += length
    return samples


def run(sound: Path, motion: Path) -> Run:
    """Make a motion in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "stylehead",
        "motion",
        "--audio",
        sound,
        "-o",
        motion,
        "--quiet",
    ]
    began = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(time.monotonic() - began, cpu, usage.ru_maxrss / 1024)


def moving(opening: Floats, rate: float) -> float:
    """Return the percentage of a span's stretches in which an opening (T,) moves."""
    count = round(STRETCH * rate)
    stretches = [opening[start : start + count] for start in range(0, len(opening), count)]
    ways = [np.subtract(*np.percentile(one, [95, 5])) for one in stretches]
    return 100 * float(np.mean(np.array(ways) > MOVES))


def opened(opening: Floats) -> float:
    """Return the fraction of frames with the mouth open."""
    return silence_leak(opening, np.ones(len(opening), bool))


if __name__ == "__main__":
    main()
