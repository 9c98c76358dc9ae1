"""What batch makes of more workers: processes, machines that share a folder, a Ray cluster.

    python benchmarks/scale.py [--seconds 10] [--jobs 4] [--only NAME...] [--ray] [--write]

One long video (--seconds times --jobs) and a list of --jobs videos of --seconds each, of the demo's
portrait as a 512 crop at 25 frames a second. Each row is a run of the command: its wall seconds,
the processor's seconds of all its processes (without those of a cluster, which is up already), the
memory of the command itself and of its largest worker, and whether the videos' bytes are those of
the first row of their kind. With --ray also a cluster of two nodes, which are processes of this
machine, and one whose second node is killed while each makes its second video: then also how long
it took until what was lost with it was begun again. Below the table are the ratios: how much faster
two workers are than one, and what Ray takes beyond two workers. Nothing else should run.

--only names rows, or what they begin with (list). --write keeps the figures in
benchmarks/scaling.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from stylehead.batch.cluster import AGAIN
from stylehead.media.audio import open_audio
from stylehead.provenance.verify import unsigned_sha256
from stylehead.types import SPEECH_RATE
from stylehead.weights.store import demo_files

KEPT = Path(__file__).with_name("scaling.json")
COLUMNS = "image,audio,seed,crop,fps,separate"
SHARDS = 3
ONE, TWO, RAY = "1 worker", "2 workers", "two nodes"
NAMES = ("one video", "list")


@dataclass(slots=True)
class Took:
    """What a run of the command took."""

    wall: float = 0.0
    """Seconds."""
    main_mb: int = 0
    """Memory of the command itself, at its largest."""
    worker_mb: int = 0
    """Memory of its largest worker."""
    again: float | None = None
    """Seconds from the loss of a node until what was lost was begun again."""

    def __add__(self, other: Took) -> Took:
        return Took(
            self.wall + other.wall,
            max(self.main_mb, other.main_mb),
            max(self.worker_mb, other.worker_mb),
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--only", nargs="+", default=[""])
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        lists = {
            "one video": write_list(folder / "one.csv", asked.seconds * asked.jobs, 1),
            "list": write_list(folder / "several.csv", asked.seconds, asked.jobs),
        }
        runs: dict[str, Callable[[Path], Took]] = {}
        for kind, jobs in lists.items():
            runs |= {
                name: run
                for name, run in runs_of(kind, jobs, ray=asked.ray).items()
                if name.startswith(tuple(asked.only))
            }
        figures = report(runs, folder)
    figures |= {"seconds": asked.seconds, "jobs": asked.jobs, "cores": os.cpu_count()}
    if asked.write:
        keep("scale", figures)


def runs_of(kind: str, jobs: Path, *, ray: bool) -> dict[str, Callable[[Path], Took]]:
    """Return the runs of a list by their names."""

    def shards(out: Path) -> Took:
        parts = [f"--shard={part}/{SHARDS}" for part in range(1, SHARDS + 1)]
        return sum((timed(jobs, out, "--workers=1", part) for part in parts), Took())

    runs: dict[str, Callable[[Path], Took]] = {
        ONE: lambda out: timed(jobs, out, "--workers=1"),
        TWO: lambda out: timed(jobs, out, "--workers=2"),
    }
    if kind == "one video":
        runs[f"{SHARDS} shards, one after the other"] = shards
    if ray:
        runs[RAY] = lambda out: on_nodes(jobs, out)
    if ray and kind == "list":
        runs["two nodes, one killed"] = lambda out: on_nodes(jobs, out, kill=True)
    return {f"{kind}, {name}": run for name, run in runs.items()}


def report(runs: dict[str, Callable[[Path], Took]], folder: Path) -> dict[str, Any]:
    """Run them, print a row for each, and the ratios; return all of it."""
    print("| run | wall s | CPU s | the command, MB | largest worker, MB | same bytes |")
    print("| --- | --- | --- | --- | --- | --- |")
    first: dict[str, list[str]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, run in runs.items():
        out = folder / name.replace(" ", "-").replace(",", "")
        before = used()
        took = run(out)
        cpu = used() - before
        digests = [unsigned_sha256(path) for path in sorted(out.glob("*.mp4"))]
        same = bool(digests) and digests == first.setdefault(name.split(",")[0], digests)
        rows[name] = asdict(took) | {"cpu": cpu, "same": same}
        print(
            f"| {name} | {took.wall:.1f} | {cpu:.1f} | {took.main_mb} | {took.worker_mb or ''} | "
            f"{'yes' if same else 'NO'} |",
            flush=True,
        )
        if took.again is not None:
            print(f"(what was lost was begun again after {took.again:.1f} s)", flush=True)
    return {"runs": rows, "ratios": ratios(rows)}


def ratios(rows: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Print and return what more workers bring, and what Ray takes."""
    found: dict[str, float] = {}

    def compare(name: str, over: str, under: str) -> None:
        if over in rows and under in rows:
            found[name] = rows[over]["wall"] / rows[under]["wall"]
            print(f"{name}: {found[name]:.2f}")

    for kind in NAMES:
        compare(f"{kind}: 1 worker's time / 2 workers'", f"{kind}, {ONE}", f"{kind}, {TWO}")
        compare(f"{kind}: Ray's time / 2 workers'", f"{kind}, {RAY}", f"{kind}, {TWO}")
    if largest := max((row["worker_mb"] for row in rows.values()), default=0):
        print(f"largest worker: {largest} MB")
        found["largest worker, MB"] = largest
    return found


