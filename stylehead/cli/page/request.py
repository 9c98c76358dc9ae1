"""What somebody asks the page for, checked: uploads and values -> tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stylehead import files
from stylehead.cli.page.desk import Desk, Job
from stylehead.cli.page.form import read
from stylehead.cli.page.work import Report, Video
from stylehead.compute.device import choose_device
from stylehead.errors import ConfigError
from stylehead.media.formats import VIDEO_SUFFIXES
from stylehead.options import previewed
from stylehead.pipeline.unused import check_options
from stylehead.style.file import list_styles

ENDINGS = tuple(ending for ending in VIDEO_SUFFIXES if ending != "/")
"""Of the files that can be asked for."""
NAME = "stylehead"


@dataclass(frozen=True, slots=True)
class Front:
    """Takes requests to a desk; files are those that were uploaded to a folder, or made here."""

    desk: Desk
    uploads: Path
    results: Path

    def uploaded(self, value: object, use: str) -> Path:
        """Return the file of an upload; raises ConfigError for any other."""
        if isinstance(value, Mapping):
            value = value.get("path")
        path = _resolved(value) if isinstance(value, str) else None
        if path is None or not path.is_relative_to(self.uploads) or not files.is_file(path):
            raise ConfigError(f"{use} is no upload.", remedy="Upload a file for it.")
        return path

    def animate(
        self,
        image: object,
        audio: object,
        *,
        style: str,
        clip: object = None,
        ending: str = ".mp4",
        voices: Sequence[tuple[int, object, str | None]] = (),
        options: Mapping[str, object],
        preview: bool = False,
        owner: str,
    ) -> Job:
        """Ask for a video, or a short and small one to try out.

        `voices` are faces from the left, their stems and styles.

        Raises ConfigError or MediaError for what can be refused at once.
        """
        for value, wanted in ((image, "a portrait"), (audio, "a recording")):
            if not value:
                raise ConfigError(f"There is no {wanted.split()[1]} yet.", remedy=f"Give {wanted}.")
        picture, sound = self.uploaded(image, "The portrait"), self.uploaded(audio, "The recording")
        filmed = self.uploaded(clip, "The clip") if clip else None
        chosen, effort = read(options, self.uploaded)
        sing = [self._sung(*voice) for voice in voices]
        chosen = replace(chosen, sing=sing or None)
        check_options(chosen, output=f"{NAME}{ending}")
        if preview:
            chosen, effort = previewed(chosen, effort, clip=filmed is not None)
        _check_style(style)
        if ending not in ENDINGS:
            raise ConfigError(
                f"{ending} is no format of a video.", remedy=f"Use one of {', '.join(ENDINGS)}."
            )
        for path, kind in ((picture, "picture"), (sound, "recording")):
            files.check_file(path, kind)

        def task(folder: Path) -> Video:
            return Video(
                folder=folder,
                image=picture,
                audio=sound,
                output=folder / f"{NAME}{ending}",
                style=style,
                clip=filmed,
                effort=effort.style_effort,
                options=chosen,
            )

        device = choose_device(chosen.device).type
        return self.desk.submit(task, device=device, owner=owner)

    def _sung(self, face: int, stem: object, style: str | None) -> str:
        if style:
            _check_style(style)
        path = self.uploaded(stem, f"The voice of face {face}")
        return f"{face}={path}" + (f":{style}" if style else "")

    def evaluate(self, result: object, other: object, *, same_words: bool, owner: str) -> Job:
        """Ask for a comparison of a video that was made here."""
        made = _resolved(str(result))
        if made is None or not (made.is_relative_to(self.results) and files.is_file(made)):
            raise ConfigError("There is no video yet.", remedy="Make one first.")
        real = self.uploaded(other, "The video to compare with")

        def task(folder: Path) -> Report:
            return Report(
                folder=folder,
                result=made,
                other=real,
                same_words=same_words,
                page=folder / "report.html",
            )

        return self.desk.submit(task, device="cpu", owner=owner)


def _resolved(name: str) -> Path | None:
    """Return a whole path without links; None for a name that no file can have."""
    try:
        return Path(name).resolve()
    except (OSError, ValueError):
        return None


def _check_style(name: str) -> None:
    """Raise ConfigError for what is not the name of a known style: names here are no files."""
    known = [one for one, _, _ in list_styles()]
    if name not in known:
        raise ConfigError(f"There is no style {name}.", remedy=f"Use one of {', '.join(known)}.")


def facts_of(job: Job) -> dict[str, Any]:
    """Return what a job tells a program."""
    told: dict[str, Any] = {
        "state": job.state.value,
        "stage": job.stage,
        "done": job.done,
        "total": job.total,
        "seconds_left": job.seconds_left,
    }
    return (
        told
        | ({"problem": job.problem} if job.problem else {})
        | ({"facts": job.facts} if job.facts else {})
    )
