"""stylehead extract-style, finetune-style and styles."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stylehead.cli.options import takes
from stylehead.errors import StyleError
from stylehead.options import AudioRange, Effort, Hearing, Overwrite, TuningOptions
from stylehead.progress import clock

if TYPE_CHECKING:
    from stylehead.types import Style


@takes(clip=AudioRange, effort=Effort, hearing=Hearing, choice=Overwrite)
def extract_style(
    video: Annotated[
        Path, typer.Argument(metavar="CLIP", help="Clip of one person who speaks or sings.")
    ],
    clip: AudioRange,
    effort: Effort,
    hearing: Hearing,
    choice: Overwrite,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Style file to write. Default: a file in your styles folder, named like the clip.",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            help="Also draw the four chosen frames and the mouth's opening over time (PNG).",
        ),
    ] = None,
) -> None:
    """Learn how the person in a clip moves, and keep it as a small style file.

    [bold]Example[/]

      stylehead extract-style singer.mp4 -o singer.style --sheet singer.png
    """
    from stylehead import files
    from stylehead.cli import console
    from stylehead.finetuning.clip_style import clip_style, frames_of
    from stylehead.style.file import SUFFIX, save_style, style_folders
    from stylehead.style.sheet import draw_sheet

    if output is None:
        output = style_folders()[1] / f"{video.stem}{SUFFIX}"
        files.make_folder(output.parent)
    files.check_output(output, overwrite=choice.overwrite, suffixes=(SUFFIX,), inputs=(video,))
    if sheet:
        files.check_output(sheet, overwrite=choice.overwrite, suffixes=(".png",), inputs=(video,))
    with console.progress() as reporter:
        learned = clip_style(
            video,
            output.stem,
            clip=clip,
            effort=effort.style_effort,
            encoder=hearing.encoder,
            anew=sheet is not None,  # it is drawn from what is not kept
            reporter=reporter,
        )
        style = learned.style
        if sheet and learned.retrieval and learned.track:
            draw_sheet(sheet, video, style, learned.retrieval, learned.track)
        save_style(style, output)
    for title, columns, rows in _tables(style, frames_of(style)):
        console.table(title, columns, rows)
    console.result(str(output))


def _tables(
    style: Style, counts: dict[str, int]
) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Return (title, columns, rows) of what was found and what counted against frames."""
    references = [
        (
            reference.title,
            clock(reference.seconds),
            f"{reference.score:.1f}",
            "yes" if reference.in_clip else "no: made from its motion",
        )
        for reference in style.references
    ]
    whole = counts.pop("frames", 0)
    frames = [(reason, f"{count}", f"{count / whole:.0%}") for reason, count in counts.items()]
    measures = [
        (name.replace("_", " "), f"{value:.3g}")
        for name, value in style.statistics.items()
        if not name.startswith("spread_") and "_speed_" not in name
    ]
    return [
        (
            "Style references",
            ("template", "nearest frame", "distance (lower is closer)", "in the clip"),
            references,
        ),
        (
            "Frames that count less, by reason (a frame may have several)",
            ("", "frames", ""),
            frames,
        ),
        (
            "Motion (lengths in distances between the outer eye corners)",
            ("measure", "value"),
            measures,
        ),
    ]


@takes(options=TuningOptions)
def finetune_style(
    options: TuningOptions,
    videos: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="CLIP", help="Clips of one person who speaks or sings, with their own sound."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Style file to write.")] = Path(
        "tuned.style"
    ),
) -> None:
    """Make a closer style: tune the motion generator to the person in a clip; test the result.

    [bold]Examples[/]

      stylehead finetune-style singer.mp4 -o tuned.style

      stylehead finetune-style --style singer.style --audio song.wav -o tuned.style

    The end of the clip is held out for a test: song is tested on song, speech on speech. The style
    is written only when tuning brought the motion closer to that part, the mouth opens about as far
    as the person's and the lips still follow the sound; if not, it is kept as NAME.refused.style.
    Ctrl-C keeps the best so far.
    """
    if bool(videos) == bool(options.style):
        raise typer.BadParameter("give either clips, or --style with a style to tune to.")
    if options.audio and videos and len(videos) > 1:
        raise typer.BadParameter("--audio can be given with one clip only.")
    from stylehead.cli import console
    from stylehead.finetuning.run import finetune_style as finetune

    with console.progress() as reporter:
        finetuned = finetune(
            videos or [], output, options=options, stopping=_stoppable(), reporter=reporter
        )
    if table := finetuned.table():
        console.table(*table)
    console.result(str(output))


@contextmanager
def _stoppable() -> Generator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a request to stop; the second ends the program as ever."""
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, _: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


@takes()
def list_known_styles() -> None:
    """List built-in styles and your own."""
    from stylehead.cli import console
    from stylehead.style.file import list_styles, load_style

    rows: list[tuple[str, ...]] = []
    for name, path, built_in in list_styles():
        try:
            style = load_style(path)
        except StyleError as failure:
            console.say(f"Left out: {failure}")
            continue
        numbers = style.statistics
        missing = [each.title for each in style.references if not each.in_clip]
        rows.append(
            (
                name,
                "built in" if built_in else "yours",
                f"{numbers['mouth_opening_range']:.2f}",
                f"{numbers['pitch_range_degrees']:.0f} / {numbers['yaw_range_degrees']:.0f} / "
                f"{numbers['roll_range_degrees']:.0f}",
                f"{numbers['blinks_per_minute']:.0f}",
                f"{numbers['seconds']:.0f}",
                ", ".join(missing) or "-",
            )
        )
        console.result(name)
    console.table(
        "Styles: how far mouth (in distances between the outer eye corners) and head move",
        (
            "name",
            "",
            "mouth opening",
            "head up-down / left-right / tilt, degrees",
            "blinks per minute",
            "learned from, s",
            "not in the clip",
        ),
        rows,
    )
