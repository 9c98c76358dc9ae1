"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stylehead.options import DEFAULT_STYLE, Device, Encoder, Options, Renderer

FIRST, LOOKS, MOVES, SAVED = "Picture and sound", "Output", "Motion", "Reuse"
DEFAULTS = Options()

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
StylesOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--style",
        help="Style file, or a name from `stylehead styles`; repeat it with weights "
        f"(a.style:0.7) to mix. Default: {DEFAULT_STYLE}.",
        rich_help_panel=FIRST,
    ),
]
StyleRegionOpt = Annotated[
    str | None,
    typer.Option(
        "--style-region",
        help="Styles for parts of the face: mouth=a,head=b with mouth, brows, eyes, head.",
        rich_help_panel=FIRST,
    ),
]
StyleStrengthOpt = Annotated[
    float,
    typer.Option(
        "--style-strength",
        min=0,
        max=1.5,
        help="How much of the style: 0 none, 1 as it is, above exaggerated.",
        rich_help_panel=MOVES,
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
RendererOpt = Annotated[
    Renderer,
    typer.Option(
        "--renderer",
        help="What paints: embedded comes along; the others' weights are fetched and want a GPU.",
        rich_help_panel=LOOKS,
    ),
]
EncoderOpt = Annotated[
    Encoder,
    typer.Option(
        "--encoder",
        help="What listens: auto is whisper, fetched once, or else the built-in distilled one.",
        rich_help_panel=MOVES,
    ),
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
