"""A video that goes on where it was ended: its finished segments are kept until it is whole."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from zipfile import BadZipFile

from stylehead import files
from stylehead.media.segment import Segment
from stylehead.pipeline.film import Shot, film
from stylehead.progress import SILENT, Reporter


def film_on(
    shot: Shot, folder: Path | None, *, workers: int, reporter: Reporter = SILENT
) -> Generator[Segment]:
    """Yield the segments of a video as `film` does; those that lie in `folder` are not made again.

    The folder belongs to this shot alone: whoever names it sees to that, and removes it when the
    video is whole. Without one nothing is kept. Raises MediaError when it cannot be written.
    """
    if folder is None:
        yield from film(shot, workers=workers, reporter=reporter)
        return
    files.make_folder(folder)
    kept = 0
    while kept < shot.segments and (segment := _stored(shot, folder, kept)):
        yield segment
        kept += 1
    if kept:
        reporter.say(f"{kept} of {shot.segments} segments were made before.")
    if kept == shot.segments:
        return
    with closing(film(shot, first=kept, workers=workers, reporter=reporter)) as segments:
        for number, segment in enumerate(segments, kept):
            with files.atomic(_place(folder, number)) as part:
                part.write_bytes(segment.to_bytes())
            yield segment


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npz"


def _stored(shot: Shot, folder: Path, number: int) -> Segment | None:
    """Return a segment that was kept; None when there is none, or not all of it."""
    try:
        segment = Segment.from_bytes(_place(folder, number).read_bytes())
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    whole = segment.table[:, 0].sum() == len(segment.data)
    return segment if whole and segment.frames == shot.frames_of(number) else None
