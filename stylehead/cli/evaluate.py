"""stylehead evaluate: measure against reference recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stylehead.cli.options import JsonOpt, StyleOpt, takes
from stylehead.options import Compute, Encoding, Overwrite

if TYPE_CHECKING:
    from stylehead.evaluation.measures import Measures

evaluate_app = typer.Typer(pretty_exceptions_enable=False)


@evaluate_app.callback(invoke_without_command=True)
@takes(choice=Overwrite)
def evaluate_command(
    context: typer.Context,
    choice: Overwrite,
    result: Annotated[
        Path | None, typer.Option("--result", help="Video to measure, or a folder of videos.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            help="Real video of the same words, or a folder with videos of the same names.",
        ),
    ] = None,
    style_video: Annotated[
        Path | None, typer.Option("--style-video", help="Video that the style was learned from.")
    ] = None,
    motion: Annotated[
        Path | None, typer.Option("--motion", help="Motion file to measure instead of a video.")
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(
            "--landmarks",
            help="With --motion: landmarks of a real face (npz with `landmarks_mm`, (T, 68, 3)).",
        ),
    ] = None,
    page: Annotated[Path | None, typer.Option("--html", help="Also write a report page.")] = None,
    table: Annotated[Path | None, typer.Option("--csv", help="Also write the table.")] = None,
    json: JsonOpt = False,
) -> None:
    """Compare a video with a real one: of the same words, or the clip its style came from.

    [bold]Examples[/]

      stylehead evaluate --result made.mp4 --reference filmed.mp4 --html report.html

      stylehead evaluate --result made.mp4 --style-video singer.mp4

      stylehead evaluate --motion made.npz --landmarks tracked.npz
    """
    if context.invoked_subcommand:
        return
    from stylehead.cli import console

    if motion and landmarks and not (result or reference or style_video or page or table):
        from stylehead.evaluation.ravdess import measure_motion
        from stylehead.motion.file import load_motion

        _print(measure_motion(load_motion(motion), landmarks).transposed(), "row", json=json)
        return
    if result is None or (reference is None) == (style_video is None) or motion or landmarks:
        raise typer.BadParameter(
            "give --result with --reference or --style-video, or --motion with --landmarks."
        )
    from stylehead.evaluation.run import evaluate

    with console.progress() as reporter:
        measures = evaluate(
            result,
            reference=reference,
            style_video=style_video,
            page=page,
            table=table,
            overwrite=choice.overwrite,
            reporter=reporter,
        )
    _print(measures, "measure", json=json)


@evaluate_app.command("ravdess")
@takes(compute=Compute, encoding=Encoding)
def ravdess_command(
    compute: Compute,
    encoding: Encoding,
    root: Annotated[
        Path,
        typer.Option(
            "--root",
            help="Folder of the RAVDESS videos as published, or of landmark files with sound.",
        ),
    ],
    actor: Annotated[
        list[str] | None,
        typer.Option(
            "--actor", metavar="NUMBER", help="Only this actor (01 to 24); may be given repeatedly."
        ),
    ] = None,
    per_actor: Annotated[
        bool, typer.Option("--per-actor", help="Also a row for each actor.")
    ] = False,
    cache: Annotated[
        Path,
        typer.Option("--cache", help="Folder for finished clips; a second run continues there."),
    ] = Path("ravdess-scores"),
    style: StyleOpt = None,
) -> None:
    """Run the paper's benchmark: on videos (Tables 1 and 2), or on landmark files (motion only)."""
    from stylehead.cli import console
    from stylehead.evaluation.run import evaluate_ravdess

    with console.progress() as reporter:
        measures = evaluate_ravdess(
            root,
            actors=actor,
            cache=cache,
            style=style,
            device=compute.device,
            encoder=encoding.encoder,
            per_actor=per_actor,
            reporter=reporter,
        )
    _print(measures.transposed(), "method", json=False)


def _print(measures: Measures, corner: str, *, json: bool) -> None:
    """Print a table on stdout, tab-separated or as JSON, and its notes on stderr."""
    from stylehead.cli import console

    for note in measures.notes:
        console.say(f"Note: {note}")
    for line in [measures.to_json()] if json else map("\t".join, measures.table(corner)):
        console.result(line)
