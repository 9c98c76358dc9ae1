"""stylehead weights: what model files there are, and bringing, checking and moving them."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from stylehead.cli_options import JsonOpt, OverwriteOpt
from stylehead.store.manifest import PROFILES

weights_app = typer.Typer(
    help="Model files: what there is, and bringing, checking and moving them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

NamesArg = Annotated[
    list[str] | None, typer.Argument(help="Names from `stylehead weights list`.", metavar="NAME...")
]
ProfileOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--profile", help=f"All files of a profile; repeat it. One of: {', '.join(PROFILES)}."
    ),
]
UnverifiedOpt = Annotated[
    bool,
    typer.Option("--allow-unverified", help="Take files whose sha256 nobody has published."),
]


@weights_app.command("list")
def list_weights(profile: ProfileOpt = None, json: JsonOpt = False) -> None:
    """List every model file: size, licence, whether it is here, what it adds.

    [bold]Examples[/]

      stylehead weights list

      stylehead weights list --profile liveportrait --json
    """
    from stylehead import console, upkeep, weights

    rows = upkeep.overview(upkeep.chosen(None, profile or list(PROFILES)))
    if json:
        console.result(json_text.dumps([row.as_dict() for row in rows], indent=1))
        return
    if not console.draws():
        for row in rows:
            console.result("\t".join(row.cells()))
        return
    for name, about in PROFILES.items():
        cells = [row.short_cells() for row in rows if row.profile == name]
        if cells:
            console.drawing(f"{name}: {about}", upkeep.SHORT, cells)
    console.say(f"Fetched files are in {weights.folder()}.")


@weights_app.command("get")
def get_weights(
    names: NamesArg = None,
    profile: ProfileOpt = None,
    commercial_only: Annotated[
        bool,
        typer.Option("--commercial-only", help="Refuse files not cleared for commercial use."),
    ] = False,
    allow_unverified: UnverifiedOpt = False,
) -> None:
    """Fetch model files and check them; without a name, what videos need at first use.

    An interrupted download goes on where it stopped.

    [bold]Examples[/]

      stylehead weights get

      stylehead weights get --profile liveportrait
    """
    from stylehead import console, upkeep, weights

    entries = upkeep.chosen(names, profile or ([] if names else list(weights.USUAL)))
    if commercial_only:
        upkeep.check_commercial(entries)
    with console.progress() as reporter:
        paths = weights.get(entries, allow_unverified=allow_unverified, reporter=reporter)
    for path in paths:
        console.result(str(path))


@weights_app.command("verify")
def verify_weights(names: NamesArg = None, profile: ProfileOpt = None) -> None:
    """Check the sha256 of model files; without a name, of all that are here.

    A damaged file is set aside under another name and never loaded.
    """
    from stylehead import console, upkeep, weights

    entries = upkeep.chosen(names, profile or ([] if names else list(PROFILES)))
    with console.progress() as reporter:
        good = upkeep.verify(entries, needed=bool(names or profile), reporter=reporter)
    for entry in good:
        console.result(f"{weights.place_of(entry)}: intact")


@weights_app.command("path")
def weights_path(
    name: Annotated[str | None, typer.Argument(help="A file's name in the list.")] = None,
) -> None:
    """Print the folder of the fetched files, or where one file is."""
    from stylehead import console, upkeep, weights

    if name is None:
        console.result(str(weights.folder()))
        return
    (entry,) = upkeep.chosen([name], [])
    console.result(str(upkeep.found(entry)))


@weights_app.command("remove")
def remove_weights(names: NamesArg = None, profile: ProfileOpt = None) -> None:
    """Delete fetched files, and what downloads or conversions of them left behind."""
    from stylehead import console, upkeep

    if not (names or profile):
        raise typer.BadParameter("name files or a profile.")
    for path in upkeep.remove(upkeep.chosen(names, profile or [])):
        console.result(str(path))


@weights_app.command("export")
def export_weights(
    bundle: Annotated[Path, typer.Argument(help="Zip to write.")],
    names: NamesArg = None,
    profile: ProfileOpt = None,
    overwrite: OverwriteOpt = False,
) -> None:
    """Put fetched files into one zip for a machine without a connection; without a name, all.

    [bold]Example[/]

      stylehead weights export models.zip --profile embedded --profile speech
    """
    from stylehead import console, upkeep

    entries = upkeep.chosen(names, profile or ([] if names else list(PROFILES)))
    with console.progress() as reporter:
        upkeep.export(
            bundle,
            entries,
            needed=bool(names or profile),
            overwrite=overwrite,
            reporter=reporter,
        )
    console.result(str(bundle))


@weights_app.command("import")
def import_weights(
    bundle: Annotated[Path, typer.Argument(help="Zip that `stylehead weights export` wrote.")],
    allow_unverified: UnverifiedOpt = False,
) -> None:
    """Take the files of a bundle, each only when its size and sha256 are right."""
    from stylehead import console, upkeep

    with console.progress() as reporter:
        paths = upkeep.import_bundle(bundle, allow_unverified=allow_unverified, reporter=reporter)
    for path in paths:
        console.result(str(path))
