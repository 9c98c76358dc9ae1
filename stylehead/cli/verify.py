"""stylehead verify: where a video comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stylehead.cli.options import JsonOpt, takes

ALTERED, NOTHING = 1, 3
"""Exit codes."""


@takes()
def verify(
    file: Annotated[Path, typer.Argument(help="Video, or a folder of PNG pictures.")],
    json: JsonOpt = False,
) -> None:
    """Check a video's signature and mark: who signed it, what it was made from, if it has changed.

    The exit code is 0 for a file that is unchanged since it was signed, 1 for one that was changed
    or has lost its signature, 3 if neither a signature nor the mark is found.

    [bold]Example[/]

      stylehead verify talking.mp4
    """
    from stylehead.cli import console
    from stylehead.provenance.verify import State
    from stylehead.provenance.verify import verify as verdict_on

    verdict = verdict_on(file)
    if json:
        console.result(verdict.as_json())
    else:
        for sentence in verdict.sentences():
            console.result(sentence)
    raise typer.Exit(
        {State.INTACT: 0, State.ALTERED: ALTERED, State.NOTHING: NOTHING}[verdict.state]
    )
