"""What batch makes of more workers: processes, machines that share a folder, a Ray cluster.

    python benchmarks/scale.py [--seconds 10] [--jobs 4] [--only NAME,...] [--ray]

One long video (--seconds times --jobs) and a list of --jobs videos of --seconds each, of the demo's
portrait as a 512 crop at 25 frames a second. Each row is a run of the command: its wall seconds,
the processor's seconds of all its processes (without those of a cluster, which is up already), the
memory of the largest process so far, and whether the videos' bytes are those of the first row of
their kind. With --ray also a cluster of two nodes, which are processes of this machine, and one
whose second node is killed after the first video. Nothing else should run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from stylehead.media.audio import open_audio
from stylehead.types import SPEECH_RATE
from stylehead.weights.store import demo_files

COLUMNS = "image,audio,seed,crop,fps,separate"
SHARDS = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--only", default="")
    parser.add_argument("--ray", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        one = write_list(folder / "one.csv", asked.seconds * asked.jobs, 1)
        several = write_list(folder / "several.csv", asked.seconds, asked.jobs)
        runs: dict[str, Callable[[Path], float]] = {
            "one video, 1 worker": lambda out: timed(one, out, "--workers=1"),
            "one video, 2 workers": lambda out: timed(one, out, "--workers=2"),
            f"one video, {SHARDS} shards, one after the other": lambda out: sum(
                timed(one, out, "--workers=1", f"--shard={part}/{SHARDS}")
                for part in range(1, SHARDS + 1)
            ),
            "list, 1 worker": lambda out: timed(several, out, "--workers=1"),
            "list, 2 workers": lambda out: timed(several, out, "--workers=2"),
        }
        if asked.ray:
            runs |= {
                "one video, two nodes": lambda out: on_nodes(one, out),
                "list, two nodes": lambda out: on_nodes(several, out),
                "list, two nodes, one killed": lambda out: on_nodes(several, out, kill=True),
            }
        report(runs, folder, set(filter(None, asked.only.split(","))))


def report(runs: dict[str, Callable[[Path], float]], folder: Path, only: set[str]) -> None:
    """Run what is asked for, and print a row for each."""
    print("| run | wall s | CPU s | largest process, MB | same bytes |")
    print("| --- | --- | --- | --- | --- |")
    first: dict[str, list[str]] = {}
    for name, run in runs.items():
        kind = name.split(",")[0]
        if only and kind not in only:
            continue
        out = folder / name.replace(" ", "-").replace(",", "")
        before = used()
        wall = run(out)
        after = used()
        digests = [sha256(path.read_bytes()).hexdigest() for path in sorted(out.glob("*.mp4"))]
        same = "yes" if digests and digests == first.setdefault(kind, digests) else "NO"
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"| {name} | {wall:.1f} | {after - before:.1f} | {peak:.0f} | {same} |", flush=True)


def used() -> float:
    """Return the processor's seconds of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write_list(path: Path, seconds: float, jobs: int) -> Path:
    """Write a list of videos of the demo's portrait and voice, which is repeated to be as long."""
    image, voice = demo_files()
    samples = np.concatenate(list(open_audio(voice).blocks()))
    sound = path.with_suffix(".wav")
    soundfile.write(sound, np.resize(samples, round(seconds * SPEECH_RATE)), SPEECH_RATE)
    rows = [f"{image},{sound},{seed},yes,25,filter" for seed in range(jobs)]
    path.write_text("\n".join([COLUMNS, *rows]) + "\n", encoding="utf-8")
    return path


def command(jobs: Path, out: Path, *words: str) -> list[str]:
    """Return the words that make a list's videos."""
    start = [sys.executable, "-m", "stylehead", "-q", "batch", str(jobs), "-o", str(out)]
    return [*start, "--name={number}", *words]


def timed(jobs: Path, out: Path, *words: str) -> float:
    """Make a list's videos, and return the wall seconds."""
    began = time.perf_counter()
    subprocess.run(command(jobs, out, *words), check=True)
    return time.perf_counter() - began


def on_nodes(jobs: Path, out: Path, *, kill: bool = False) -> float:
    """Make a list's videos on two nodes that are up already, and return the wall seconds."""
    with two_nodes() as cluster:
        ended = threading.Event()
        if kill:
            threading.Thread(target=lose, args=(cluster, out, ended), daemon=True).start()
        try:
            return timed(jobs, out, "--engine=ray", f"--address={cluster.address}")
        finally:
            ended.set()


def lose(cluster: Any, out: Path, ended: threading.Event) -> None:
    """Kill the second node once the first video is there."""
    while not list(out.glob("*.mp4")):
        if ended.wait(0.1):
            return
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    print(f"(a node was killed after {len(list(out.glob('*.mp4')))} videos)", file=sys.stderr)


@contextlib.contextmanager
def two_nodes() -> Generator[Any]:
    """Yield a cluster of two nodes with a core each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from importlib import import_module

    head: dict[str, Any] = {"num_cpus": 1, "include_dashboard": False}
    utils: Any = import_module("ray.cluster_utils")
    cluster = utils.Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1)
    try:
        yield cluster
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
