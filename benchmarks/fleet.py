"""A million minutes of video a day on a thousand machines: what would break first? A simulation.

    python benchmarks/fleet.py [--machines 1000] [--cores 4] [--minutes 1000000] [--hours 2]
        [--seed 0] [--write]

Jobs come at random, half as many at the quietest hour of a day as in the mean and half as many
again at the busiest, and are a minute long in the mean (log-normal). A job is its front (portrait,
voice and motion) on one core, then its segments of 300 frames, 25 a second, wherever a core is
free, first come first served. One task in a hundred takes five times as long. A machine is lost
once in twelve hours in the mean, and another is up after it has booted and loaded its packages;
what it was making is noticed after fifteen seconds and made again. A core loads its models before
its first task. With copies, a segment that takes twice its time is begun again on another core,
and the first to end counts. Simulated are --hours around the busiest one.

Costs are those that benchmarks/costs.py has measured (benchmarks/scaling.json). Assumed, not
measured, are the figures above, NETWORK and IMAGES.

Prints, for fleets and troubles: how busy the cores are, how long jobs wait for a core and for their
end (median and 95th percentile), the share of work that was lost, tasks handed out a second,
megabytes moved a second, and what a minute of video costs when the fleet stands there all day; then
what one process that hands out all of it would have to do at the busiest hour. --write keeps the
figures in benchmarks/scaling.json.
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from scale import keep, kept

SEGMENT = 12.0  # seconds of video
SPREAD = 0.8  # sd of the logarithm of a video's length
SLOWER = 5.0  # times as long
OVERDUE = 2.0  # times a segment's usual time, after which a copy is begun
BOOT = 90.0  # seconds
NOTICE = 15.0  # seconds until a lost machine is missed
FLEETS = (1.0, 0.5, 0.25, 0.2)  # of --machines
TROUBLED = 2  # which of them has troubles
NETWORK = 1.25e9  # bytes a second of the machine that hands out
IMAGES = 1.25e9  # bytes a second of the store that packages are loaded from


@dataclass(frozen=True, slots=True)
class Costs:
    """What work costs, as it was measured."""

    portrait: float
    """Processor seconds of a job, however long."""
    motion: float
    """Of a minute of video."""
    segment: float
    """Of a segment."""
    loading: float
    """Of a core before its first task."""
    back: float
    """Bytes of a segment that comes back."""
    sent: float
    """Bytes of a job that are sent."""
    packages: float
    """Bytes of a machine before its first task."""
    check: float
    """Processor seconds of a row's check."""
    handing: float
    """Of the process that hands out a task."""

    @staticmethod
    def measured() -> Costs:
        """Return the kept ones."""
        costs = kept("costs")
        stages: dict[str, float] = costs["stages, CPU s"]
        handing: dict[str, float] = costs["hand out a task, CPU s"]
        return Costs(
            portrait=stages["portrait"],
            motion=stages["motion"],
            segment=stages["rendering"] / costs["segments"] + stages["preparing"],
            loading=costs["imports, CPU s"] + costs["models loaded, CPU s"],
            back=costs["segments kept meanwhile, bytes"] / costs["segments"],
            sent=costs["sent for a video of a list, bytes"],
            packages=sum(costs["installed, bytes"].values()),
            check=costs["check a row, CPU s"],
            handing=handing.get("by Ray", handing["by processes"]),
        )


@dataclass(frozen=True, slots=True)
class World:
    """A fleet and its troubles."""

    machines: int
    cores: int
    life: float = 12 * 3600.0
    """Seconds of a machine, in the mean."""
    slow: float = 0.01
    """Share of tasks that take longer."""
    copies: bool = False


@dataclass(slots=True, eq=False)
class Job:
    """A video."""

    came: float
    segments: int
    begun: float = math.inf
    ends: list[float] = field(default_factory=list[float])
    """Of each segment."""


