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
        "Folder of pictures, in place of a list: each with every recording of --audios.",
        panel=INPUT,
    )
    audios: Path | None = option(None, "Folder of recordings.", panel=INPUT)
    columns: list[str] | None = option(
        None,
        "What all rows have that do not say otherwise (--set style=lively --set fps=30).",
        flag="--set",
        panel=INPUT,
        metavar="COLUMN=VALUE",
    )
    name: str = option(
        "{portrait}_{audio}",
        "How videos are called whose rows have no output: columns in braces, and {number}.",
        panel=LOOKS,
    )
    workers: int | None = option(
        None,
        "Processes, or cores of a Ray cluster. Default: one for each core, as far as the memory "
        "goes.",
        panel=RUN,
        low=1,
        high=256,
    )
    shard: str | None = option(
        None,
        "Make every N-th job, from the I-th on: several machines share a list, or the segments of "
        "its videos where there are fewer of those. Default: all.",
        panel=RUN,
        metavar="I/N",
    )
    engine: Engine = option(
        Engine.LOCAL,
        "Who makes the videos: processes of this machine, or a Ray cluster.",
        panel=RUN,
    )
    address: str | None = option(
        None,
        "Of a Ray cluster's head (HOST:PORT, or auto). Default: one of this machine's cores.",
        panel=RUN,
    )
    retry_failed: bool = option(
        False,
        "Make only what was not made before; what has changed since is left as it is.",
        panel=RUN,
    )
    dry_run: bool = option(
        False, "Check everything, say how long it takes, and make nothing.", panel=RUN
    )
    json_lines: bool = option(False, "Print what happens as JSON lines on stdout.", panel=RUN)
