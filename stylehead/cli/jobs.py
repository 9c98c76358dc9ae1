"""Rows of a list -> jobs: each row is read as the options of `animate` are, and checked."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, cast

import typer
from typer.core import TyperOption

from stylehead.batch.record import made_from
from stylehead.batch.rows import Row, Value
from stylehead.batch.run import Job
from stylehead.cli.settings import command_of, long_options
from stylehead.cli.video import VideoRequest, check_request, inputs_of, requested
from stylehead.errors import ConfigError, StyleheadError
from stylehead.media.formats import NUMBERED
from stylehead.version import __version__

T = TypeVar("T")

NOT_COLUMNS = {
    *("quiet", "verbose", "json", "overwrite", "workers", "dry-run", "log", "json-lines", "preview")
}
YES, NO = {"true", "yes", "1", "on"}, {"false", "no", "0", "off", ""}


@dataclass(frozen=True, slots=True)
class Task:
    """What a process makes a video from."""

    folder: str
    """Where relative names count from."""
    words: list[str]
    """The row as words of a command line."""
    key: str
    """Digest of all that decides what the video is."""
    seconds: float = 0.0
    """Length of the video."""
    cores: int = 1
    """How many of this machine's it may use."""
    part: tuple[int, int] = (1, 1)
    """Every second number's segment is made, from the first one's on: 1 of 1 makes all."""
    cluster: str | None = None
    """Address of the cluster that films it; None: the process itself."""
    most: int | None = None
    """How many cores of the cluster it may use; None: all."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row."""

    number: int
    problem: str
    remedy: str


@cache
def columns() -> dict[str, TyperOption]:
    """Return what a row may have: the long options of `animate`, without their dashes."""
    return {
        name: one
        for name, one in long_options(command_of(requested)).items()
        if name not in NOT_COLUMNS
    }


def read_request(words: Sequence[str]) -> VideoRequest:
    """Read words as the command line of `animate`; raises ConfigError for a wrong one."""
    try:
        return command_of(requested).main(list(words), prog_name="row", standalone_mode=False)
    except typer.TyperException as error:
        said = error.format_message() if isinstance(error, typer.BadParameter) else str(error)
        raise ConfigError(
            f"An option is wrong: {said.rstrip('.')}.", remedy="See stylehead animate --help."
        ) from error


def words_of(row: Row) -> list[str]:
    """Return a row as words of a command line; raises ConfigError for an unknown column."""
    words: list[str] = []
    for name, value in row.columns.items():
        known = columns().get(name)
        if known is None:
            raise ConfigError(
                f"{name} is not a column.", remedy="Columns are the long options of animate."
            )
        if known.is_flag:
            words += [f"--{name}"] if _flag(name, value) else known.secondary_opts
        elif isinstance(value, bool):
            raise ConfigError(f"{name} is {value}.", remedy=f"Give {name} a value.")
        else:
            several = value if isinstance(value, list) else [value]
            if len(several) > 1 and not known.multiple:
                raise ConfigError(f"{name} has several values.", remedy="Give it one.")
            words += [f"--{name}={one}" for one in several]
    return words


def _flag(name: str, value: Value) -> bool:
    text = str(value).lower()
    if text not in YES | NO:
        raise ConfigError(f"{name} is {value}.", remedy="Write true or false.")
    return text in YES


def read_jobs(
    rows: Sequence[Row],
    folder: Path,
    out: Path,
    *,
    name: str,
    overwrite: bool,
    whole: Iterable[Row] = (),
) -> tuple[list[Job], list[Fault]]:
    """Return the jobs of rows, and every fault of those that cannot be done.

    Relative names in rows count from `folder`; videos go to `out`, called as their rows say or by
    the pattern `name`. Each picture, recording, clip and style is looked at once. Of the `whole`
    list, whose other rows are checked elsewhere, it is only asked what their videos are called.
    """
    jobs: list[Job] = []
    faults: list[Fault] = []
    taken = _taken(whole, rows, out, name)
    check = _Checks()
    with inside(folder):
        for row in rows:
            try:
                output, words = _called(row, out, name)
                request = read_request(words)
                before = made_from(output)
                over = replace(request.options, overwrite=overwrite or before is not None)
                seconds = check(replace(request, options=over))
                if taken.get(output, row.number) < row.number:
                    raise ConfigError(
                        f"{output.name} is also the video of row {taken[output]}.",
                        remedy="Give one of them another output, or a pattern with --name.",
                    )
                taken[output] = row.number
                key = check.key(request)
                task = Task(str(folder), words, key, seconds)
                jobs.append(
                    Job(
                        number=row.number,
                        output=output,
                        key=key,
                        made_from=before,
                        seconds=seconds,
                        task=task,
                    )
                )
            except StyleheadError as failure:
                faults.append(Fault(row.number, str(failure), failure.remedy))
    return jobs, faults


