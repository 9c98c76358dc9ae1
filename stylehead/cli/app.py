"""The command line's app: its commands, and the one place where errors are caught."""

from __future__ import annotations

import codecs
import io
import os
import sys
import traceback
from typing import Annotated

import typer

from stylehead.cli import make, styles
from stylehead.cli.batch import batch
from stylehead.cli.doctor import doctor
from stylehead.cli.evaluate import evaluate_app
from stylehead.cli.log import LOG
from stylehead.cli.memory import keep_memory_flat
from stylehead.cli.options import QuietOpt, VerboseOpt
from stylehead.cli.train import prepare, train_app
from stylehead.cli.ui import serve, ui
from stylehead.cli.verify import verify
from stylehead.cli.weights import weights_app
from stylehead.errors import StyleheadError, of_the_machine
from stylehead.version import __version__

HELP = """Make a portrait speak or sing a recording, in the style of a clip you like.

[bold]Start here[/]

  stylehead demo
  stylehead animate --image me.jpg --audio song.mp3 --style-video singer.mp4
"""

app = typer.Typer(
    help=HELP, rich_markup_mode="rich", no_args_is_help=True, pretty_exceptions_enable=False
)
app.command("animate", rich_help_panel="Make")(make.animate)
app.command("batch", rich_help_panel="Make")(batch)
app.command("motion", rich_help_panel="Make")(make.motion)
app.command("ui", rich_help_panel="Make")(ui)
app.command("serve", rich_help_panel="Make")(serve)
app.command("voice", rich_help_panel="Make")(make.voice)
app.command("demo", rich_help_panel="Make")(make.demo)
app.command("verify", rich_help_panel="Make")(verify)
app.command("extract-style", rich_help_panel="Styles")(styles.extract_style)
app.command("finetune-style", rich_help_panel="Styles")(styles.finetune_style)
app.command("styles", rich_help_panel="Styles")(styles.list_known_styles)
app.add_typer(evaluate_app, name="evaluate", rich_help_panel="Measure")
app.command("doctor", rich_help_panel="Help")(doctor)
app.add_typer(weights_app, name="weights", rich_help_panel="Help")
app.command("prepare", rich_help_panel="Development")(prepare)
app.add_typer(train_app, name="train", rich_help_panel="Development")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stylehead {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    quiet: QuietOpt = False,
    verbose: VerboseOpt = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    from stylehead.cli import console

    console.configure(quiet=quiet, verbose=verbose)


def _wait_asleep() -> None:
    """Have OpenMP's threads sleep while they wait, unless the user has it otherwise.

    They spin by default: beside the video encoder's threads the networks then take several times
    as long. Read when torch is first imported, so it has to be set before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _any_character(error: UnicodeError) -> tuple[bytes | str, int]:
    """Encode what a console has no character for: bytes of names as they are, others by number.

    File names need not be text, and code pages have few characters.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    first = error.object[error.start]
    if "\udc80" <= first <= "\udcff":
        return bytes([ord(first) - 0xDC00]), error.start + 1
    return f"\\u{{{ord(first):x}}}", error.start + 1


def main() -> None:
    """Run the command line; failures a user can mend become one line and exit code 1."""
    keep_memory_flat()
    _wait_asleep()
    codecs.register_error("stylehead", _any_character)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="stylehead")
    code: str | int = 1  # of whatever is not foreseen
    try:
        code = app(standalone_mode=False) or 0
    except SystemExit as leaving:
        code = leaving.code or 0
        raise
    except typer.TyperException as wrong:
        code = _misused(wrong)
    except StyleheadError as failure:
        _fail(failure)
    except BrokenPipeError:  # whoever read the results has had enough of them
        code = 128 + 13
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush
        raise SystemExit(code) from None
    except Exception as error:
        failure = of_the_machine(error)
        if failure is None:
            for line in traceback.format_exc().splitlines():
                LOG.note(line)
            raise
        _fail(failure)
    finally:
        LOG.end(code)
    raise SystemExit(code)


def _misused(wrong: typer.TyperException) -> int:
    """Say in one line what is wrong about the words of a command; return the exit code."""
    from stylehead.cli import console

    command = getattr(getattr(wrong, "ctx", None), "command_path", "stylehead")
    said = wrong.format_message().strip()
    if said:  # nothing where the help has just been shown instead
        console.error(said if said.endswith(("?", ".")) else f"{said}.", f"See {command} --help.")
    return 2


def _fail(failure: StyleheadError) -> None:
    from stylehead.cli import console

    if console.debugging():
        raise failure
    console.error(str(failure), failure.remedy)
    raise SystemExit(1) from None
