"""Does batch lose anything? Broken rows, kills at random moments, one video made in many ways.

    python benchmarks/unbroken.py hundred [--jobs 100]
    python benchmarks/unbroken.py kills [--kills 20] [--just 4] [--seed 0] [--more]
    python benchmarks/unbroken.py ways [--seconds 60] [--ray]
    options of all: [--write]

hundred: a list of very short videos in which three rows are broken (a picture that is missing, a
recording that is none, a picture without a face). All others are to be made and the three listed
with file and remedy, exit code 1; once they are mended `--retry-failed` is to make these three and
to touch nothing else.

kills: runs of two workers over a list of videos, and over one long one that processes film, have
their whole process group killed (SIGKILL), --just of them in the moment in which a video appears
and the others at random ones, and are repeated to the end: the same videos, no more than a segment
for each worker drawn again (by the frames that both runs report), and nothing left behind: no
partial file, no temporary file, no shared memory, no process.

ways: one video by 1, 2 and 4 workers, by three shards in another order, and on a Ray cluster of two
nodes (--ray, where Ray is installed), all of the same sha256 before they are signed.

Videos are small: 128 pixels. Prints what was found, a line each, and leaves with 1 when anything is
not as it should be; --write keeps the figures in benchmarks/scaling.json (kills: after each one,
and with --more beside those that are kept).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile
from scale import command, keep, kept, repeated, two_nodes

from stylehead.media.image import read_image, write_image
from stylehead.media.segment import SEGMENT
from stylehead.provenance.verify import unsigned_sha256
from stylehead.types import SPEECH_RATE
from stylehead.weights.store import demo_files

COLUMNS = "image,audio,output,seed,crop,size,fps,separate"
WORKERS = 2
SHARED = Path("/dev/shm")


@dataclass(slots=True)
class Findings:
    """What was seen, and what of it is wrong."""

    wrong: list[str] = field(default_factory=list[str])
    figures: dict[str, Any] = field(default_factory=dict[str, Any])

    def check(self, holds: bool, what: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.wrong.append(what)
            print(f"WRONG: {what}", flush=True)


def main() -> int:
    """Print what is found; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("hundred", "kills", "ways"))
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--just", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--more", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    found = Findings()
    with tempfile.TemporaryDirectory(prefix="unbroken-") as name:
        folder = Path(name)
        if asked.what == "hundred":
            hundred(folder, found, asked.jobs)
        elif asked.what == "kills":
            kills(folder, found, asked)
        else:
            ways(folder, found, asked.seconds, ray=asked.ray)
    found.figures["wrong"] = found.wrong
    print(json.dumps(found.figures))
    if asked.write:
        keep(asked.what, found.figures)
    return bool(found.wrong)


# ---- a hundred ------------------------------------------------------------------------------


def hundred(folder: Path, found: Findings, count: int) -> None:
    """Make a list with three broken rows, mend them, and make these."""
    image, _ = demo_files()
    voices = [folder / f"voice-{number}.wav" for number in range(5)]
    for number, path in enumerate(voices):
        soundfile.write(path, repeated(2.0 + number)[-SPEECH_RATE:], SPEECH_RATE)
    noface, none, nosound = (folder / name for name in ("noface.png", "none.png", "nosound.wav"))
    write_image(noface, read_image(image)[:40, :40])
    nosound.write_text("no sound")
    rows = [f"{image},{voices[n % 5]},{n}.mp4,{n},yes,128,10,filter" for n in range(count)]
    broken = {7: (none, image), 50: (nosound, voices[0]), count - 2: (noface, image)}
    for number, (path, instead) in broken.items():
        rows[number] = rows[number].replace(str(instead), str(path), 1)
        found.check(str(path) in rows[number], f"{path.name} is not in the list")
    jobs, out = folder / "jobs.csv", folder / "out"
    jobs.write_text("\n".join([COLUMNS, *rows]) + "\n", encoding="utf-8")

    first = ended(jobs, out, found)
    made = seen(out)
    listed = re.findall(r"^Row (\d+): (.*)$", first.stderr, re.MULTILINE)
    for _, said in listed:
        print(f"  {said}")
    found.check(first.returncode == 1, f"exit code {first.returncode} with broken rows, not 1")
    found.check(len(made) == count - 3, f"{len(made)} videos, not {count - 3}")
    found.check(
        {int(number) - 2 for number, _ in listed} == set(broken), f"listed are rows {listed}"
    )
    for (_, said), number in zip(listed, sorted(broken), strict=False):
        name = broken[number][0].name
        found.check(name in said and said.count(". ") >= 1, f"no file and remedy in: {said}")

    write_image(none, read_image(image))
    write_image(noface, read_image(image))
    soundfile.write(nosound, repeated(1.0), SPEECH_RATE)
    again = ended(jobs, out, found, "--retry-failed")
    after = seen(out)
    found.check(again.returncode == 0, f"exit code {again.returncode} once mended: {again.stderr}")
    found.check(f"3 of {count} videos are left" in again.stderr, "not three are left")
    found.check(len(after) == count, f"{len(after)} videos once mended")
    touched = [name for name, state in made.items() if after.get(name) != state]
    found.check(not touched, f"touched: {touched}")
    found.figures |= {
        "jobs": count,
        "made": len(made),
        "listed": len(listed),
        "exit": first.returncode,
        "made by --retry-failed": len(after) - len(made),
        "others touched": len(touched),
    }