@dataclass(slots=True, eq=False)
class Task:
    """A front, a segment, or a copy of one."""

    job: Job
    segment: int = -1
    copy: bool = False


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    costs = Costs.measured()
    price: float = kept("costs")["machine"]["dollars an hour"]["on demand"]  # of four cores
    worlds = [World(round(asked.machines * share), asked.cores) for share in FLEETS]
    fleets = {f"{world.machines} machines": world for world in worlds}
    one = worlds[TROUBLED]
    fleets |= {
        f"{one.machines}, each lost once an hour": replace(one, life=3600.0),
        f"{one.machines}, no task slow": replace(one, slow=0.0),
        f"{one.machines}, copies of overdue segments": replace(one, copies=True),
    }
    print("| fleet | busy | wait, s | 95 % | ready after, s | 95 % | lost | tasks/s | MB/s | $ |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    rows: dict[str, dict[str, float]] = {}
    for name, world in fleets.items():
        rng = np.random.default_rng(asked.seed)
        jobs = list(arrivals(asked.minutes, asked.hours, rng))
        rows[name] = row = Fleet(world, costs, rng).run(jobs, asked.hours * 3600)
        row["dollars a minute"] = world.machines * 24 * price / asked.minutes
        print(
            f"| {name} | {row['busy']:.0%} | {row['wait']:.1f} | {row['wait, 95 %']:.1f} | "
            f"{row['ready']:.0f} | {row['ready, 95 %']:.0f} | {row['lost']:.2%} | "
            f"{row['tasks a second']:.0f} | {row['MB a second']:.0f} | "
            f"{row['dollars a minute']:.5f} |",
            flush=True,
        )
    loads = head(asked.minutes, costs)
    loads["hours until all machines have their packages"] = (
        asked.machines * costs.packages / IMAGES / 3600
    )
    for name, load in loads.items():
        print(f"{name}: {load:.2f}")
    if asked.write:
        given = vars(asked) | {"costs": asdict(costs)}
        keep("fleet", {"asked": given, "fleets": rows, "one process": loads})


def head(minutes: float, costs: Costs) -> dict[str, float]:
    """Return how busy one process would be that hands out all work at the busiest hour.

    1 is all that one core, or one network connection, can do.
    """
    jobs = 1.5 * minutes / 86_400  # a second
    segments = jobs * 60 / SEGMENT
    return {
        "checking rows": jobs * costs.check,
        "handing out segments": (jobs + segments) * costs.handing,
        "sending pictures and recordings, and taking segments back": (
            (jobs * costs.sent + segments * costs.back) / NETWORK
        ),
    }


def arrivals(minutes: float, hours: float, rng: np.random.Generator) -> Iterator[Job]:
    """Yield the videos that come in the hours around the busiest one."""
    mean = minutes / 86_400  # a second, since a video has a minute in the mean
    now, most = 0.0, 1.5 * mean
    while (now := now + rng.exponential(1 / most)) < hours * 3600:
        hour = (now / 3600 - hours / 2) / 24
        if rng.uniform() * most < mean * (1 + 0.5 * math.cos(2 * math.pi * hour)):
            seconds = 60 * rng.lognormal(-(SPREAD**2) / 2, SPREAD)
            yield Job(now, math.ceil(seconds / SEGMENT))


class Fleet:
    """Machines that take tasks from one queue."""

    def __init__(self, world: World, costs: Costs, rng: np.random.Generator) -> None:
        self._world, self._costs, self._rng = world, costs, rng
        self._lives = [rng.exponential(world.life) for _ in range(world.machines)]
        count = world.machines * world.cores
        self._free = [(0.0, core % world.machines, True) for core in range(count)]
        self._boot = BOOT + costs.packages / (IMAGES / 10)  # a machine has a tenth of the store's
        self._queue: list[tuple[float, int, Task]] = []
        self._placed = 0
        self._worked = self._lost = 0.0
        self._tasks = 0

    def run(self, jobs: list[Job], seconds: float) -> dict[str, float]:
        """Do all jobs, and return a row of the table."""
        for job in jobs:
            self._place(job.came, Task(job))
        while self._queue:
            ready, _, task = heapq.heappop(self._queue)
            job = task.job
            if task.copy and job.ends[task.segment] <= ready:
                continue
            ended, missed = self._do(ready, task)
            if missed is not None:
                if not task.copy:
                    self._place(missed, task)
            elif task.segment < 0:
                job.ends = [math.inf] * job.segments
                for segment in range(job.segments):
                    self._place(ended, Task(job, segment))
            else:
                job.ends[task.segment] = min(job.ends[task.segment], ended)
        return self._row(jobs, seconds)

    def _place(self, ready: float, task: Task) -> None:
        heapq.heappush(self._queue, (ready, self._placed, task))
        self._placed += 1

    def _do(self, ready: float, task: Task) -> tuple[float, float | None]:
        """Do a task on the first free core; return its end, and when its loss was noticed."""
        free, machine, fresh = heapq.heappop(self._free)
        begin = max(free, ready)
        while self._lives[machine] < begin:
            begin = max(begin, self._lives[machine] + self._boot)
            self._lives[machine] += self._boot + self._rng.exponential(self._world.life)
            fresh = True
        costs, job = self._costs, task.job
        job.begun = min(job.begun, begin)
        usual = costs.segment
        if task.segment < 0:
            usual = costs.portrait + costs.motion * job.segments * SEGMENT / 60
        slow = self._rng.uniform() < self._world.slow
        loading = costs.loading if fresh else 0.0
        if slow and self._world.copies and task.segment >= 0 and not task.copy:
            self._place(begin + loading + OVERDUE * usual, Task(job, task.segment, copy=True))
        end = begin + loading + usual * (SLOWER if slow else 1.0)
        self._tasks += 1
        if end > self._lives[machine]:
            lost = self._lives[machine]
            self._lost += lost - begin
            heapq.heappush(self._free, (lost + self._boot, machine, True))
            return lost, lost + NOTICE
        self._worked += end - begin
        heapq.heappush(self._free, (end, machine, False))
        return end, None

    def _row(self, jobs: list[Job], seconds: float) -> dict[str, float]:
        ended = [max(job.ends) for job in jobs]
        waits = np.percentile([job.begun - job.came for job in jobs], [50, 95])
        whole = np.percentile(
            [end - job.came for end, job in zip(ended, jobs, strict=True)], [50, 95]
        )
        span = max(seconds, *ended)
        cores = self._world.machines * self._world.cores
        moved = sum(job.segments * self._costs.back + self._costs.sent for job in jobs)
        return {
            "busy": (self._worked + self._lost) / (span * cores),
            "wait": float(waits[0]),
            "wait, 95 %": float(waits[1]),
            "ready": float(whole[0]),
            "ready, 95 %": float(whole[1]),
            "lost": self._lost / (self._worked + self._lost),
            "tasks a second": self._tasks / span,
            "MB a second": moved / span / 1e6,
        }


if __name__ == "__main__":
    main()
