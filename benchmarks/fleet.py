"""A million minutes of video a day on a thousand machines: what would break first? A simulation.

    python benchmarks/fleet.py [--machines 1000] [--cores 4] [--minutes 1000000] [--hours 2]
        [--segment 8.0] [--front 6.0] [--megabytes 1.5] [--seed 0]

Jobs come at random, half as many at the quietest hour of a day as in the mean and half as many
again at the busiest, and are a minute long in the mean (log-normal). A job is its front (tracking
of the portrait, voice, motion: --front processor seconds a minute of video) on one core, then its
segments (--segment processor seconds each, with 300 frames of 25 a second) wherever a core is
free, first come first served. One segment in a hundred takes five times as long; a machine is
lost once in twelve hours in the mean and another is up two minutes later, what it was making is
noticed after fifteen seconds and made again; a core loads its models for its first segment.
Simulated are --hours around the busiest one. Costs are those that benchmarks/scale.py and
benchmarks/animate.py measure.

Prints, for the fleet as it is asked for and for smaller ones: how busy the cores are, how long
jobs wait for a core and for their end (median and 95th percentile), the share of work that was
lost, tasks handed out a second, and megabytes moved a second.
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SEGMENT = 12.0  # seconds of video
SPREAD = 0.8  # sd of the logarithm of a video's length
SLOW, SLOWER = 0.01, 5.0
LIFE = 12 * 3600.0  # seconds of a machine, in the mean
BOOT = 120.0
NOTICE = 15.0  # seconds until a lost machine is missed
LOADING = 5.0  # seconds of a core before its first task
FLEETS = (1.0, 0.5, 0.25)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a job costs."""

    segment: float
    """Processor seconds of a segment."""
    front: float
    """Processor seconds of a minute of video before its segments."""
    megabytes: float
    """Of a segment that comes back."""


@dataclass(slots=True)
class Job:
    """A video."""

    came: float
    segments: int
    begun: float = math.inf
    ended: float = 0.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--segment", type=float, default=8.0)
    parser.add_argument("--front", type=float, default=6.0)
    parser.add_argument("--megabytes", type=float, default=1.5)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    costs = Costs(asked.segment, asked.front, asked.megabytes)
    print("| machines | busy | wait, s | 95 % | ready after, s | 95 % | lost | tasks/s | MB/s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for share in FLEETS:
        machines = round(asked.machines * share)
        rng = np.random.default_rng(asked.seed)
        jobs = list(arrivals(asked.minutes, asked.hours, rng))
        print(Fleet(machines, asked.cores, costs, rng).run(jobs, asked.hours * 3600))


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

    def __init__(self, machines: int, cores: int, costs: Costs, rng: np.random.Generator) -> None:
        self._machines, self._cores, self._costs, self._rng = machines, cores, costs, rng
        self._lives = [rng.exponential(LIFE) for _ in range(machines)]
        self._free = [(0.0, core % machines, True) for core in range(machines * cores)]
        self._worked = self._lost = 0.0
        self._tasks = 0

    def run(self, jobs: list[Job], seconds: float) -> str:
        """Do all jobs, and return a row of the table."""
        # (ready, place in the queue, job, whether it is the job's front)
        queue = [(job.came, place, job, True) for place, job in enumerate(jobs)]
        heapq.heapify(queue)
        place = len(queue)
        segments = sum(job.segments for job in jobs)
        while queue:
            ready, _, job, front = heapq.heappop(queue)
            ended, missed = self._do(ready, job, front)
            if missed is not None:
                heapq.heappush(queue, (missed, place, job, front))
                place += 1
            elif front:
                for _ in range(job.segments):
                    heapq.heappush(queue, (ended, place, job, False))
                    place += 1
            else:
                job.ended = max(job.ended, ended)
        return self._row(jobs, segments, seconds)

    def _do(self, ready: float, job: Job, front: bool) -> tuple[float, float | None]:
        """Do a task on the first free core; return its end, or when its loss was noticed."""
        free, machine, fresh = heapq.heappop(self._free)
        begin = max(free, ready)
        while self._lives[machine] < begin:
            begin = max(begin, self._lives[machine] + BOOT)
            self._lives[machine] += BOOT + self._rng.exponential(LIFE)
            fresh = True
        job.begun = min(job.begun, begin)
        work = self._costs.segment
        if front:
            work = self._costs.front * job.segments * SEGMENT / 60
        work *= SLOWER if self._rng.uniform() < SLOW else 1.0
        end = begin + work + (LOADING if fresh else 0.0)
        self._tasks += 1
        if end > self._lives[machine]:
            lost = self._lives[machine]
            self._lost += lost - begin
            heapq.heappush(self._free, (lost + BOOT, machine, True))
            return lost, lost + NOTICE
        self._worked += end - begin
        heapq.heappush(self._free, (end, machine, False))
        return end, None

    def _row(self, jobs: list[Job], segments: int, seconds: float) -> str:
        waits = np.percentile([job.begun - job.came for job in jobs], [50, 95])
        whole = np.percentile([job.ended - job.came for job in jobs], [50, 95])
        span = max(seconds, max(job.ended for job in jobs))
        busy = (self._worked + self._lost) / (span * self._machines * self._cores)
        moved = segments * self._costs.megabytes / span
        return (
            f"| {self._machines} | {busy:.0%} | {waits[0]:.1f} | {waits[1]:.1f} | {whole[0]:.0f} | "
            f"{whole[1]:.0f} | {self._lost / (self._worked + self._lost):.2%} | "
            f"{self._tasks / span:.0f} | {moved:.0f} |"
        )


if __name__ == "__main__":
    main()
