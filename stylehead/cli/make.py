"""stylehead animate, motion and demo: what most people run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from stylehead.cli.options import (
    AudioOpt,
    ImageOpt,
    JsonOpt,
    StyleRegionOpt,
    StylesOpt,
    StyleVideoOpt,
    takes,
)
from stylehead.options import (
    LOOKS,
    Effort,
    Hearing,
    MotionOptions,
    Options,
    Overwrite,
    VoiceOptions,
)

if TYPE_CHECKING:
    from stylehead.progress import Reporter
    from stylehead.types import StyleMix

MotionT = TypeVar("MotionT", bound=MotionOptions)
SAVED = "Reuse"
DEMO_OUTPUT = Path("stylehead-demo.mp4")


@takes(options=Options, effort=Effort)
def animate(
    image: ImageOpt,
    audio: AudioOpt,
    options: Options,
    effort: Effort,
    style_video: StyleVideoOpt = None,
    style: StylesOpt = None,
    style_region: StyleRegionOpt = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Video to write.", rich_help_panel=LOOKS)
    ] = Path("talking.mp4"),
    motion: Annotated[
        Path | None,
        typer.Option(
            "--motion",
            help="Motion file to render, instead of predicting a motion.",
            rich_help_panel=SAVED,
        ),
    ] = None,
    save_motion: Annotated[
        Path | None,
        typer.Option(
            "--save-motion", help="Also write the motion to this file (npz).", rich_help_panel=SAVED
        ),
    ] = None,
    save_patterns: Annotated[
        Path | None,
        typer.Option(
            "--save-patterns",
            help="Also write the portrait's four intermediate style patterns (PNG) to this folder.",
            rich_help_panel=SAVED,
        ),
    ] = None,
    json: JsonOpt = False,
) -> None:
    """Make a portrait speak or sing a recording in somebody's style.

    [bold]Examples[/]

      stylehead animate --image me.jpg --audio speech.wav

      stylehead animate --image me.jpg --audio song.mp3 --style-video singer.mp4 -o song.mp4

      stylehead animate --image me.jpg --audio speech.wav --style lively --crop -o face.mp4

      stylehead animate --image me.jpg --audio song.mp3 --vocals singer.wav

      stylehead animate --image us.jpg --audio song.mp3 --sing 1=lead.wav --sing 2=low.wav:lively
    """
    _one_of({"--style-video": style_video, "--style": style or None, "--motion": motion})
    singing = options.sing or options.cues
    _one_of({"--sing or --cues": singing, "--save-motion": save_motion})
    _one_of({"--sing or --cues": singing, "--save-patterns": save_patterns})
    from stylehead import files
    from stylehead.cli import console
    from stylehead.media.video import VIDEO_SUFFIXES
    from stylehead.motion.file import load_motion
    from stylehead.motion.file import save_motion as write_motion
    from stylehead.pipeline import run as pipeline
    from stylehead.pipeline.singers import files_of
    from stylehead.progress import Noting
    from stylehead.rendering.patterns import check_patterns
    from stylehead.rendering.patterns import save_patterns as write_patterns

    # What can be refused without any work comes before a style is learned from a clip.
    named = [Path(name.rsplit(":", 1)[0]) for name in style or ()]
    given = [path for path in (image, audio, style_video, motion) if path] + named
    given += files_of(options)
    over = options.overwrite
    files.check_output(output, overwrite=over, suffixes=VIDEO_SUFFIXES, inputs=given)
    files.check_file(image, "picture")
    if save_motion:
        files.check_output(save_motion, overwrite=over, suffixes=(".npz",), inputs=given)
    if save_patterns:
        check_patterns(save_patterns, overwrite=over, inputs=given)
    with _sounds(audio, options) as (sound, options), console.progress() as shown:
        reporter = Noting(shown)  # the notes on a style's clip belong to the result, too
        result = pipeline.animate(
            image,
            sound,
            output,
            style=_mix(style, style_video, style_region, effort, options, reporter),
            motion=load_motion(motion) if motion else None,
            options=options,
            reporter=reporter,
        )
    if save_motion:
        write_motion(result.motion, save_motion)
    if save_patterns:
        write_patterns(result.patterns, save_patterns)
    console.result(result.as_json() if json else str(output))


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
    _one_of({"--style-video": style_video, "--style": style or None})
    from stylehead import files
    from stylehead.cli import console
    from stylehead.motion.file import save_motion
    from stylehead.pipeline import run as pipeline

    given = [path for path in (audio, options.vocals, style_video) if path]
    files.check_output(output, overwrite=options.overwrite, suffixes=(".npz",), inputs=given)
    with _sounds(audio, options) as (sound, options), console.progress() as reporter:
        mix = _mix(style, style_video, style_region, effort, options, reporter)
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
    from stylehead.demo import demo_files
    from stylehead.pipeline import run as pipeline

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


@contextmanager
def _sounds(audio: Path, options: MotionT) -> Generator[tuple[Path, MotionT]]:
    """Yield recording and options with pipes saved to files, each checked."""
    from stylehead import files

    with files.seekable([audio] if options.vocals is None else [audio, options.vocals]) as sounds:
        for path, kind in zip(sounds, ("recording", "stem"), strict=False):
            files.check_file(path, kind)
        yield sounds[0], replace(options, vocals=sounds[1]) if options.vocals else options


def _mix(
    names: list[str] | None,
    video: Path | None,
    regions: str | None,
    effort: Effort,
    hearing: Hearing,
    reporter: Reporter,
) -> StyleMix:
    from stylehead.finetuning.clip_style import extract_style
    from stylehead.style.mix import choose_mix

    if not video:
        return choose_mix(names, regions)
    work, encoder = effort.style_effort, hearing.encoder
    return choose_mix(
        extract_style(video, effort=work, encoder=encoder, reporter=reporter), regions
    )


def _one_of(given: dict[str, object]) -> None:
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise typer.BadParameter(f"{' and '.join(named)} cannot be given together.")
