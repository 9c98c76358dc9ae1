"""What a job looks like on the page, as HTML."""

from __future__ import annotations

import base64
import math
from html import escape
from pathlib import Path
from urllib.parse import quote

from stylehead.cli.page.desk import Job, State, plain
from stylehead.errors import StyleheadError

MOVING = (".gif", ".webp", ".apng")
PLAYED = (".mp4", ".m4v", ".webm", ".mov")
FAILED = '<div class="job failed" role="alert">'
IDLE = '<p class="hint">Your video appears here.</p>'


def status(job: Job, before: int = 0) -> str:
    """Return how far a job is, with a live picture while it runs."""
    if job.state is State.WAITING:
        waits = "Starts next." if not before else f"{before} before this one."
        return f'<div class="job waiting" role="status"><p>Waiting: {waits}</p></div>'
    if job.state is State.FAILED:
        return f"{FAILED}<p>{escape(job.problem)}</p></div>"
    if job.state is State.STOPPED:
        return '<div class="job stopped" role="status"><p>Cancelled. Nothing was kept.</p></div>'
    if job.state is State.DONE:
        said = [note for note in job.said if note.startswith(("Note: ", "Warning: "))]
        notes = "".join(f"<li>{escape(note)}</li>" for note in said)
        summary = escape(str(job.facts.get("summary", "Done.")))
        return f'<div class="job done" role="status"><p>{summary}</p><ul>{notes}</ul></div>'
    return f'<div class="job running" role="status">{_live(job)}{_bar(job)}</div>'


def _bar(job: Job) -> str:
    stage = escape(job.stage or "Starting")
    if not job.total or job.done >= job.total:  # done, and the next has not begun
        return f"<p>{stage}</p><progress aria-label='{stage}'></progress>"
    left = job.seconds_left
    said = "" if left is None else f", {time(left)} left"
    return (
        f"<p>{stage}: {job.done} of {job.total}{said}</p>"
        f"<progress aria-label='{stage}' max='{job.total}' value='{job.done}'></progress>"
    )


def time(seconds: float) -> str:
    """Return about how long, in words."""
    whole = math.ceil(seconds)
    return f"{whole} s" if whole < 100 else f"{math.ceil(whole / 60)} min"


def _live(job: Job) -> str:
    picture = job.picture()
    if picture is None:
        return ""
    data = base64.b64encode(picture).decode()
    return f"<img class='live' alt='The frame made last' src='data:image/jpeg;base64,{data}'>"


def player(output: Path | None) -> str:
    """Return what plays a video; browsers do not play all that can be made."""
    if output is None:
        return IDLE
    address = f"/gradio_api/file={quote(output.as_posix())}"
    ending = output.suffix.lower()
    if ending in MOVING:
        return f'<img class="made" alt="The video" src="{address}">'
    if ending in PLAYED:
        return (
            f'<video class="made" controls playsinline preload="auto" src="{address}">'
            "This browser does not play it; download it.</video>"
        )
    return f'<p class="hint">Browsers do not play {escape(ending)}: download it.</p>'


def report(page: Path | None) -> str:
    """Return a report's page in a frame of its own, in which no script runs."""
    if page is None:
        return ""
    held = escape(page.read_text(encoding="utf-8"), quote=True)
    return f'<iframe class="report" title="Evaluation" sandbox srcdoc="{held}"></iframe>'


def failure(error: StyleheadError) -> str:
    """Return what is wrong and what to do."""
    said = escape(plain(f"{error} {error.remedy}"))
    return f"{FAILED}<p>{said}</p></div>"


def without_failure(shown: str | None) -> str:
    """Return what is shown, or nothing once what has failed no longer stands as it was given."""
    return "" if not shown or shown.startswith(FAILED) else shown
