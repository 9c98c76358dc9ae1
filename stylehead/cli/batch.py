"""stylehead batch: many videos from a list."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stylehead.batch.options import BatchOptions
from stylehead.cli.options import takes
from stylehead.options import LOOKS
from stylehead.options.choices import Engine

if TYPE_CHECKING:
    from stylehead.batch.events import Event
    from stylehead.batch.pool import Worker
    from stylehead.batch.rows import Row, Value
    from stylehead.batch.run import Job
    from stylehead.cli.jobs import Fault, Task
    from stylehead.cli.video import VideoRequest
    from stylehead.pipeline.unfinished import Crew
    from stylehead.progress import Reporter

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".avif")
SOUNDS = (".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".aiff", ".mp4", ".mov", ".mkv")


@takes(options=BatchOptions)
def batch(
    options: BatchOptions,
    jobs: Annotated[
        Path | None,
        typer.Argument(help="List (csv, toml, jsonl) whose columns are animate's long options."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the videos.", rich_help_panel=LOOKS)
    ] = Path("videos"),
) -> None:
    """Make many videos from a list; an interrupted run continues where it stopped.

    All rows are checked before the first video is made; a faulty row does not stop the others.

    [bold]Examples[/]

      stylehead batch jobs.csv -o videos

      stylehead batch --images people --audios lines -o videos --set style=lively

      stylehead batch jobs.csv -o videos --shard 1/3
    """
    from stylehead.batch.pool import hired
    from stylehead.batch.run import processes, read_shard, share_out, tidy, to_make
    from stylehead.cli import console
    from stylehead.cli.jobs import read_jobs
    from stylehead.files import make_folder

    rows, folder = _rows(jobs, options)
    make_folder(output)
    part = read_shard(options.shard) if options.shard else (1, 1)
    shared, segments = share_out(rows, *part)
    workers = processes(options.workers)
    here = options.engine is Engine.LOCAL and not options.dry_run
    console.say(f"Checking {len(shared)} rows")
    with hired(min(workers, len(shared)) if here else 0, get_ready) as crew:
        mine, faults = read_jobs(
            shared,
            folder.resolve(),
            output.resolve(),
            name=options.name,
            overwrite=options.overwrite,
            whole=rows,
        )
        left = mine if options.overwrite else to_make(mine, retry_failed=options.retry_failed)
        minutes = sum(job.seconds for job in left) / 60
        console.say(f"{len(left)} of {len(mine)} videos are left to make, {minutes:.1f} minutes.")
        if options.dry_run and left:
            console.say(_estimate(left, workers))
        elif not options.dry_run:
            tidy(mine, left)
            plan = Plan(options, workers, crew, part if segments else (1, 1))
            faults += _made(left, plan) if left else []
    if faults:
        _refuse(faults, len(shared))


def _rows(jobs: Path | None, options: BatchOptions) -> tuple[list[Row], Path]:
    """Return the rows of a list, or of two folders, and what their relative names count from."""
    from stylehead.batch.rows import crossed_rows, read_rows

    columns: dict[str, Value] = {}
    for text in options.columns or ():
        column, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set {text} is not COLUMN=VALUE.")
        columns[column.strip().replace("_", "-")] = value.strip()
    if jobs is not None and not (options.images or options.audios):
        rows = read_rows(jobs)
        return [replace(row, columns=columns | dict(row.columns)) for row in rows], jobs.parent
    if jobs is not None or options.images is None or options.audios is None:
        raise typer.BadParameter("Give a list of jobs, or both --images and --audios.")
    images, audios = _within(options.images, PICTURES), _within(options.audios, SOUNDS)
    return crossed_rows(images, audios, columns), Path()


def _within(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files of a folder that end so, by name; raises ConfigError for none."""
    from stylehead.errors import ConfigError

    paths = folder.iterdir() if folder.is_dir() else ()
    found = sorted(path for path in paths if path.suffix.lower() in suffixes)
    if not found:
        raise ConfigError(
            f"{folder} holds no file that ends in {', '.join(suffixes)}.",
            remedy="Name another folder.",
        )
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """How the videos of a list are made."""

    options: BatchOptions
    workers: int
    crew: list[Worker]
    """Processes that wait for work."""
    part: tuple[int, int]
    """Of each video's segments."""


def _made(jobs: Sequence[Job], plan: Plan) -> list[Fault]:
    """Make the videos, and return what is wrong with those that could not be made."""
    from stylehead.batch.events import Failed
    from stylehead.batch.run import follow
    from stylehead.cli.board import board
    from stylehead.cli.jobs import Fault

    faults: list[Fault] = []
    with board(len(jobs), json_lines=plan.options.json_lines) as shown, _events(jobs, plan) as told:
        for job, event in follow(jobs, told):
            shown.show(job, event)
            if isinstance(event, Failed):
                faults.append(Fault(job.number, event.problem, event.remedy))
    return faults