def seen(out: Path) -> dict[str, tuple[int, str]]:
    """Return when each video was written, in nanoseconds, and its sha256 unsigned."""
    return {
        path.name: (path.stat().st_mtime_ns, unsigned_sha256(path)) for path in out.glob("*.mp4")
    }


# ---- kills ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Run:
    """What a run of the command printed."""

    returncode: int
    stderr: str
    events: list[dict[str, Any]]

    def drawn(self) -> int:
        """Return how many frames it drew, as far as it told."""
        ended = {event["job"] for event in self.events if event["event"] == "finished"}
        frames = {
            event["job"]: event["total" if event["job"] in ended else "done"]
            for event in self._rendering()
        }
        return sum(frames.values())

    def wanted(self) -> int:
        """Return how many frames it set out to draw."""
        return sum({event["job"]: event["total"] for event in self._rendering()}.values())

    def _rendering(self) -> Iterator[dict[str, Any]]:
        for event in self.events:
            if event["event"] == "progressed" and event["stage"] == "Rendering":
                yield event


def kills(folder: Path, found: Findings, asked: argparse.Namespace) -> None:
    """Kill runs, repeat them, and look at what is left."""
    chance = random.Random(asked.seed)
    earlier: list[Any] = kept("kills").get("runs", []) if asked.more else []
    found.figures |= {"workers": WORKERS, "runs": earlier}
    fps = 60  # a segment is five seconds, so that there are many
    image, _ = demo_files()
    lists: dict[str, Path] = {}
    for name, seconds, videos in (("list", 5.5, 3), ("long", 40.5, 1)):
        sound = folder / f"{name}.wav"
        soundfile.write(sound, repeated(seconds), SPEECH_RATE)
        rows = [f"{image},{sound},{n}.mp4,{n},yes,128,{fps},filter" for n in range(videos)]
        lists[name] = folder / f"{name}.csv"
        lists[name].write_text("\n".join([COLUMNS, *rows]) + "\n", encoding="utf-8")
    wanted: dict[str, dict[str, str]] = {}
    frames: dict[str, int] = {}
    lengths: dict[str, float] = {}
    for name, jobs in lists.items():
        out = folder / f"{name}-whole"
        began = time.monotonic()
        whole = watched(jobs, out)
        lengths[name] = time.monotonic() - began
        found.check(whole.returncode == 0, f"{name} undisturbed: {whole.stderr}")
        wanted[name] = {path: state[1] for path, state in seen(out).items()}
        frames[name] = whole.wanted()
    for number in range(asked.kills + asked.just):
        name = "list" if number % 2 else "long"
        out = folder / f"{name}-{number}"
        by_chance = number >= asked.just
        after = chance.uniform(0, lengths[name]) if by_chance else math.inf
        before = shared_memory()
        first = watched(lists[name], out, kill_after=after, kill_when_made=not by_chance)
        kill: dict[str, Any] = {
            "run": name,
            "killed": f"after {after:.1f} s" if by_chance else "when a video appeared",
            "in time": first.returncode == -signal.SIGKILL,
            "videos there": len(list(out.glob("*.mp4"))),
            "segments there": len(list(out.glob(".stylehead/*/segments-*/[0-9]*.npz"))),
        }
        second = watched(lists[name], out)
        drawn = first.drawn() + second.wanted() - frames[name]
        kill["segments drawn again"] = round(max(0, drawn) / SEGMENT, 2)
        kill["same bytes"] = {at: state[1] for at, state in seen(out).items()} == wanted[name]
        kill["left behind"] = strangers(out) + sorted(shared_memory() - before)
        print(kill, flush=True)
        found.check(second.returncode == 0, f"the repeated run: {second.stderr[-500:]}")
        found.check(kill["same bytes"], "other videos")
        found.check(kill["segments drawn again"] <= WORKERS, "too much was drawn again")
        found.check(not kill["left behind"], "something was left behind")
        found.figures["runs"].append(kill)
        if asked.write:
            keep("kills", found.figures)


