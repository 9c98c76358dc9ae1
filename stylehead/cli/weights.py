"""stylehead weights: model files listed, downloaded, checked, moved to another machine."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from stylehead.cli.options import JsonOpt, takes
from stylehead.options import Overwrite
from stylehead.weights.profiles import PROFILES

weights_app = typer.Typer(
    help="Model files: list, download, check, and move them to another machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

NamesArg = Annotated[
    list[str] | None, typer.Argument(help="Names from `stylehead weights list`.", metavar="NAME")
]
ProfileOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="PROFILE",
        help=f"All files of a profile; may be given repeatedly. One of: {', '.join(PROFILES)}.",
    ),
]
UnverifiedOpt = Annotated[
    bool,
    typer.Option(
        "--allow-unverified", help="Accept files for which nobody has published a sha256 checksum."
    ),
]


@weights_app.command("list")
@takes()
def list_weights(profile: ProfileOpt = None, json: JsonOpt = False) -> None:
    """List every model file: size, licence, whether it is here, and what it is for.

    [bold]Examples[/]

      stylehead weights list

      stylehead weights list --profile liveportrait --json
    """
    from stylehead.cli.console import drawing, draws, result, say
    from stylehead.weights.manage import SHORT, cells, chosen, described, short_cells
    from stylehead.weights.store import folder

    entries = chosen(None, profile or list(PROFILES))
    if json:
        result(json_text.dumps([described(entry) for entry in entries], indent=1))
        return
    if not draws():
        for entry in entries:
            result("\t".join(cells(entry)))
        return
    for name, about in PROFILES.items():
        rows = [short_cells(entry) for entry in entries if entry.profile == name]
        if rows:
            drawing(f"{name}: {about}", SHORT, rows)
    say(f"Downloaded files are in {folder()}.")


@weights_app.command("get")
@takes()
def get_weights(
    names: NamesArg = None,
    profile: ProfileOpt = None,
    commercial_only: Annotated[
        bool,
        typer.Option("--commercial-only", help="Refuse files not cleared for commercial use."),
    ] = False,
    allow_unverified: UnverifiedOpt = False,
) -> None:
    """Download optional model files and check them; the default renderer needs none.

    Without a name, list all files. An interrupted download resumes where it stopped.

    [bold]Examples[/]

      stylehead weights get --profile liveportrait

      stylehead weights get vid2vid_sadtalker_256
    """
    from stylehead.cli.console import progress, result, say
    from stylehead.weights.manage import check_commercial, chosen
    from stylehead.weights.store import get

    if not (names or profile):
        say("What the default renderer needs is inside the package. Optional files, by profile:")
        for name, about in PROFILES.items():
            if name != "embedded":
                result(f"{name}: {about}")
        say("Download one with: stylehead weights get --profile NAME")
        return
    entries = chosen(names, profile or [])
    if commercial_only:
        check_commercial(entries)
    with progress() as reporter:
        paths = get(entries, allow_unverified=allow_unverified, reporter=reporter)
    for path in paths:
        result(str(path))


@weights_app.command("verify")
@takes()
def verify_weights(names: NamesArg = None, profile: ProfileOpt = None) -> None:
    """Check the sha256 checksums of model files; without a name, of all that are here.

    A damaged file is set aside under another name and never loaded.
    """
    from stylehead.cli.console import progress, result
    from stylehead.weights.manage import chosen, verify
    from stylehead.weights.store import place_of

    entries = chosen(names, profile or ([] if names else list(PROFILES)))
    with progress() as reporter:
        good = verify(entries, needed=bool(names or profile), reporter=reporter)
    for entry in good:
        result(f"{place_of(entry)}: intact")


@weights_app.command("path")
@takes()
def weights_path(
    name: Annotated[
        str | None, typer.Argument(help="Name from `stylehead weights list`.", metavar="NAME")
    ] = None,
) -> None:
    """Print the folder of the downloaded files, or where one file is."""
    from stylehead.cli.console import result
    from stylehead.weights.manage import chosen, intact_path
    from stylehead.weights.store import folder

    if name is None:
        result(str(folder()))
        return
    (entry,) = chosen([name], [])
    result(str(intact_path(entry)))


@weights_app.command("remove")
@takes()
def remove_weights(names: NamesArg = None, profile: ProfileOpt = None) -> None:
    """Delete downloaded files, with their partial downloads and converted copies."""
    from stylehead.cli.console import result
    from stylehead.weights.manage import chosen, remove

    if not (names or profile):
        raise typer.BadParameter("give names of files, or --profile.")
    for path in remove(chosen(names, profile or [])):
        result(str(path))


@weights_app.command("export")
@takes(choice=Overwrite)
def export_weights(
    choice: Overwrite,
    bundle: Annotated[Path, typer.Argument(help="Zip file to write.", metavar="ZIP")],
    names: NamesArg = None,
    profile: ProfileOpt = None,
) -> None:
    """Pack downloaded files into one zip for a machine without a connection; all, unless named.

    [bold]Example[/]

      stylehead weights export models.zip --profile liveportrait
    """
    from stylehead.cli.console import progress, result
    from stylehead.weights.manage import chosen, export

    entries = chosen(names, profile or ([] if names else list(PROFILES)))
    with progress() as reporter:
        export(
            bundle,
            entries,
            needed=bool(names or profile),
            overwrite=choice.overwrite,
            reporter=reporter,
        )
    result(str(bundle))


@weights_app.command("import")
@takes()
def import_weights(
    bundle: Annotated[
        Path, typer.Argument(help="Zip that `stylehead weights export` wrote.", metavar="ZIP")
    ],
    allow_unverified: UnverifiedOpt = False,
) -> None:
    """Install model files from an exported zip; each must have the right size and checksum."""
    from stylehead.cli.console import progress, result
    from stylehead.weights.manage import import_bundle

    with progress() as reporter:
        paths = import_bundle(bundle, allow_unverified=allow_unverified, reporter=reporter)
    for path in paths:
        result(str(path))
