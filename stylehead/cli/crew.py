"""Segments of one video, filmed by several processes, here or on a cluster."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib import import_module
from typing import Any

from stylehead.batch.cluster import Cluster
from stylehead.batch.events import Failed, Finished
from stylehead.batch.pool import Worker, hired, run_jobs
from stylehead.cli.memory import keep_memory_flat
from stylehead.compute.device import choose_device
from stylehead.errors import StyleheadError
from stylehead.media.segment import SEGMENT, Segment
from stylehead.pipeline.film import Preparable, Shot, film_segment
from stylehead.progress import Reporter
from stylehead.rendering.renderer import load_renderer

LEAST = 4
"""Segments for each process from which several are quicker than the threads of one."""


@dataclass(frozen=True, slots=True)
class ClusterCrew:
    """Films where there are free cores; segments come back as bytes."""

    cluster: Cluster

    def suits(self, shot: Shot, numbers: Sequence[int]) -> bool:
        """Return True: somebody asked for it."""
        return True

    def film(self, source: Preparable, numbers: Sequence[int]) -> Generator[tuple[int, Segment]]:
        """Yield the segments of these numbers in order."""
        with closing(self.cluster.ordered(film_elsewhere, _named(source), numbers)) as made:
            for number, stored in zip(numbers, made, strict=True):
                yield number, Segment.from_bytes(stored)


@dataclass(frozen=True, slots=True)
class ProcessCrew:
    """Films in processes of this machine: threads of one wait for each other more."""

    processes: int
    waiting: list[Worker]
    """Those that were started already."""

    def suits(self, shot: Shot, numbers: Sequence[int]) -> bool:
        """Return whether waiting for the last process pays."""
        return shot.scene.parallel and len(numbers) >= LEAST * self.processes

    def film(self, source: Preparable, numbers: Sequence[int]) -> Generator[tuple[int, Segment]]:
        """Yield the segments of these numbers as they are made; raises what went wrong."""
        work = partial(film_task, _named(source))
        with closing(run_jobs(numbers, work, self.processes, crew=self.waiting)) as events:
            for event in events:
                if isinstance(event, Failed):
                    raise StyleheadError(event.problem, remedy=event.remedy)
                if isinstance(event, Finished):
                    yield numbers[event.job], Segment.from_bytes(event.facts["segment"])


@contextmanager
def process_crew(processes: int, frames: float | Fraction) -> Generator[ProcessCrew | None]:
    """Start processes for a video of so many frames; None: it is too short for them, or for one."""
    if processes == 1 or frames < LEAST * processes * SEGMENT:
        yield None
        return
    with hired(processes, get_ready) as waiting:
        yield ProcessCrew(processes, waiting)


def get_ready() -> None:
    """Import what films."""
    import_module("stylehead.rendering.mesh_renderer")


def film_task(shared: Named, number: int, _: Reporter) -> dict[str, Any]:
    """Return a segment as a job's facts."""
    return {"segment": film_elsewhere(shared, number)}


def film_elsewhere(shared: Named, number: int) -> bytes:
    """Return a segment as bytes, in a process that prepares a source once."""
    name, source = shared
    if name not in _prepared:
        keep_memory_flat()
        _prepared.clear()
        device = choose_device(source.options.device)
        _prepared[name] = source.shot(load_renderer(source.options.renderer, device))
    return film_segment(_prepared[name], number).to_bytes()


Named = tuple[str, Preparable]
"""What is filmed, under a name by which a process knows it again."""


def _named(source: Preparable) -> Named:
    return secrets.token_hex(8), source


_prepared: dict[str, Shot] = {}
"""What this process films, by the name it was given."""