def watched(
    jobs: Path, out: Path, kill_after: float = math.inf, *, kill_when_made: bool = False
) -> Run:
    """Run the command in a process group of its own, and return what it printed.

    It is killed with all its processes after some seconds, or when a video appears. Waits until no
    process of the group is left.
    """
    temporary = out.with_name(f"{out.name}-tmp")
    temporary.mkdir(exist_ok=True)
    words = command(jobs, out, f"--workers={WORKERS}", "--json-lines")
    told, said = out.with_name(f"{out.name}.jsonl"), out.with_name(f"{out.name}.txt")
    before = set(out.glob("*.mp4"))
    with told.open("wb") as stdout, said.open("wb") as stderr:
        began = time.monotonic()
        child = subprocess.Popen(
            words,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            env=os.environ | {"TMPDIR": str(temporary)},
        )
        while child.poll() is None:
            late = time.monotonic() - began > kill_after
            if late or (kill_when_made and set(out.glob("*.mp4")) - before):
                os.killpg(child.pid, signal.SIGKILL)
                break
            time.sleep(0.001 if kill_when_made else 0.01)
        child.wait()
    gone_by = time.monotonic() + 10
    while members(child.pid):
        if time.monotonic() > gone_by:
            raise SystemExit(f"processes are left: {members(child.pid)}")
        time.sleep(0.05)
    lines = told.read_bytes().splitlines(keepends=True)
    events = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return Run(child.returncode, said.read_text(encoding="utf-8"), events)


def members(group: int) -> list[str]:
    """Return the living processes of a group, by their command lines."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, its_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has ended
            continue
    return found


def strangers(out: Path) -> list[str]:
    """Return what lies in a folder of videos, or among its temporary files, and should not."""
    fine = re.compile(r"\d+\.mp4|\.stylehead(/\d+\.mp4(/run\.json|/lock)?)?")
    names = [path.relative_to(out).as_posix() for path in out.rglob("*")]
    beside = out.with_name(f"{out.name}-tmp")
    temporary = [path.relative_to(beside.parent).as_posix() for path in beside.rglob("*")]
    return [name for name in names if not fine.fullmatch(name)] + temporary


def shared_memory() -> set[str]:
    """Return what lies in shared memory."""
    return {path.name for path in SHARED.iterdir()} if SHARED.is_dir() else set()


# ---- ways -----------------------------------------------------------------------------------


def ways(folder: Path, found: Findings, seconds: float, *, ray: bool) -> None:
    """Make one video in many ways."""
    image, _ = demo_files()
    sound, jobs = folder / "long.wav", folder / "long.csv"
    soundfile.write(sound, repeated(seconds), SPEECH_RATE)
    jobs.write_text(f"{COLUMNS}\n{image},{sound},long.mp4,0,yes,128,25,filter\n", encoding="utf-8")

    def by(*words: str) -> Callable[[Path], None]:
        return lambda out: check_made(ended(jobs, out, found, *words), found)

    def by_shards(out: Path) -> None:
        for part in ("2/3", "3/3", "1/3"):
            check_made(ended(jobs, out, found, f"--shard={part}", "--workers=1"), found)

    def by_ray(out: Path) -> None:
        with two_nodes() as cluster:
            address = f"--address={cluster.address}"
            check_made(ended(jobs, out, found, "--engine=ray", address), found)

    runs = {f"--workers {n}": by(f"--workers={n}") for n in (1, 2, 4)} | {"--shard I/3": by_shards}
    if ray:
        runs["--engine ray, two nodes"] = by_ray
    digests: dict[str, str] = {}
    for name, run in runs.items():
        out = folder / name.replace(" ", "-").replace("/", "-")
        run(out)
        digests[name] = unsigned_sha256(out / "long.mp4")
        print(f"{name}: {digests[name]}", flush=True)
    found.check(len(set(digests.values())) == 1, "the videos differ")
    found.figures |= {"seconds": seconds, "sha256": digests}


def check_made(run: subprocess.CompletedProcess[str], found: Findings) -> None:
    """Note a run that failed."""
    found.check(run.returncode == 0, f"exit code {run.returncode}: {run.stderr[-500:]}")


def ended(jobs: Path, out: Path, found: Findings, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    line = [word for word in command(jobs, out, *words) if word != "-q"]
    run = subprocess.run(line, capture_output=True, text=True, check=False)
    found.check("Traceback" not in run.stderr, run.stderr[-2000:])
    return run


if __name__ == "__main__":
    sys.exit(main())
