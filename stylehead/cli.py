"""The command line: thin commands; the only importer of typer."""

from __future__ import annotations

import io
import re
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from stylehead.errors import StyleError, StyleheadError, missing_library
from stylehead.options import DEFAULT_STYLE, Device, MotionControls, Options
from stylehead.version import __version__

HELP = """One portrait, one recording, one clip whose style you like: a video.

[bold]Start here[/]

  stylehead demo
  stylehead animate --image me.jpg --audio song.mp3 --style-video singer.mp4
"""
FIRST, LOOKS, MOVES, SAVED = "Picture and sound", "Output", "Motion", "Reuse"

app = typer.Typer(
    help=HELP, rich_markup_mode="rich", no_args_is_help=True, pretty_exceptions_enable=False
)
train_app = typer.Typer(
    help="Make the shipped weight files again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(train_app, name="train", rich_help_panel="Development")

_defaults = Options()
DEMO_OUTPUT = Path("stylehead-demo.mp4")

ImageOpt = Annotated[
    Path,
    typer.Option("--image", help="Portrait to animate: any still picture.", rich_help_panel=FIRST),
]
AudioOpt = Annotated[
    Path,
    typer.Option("--audio", help="Recording, or a video's sound track.", rich_help_panel=FIRST),
]
StyleVideoOpt = Annotated[
    Path | None,
    typer.Option("--style-video", help="Clip to learn the style from.", rich_help_panel=FIRST),
]
StyleOpt = Annotated[
    str | None,
    typer.Option(
        "--style",
        help=f"Style file, or a name from `stylehead styles`. Default: {DEFAULT_STYLE}.",
        rich_help_panel=FIRST,
    ),
]
FaceOpt = Annotated[
    int | None,
    typer.Option(
        "--face",
        min=1,
        help="Which face, from left to right. Default: the largest.",
        rich_help_panel=FIRST,
    ),
]
StartOpt = Annotated[
    float,
    typer.Option(
        "--start", min=0, max=1e6, help="Seconds of sound to skip.", rich_help_panel=FIRST
    ),
]
DurationOpt = Annotated[
    float | None,
    typer.Option(
        "--duration",
        min=0.1,
        max=1e6,
        help="Seconds of sound to use. Default: all.",
        rich_help_panel=FIRST,
    ),
]
FpsOpt = Annotated[
    int, typer.Option("--fps", min=10, max=60, help="Frames a second.", rich_help_panel=LOOKS)
]
SizeOpt = Annotated[
    int,
    typer.Option(
        "--size",
        min=128,
        max=2048,
        help="Side of the face crop in pixels, with --crop.",
        rich_help_panel=LOOKS,
    ),
]
CropOpt = Annotated[
    bool,
    typer.Option(
        "--crop", help="Write the face crop instead of the whole picture.", rich_help_panel=LOOKS
    ),
]
OverwriteOpt = Annotated[
    bool, typer.Option("--overwrite", help="Replace existing output.", rich_help_panel=LOOKS)
]
JsonOpt = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout.", rich_help_panel=LOOKS)
]
DeviceOpt = Annotated[
    Device, typer.Option("--device", help="Where to compute.", rich_help_panel=LOOKS)
]
StillOpt = Annotated[
    bool,
    typer.Option("--still", help="No head motion; blinks stay.", rich_help_panel=MOVES),
]
ExpressionOpt = Annotated[
    float,
    typer.Option(
        "--expression", min=0, max=3, help="Factor on facial motion.", rich_help_panel=MOVES
    ),
]
PoseOpt = Annotated[
    float,
    typer.Option("--pose", min=0, max=3, help="Factor on head motion.", rich_help_panel=MOVES),
]
BlinkOpt = Annotated[
    float | None,
    typer.Option(
        "--blink",
        min=0,
        max=60,
        help="Blinks a minute. Default: the style's.",
        rich_help_panel=MOVES,
    ),
]
SeedOpt = Annotated[
    int,
    typer.Option(
        "--seed", min=0, help="Another seed, other head motion and blinks.", rich_help_panel=MOVES
    ),
]


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
    style: StyleOpt = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Video to write.", rich_help_panel=LOOKS)
    ] = Path("talking.mp4"),
    fps: FpsOpt = _defaults.fps,
    size: SizeOpt = _defaults.size,
    crop: CropOpt = _defaults.crop,
    face: FaceOpt = _defaults.face,
    start: StartOpt = _defaults.start,
    duration: DurationOpt = _defaults.duration,
    still: StillOpt = False,
    expression: ExpressionOpt = _defaults.controls.expression,
    pose: PoseOpt = _defaults.controls.pose,
    blink: BlinkOpt = _defaults.controls.blinks_per_minute,
    seed: SeedOpt = _defaults.controls.seed,
    motion: Annotated[
        Path | None,
        typer.Option("--motion", help="Render this saved motion.", rich_help_panel=SAVED),
    ] = None,
    save_motion: Annotated[
        Path | None,
        typer.Option("--save-motion", help="Also write the motion (npz).", rich_help_panel=SAVED),
    ] = None,
    device: DeviceOpt = _defaults.device,
    overwrite: OverwriteOpt = _defaults.overwrite,
    json: JsonOpt = False,
) -> None:
    """Make a portrait speak or sing a recording in somebody's style.

    [bold]Examples[/]

      stylehead animate --image me.jpg --audio speech.wav

      stylehead animate --image me.jpg --audio song.mp3 --style-video singer.mp4 -o song.mp4

      stylehead animate --image me.jpg --audio speech.wav --style lively --crop --fps 25
    """
    _one_of({"--style-video": style_video, "--style": style, "--motion": motion})
    from stylehead import console, pipeline

    with console.progress() as reporter:
        done = pipeline.animate(
            image,
            audio,
            output,
            style=style,
            style_video=style_video,
            motion=motion,
            save_motion_to=save_motion,
            options=Options(
                fps,
                size,
                crop,
                face,
                start,
                duration,
                device,
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
    style: StyleOpt = None,
    fps: FpsOpt = _defaults.fps,
    start: StartOpt = _defaults.start,
    duration: DurationOpt = _defaults.duration,
    still: StillOpt = False,
    expression: ExpressionOpt = _defaults.controls.expression,
    pose: PoseOpt = _defaults.controls.pose,
    blink: BlinkOpt = _defaults.controls.blinks_per_minute,
    seed: SeedOpt = _defaults.controls.seed,
    device: DeviceOpt = _defaults.device,
    overwrite: OverwriteOpt = _defaults.overwrite,
) -> None:
    """Make the motion alone: save it, edit it, render it with `animate --motion`."""
    _one_of({"--style-video": style_video, "--style": style})
    from stylehead import console, pipeline

    controls = MotionControls(expression, 0.0 if still else pose, blink, seed)
    options = Options(
        fps, start=start, duration=duration, device=device, overwrite=overwrite, controls=controls
    )
    with console.progress() as reporter:
        pipeline.write_motion(
            audio, output, style=style, style_video=style_video, options=options, reporter=reporter
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


evaluate_app = typer.Typer(pretty_exceptions_enable=False)
app.add_typer(evaluate_app, name="evaluate", rich_help_panel="Measure")


@evaluate_app.callback(invoke_without_command=True)
def evaluate(
    context: typer.Context,
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
    overwrite: OverwriteOpt = False,
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
    from stylehead import console, measuring

    if motion and landmarks and not (result or reference or style_video or page):
        for row in measuring.motion_rows(motion, landmarks):
            console.result("\t".join(row))
        return
    if result is None or (reference is None) == (style_video is None) or motion or landmarks:
        raise typer.BadParameter(
            "give --result with --reference or --style-video, or --motion with --landmarks."
        )
    with console.progress() as reporter:
        measured = measuring.measure(
            result,
            reference,
            style_video,
            page=page,
            csv=csv,
            overwrite=overwrite,
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
def evaluate_ravdess(
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
    device: DeviceOpt = _defaults.device,
) -> None:
    """Run the paper's benchmark: on videos (Tables 1 and 2), or on landmark files (motion only)."""
    from stylehead import console, measuring

    with console.progress() as reporter:
        rows, note = measuring.ravdess_rows(
            root, actor, cache, style, device, per_actor=per_actor, reporter=reporter
        )
    for row in rows:
        console.result("\t".join(row))
    console.say(note)


WorkOpt = Annotated[Path, typer.Option("--work", help="Folder of tracked clips.")]


@train_app.command("prepare")
def train_prepare(
    data: Annotated[Path, typer.Option("--data", help="Folder of clips.")], work: WorkOpt
) -> None:
    """Track every clip of a folder; clips already tracked are left alone."""
    from stylehead import console
    from stylehead.training.data import prepare

    with console.progress() as reporter:
        console.result(f"{prepare(data, work, reporter=reporter)} clips in {work}")


@train_app.command("face-model")
def train_face_model(work: WorkOpt) -> None:
    """Learn the generic face from tracked clips and enter it in weights.toml."""
    from stylehead import console, weights
    from stylehead.training.data import load_clips
    from stylehead.training.face_model import fit_face_model
    from stylehead.training.register import checkout_manifest, register

    checkout_manifest()  # before the work, not after it
    path = weights.PACKAGE / "assets" / "face_model.safetensors"
    with console.progress() as reporter:
        metrics = fit_face_model(load_clips(work), path, reporter=reporter)
    register("face_model", path)
    console.result(f"{path} {metrics}")


@train_app.command("baselines")
def train_baselines(
    work: WorkOpt,
    run: Annotated[Path, typer.Option("--run", help="Folder of the motion training.")],
) -> None:
    """Learn the benchmark's baselines from tracked clips and enter them in weights.toml."""
    from stylehead import console, weights
    from stylehead.training.baselines import fit_baselines
    from stylehead.training.data import load_clips
    from stylehead.training.register import checkout_manifest, register

    checkout_manifest()
    path = weights.PACKAGE / "assets" / "baselines.safetensors"
    metrics = fit_baselines(load_clips(work), run, path)
    register("baselines", path)
    console.result(f"{path} {metrics}")


@train_app.command("styles")
def train_styles(
    data: Annotated[Path, typer.Option("--data", help="Folder of clips.")],
) -> None:
    """Learn the built-in styles again from their clips."""
    from stylehead import console
    from stylehead.training.styles import make_styles

    with console.progress() as reporter:
        for path in make_styles(data, reporter=reporter):
            console.result(str(path))


@train_app.command("motion")
def train_motion(
    work: WorkOpt,
    run: Annotated[Path, typer.Option("--run", help="Folder for checkpoints and log; resumes.")],
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Optimiser steps. Default: the recipe's.")
    ] = None,
) -> None:
    """Train the motion generator on tracked clips and enter it in weights.toml."""
    from stylehead import console, weights
    from stylehead.training.data import load_clips
    from stylehead.training.motion import MotionTraining
    from stylehead.training.motion import train_motion as train
    from stylehead.training.register import checkout_manifest, register

    checkout_manifest()  # before the work, not after it
    path = weights.PACKAGE / "assets" / "motion.safetensors"
    how = MotionTraining() if steps is None else MotionTraining(steps=steps)
    with console.progress() as reporter:
        metrics = train(load_clips(work), run, path, how, reporter=reporter)
    register("motion", path)
    console.result(f"{path} {metrics}")


def _one_of(given: dict[str, object]) -> None:
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise typer.BadParameter(f"{' and '.join(named)} exclude each other.")


def main() -> None:
    """Run the command line; failures a user can mend become one line and exit code 1."""
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
