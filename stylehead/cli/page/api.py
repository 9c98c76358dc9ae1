"""The HTTP interface: what the page does, for programs."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from typing import Any, cast

import gradio as gr
from gradio.events import api

from stylehead.cli.page.desk import State, plain
from stylehead.cli.page.form import entries
from stylehead.cli.page.previews import known_styles
from stylehead.cli.page.request import ENDINGS, Front, facts_of
from stylehead.errors import ConfigError, StyleheadError
from stylehead.options import DEFAULT_STYLE


def offer(front: Front) -> None:
    """Add the interface's calls to the Blocks that is being made."""

    def animate(
        image: dict[str, Any],
        audio: dict[str, Any],
        style: str = DEFAULT_STYLE,
        style_video: dict[str, Any] | None = None,
        format: str = ENDINGS[0],
        options: dict[str, Any] | None = None,
        voices: list[dict[str, Any]] | None = None,
        preview: bool = False,
    ) -> Generator[tuple[dict[str, Any], dict[str, Any] | None]]:
        """Make a video; yields its state again and again, and the file when it is done."""
        try:
            job = front.animate(
                image,
                audio,
                style=style,
                clip=style_video,
                ending=format,
                voices=_voices(voices),
                options=_named(options),
                preview=preview,
                owner=secrets.token_hex(8),
            )
        except StyleheadError as failure:
            raise _refusal(plain(f"{failure} {failure.remedy}")) from failure
        for one in job.watch():
            if not one.ended.is_set():
                yield facts_of(one), None
        if job.state is not State.DONE:
            raise _refusal(job.problem or "The job was stopped.")
        yield facts_of(job), {"path": job.facts["output"], "meta": {"_type": "gradio.FileData"}}

    def styles() -> list[str]:
        """Return the names of all known styles."""
        return list(known_styles())

    def options() -> list[dict[str, Any]]:
        """Return the options that `animate` takes: name, help, default, bounds and choices."""
        return [one.as_json() for one in entries()]

    api(animate, api_name="animate", concurrency_limit=None)
    api(styles, api_name="styles")
    api(options, api_name="options")


def _named(given: object) -> dict[str, object]:
    """Return options by name; raises ConfigError for anything else."""
    if not isinstance(given or {}, dict):
        raise ConfigError("The options are no table.", remedy='Write {"NAME": VALUE}.')
    return cast("dict[str, object]", given or {})


def _voices(given: object) -> list[tuple[int, object, str | None]]:
    """Return voices as (face, stem, style); raises ConfigError for anything else."""
    try:
        voices: Any = given or []
        return [(int(one["face"]), one["stem"], one.get("style")) for one in voices]
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ConfigError(
            "The voices are not a list of faces with stems.",
            remedy='Write [{"face": 1, "stem": FILE, "style": NAME}].',
        ) from error


def _refusal(said: str) -> gr.Error:
    return gr.Error(said, print_exception=False)
