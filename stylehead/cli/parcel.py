"""A row of a list with all that it names, for a machine that has none of the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stylehead.cli.jobs import Task, inside, read_request
from stylehead.cli.memory import keep_memory_flat
from stylehead.cli.video import VideoRequest, make_video
from stylehead.errors import ConfigError
from stylehead.files import digest, is_file
from stylehead.files.locks import temporary_folder
from stylehead.options import sidecar_of
from stylehead.pipeline.song import asked
from stylehead.progress import Reporter
from stylehead.style.file import list_styles


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent: a request whose files are named by where they lie in the parcel."""

    request: VideoRequest
    files: dict[Path, bytes]
    """Contents by relative names; equal ones are there once."""


def check_sendable(task: Task) -> None:
    """Raise ConfigError for what would be written on another machine and lost there."""
    request = read_request(task.words)
    if request.save_motion or request.save_patterns:
        raise ConfigError(
            "A cluster sends back the video alone.",
            remedy="Leave out save-motion and save-patterns, or use --engine local.",
        )
    if request.options.sign_key:
        raise ConfigError(
            "A key does not leave this computer for a cluster.",
            remedy="Leave out sign-key: machines sign with their own; or use --engine local.",
        )


def packed(task: Task) -> Parcel:
    """Return a job with its files."""
    with inside(Path(task.folder)):
        request = read_request(task.words)
        contents: dict[Path, bytes] = {}

        def put(path: Path) -> Path:
            place = Path(digest(path)[:16]) / path.name
            if place not in contents:
                contents[place] = path.read_bytes()
            return place

        own = {name: file for name, file, built_in in list_styles() if not built_in}
        return Parcel(_moved(request, put, own), contents)


def _moved(
    request: VideoRequest, put: Callable[[Path], Path], own: dict[str, Path]
) -> VideoRequest:
    """Return a request whose files are where `put` puts them; `own`: the user's styles by name."""

    def moved(path: Path | None) -> Path | None:
        return put(path) if path else None

    def style(text: str) -> str:
        """Move what names a style, with a weight or without: NAME[:WEIGHT]."""
        name, colon, weight = text.rpartition(":")
        for known, rest in ((text, ""), (name, colon + weight)):
            file = Path(known) if known and is_file(Path(known)) else own.get(known)
            if file:
                return f"{put(file)}{rest}"
        return text

    def singer(text: str) -> str:
        face, stem, its_style = asked(text)
        return f"{face}={put(stem)}" + (f":{style(its_style)}" if its_style else "")

    behind = request.options.background
    if behind and is_file(Path(behind)):
        behind = str(put(Path(behind)))
    regions = [part.partition("=") for part in (request.style_region or "").split(",") if part]
    options = request.options
    return replace(
        request,
        image=put(request.image),
        audio=put(request.audio),
        output=Path("made") / request.output.name,
        style=[style(name) for name in request.style] if request.style else request.style,
        style_video=moved(request.style_video),
        style_region=",".join(f"{part}={style(name)}" for part, _, name in regions) or None,
        motion=moved(request.motion),
        options=replace(
            options,
            workers=1,  # videos are made side by side
            vocals=moved(options.vocals),
            matte=moved(options.matte),
            cues=moved(options.cues),
            background=behind,
            sing=[singer(text) for text in options.sing] if options.sing else options.sing,
        ),
    )


def make_parcel(parcel: Parcel, reporter: Reporter) -> dict[str, Any]:
    """Make the video of a parcel where it has come; return what there is to say, and its bytes."""
    keep_memory_flat()
    with temporary_folder("parcel") as folder, inside(folder):
        for place, content in parcel.files.items():
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content)
        output = parcel.request.output
        output.parent.mkdir()
        facts = json.loads(make_video(parcel.request, reporter).as_json())
        beside = sidecar_of(output)
        signature = {"signature": beside.read_bytes()} if beside.exists() else {}
        return facts | {"video": output.read_bytes()} | signature
