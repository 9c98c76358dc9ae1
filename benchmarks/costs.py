"""What a minute of video costs: the processor's seconds by stage, bytes moved and stored, dollars.

    python benchmarks/costs.py [--rows 12] [--tasks 2000] [--ray] [--write]

A video of the demo's portrait as a 512 crop at 25 frames a second, of the demo's voice, which is
repeated and separated by the built-in filter; one thread. All times are the processor's, so that
other programs disturb them little. Stages are those of `animate --json`; drawing and encoding are
parts of rendering. The rest: what a process needs before its first video (imports, and models
loaded), what the check of a row takes with a picture and a recording of its own, what handing out a
task takes the process that hands them out (by processes, and with --ray by Ray, whose own processes
are not counted), and the bytes that travel and lie on disks. No GPU was at hand: there are no
figures for one.

--write keeps the figures in benchmarks/scaling.json, with published prices to compare with.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import soundfile
from packaging.requirements import Requirement
from scale import keep, repeated, two_nodes

from stylehead.batch.cluster import connected
from stylehead.batch.pool import run_jobs
from stylehead.batch.rows import Row
from stylehead.cli.jobs import read_jobs
from stylehead.cli.parcel import packed
from stylehead.media.image import read_image, write_image
from stylehead.media.segment import SegmentEncoder
from stylehead.options import Options
from stylehead.options.choices import Separate
from stylehead.pipeline import run
from stylehead.pipeline.result import Result
from stylehead.pipeline.staging import Staging
from stylehead.pipeline.unfinished import Unfinished
from stylehead.progress import Reporter
from stylehead.types import SPEECH_RATE
from stylehead.weights.store import PACKAGE, demo_files

SHORT, MINUTE = 2.0, 60.0  # seconds
OPTIONS = Options(overwrite=True, crop=True, fps=25, separate=Separate.FILTER, workers=1)

PRICES: dict[str, dict[str, Any]] = {
    "HeyGen, photo avatar (API)": {
        "dollars": 60 * 0.05,
        "said": "0.05 a second",
        "source": "https://developers.heygen.com/docs/pricing",
    },
    "bitHuman, Essence on one's own CPU": {
        "dollars": 20 / 1800,
        "said": "1 credit a minute, 1,800 credits for 20",
        "source": "https://docs.bithuman.ai/guides/pricing",
    },
}
"""Of a minute of video; read in November 2026."""
MACHINE: dict[str, Any] = {
    "name": "AWS c6i.xlarge",
    "cores": 4,
    "dollars an hour": {"on demand": 0.17, "spot, dear": 0.077, "spot, cheap": 0.051},
    "source": "https://aws.amazon.com/ec2/pricing/",
}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", type=Path)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(videos(asked.child)))
        return
    with tempfile.TemporaryDirectory(prefix="costs-") as name:
        folder = Path(name)
        words = [sys.executable, __file__, f"--child={folder}"]
        child = subprocess.run(words, capture_output=True, text=True, check=True)
        figures: dict[str, Any] = json.loads(child.stdout)
        figures["check a row, CPU s"] = checks(folder, asked.rows)
    figures["hand out a task, CPU s"] = handing_out(asked.tasks, ray=asked.ray)
    figures["installed, bytes"] = installed()
    figures |= {"prices": PRICES, "machine": MACHINE}
    print(json.dumps(figures, indent=1))
    if asked.write:
        keep("costs", figures)


# ---- videos ---------------------------------------------------------------------------------


class CpuWatch:
    """A Stopwatch of the processor's seconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.process_time()
        self.laps[stage] = now - self._last
        self._last = now


def videos(folder: Path) -> dict[str, Any]:
    """Make videos in this process, and return what they took and weigh."""
    setattr(run, "Stopwatch", CpuWatch)  # noqa: B010 (of another type)
    imported = time.process_time()
    cold = sum(made(folder, SHORT).stages.values())
    short = made(folder, SHORT).stages
    encoding = [0.0]
    for name in ("add", "finish"):
        count(SegmentEncoder, name, encoding)
    staged: list[int] = []
    stage = run.stage

    def weighed(*given: Any) -> Staging:
        staged.append(len(pickle.dumps(found := stage(*given))))
        return found

    setattr(run, "stage", weighed)  # noqa: B010 (as the other)
    kept = folder / "segments"
    result = made(folder, MINUTE, Unfinished(folder=kept))
    stages, encoded = result.stages, encoding[0]
    video = result.output.stat().st_size
    segments = [path.stat().st_size for path in kept.glob("*.npz")]
    return {
        "imports, CPU s": imported,
        "models loaded, CPU s": cold - sum(short.values()),
        "stages, CPU s": stages,
        "drawing, CPU s": stages["rendering"] - encoded,
        "encoding, CPU s": encoded,
        "CPU s": sum(stages.values()),
        "segments": len(segments),
        "sent for a video by segments, bytes": staged[-1],
        "a segment, bytes": max(segments),
        "segments kept meanwhile, bytes": sum(segments),
        "video, bytes": video,
        "run.json, bytes": len(result.as_json()),
        "sent for a video of a list, bytes": parcel(folder),
    }


