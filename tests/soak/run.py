"""Jobs in turn, what the process holds after each round of them, and how that grows."""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from stylehead import MotionOptions, make_motion
from stylehead.media.sound_file import write_sound
from tests.soak.jobs import Files, jobs
from tests.stand_ins import media

WARM_UP = 0.3
"""Part of the rounds that is left out: caches fill, and heaps find their size."""
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds at one moment."""

    jobs: int
    memory: float
    """MB that are resident."""
    handles: int
    threads: int
    temporary: int
    """Files and folders where temporary ones go, and partial results."""


def held(done: int, results: Path) -> Held:
    """Return what this process holds; memory and handles are known on Linux alone.

    What the heap keeps of freed memory is given back before: it is 20 to 110 MB, by chance.
    """
    gc.collect()
    _give_back()
    memory, handles = 0.0, 0
    if sys.platform == "linux":
        pages = Path("/proc/self/statm").read_text().split()[1]
        memory = int(pages) * 4096 / MEGABYTE
        handles = len(list(Path("/proc/self/fd").iterdir()))
    temporary = [*Path(tempfile.gettempdir()).iterdir(), *results.glob(".*")]
    return Held(done, memory, handles, threading.active_count(), len(temporary))


def _give_back() -> None:
    if sys.platform == "linux" and (name := ctypes.util.find_library("c")):
        trim = getattr(ctypes.CDLL(name), "malloc_trim", None)  # glibc's alone
        if trim is not None:
            trim(0)


def soak(folder: Path, enough: Callable[[int], bool]) -> Iterator[Held]:
    """Do rounds of all jobs until `enough` says so of the jobs done; yield what is held after each.

    Temporary files go to a folder of their own, where they can be counted.
    """
    own = folder / "temporary"
    own.mkdir()
    files = Files.made(folder)
    before, tempfile.tempdir = tempfile.tempdir, str(own)
    done = 0
    try:
        while not enough(done):
            for job in jobs(files).values():
                job()
                done += 1
            yield held(done, files.results)
    finally:
        tempfile.tempdir = before


def slope(rounds: list[Held]) -> float:
    """Return the growth of memory in MB per 100 jobs, after the warm-up, by Theil and Sen.

    The median of the slopes between all pairs of rounds: one round that found the heap larger
    does not tilt it.
    """
    later = rounds[int(WARM_UP * len(rounds)) :]
    done = np.array([one.jobs for one in later], float)
    memory = np.array([one.memory for one in later])
    first, second = np.triu_indices(len(later), 1)
    return float(100 * np.median((memory[second] - memory[first]) / (done[second] - done[first])))


def growing(rounds: list[Held]) -> list[str]:
    """Return what is more after the last round than after the warm-up, memory apart."""
    first, last = rounds[int(WARM_UP * len(rounds))], rounds[-1]
    names = [field.name for field in fields(Held)][2:]
    pairs = ((name, getattr(first, name), getattr(last, name)) for name in names)
    return [f"{name}: {before} -> {after}" for name, before, after in pairs if after > before]


def long_sound(folder: Path, minutes: float) -> tuple[int, float]:
    """Make the motion of a long recording; return its frames and the peak of memory in MB."""
    voice = media.voice(8.0)
    repeats = round(60 * minutes / 8)
    path = folder / f"{minutes:g} minutes.flac"
    write_sound(path, (voice for _ in range(repeats)), 16_000)
    _forget_peak()
    motion = make_motion(path, options=MotionOptions())
    path.unlink()
    return len(motion), _peak()


def _forget_peak() -> None:
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    if sys.platform != "linux":
        return 0.0
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / MEGABYTE for line in lines if "VmHWM" in line)
