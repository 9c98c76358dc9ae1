"""Fields of option classes -> options of a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from stylehead.options import DEFAULT_STYLE, INPUT, LOOKS
from stylehead.options.choices import option

T = TypeVar("T")

ImageOpt = Annotated[
    Path,
    typer.Option("--image", help="Portrait to animate: any still picture.", rich_help_panel=INPUT),
]
AudioOpt = Annotated[
    Path,
    typer.Option(
        "--audio",
        help="Recording, or a video's sound track; - reads standard input.",
        rich_help_panel=INPUT,
    ),
]
StyleVideoOpt = Annotated[
    Path | None,
    typer.Option("--style-video", help="Clip to learn the style from.", rich_help_panel=INPUT),
]
StyleOpt = Annotated[
    str | None,
    typer.Option(
        "--style",
        help=f"Style file, or a name from `stylehead styles`. Default: {DEFAULT_STYLE}.",
        rich_help_panel=INPUT,
    ),
]
StylesOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--style",
        metavar="STYLE",
        help="Style file, or a name from `stylehead styles`; give several with weights "
        f"(--style a.style:0.7 --style lively:0.3) to mix them. Default: {DEFAULT_STYLE}.",
        rich_help_panel=INPUT,
    ),
]
StyleRegionOpt = Annotated[
    str | None,
    typer.Option(
        "--style-region",
        metavar="PART=STYLE,...",
        help="Other styles for parts of the face (mouth, brows, eyes, head), as in "
        "head=lively,brows=b.style.",
        rich_help_panel=INPUT,
    ),
]
RUN = "Run"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run says, and whether it makes anything."""

    dry_run: bool = option(
        False,
        "Check everything, print what would be made and how long that takes, and make nothing.",
        panel=RUN,
    )
    log: Path | None = option(
        None,
        "Also append all messages to this file, with times and versions. Default: none.",
        panel=RUN,
    )


@dataclass(frozen=True, kw_only=True)
class VideoRun(Run):
    """The same for a video."""

    json_lines: bool = option(
        False, "Print progress and result as JSON lines on stdout, as batch does.", panel=RUN
    )
    preview: bool = option(
        False,
        "Make a quick trial: at most 3 s, the face at 256 pixels unless --frame says otherwise; "
        "--style-video is learned as with --style-effort fast.",
        panel=RUN,
    )


JsonOpt = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout.", rich_help_panel=LOOKS)
]
QuietOpt = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
VerboseOpt = Annotated[bool, typer.Option("--verbose", "-v", help="Also print log messages.")]


def takes(**groups: type) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command one option for every field of these dataclasses, and hand it the dataclasses.

    Every command also takes -q and -v, so that they may stand before or after its name.
    """

    def wrap(command: Callable[..., T]) -> Callable[..., T]:
        parameters = signature(command, eval_str=True).parameters.values()
        own = [
            one.replace(kind=Parameter.KEYWORD_ONLY) for one in parameters if one.name not in groups
        ]
        added = [
            _parameter(one, hints[one.name])
            for kind, hints in ((kind, get_type_hints(kind)) for kind in groups.values())
            for one in fields(kind)
        ]
        talk = [keyword("quiet", QuietOpt, False), keyword("verbose", VerboseOpt, False)]

        @wraps(command)
        def run(*, quiet: bool, verbose: bool, **given: Any) -> T:
            loudness(quiet=quiet, verbose=verbose)
            for name, kind in groups.items():
                given[name] = kind(**{one.name: given.pop(one.name) for one in fields(kind)})
            return command(**given)

        run.__signature__ = Signature([*own, *added, *talk])  # pyright: ignore[reportAttributeAccessIssue] (typer reads it)
        return run

    return wrap


def loudness(*, quiet: bool, verbose: bool) -> None:
    """Set how much is printed; without either, what was said before the command's name holds."""
    if quiet or verbose:
        from stylehead.cli import console

        console.configure(quiet=quiet, verbose=verbose)


def same_options(
    reader: Callable[..., T],
) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Give a command the options and the help of `reader`, and hand it what that returns."""

    def wrap(command: Callable[[T], None]) -> Callable[..., None]:
        @wraps(reader)
        def run(**given: Any) -> None:
            command(reader(**given))

        run.__signature__ = signature(reader)  # pyright: ignore[reportAttributeAccessIssue] (typer reads it)
        return run

    return wrap


def _parameter(one: Field[Any], kind: Any) -> Parameter:
    about = one.metadata
    flag = about["flag"] or f"--{one.name.replace('_', '-')}"
    bounds: dict[str, Any] = {"min": about["low"], "max": about["high"]}
    if kind is bool:
        bounds = {}
    elif about["reads"]:
        kind, bounds = str, {"parser": _parser(about["reads"])}
    opt = typer.Option(
        flag,
        help=about["help"],
        rich_help_panel=about["panel"],
        metavar=about["metavar"],
        **bounds,
    )
    return keyword(one.name, Annotated[kind, opt], one.default)


def _parser(reads: Callable[[str], T]) -> Callable[[str], T]:
    """Return a reader of an option whose complaint is a usage error."""

    @wraps(reads)
    def read(said: str) -> T:
        try:
            return reads(said)
        except ValueError as error:
            raise typer.BadParameter(f"{error}.") from error

    return read


def keyword(name: str, kind: Any, default: Any) -> Parameter:
    """Return a parameter of a command that is only given by its name."""
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