def _taken(whole: Iterable[Row], rows: Sequence[Row], out: Path, name: str) -> dict[Path, int]:
    """Return the videos of the other rows of a list, and the first row that makes each."""
    own = {row.number for row in rows}
    taken: dict[Path, int] = {}
    for row in whole:
        if row.number not in own:
            with contextlib.suppress(StyleheadError):
                taken.setdefault(_called(row, out, name)[0], row.number)
    return taken


def _called(row: Row, out: Path, name: str) -> tuple[Path, list[str]]:
    """Return where a row's video goes, and the row as words of a command line."""
    words = words_of(row)
    named = row.columns.get("output")
    output = out / (str(named) if named else f"{_named(row, name)}.mp4")
    if NUMBERED.fullmatch(output.name):
        raise ConfigError(
            f"{named} is a folder of pictures, and a list makes files.",
            remedy="Name a file, such as .apng or .webm.",
        )
    words += [f"--output={output}", "--overwrite"]
    return output, words


def _named(row: Row, pattern: str) -> str:
    """Return a video's name: `{COLUMN}` stands for what the row says there, a file for its stem."""
    stems = {
        column: Path(value).stem if column in ("image", "audio", "style-video") else value
        for column, value in row.columns.items()
        if isinstance(value, str)
    }
    stems |= {"portrait": stems.get("image", ""), "number": str(row.number)}
    try:
        found = pattern.format_map(stems)
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise ConfigError(
            f"The name {pattern} has a part that this row does not fill ({error}).",
            remedy="Use {portrait}, {audio}, {number} or another column of the list.",
        ) from error
    return found.replace("/", "-").replace("\\", "-")


@contextlib.contextmanager
def inside(folder: Path) -> Generator[None]:
    """Have relative names count from a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class _Checks:
    """Looks at what jobs are made from, at each thing once; raises what is wrong with it."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], object] = {}

    def __call__(self, request: VideoRequest) -> float:
        """Return the length of the video in seconds; raises for the first fault."""
        from stylehead.files import check_file, make_folder
        from stylehead.motion.file import load_motion
        from stylehead.pipeline.singers import find_faces
        from stylehead.pipeline.song import open_song
        from stylehead.progress import SILENT
        from stylehead.style.mix import choose_mix

        options = request.options
        make_folder(request.output.parent)
        check_request(request)
        if clip := request.style_video:
            self._once(("clip", clip), lambda: check_file(clip, "clip"))
        if motion := request.motion:
            self._once(("motion", motion), lambda: load_motion(motion))
        style = (tuple(request.style or ()), request.style_region)
        self._once(("style", *style), lambda: choose_mix(request.style, request.style_region))
        check_file(request.audio, "recording")
        singing = (options.vocals, options.vocals_offset, tuple(options.sing or ()), options.cues)
        shown = (options.face, options.crop) if any(singing) else ()
        song = self._once(
            ("song", request.audio, options.start, options.duration, *singing, *shown),
            lambda: open_song(request.audio, choose_mix(None, None), options),
        )
        self._once(
            ("faces", request.image, options.face, options.matte, options.cut_out, *song.faces),
            lambda: find_faces(request.image, song.faces, options, SILENT),
        )
        return song.played.seconds

    def key(self, request: VideoRequest) -> str:
        """Return the digest of all that decides what the video is."""
        from stylehead.files import digest, is_file

        given = [path for path in inputs_of(request) if is_file(path)]
        inputs = [self._once(("digest", path), partial(digest, path)) for path in given]
        options = repr(replace(request, output=Path(), json=False))
        return sha256(json.dumps([__version__, options, inputs]).encode()).hexdigest()

    def _once(self, what: tuple[object, ...], look: Callable[[], T]) -> T:
        if what not in self._found:
            try:
                self._found[what] = look()
            except StyleheadError as failure:
                self._found[what] = failure
        found = self._found[what]
        if isinstance(found, StyleheadError):
            raise found
        return cast("T", found)
