"""stylehead ui and serve: a page in the browser, and the same for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from stylehead.cli.options import takes
from stylehead.options.choices import option

if TYPE_CHECKING:
    from stylehead.batch.events import Facts
    from stylehead.cli.page.work import Task
    from stylehead.progress import Reporter

NO_SHARING = (
    "the page is for this machine alone. A public address would lead through somebody else's "
    "server to your pictures and voices, and let anybody who learns it work here. From another "
    "machine of yours: ssh -L 7860:127.0.0.1:7860 THIS-MACHINE"
)


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Where the page is, and what it takes."""

    port: int = option(7860, "Port on 127.0.0.1; 0 takes a free one.", low=0, high=65_535)
    most_upload: int = option(
        500, "Size limit of an uploaded file, in megabytes.", low=1, high=100_000
    )


@takes(serving=Serving)
def ui(
    serving: Serving,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    share: Annotated[
        bool, typer.Option("--share", help="Refused: the page is for this machine alone.")
    ] = False,
) -> None:
    """Open a page in the browser, on which you make videos by clicks.

    It runs on this machine, and other machines cannot reach it. Needs the extra `ui`:
    pip install '.[ui]'.

    [bold]Example[/]

      stylehead ui
    """
    if share:
        raise typer.BadParameter(f"--share is refused: {NO_SHARING}")
    _serve(serving, page=True, browser=browser)


@takes(serving=Serving)
def serve(serving: Serving) -> None:
    """Offer the page's HTTP interface alone, for programs on this machine.

    Needs the extra `ui`: pip install '.[ui]'.

    [bold]Example[/]

      stylehead serve --port 8000
    """
    _serve(serving, page=False, browser=False)


def _serve(serving: Serving, *, page: bool, browser: bool) -> None:
    import webbrowser

    from stylehead.cli import console
    from stylehead.cli.page.app import serve as serve_page

    serve_page(
        work,
        port=serving.port,
        most=serving.most_upload,
        page=page,
        opened=webbrowser.open if browser else str,
        say=console.say,
    )


def work(task: Task, reporter: Reporter) -> Facts:
    """Do a task of the page in a process of its own."""
    from stylehead.cli.memory import keep_memory_flat
    from stylehead.cli.page.work import do

    keep_memory_flat()
    return do(task, reporter)
