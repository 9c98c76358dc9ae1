"""What a video is made of, as the command line says it: for one command, or a row of a list."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
    VideoRun,
    takes,
)
from stylehead.cli.settings import with_settings
from stylehead.options import (
    LOOKS,
    STDOUT,
    Effort,
    Hearing,
    MotionOptions,
    Options,
    named,
    previewed,
)

if TYPE_CHECKING:
    from stylehead.pipeline.plan import Plan
    from stylehead.pipeline.result import Result
    from stylehead.pipeline.unfinished import Unfinished
    from stylehead.progress import Reporter
    from stylehead.types import StyleMix

MotionT = TypeVar("MotionT", bound=MotionOptions)
SAVED = "Reuse"


@dataclass(frozen=True, kw_only=True)
class VideoRequest:
    """The options of `animate`, read."""

    image: Path
    audio: Path
    output: Path
    options: Options
    effort: Effort
    style_video: Path | None
    style: list[str] | None
    style_region: str | None
    motion: Path | None
    save_motion: Path | None
    save_patterns: Path | None
    json: bool
    run: VideoRun


@with_settings("animate")
@takes(options=Options, effort=Effort, run=VideoRun)
def requested(
    image: ImageOpt,
    audio: AudioOpt,
    options: Options,
    effort: Effort,
    run: VideoRun,
    style_video: StyleVideoOpt = None,
    style: StylesOpt = None,
    style_region: StyleRegionOpt = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Video to write; its ending decides the format: .mp4, .m4v, .mov, .mkv, .webm, "
            ".gif, .webp, .apng, or / for a folder of PNG pictures; - is standard output.",
            rich_help_panel=LOOKS,
            parser=named,
            metavar="PATH",
        ),
    ] = Path("talking.mp4"),
    motion: Annotated[
        Path | None,
        typer.Option(
            "--motion",
            help="Motion file (npz, csv) to render, instead of predicting a motion.",
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
            help="Also write the portrait's four intermediate style patterns, its mouth in the "
            "style's four key shapes (PNG), to this folder.",
            rich_help_panel=SAVED,
        ),
    ] = None,
    json: JsonOpt = False,
) -> VideoRequest:
    """Make a portrait speak or sing a recording in somebody's style.

    [bold]Examples[/]

      stylehead animate --image me.jpg --audio speech.wav

      stylehead animate --image me.jpg --audio song.mp3 --style-video singer.mp4 -o song.mp4

      stylehead animate --image me.jpg --audio speech.wav --style lively --crop -o face.mp4

      stylehead animate --image me.jpg --audio song.mp3 --vocals singer.wav

      stylehead animate --image us.jpg --audio song.mp3 --sing 1=lead.wav --sing 2=low.wav:lively
    """
    if output == STDOUT and (json or run.json_lines):
        raise typer.BadParameter("-o - and --json cannot be given together.")
    if run.preview:
        options, effort = previewed(options, effort, clip=style_video is not None)
    return VideoRequest(
        image=image,
        audio=audio,
        output=output,
        options=options,
        effort=effort,
        style_video=style_video,
        style=style,
        style_region=style_region,
        motion=motion,
        save_motion=save_motion,
        save_patterns=save_patterns,
        json=json,
        run=run,
    )


def inputs_of(request: VideoRequest) -> list[Path]:
    """Return what a video is made from: files, and names of styles, which need not be files."""
    from stylehead.pipeline.song import files_of

    named = [Path(name.rsplit(":", 1)[0]) for name in request.style or ()]
    single = (request.image, request.audio, request.style_video, request.motion)
    return [path for path in single if path] + named + files_of(request.options)


def check_request(request: VideoRequest) -> None:
    """Refuse what can be refused without any work, before a style is learned from a clip.

    Raises MediaError, or ConfigError for options that exclude each other.
    """
    from stylehead import files
    from stylehead.pipeline.deliver import check_delivery
    from stylehead.rendering.patterns import check_patterns

    given, over = inputs_of(request), request.options.overwrite
    check_delivery(request.output, request.options, inputs=given)
    files.check_file(request.image, "picture")
    if request.save_motion:
        files.check_output(request.save_motion, overwrite=over, suffixes=(".npz",), inputs=given)
    if request.save_patterns:
        check_patterns(request.save_patterns, overwrite=over, inputs=given)


def make_video(
    request: VideoRequest, shown: Reporter, unfinished: Unfinished | None = None
) -> Result:
    """Make one video, and what is to be saved beside it; `unfinished` as `animate` takes it."""
    from stylehead.motion.file import load_motion
    from stylehead.motion.file import save_motion as write_motion
    from stylehead.pipeline import run as pipeline
    from stylehead.progress import Noting
    from stylehead.rendering.patterns import save_patterns as write_patterns

    check_request(request)
    with sounds_of(request.audio, request.options) as (sound, options):
        reporter = Noting(shown)  # the notes on a style's clip belong to the result, too
        result = pipeline.animate(
            request.image,
            sound,
            request.output,
            style=style_mix(
                request.style,
                request.style_video,
                request.style_region,
                request.effort,
                options,
                reporter,
            ),
            motion=load_motion(request.motion) if request.motion else None,
            options=options,
            unfinished=unfinished,
            reporter=reporter,
        )
    if request.save_motion:
        write_motion(result.motion, request.save_motion)
    if request.save_patterns:
        write_patterns(result.patterns, request.save_patterns)
    return result


def plan_of(request: VideoRequest, reporter: Reporter) -> Plan:
    """Return what `make_video` would make, after all checks that need no long work."""
    from stylehead.motion.file import load_motion
    from stylehead.pipeline.plan import plan_video

    check_request(request)
    beside = (request.save_motion, request.save_patterns)
    with sounds_of(request.audio, request.options) as (sound, options):
        return plan_video(
            request.image,
            sound,
            request.output,
            mix=chosen_style(request.style, request.style_video, request.style_region),
            motion=load_motion(request.motion) if request.motion else None,
            options=options,
            writes=[request.output, *filter(None, beside)],
            reporter=reporter,
        )


def chosen_style(names: list[str] | None, video: Path | None, regions: str | None) -> StyleMix:
    """Return the style as far as it is known without work: from a clip, the default's."""
    from stylehead.files import check_file
    from stylehead.style.mix import choose_mix

    if video:
        check_file(video, "clip")
    return choose_mix(names, regions)


@contextmanager
def sounds_of(audio: Path, options: MotionT) -> Generator[tuple[Path, MotionT]]:
    """Yield recording and options with pipes saved to files, each checked."""
    from stylehead import files

    with files.seekable([audio] if options.vocals is None else [audio, options.vocals]) as sounds:
        for path, kind in zip(sounds, ("recording", "stem"), strict=False):
            files.check_file(path, kind)
        yield sounds[0], replace(options, vocals=sounds[1]) if options.vocals else options


def style_mix(
    names: list[str] | None,
    video: Path | None,
    regions: str | None,
    effort: Effort,
    hearing: Hearing,
    reporter: Reporter,
) -> StyleMix:
    """Return the style that --style, --style-video and --style-region ask for."""
    from stylehead.style.mix import choose_mix

    if not video:
        return choose_mix(names, regions)
    from stylehead.finetuning.clip_style import extract_style  # which imports half the package

    work, encoder = effort.style_effort, hearing.encoder
    return choose_mix(
        extract_style(video, effort=work, encoder=encoder, reporter=reporter), regions
    )
