"""stylehead finetune-style: make the motion generator move like the person of a clip."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from stylehead.cli_options import DEFAULTS, EncoderOpt, OverwriteOpt


def finetune_style(
    videos: Annotated[
        list[Path] | None,
        typer.Argument(help="Clips of one person who speaks or sings, with their own sound."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Style file to write.")] = Path(
        "tuned.style"
    ),
    style: Annotated[
        str | None,
        typer.Option("--style", help="Style file or name to tune to, instead of clips."),
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option(
            "--audio",
            help="Recording in that style; with one clip, its voice alone in place of its sound.",
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option("--steps", min=1, max=100_000, help="Steps of tuning.")
    ] = 200,
    dynamics: Annotated[
        bool,
        typer.Option(
            "--dynamics/--no-dynamics", help="Also match how far and how fast the face moves."
        ),
    ] = True,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            help="Folder for checkpoints and log; tuning resumes there. Default: beside the style, "
            "removed when done.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write the style even when it did not come nearer.")
    ] = False,
    encoder: EncoderOpt = DEFAULTS.encoder,
    overwrite: OverwriteOpt = False,
) -> None:
    """Make the motion generator move like the person of a clip, and prove that it does.

    [bold]Examples[/]

      stylehead finetune-style singer.mp4 -o singer.style

      stylehead finetune-style --style singer.style --audio song.wav -o song.style

    A part of the clip is held out; the style is written only when motion came nearer to that part
    and lips still follow the sound. Ctrl-C keeps the best so far.
    """
    if bool(videos) == bool(style):
        raise typer.BadParameter("give clips, or --style with a style to tune to.")
    if audio and videos and len(videos) > 1:
        raise typer.BadParameter("--audio belongs to one clip.")
    from stylehead import console
    from stylehead.training.finetune import finetune_style as finetune
    from stylehead.training.transfer import TransferConfig

    how = TransferConfig(steps=steps, dynamics=TransferConfig().dynamics if dynamics else 0.0)
    with console.progress() as reporter:
        done = finetune(
            videos or [],
            output,
            style=style,
            audio=audio,
            run=run,
            force=force,
            overwrite=overwrite,
            encoder=encoder,
            how=how,
            stopping=_stoppable(),
            reporter=reporter,
        )
    console.table(*done.table())
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
