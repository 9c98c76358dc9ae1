"""The command line: thin commands."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from stylehead.cli_evaluate import evaluate_app
from stylehead.cli_finetune import finetune_style
from stylehead.cli_options import (
    DEFAULTS,
    LOOKS,
    SAVED,
    AudioOpt,
    BlinkOpt,
    CropOpt,
    DeviceOpt,
    DurationOpt,
    EncoderOpt,
    ExpressionOpt,
    FaceOpt,
    FpsOpt,
    ImageOpt,
    JsonOpt,
    OverwriteOpt,
    PoseOpt,
    RendererOpt,
    SeedOpt,
    SizeOpt,
    StartOpt,
    StillOpt,
    StyleRegionOpt,
    StylesOpt,
    StyleStrengthOpt,
    StyleVideoOpt,
)
from stylehead.cli_train import prepare, train_app
from stylehead.cli_weights import weights_app
from stylehead.errors import StyleError, StyleheadError, missing_library
from stylehead.options import MotionControls, Options
from stylehead.version import __version__

HELP = """One portrait, one recording, one clip whose style you like: a video.

[bold]Start here[/]

  stylehead demo
  stylehead animate --image me.jpg --audio song.mp3 --style-video singer.mp4
"""

app = typer.Typer(
    help=HELP, rich_markup_mode="rich", no_args_is_help=True, pretty_exceptions_enable=False
)
app.add_typer(weights_app, name="weights", rich_help_panel="Help")
app.add_typer(evaluate_app, name="evaluate", rich_help_panel="Measure")
app.command("prepare", rich_help_panel="Development")(prepare)
app.add_typer(train_app, name="train", rich_help_panel="Development")

DEMO_OUTPUT = Path("stylehead-demo.mp4")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stylehead {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also say what libraries log.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    from stylehead import console

    console.configure(quiet=quiet, verbose=verbose)


@app.command(rich_help_panel="Make")
def animate(
    image: ImageOpt,
    audio: AudioOpt,
    style_video: StyleVideoOpt = None,
    style: StylesOpt = None,
    style_region: StyleRegionOpt = None,
    style_strength: StyleStrengthOpt = DEFAULTS.style_strength,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Video to write.", rich_help_panel=LOOKS)
    ] = Path("talking.mp4"),
    fps: FpsOpt = DEFAULTS.fps,
    size: SizeOpt = DEFAULTS.size,
    crop: CropOpt = DEFAULTS.crop,
    face: FaceOpt = DEFAULTS.face,
    start: StartOpt = DEFAULTS.start,
    duration: DurationOpt = DEFAULTS.duration,
    still: StillOpt = False,
    expression: ExpressionOpt = DEFAULTS.controls.expression,
    pose: PoseOpt = DEFAULTS.controls.pose,
    blink: BlinkOpt = DEFAULTS.controls.blinks_per_minute,
    seed: SeedOpt = DEFAULTS.controls.seed,
    motion: Annotated[
        Path | None,
        typer.Option("--motion", help="Render this saved motion.", rich_help_panel=SAVED),
    ] = None,
    save_motion: Annotated[
        Path | None,
        typer.Option("--save-motion", help="Also write the motion (npz).", rich_help_panel=SAVED),
    ] = None,
    save_patterns: Annotated[
        Path | None,
        typer.Option(
            "--save-patterns",
            help="Also write the portrait's four intermediate style patterns (PNG) to this folder.",
            rich_help_panel=SAVED,
        ),
    ] = None,
    device: DeviceOpt = DEFAULTS.device,
    encoder: EncoderOpt = DEFAULTS.encoder,
    renderer: RendererOpt = DEFAULTS.renderer,
    overwrite: OverwriteOpt = DEFAULTS.overwrite,
    json: JsonOpt = False,
) -> None:
    """Make a portrait speak or sing a recording in somebody's style.

    [bold]Examples[/]

      stylehead animate --image me.jpg --audio speech.wav

      stylehead animate --image me.jpg --audio song.mp3 --style-video singer.mp4 -o song.mp4

      stylehead animate --image me.jpg --audio speech.wav --style lively --crop --fps 25
    """
    _one_of({"--style-video": style_video, "--style": style or None, "--motion": motion})
    from stylehead import console, pipeline

    with console.progress() as reporter:
        done = pipeline.animate(
            image,
            audio,
            output,
            style=style,
            style_video=style_video,
            style_region=style_region,
            motion=motion,
            save_motion_to=save_motion,
            save_patterns_to=save_patterns,
            options=Options(
                fps,
                size,
                crop,
                face,
                start,
                duration,
                style_strength,
                device,
                encoder,
                renderer,
                overwrite,
                MotionControls(expression, 0.0 if still else pose, blink, seed),
            ),
            reporter=reporter,
        )
    console.result(done.as_json() if json else str(output))


@app.command(rich_help_panel="Make")
def motion(
    audio: AudioOpt,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Motion to write (npz).", rich_help_panel=LOOKS)
    ],
    style_video: StyleVideoOpt = None,
    style: StylesOpt = None,
    style_region: StyleRegionOpt = None,
    style_strength: StyleStrengthOpt = DEFAULTS.style_strength,
    fps: FpsOpt = DEFAULTS.fps,
    start: StartOpt = DEFAULTS.start,
    duration: DurationOpt = DEFAULTS.duration,
    still: StillOpt = False,
    expression: ExpressionOpt = DEFAULTS.controls.expression,
    pose: PoseOpt = DEFAULTS.controls.pose,
    blink: BlinkOpt = DEFAULTS.controls.blinks_per_minute,
    seed: SeedOpt = DEFAULTS.controls.seed,
    device: DeviceOpt = DEFAULTS.device,
    encoder: EncoderOpt = DEFAULTS.encoder,
    overwrite: OverwriteOpt = DEFAULTS.overwrite,
) -> None:
    """Make the motion alone: save it, edit it, render it with `animate --motion`."""
    _one_of({"--style-video": style_video, "--style": style or None})
    from stylehead import console, pipeline

    controls = MotionControls(expression, 0.0 if still else pose, blink, seed)
    options = Options(
        fps,
        start=start,
        duration=duration,
        style_strength=style_strength,
        device=device,
        encoder=encoder,
        overwrite=overwrite,
        controls=controls,
    )
    with console.progress() as reporter:
        pipeline.write_motion(
            audio,
            output,
            style=style,
            style_video=style_video,
            style_region=style_region,
            options=options,
            reporter=reporter,
        )
    console.result(str(output))


@app.command("extract-style", rich_help_panel="Styles")
def extract_style(
    video: Annotated[Path, typer.Argument(help="Clip of one person who speaks or sings.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Style file to write. Default: the clip's name, among your styles.",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", help="Also draw the four frames and the mouth's curve (PNG)."),
    ] = None,
    start: Annotated[
        float, typer.Option("--start", min=0, max=1e6, help="Seconds of clip to skip.")
    ] = 0.0,
    duration: Annotated[
        float | None,
        typer.Option("--duration", min=1, max=1e6, help="Seconds to use. Default: all."),
    ] = None,
    keep_frames: Annotated[
        bool, typer.Option("--keep-frames", help="Keep the four face pictures in the style file.")
    ] = False,
    overwrite: OverwriteOpt = False,
) -> None:
    """Learn how somebody moves from a clip, into one small file of numbers.

    [bold]Example[/]

      stylehead extract-style singer.mp4 -o singer.style --sheet singer.png
    """
    from stylehead import console, pipeline

    with console.progress() as reporter:
        found = pipeline.write_style(
            video,
            output,
            sheet=sheet,
            start=start,
            duration=duration,
            keep_frames=keep_frames,
            overwrite=overwrite,
            reporter=reporter,
        )
    for title, columns, rows in found.tables():
        console.table(title, columns, rows)
    for warning in found.retrieval.warnings:
        console.say(f"Note: {warning}")
    console.result(str(found.path))


app.command("finetune-style", rich_help_panel="Styles")(finetune_style)


@app.command(rich_help_panel="Styles")
def styles() -> None:
    """List built-in styles and your own."""
    from stylehead import console
    from stylehead.style import list_styles, load_style

    rows: list[tuple[str, ...]] = []
    for name, path, built_in in list_styles():
        try:
            numbers = load_style(path).statistics
        except StyleError as failure:
            console.say(f"Left out: {failure}")
            continue
        rows.append(
            (
                name,
                "built in" if built_in else "yours",
                f"{numbers['mouth_opening_range']:.2f}",
                f"{numbers['pitch_range_degrees']:.0f} / {numbers['yaw_range_degrees']:.0f} / "
                f"{numbers['roll_range_degrees']:.0f}",
                f"{numbers['blinks_per_minute']:.0f}",
                f"{numbers['seconds']:.0f}",
            )
        )
        console.result(name)
    console.table(
        "Styles (ranges: 5th to 95th percentile)",
        (
            "name",
            "",
            "mouth, interocular",
            "head pitch / yaw / roll, degrees",
            "blinks a minute",
            "learned from, s",
        ),
        rows,
    )


@app.command(rich_help_panel="Make")
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Video to write.")] = DEMO_OUTPUT,
    overwrite: OverwriteOpt = False,
) -> None:
    """Make a first video from a portrait and a voice that come along."""
    from stylehead import console, demo_media, pipeline

    overwrite = overwrite or output == DEMO_OUTPUT  # its own former result
    with console.progress() as reporter, demo_media.files() as (image, audio):
        pipeline.animate(
            image,
            audio,
            output,
            style="lively",
            options=Options(overwrite=overwrite),
            reporter=reporter,
        )
    console.result(str(output))


@app.command(rich_help_panel="Help")
def doctor() -> None:
    """Check this machine: libraries, device, model files, disk, and a two-second trial."""
    from stylehead import console
    from stylehead.doctor import examine

    findings = examine()
    console.table(
        "stylehead doctor",
        ("", "check", "found", "remedy"),
        [("ok" if f.good else "FAIL", f.name, f.found, f.remedy) for f in findings],
    )
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
    console.result("All well.")


def _one_of(given: dict[str, object]) -> None:
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise typer.BadParameter(f"{' and '.join(named)} exclude each other.")


M_MMAP_THRESHOLD, MMAP_FROM = -3, 1 << 18  # glibc's name for the setting, and bytes


def _return_freed_memory() -> None:
    """Have glibc give large freed blocks back at once.

    Left alone it raises its threshold, keeps frame-sized holes in its heap, and memory creeps up by
    a few percent over the first minute of a long video.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library: nothing to set
            ctypes.CDLL("libc.so.6").mallopt(M_MMAP_THRESHOLD, MMAP_FROM)


def _wait_asleep() -> None:
    """Have OpenMP's threads sleep while they wait, unless the user has it otherwise.

    They spin by default: beside the video encoder's threads the networks then take several times
    as long. Read when torch is first imported, so it has to be said before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> None:
    """Run the command line; failures a user can mend become one line and exit code 1."""
    _return_freed_memory()
    _wait_asleep()
    # An interrupted run must clean up like a failed one: leave by way of the context managers.
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for stream in (sys.stdout, sys.stderr):  # file names need not be text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")
    try:
        app()
    except StyleheadError as failure:
        _fail(failure)
    except (ImportError, OSError) as error:
        # Libraries with compiled parts fail like this on a bare machine, at any import.
        if not re.search(r"\blib\w+\.so", str(error)):
            raise
        _fail(missing_library(error))


def _fail(failure: StyleheadError) -> None:
    from stylehead import console

    if console.debugging():
        raise failure
    console.error(failure)
    raise SystemExit(1) from None
