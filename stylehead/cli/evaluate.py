"""stylehead evaluate: measure against reference recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stylehead.cli.options import JsonOpt, StyleOpt, takes
from stylehead.options import Compute, Encoding, Overwrite

evaluate_app = typer.Typer(pretty_exceptions_enable=False)


@evaluate_app.callback(invoke_without_command=True)
@takes(choice=Overwrite)
def evaluate(
    context: typer.Context,
    choice: Overwrite,
    result: Annotated[
        Path | None, typer.Option("--result", help="Video to judge, or a folder of them.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", help="Recording of the same words, or a folder of them."),
    ] = None,
    style_video: Annotated[
        Path | None, typer.Option("--style-video", help="Video whose style was asked for.")
    ] = None,
    motion: Annotated[
        Path | None, typer.Option("--motion", help="Saved motion to judge, without any picture.")
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option("--landmarks", help="Tracked landmarks for --motion (npz).")
    ] = None,
    page: Annotated[Path | None, typer.Option("--html", help="Also write a report page.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write the table.")] = None,
    json: JsonOpt = False,
) -> None:
    """Measure a result against a reference recording or against a style's video.

    [bold]Examples[/]

      stylehead evaluate --result made.mp4 --reference filmed.mp4 --html report.html

      stylehead evaluate --result made.mp4 --style-video singer.mp4

      stylehead evaluate --motion made.npz --landmarks tracked.npz
    """
    if context.invoked_subcommand:
        return
    from stylehead.cli import console
    from stylehead.evaluation.run import measure, motion_rows

    if motion and landmarks and not (result or reference or style_video or page):
        for row in motion_rows(motion, landmarks):
            console.result("\t".join(row))
        return
    if result is None or (reference is None) == (style_video is None) or motion or landmarks:
        raise typer.BadParameter(
            "give --result with --reference or --style-video, or --motion with --landmarks."
        )
    with console.progress() as reporter:
        measured = measure(
            result,
            reference,
            style_video,
            page=page,
            csv=csv,
            overwrite=choice.overwrite,
            reporter=reporter,
        )
    for note in measured.notes:
        console.say(f"Note: {note}")
    if json:
        console.result(measured.as_json())
        return
    for row in measured.lines():
        console.result("\t".join(row))


@evaluate_app.command("ravdess")
@takes(compute=Compute, encoding=Encoding)
def evaluate_ravdess(
    compute: Compute,
    encoding: Encoding,
    root: Annotated[
        Path, typer.Option("--root", help="RAVDESS as published, or landmark files with sound.")
    ],
    actor: Annotated[
        list[str] | None, typer.Option("--actor", help="Only this actor (01 to 24); repeat it.")
    ] = None,
    per_actor: Annotated[
        bool, typer.Option("--per-actor", help="Also a row for each actor.")
    ] = False,
    cache: Annotated[
        Path, typer.Option("--cache", help="Folder for finished clips; a second run goes on there.")
    ] = Path("ravdess-scores"),
    style: StyleOpt = None,
) -> None:
    """Run the paper's benchmark: on videos (Tables 1 and 2), or on landmark files (motion only)."""
    from stylehead.cli import console
    from stylehead.evaluation.run import ravdess_rows

    with console.progress() as reporter:
        rows, note = ravdess_rows(
            root,
            actor,
            cache,
            style,
            compute.device,
            encoding.encoder,
            per_actor=per_actor,
            reporter=reporter,
        )
    for row in rows:
        console.result("\t".join(row))
    console.say(note)