@contextmanager
def _events(jobs: Sequence[Job], plan: Plan) -> Generator[Generator[Event]]:
    """Yield what happens while the videos are made.

    A list is shared out by its videos. Where there are fewer of them than there are workers, each
    video is by its segments.
    """
    from stylehead.batch.pool import run_jobs

    tasks = [job.task for job in jobs]
    if plan.options.engine is Engine.LOCAL:
        cores = max(1, plan.workers // len(tasks))
        tasks = [replace(task, cores=cores, part=plan.part) for task in tasks]
        with closing(run_jobs(tasks, make_job, plan.workers, crew=plan.crew)) as events:
            yield events
        return
    from stylehead.batch.cluster import connected
    from stylehead.cli.parcel import check_sendable, make_parcel, packed

    for task in tasks:
        check_sendable(task)
    most = plan.options.workers
    with connected(plan.options.address, most) as cluster:
        if len(tasks) < cluster.cores:
            filmed_there = {"part": plan.part, "cluster": cluster.address, "most": most}
            tasks = [replace(task, **filmed_there) for task in tasks]
            made = run_jobs(tasks, make_job, 1)
        else:
            made = cluster.run_jobs(tasks, make_parcel, packed)
        with closing(made) as events:
            yield events


def get_ready() -> None:
    """Import what jobs need, in a process that waits for the first."""
    import_module("stylehead.pipeline.run")


def make_job(task: Task, reporter: Reporter) -> dict[str, Any]:
    """Make the video of a row, in a process of its own, and return what there is to say of it.

    It is written beside its segments; who hears of it puts it where it belongs.
    """
    from stylehead.batch.record import alone, place_of, unfinished_of
    from stylehead.cli.jobs import read_request
    from stylehead.cli.memory import keep_memory_flat
    from stylehead.cli.video import make_video
    from stylehead.pipeline.unfinished import Unfinished

    keep_memory_flat()
    os.chdir(task.folder)
    request = read_request(task.words)
    request = replace(request, options=replace(request.options, workers=task.cores))
    part, parts = task.part
    with alone(request.output, f"-{part}" if parts > 1 else ""), _crew(task, request) as crew:
        folder = unfinished_of(request.output, task.key)
        unfinished = Unfinished(folder=folder, part=part, parts=parts, crew=crew)
        request = replace(request, output=place_of(folder, request.output, part))
        return json.loads(make_video(request, reporter, unfinished).as_json())


@contextmanager
def _crew(task: Task, request: VideoRequest) -> Generator[Crew | None]:
    """Hire who films a video with several cores; None: the process itself."""
    from stylehead.cli.crew import ClusterCrew, process_crew

    if task.cluster is None:
        with process_crew(task.cores, task.seconds * request.options.rate) as crew:
            yield crew
        return
    from stylehead.batch.cluster import connected

    with connected(task.cluster, task.most) as cluster:
        yield ClusterCrew(cluster)


TRIAL = 1.0  # seconds


def _estimate(jobs: Sequence[Job], workers: int) -> str:
    """Return how long jobs take, by the beginning of the first, which is made and thrown away."""
    from stylehead.cli.jobs import inside, read_request
    from stylehead.cli.video import make_video
    from stylehead.files.locks import temporary_folder
    from stylehead.progress import SILENT

    task: Task = jobs[0].task
    with temporary_folder() as out, inside(Path(task.folder)):
        trial = f"--output={out / f'trial{jobs[0].output.suffix}'}"
        words = [*task.words, trial, f"--duration={TRIAL}", "--workers=1"]
        stages = make_video(read_request(words), SILENT).stages
    growing = stages["motion"] + stages["rendering"]
    seconds = sum(job.seconds for job in jobs) * growing / TRIAL
    seconds += len(jobs) * (sum(stages.values()) - growing)
    return (
        f"About {math.ceil(seconds / workers / 60)} min with {workers} workers, by the first "
        f"{TRIAL:.0f} s of {jobs[0].output.name}."
    )


def _refuse(faults: Sequence[Fault], rows: int) -> None:
    """List what is wrong, and leave with exit code 1."""
    from stylehead.cli import console
    from stylehead.errors import ConfigError

    for one in sorted(faults, key=lambda one: one.number):
        console.error(one.problem, one.remedy, where=f"Row {one.number}")
    raise ConfigError(
        f"{len(faults)} of {rows} videos were not made.",
        remedy="Mend the rows above, and run the same command again: what is made stays.",
    )
