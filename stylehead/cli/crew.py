"""Segments of one video, filmed on the cores of a cluster."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from stylehead.batch.cluster import Cluster
from stylehead.cli.memory import keep_memory_flat
from stylehead.compute.device import choose_device
from stylehead.media.segment import Segment
from stylehead.pipeline.film import Preparable, Shot, film_segment
from stylehead.rendering.renderer import load_renderer


@dataclass(frozen=True, slots=True)
class ClusterCrew:
    """Films where there are free cores; segments come back as bytes."""

    cluster: Cluster

    def film(self, source: Preparable, numbers: Sequence[int]) -> Generator[Segment]:
        """Yield the segments of these numbers in order."""
        shared = (secrets.token_hex(8), source)
        with closing(self.cluster.ordered(film_elsewhere, shared, numbers)) as made:
            for stored in made:
                yield Segment.from_bytes(stored)


def film_elsewhere(shared: tuple[str, Preparable], number: int) -> bytes:
    """Return a segment as bytes, in a process that prepares a source once."""
    name, source = shared
    if name not in _prepared:
        keep_memory_flat()
        _prepared.clear()
        device = choose_device(source.options.device)
        _prepared[name] = source.shot(load_renderer(source.options.renderer, device))
    return film_segment(_prepared[name], number).to_bytes()


_prepared: dict[str, Shot] = {}
"""What this process films, by the name it was given."""
