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
    """Tell whether a video is as it was signed, by whom, made from what, and marked by stylehead.

    Ends with 0 for a file that is intact, 1 for one that was altered or whose signature is gone, 3
    where neither a signature nor the mark is found.

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