def made(folder: Path, seconds: float, unfinished: Unfinished | None = None) -> Result:
    """Make a video of so many seconds."""
    image, _ = demo_files()
    sound = folder / f"{seconds}.wav"
    soundfile.write(sound, repeated(seconds), SPEECH_RATE)
    return run.animate(image, sound, folder / "v.mp4", options=OPTIONS, unfinished=unfinished)


def count(owner: type, name: str, spent: list[float]) -> None:
    """Have a method add the processor's seconds of its thread to `spent`."""
    original: Callable[..., Any] = getattr(owner, name)

    def counted(*given: Any) -> Any:
        began = time.thread_time()
        try:
            return original(*given)
        finally:
            spent[0] += time.thread_time() - began

    setattr(owner, name, counted)


def parcel(folder: Path) -> int:
    """Return the bytes of what is sent for a video of a list."""
    row = Row(1, {"image": str(demo_files()[0]), "audio": str(folder / f"{MINUTE}.wav")})
    (job,), _ = read_jobs([row], folder, folder / "out", name="{number}", overwrite=False)
    return len(pickle.dumps(packed(job.task)))


# ---- a list ---------------------------------------------------------------------------------


def checks(folder: Path, rows: int) -> float:
    """Return the processor's seconds for a row with a picture and a recording of its own."""
    picture = read_image(demo_files()[0])
    given: list[Row] = []
    for number in range(rows + 1):
        image, audio = folder / f"{number}.png", folder / f"own-{number}.wav"
        picture[0, 0] = number
        write_image(image, picture)
        soundfile.write(audio, repeated(60.0 + number), SPEECH_RATE)
        given.append(Row(number, {"image": str(image), "audio": str(audio)}))
    took: list[float] = []
    for some in (given[:1], given[1:]):  # the first one loads the tracker
        began = time.process_time()
        jobs, _ = read_jobs(some, folder, folder / "out", name="{number}", overwrite=False)
        took.append((time.process_time() - began) / len(jobs))
    return took[-1]


def nothing(_task: int, _reporter: Reporter) -> dict[str, Any]:
    """Do nothing."""
    return {}


def handing_out(tasks: int, *, ray: bool) -> dict[str, float]:
    """Return the processor's seconds of the process that hands out a task and hears of its end."""
    took: dict[str, float] = {}
    for _ in run_jobs(range(2), nothing, 2):
        pass
    began = time.process_time()
    for _ in run_jobs(range(tasks), nothing, 2):
        pass
    took["by processes"] = (time.process_time() - began) / tasks
    if ray:
        with two_nodes() as nodes, connected(nodes.address) as cluster:
            for few in (10, tasks):  # the first ones start its workers
                began = time.process_time()
                for _ in cluster.run_jobs(range(few), nothing, lambda task: task):
                    pass
                took["by Ray"] = (time.process_time() - began) / few
    return took


# ---- storage --------------------------------------------------------------------------------


def installed() -> dict[str, int]:
    """Return the bytes that a machine needs before its first video, models and libraries apart."""
    found: dict[str, Distribution] = {}
    todo = ["stylehead"]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        for text in found[name].requires or ():
            wanted = Requirement(text)
            if not wanted.marker or wanted.marker.evaluate({"extra": ""}):
                todo.append(wanted.name.lower())
    own = found.pop("stylehead", None)
    assert own is not None
    libraries = 0
    for one in found.values():
        paths = (Path(str(one.locate_file(file))) for file in one.files or ())
        libraries += sum(path.stat().st_size for path in paths if path.is_file())
    package = sum(
        path.stat().st_size
        for path in PACKAGE.rglob("*")
        if "__pycache__" not in path.parts and path.is_file()
    )
    return {"stylehead with its models": package, "libraries": libraries}


if __name__ == "__main__":
    main()