def used() -> float:
    """Return the processor's seconds of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def keep(name: str, figures: dict[str, Any]) -> None:
    """Store figures for the documents."""
    whole = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    whole[name] = figures
    KEPT.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def kept(name: str) -> dict[str, Any]:
    """Return the figures that are kept; none, if they were never measured."""
    return json.loads(KEPT.read_text(encoding="utf-8")).get(name, {}) if KEPT.exists() else {}


def repeated(seconds: float) -> NDArray[np.float32]:
    """Return the demo's voice, over and over."""
    voice = np.concatenate(list(open_audio(demo_files()[1]).blocks()))
    return np.resize(voice, round(seconds * SPEECH_RATE))


def write_list(path: Path, seconds: float, jobs: int) -> Path:
    """Write a list of videos of the demo's portrait and voice, which is repeated to be as long."""
    sound = path.with_suffix(".wav")
    soundfile.write(sound, repeated(seconds), SPEECH_RATE)
    rows = [f"{demo_files()[0]},{sound},{seed},yes,25,filter" for seed in range(jobs)]
    path.write_text("\n".join([COLUMNS, *rows]) + "\n", encoding="utf-8")
    return path


def command(jobs: Path, out: Path, *words: str) -> list[str]:
    """Return the words that make a list's videos."""
    start = [sys.executable, "-m", "stylehead", "-q", "batch", str(jobs), "-o", str(out)]
    return [*start, "--name={number}", *words]


def timed(jobs: Path, out: Path, *words: str, told: Callable[[str], None] = print) -> Took:
    """Make a list's videos, and return what it took; `told` is given each line of its output."""
    took = Took()
    began = time.perf_counter()
    with subprocess.Popen(command(jobs, out, *words), stdout=subprocess.PIPE, text=True) as run:
        ended = threading.Event()
        watcher = threading.Thread(target=watch, args=(run.pid, took, ended), daemon=True)
        watcher.start()
        assert run.stdout is not None
        for line in run.stdout:
            told(line)
        code = run.wait()
    took.wall = time.perf_counter() - began
    ended.set()
    watcher.join()
    if code:
        raise SystemExit(f"stylehead batch failed with status {code}")
    return took


def watch(pid: int, took: Took, ended: threading.Event) -> None:
    """Note how large a process and its children become (Linux tells)."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while not ended.wait(0.2):
        took.main_mb = max(took.main_mb, peak(pid))
        with contextlib.suppress(OSError):
            found = [peak(int(child)) for child in children.read_text().split() if works(child)]
            took.worker_mb = max([took.worker_mb, *found])


def works(pid: str) -> bool:
    """Return whether a process is a worker, and no helper of Python's or Ray's."""
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


def peak(pid: int) -> int:
    """Return a process's largest memory so far in MB; 0 when it has ended, or nobody tells."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return 0


def on_nodes(jobs: Path, out: Path, *, kill: bool = False) -> Took:
    """Make a list's videos on two nodes that are up already."""
    with two_nodes() as cluster:
        words = ("--engine=ray", f"--address={cluster.address}")
        if not kill:
            return timed(jobs, out, *words)
        loss = Loss(cluster)
        took = timed(jobs, out, *words, "--json-lines", told=loss.told)
        took.again = loss.again
        return took


class Loss:
    """Kills the second node while both make their second videos, and hears of what begins again."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._one_is_made = False
        self._lost: float | None = None
        self._stages: dict[int, str] = {}
        self.again: float | None = None

    def told(self, line: str) -> None:
        """Hear what happens."""
        event: dict[str, Any] = json.loads(line)
        kind, job = event["event"], event["job"]
        if kind == "finished":
            self._one_is_made = True
            self._stages.pop(job, None)
        if kind == "progressed":
            self._stages[job] = event["stage"]
        if self._lost is not None:
            if kind == "told" and event["message"] == AGAIN and self.again is None:
                self.again = time.perf_counter() - self._lost
        elif self._one_is_made and list(self._stages.values()).count("Rendering") > 1:
            node = next(iter(self._cluster.worker_nodes))
            self._cluster.remove_node(node, allow_graceful=False)
            self._lost = time.perf_counter()


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
