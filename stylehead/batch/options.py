"""Every option of batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stylehead.options import INPUT, LOOKS, Overwrite
from stylehead.options.choices import Engine, option

RUN = "Run"


@dataclass(frozen=True, kw_only=True)
class BatchOptions(Overwrite):
    """What is made of a list, and by whom."""

    images: Path | None = option(
        None,
        "Folder of pictures, instead of a list: each is combined with every recording of --audios.",
        panel=INPUT,
    )
    audios: Path | None = option(None, "Folder of recordings.", panel=INPUT)
    columns: list[str] | None = option(
        None,
        "Value for all rows that do not give one themselves (--set style=lively --set fps=30).",
        flag="--set",
        panel=INPUT,
        metavar="COLUMN=VALUE",
    )
    name: str = option(
        "{portrait}_{audio}",
        "Names of videos whose rows have no output: columns in braces, and {number} for the row's "
        "number.",
        panel=LOOKS,
    )
    workers: int | None = option(
        None,
        "Number of processes, or of cores of a Ray cluster. Default: one for each core, fewer "
        "where memory is short.",
        panel=RUN,
        low=1,
        high=256,
    )
    shard: str | None = option(
        None,
        "Make every N-th job, beginning with the I-th, so that N machines share a list; if it has "
        "fewer than N videos, they share the videos' segments. Default: all.",
        panel=RUN,
        metavar="I/N",
    )
    engine: Engine = option(
        Engine.LOCAL,
        "Where the videos are made: in processes of this machine, or on a Ray cluster.",
        panel=RUN,
    )
    address: str | None = option(
        None,
        "Address of a Ray cluster's head node (HOST:PORT, or auto). Default: a cluster of this "
        "machine's cores alone.",
        panel=RUN,
    )
    retry_failed: bool = option(
        False,
        "Make only videos that are missing or failed, not those whose inputs have changed.",
        panel=RUN,
    )
    dry_run: bool = option(
        False, "Check everything, print how long it would take, and make nothing.", panel=RUN
    )
    json_lines: bool = option(
        False, "Print progress and results as JSON lines on stdout.", panel=RUN
    )
