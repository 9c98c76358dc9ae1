"""A video that is made in several goes, or by several: its finished segments are kept meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile

from stylehead import files
from stylehead.errors import UnfinishedError
from stylehead.media.segment import Segment
from stylehead.pipeline.film import Preparable, Shot, film, film_segment
from stylehead.progress import SILENT, Reporter

DAMAGED = (OSError, ValueError, KeyError, EOFError, BadZipFile)
"""What is raised for a segment that is not there, or not whole."""


class Crew(Protocol):
    """Films elsewhere: in other processes, or on other machines."""

    def suits(self, shot: Shot, numbers: Sequence[int]) -> bool:
        """Return whether that is quicker than in this process alone."""
        ...

    def film(self, source: Preparable, numbers: Sequence[int]) -> Generator[tuple[int, Segment]]:
        """Yield the segments of these numbers as they are made; they are those of `film`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """What is kept of a video until it is whole, and who makes what is missing."""

    folder: Path
    """Of this video alone: whoever names it sees to that, and removes it afterwards."""
    part: int = 1
    parts: int = 1
    """Every `parts`-th segment is made, from the `part`-th on; others see to the rest."""
    crew: Crew | None = None
    """Who films; None: this process."""

    def place(self, number: int) -> Path:
        """Return where a segment is kept."""
        return self.folder / f"{number:05d}.npz"

    def keep(self, number: int, segment: Segment) -> None:
        """Store a segment; raises MediaError when it cannot be written."""
        with files.atomic(self.place(number)) as part:
            part.write_bytes(segment.to_bytes())

    def kept(self, shot: Shot, number: int) -> Segment | None:
        """Return a segment that was kept; None when there is none, or not all of it."""
        try:
            segment = Segment.from_bytes(self.place(number).read_bytes())
        except DAMAGED:
            return None
        whole = segment.table[:, 0].sum() == len(segment.data)
        return segment if whole and segment.frames == shot.frames_of(number) else None

    def missing(self, shot: Shot) -> list[int]:
        """Return the numbers of the segments that are not kept, as far as a look at files tells."""
        return [number for number in range(shot.segments) if not self._seems_kept(shot, number)]

    def _seems_kept(self, shot: Shot, number: int) -> bool:
        try:
            return Segment.frames_in(self.place(number)) == shot.frames_of(number)
        except DAMAGED:
            return False


def film_on(
    shot: Shot,
    unfinished: Unfinished | None,
    *,
    workers: int,
    reporter: Reporter = SILENT,
) -> Generator[Segment]:
    """Yield the segments of a video as `film` does; those that are kept are not made again.

    Raises MediaError when one cannot be written, and UnfinishedError where this is a part of the
    work, its segments are made, and others are missing.
    """
    if unfinished is None:
        yield from film(shot, workers=workers, reporter=reporter)
        return
    files.make_folder(unfinished.folder)
    missing = unfinished.missing(shot)
    mine = [number for number in missing if number % unfinished.parts == unfinished.part - 1]
    if len(missing) < shot.segments:
        reporter.say(
            f"{shot.segments - len(missing)} of {shot.segments} segments were made before."
        )
    awaited = set(mine)
    with closing(_filmed(shot, mine, unfinished.crew, workers, reporter)) as made:

        def wait_for(numbers: set[int]) -> None:
            while awaited & numbers:
                number, segment = next(made)
                unfinished.keep(number, segment)
                awaited.remove(number)

        if mine != missing:
            wait_for(set(mine))
            missing = unfinished.missing(shot)
            if missing:
                raise UnfinishedError(
                    f"{len(missing)} of {shot.segments} segments are still to be made by others.",
                    remedy="Make the other parts, too.",
                )
        for number in range(shot.segments):
            wait_for({number})
            yield unfinished.kept(shot, number) or _again(shot, number, unfinished.folder)


def _again(shot: Shot, number: int, folder: Path) -> Segment:
    """Make a segment that was kept and cannot be read.

    Raises UnfinishedError where another run has laid the video together, and removed them all.
    """
    if not folder.is_dir():
        raise UnfinishedError(
            "The video is being made by another run.",
            remedy="Repeat this one when that has ended, if it is still missing.",
        )
    return film_segment(shot, number)


def _filmed(
    shot: Shot,
    numbers: Sequence[int],
    crew: Crew | None,
    workers: int,
    reporter: Reporter,
) -> Generator[tuple[int, Segment]]:
    """Yield segments of these numbers, in the order in which they are made."""
    if not numbers:
        return
    if crew is None or shot.source is None or not crew.suits(shot, numbers):
        with closing(film(shot, numbers, workers=workers, reporter=reporter)) as made:
            yield from zip(numbers, made, strict=True)
        return
    reporter.start("Rendering", sum(shot.frames_of(number) for number in numbers))
    with closing(crew.film(shot.source, numbers)) as made:
        for number, segment in made:
            for _ in range(segment.frames):
                reporter.advance()
            yield number, segment
