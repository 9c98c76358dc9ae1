"""stylehead animate, motion and demo: what most people run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from stylehead.cli.options import (
    AudioOpt,
    JsonOpt,
    Run,
    StyleRegionOpt,
    StylesOpt,
    StyleVideoOpt,
    same_options,
    takes,
)
from stylehead.cli.settings import with_settings
from stylehead.cli.video import (
    VideoRequest,
    chosen_style,
    make_video,
    plan_of,
    requested,
    sounds_of,
    style_mix,
)
from stylehead.motion.exchange.options import Writing
from stylehead.options import LOOKS, STDOUT, Effort, MotionOptions, Options, Overwrite, VoiceOptions

DEMO_OUTPUT = Path("stylehead-demo.mp4")
NEXT = "Your own: stylehead animate --image me.jpg --audio speech.wav"


@same_options(requested)
def animate(request: VideoRequest) -> None:
    """Make a video, and say where it is."""
    from stylehead.cli import console
    from stylehead.cli.board import one_in_json

    make = plan_of if request.run.dry_run else make_video
    if request.run.json_lines:
        with one_in_json(request.output) as (reporter, finish):
            finish(make(request, reporter).as_json())
        return
    try:
        with console.progress() as reporter:
            result = make(request, reporter)
    except BrokenPipeError:  # whoever read the video has had enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush
        raise typer.Exit(128 + 13) from None
    from stylehead.pipeline.deliver import written_to  # imported meanwhile

    console.say(result.summary())
    if request.json:
        console.result(result.as_json())
    elif not (request.run.dry_run or request.output == STDOUT):
        console.result(str(written_to(request.output)))


@with_settings("motion", shares_presets=requested)
@takes(writing=Writing, options=MotionOptions, effort=Effort, run=Run)
def motion(
    audio: AudioOpt,
    writing: Writing,
    options: MotionOptions,
    effort: Effort,
    run: Run,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Motion file to write (npz, csv, glb).", rich_help_panel=LOOKS
        ),
    ],
    style_video: StyleVideoOpt = None,
    style: StylesOpt = None,
    style_region: StyleRegionOpt = None,
    json: JsonOpt = False,
) -> None:
    """Predict the motion alone, to keep, edit and render with `animate --motion`.

    [bold]Examples[/]

      stylehead motion --audio speech.wav -o speech.npz

      stylehead motion --audio speech.wav -o take.csv --to livelink

      stylehead motion --audio speech.wav -o face.glb
    """
    from stylehead import files
    from stylehead.cli import console
    from stylehead.motion.file import ENDINGS, format_of, save_motion
    from stylehead.pipeline import run as pipeline
    from stylehead.pipeline.plan import plan_motion
    from stylehead.progress import Noting

    given = [path for path in (audio, options.vocals, style_video) if path]
    to = writing.to or format_of(output)
    files.check_output(output, overwrite=options.overwrite, suffixes=(ENDINGS[to],), inputs=given)
    with sounds_of(audio, options) as (sound, options), console.progress() as shown:
        reporter = Noting(shown)
        if run.dry_run:
            chosen_style(style, style_video, style_region)
            result = plan_motion(sound, options=options, writes=[output])
            facts = result.as_json()
        else:
            mix = style_mix(style, style_video, style_region, effort, options, reporter)
            result = pipeline.predict(sound, style=mix, options=options, reporter=reporter)
            save_motion(result.motion, output, to)
            facts = result.as_json(output, reporter.notes)
    console.say(result.summary())
    if json:
        console.result(facts)
    elif not run.dry_run:
        console.result(str(output))


@takes(options=VoiceOptions)
def voice(
    audio: Annotated[Path, typer.Argument(help="Recording, or a video's sound track.")],
    options: VoiceOptions,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Sound to write (wav, flac).")
    ] = Path("voice.wav"),
) -> None:
    """Write the separated voice of a recording, which the lips would follow.

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

    overwrite = choice.overwrite or output == DEMO_OUTPUT  # its own former result
    with console.progress() as reporter:
        from stylehead.pipeline import run as pipeline  # a second or more, in which a bar moves
        from stylehead.weights.store import demo_files

        image, audio = demo_files()
        result = pipeline.animate(
            image,
            audio,
            output,
            style="lively",
            options=Options(overwrite=overwrite),
            reporter=reporter,
        )
    console.say(result.summary())
    console.say(NEXT)
    console.result(str(output))
