"""stylehead animate, motion and demo: what most people run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from stylehead.cli.options import (
    AudioOpt,
    StyleRegionOpt,
    StylesOpt,
    StyleVideoOpt,
    same_options,
    takes,
)
from stylehead.cli.video import VideoRequest, make_video, one_of, requested, sounds_of, style_mix
from stylehead.options import LOOKS, STDOUT, Effort, MotionOptions, Options, Overwrite, VoiceOptions

DEMO_OUTPUT = Path("stylehead-demo.mp4")


@same_options(requested)
def animate(request: VideoRequest) -> None:
    """Make a video, and say where it is."""
    from stylehead.cli import console

    try:
        with console.progress() as reporter:
            result = make_video(request, reporter)
    except BrokenPipeError:  # whoever read the video has had enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush
        raise typer.Exit(128 + 13) from None
    if request.output != STDOUT:
        console.result(result.as_json() if request.json else str(result.output))


@takes(options=MotionOptions, effort=Effort)
def motion(
    audio: AudioOpt,
    options: MotionOptions,
    effort: Effort,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Motion file to write (npz).", rich_help_panel=LOOKS),
    ],
    style_video: StyleVideoOpt = None,
    style: StylesOpt = None,
    style_region: StyleRegionOpt = None,
) -> None:
    """Predict the motion alone, to keep, edit and render with `animate --motion`."""
    one_of({"--style-video": style_video, "--style": style or None})
    from stylehead import files
    from stylehead.cli import console
    from stylehead.motion.file import save_motion
    from stylehead.pipeline import run as pipeline

    given = [path for path in (audio, options.vocals, style_video) if path]
    files.check_output(output, overwrite=options.overwrite, suffixes=(".npz",), inputs=given)
    with sounds_of(audio, options) as (sound, options), console.progress() as reporter:
        mix = style_mix(style, style_video, style_region, effort, options, reporter)
        made = pipeline.make_motion(sound, style=mix, options=options, reporter=reporter)
        save_motion(made, output)
    console.result(str(output))


@takes(options=VoiceOptions)
def voice(
    audio: Annotated[Path, typer.Argument(help="Recording, or a video's sound track.")],
    options: VoiceOptions,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Sound to write (wav, flac).")
    ] = Path("voice.wav"),
) -> None:
    """Write what lips would follow in a recording: its voice, as it is separated.

    [bold]Example[/]

      stylehead voice song.mp3 -o heard.wav
    """
    from stylehead import files
    from stylehead.cli import console
    from stylehead.speech.voice_file import write_voice

    with files.seekable([audio]) as (sound,), console.progress() as reporter:
        write_voice(sound, output, options, reporter)
    console.result(str(output))


@takes(choice=Overwrite)
def demo(
    choice: Overwrite,
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write.")] = DEMO_OUTPUT,
) -> None:
    """Make a demo video from a built-in portrait and voice."""
    from stylehead.cli import console
    from stylehead.pipeline import run as pipeline
    from stylehead.weights.store import demo_files

    overwrite = choice.overwrite or output == DEMO_OUTPUT  # its own former result
    image, audio = demo_files()
    with console.progress() as reporter:
        pipeline.animate(
            image,
            audio,
            output,
            style="lively",
            options=Options(overwrite=overwrite),
            reporter=reporter,
        )
    console.result(str(output))
