"""What tuning keeps beside its output: a refused style, and tracked clips for another try."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from stylehead import files
from stylehead.errors import DataError, StyleError
from stylehead.files.locks import temporary_folder
from stylehead.finetuning.config import TransferConfig
from stylehead.motion.models import generator_digest
from stylehead.options import TuningOptions
from stylehead.progress import Reporter
from stylehead.style.file import find_style, load_style, save_style
from stylehead.training.data.clips import Clip, load_clip, save_clip
from stylehead.types import FaceTrack, Style

REQUEST = "request"
"""Entry of a refused style's provenance: what it was made of and how."""


def refused_path(output: Path) -> Path:
    """Return where a style is kept that failed its test."""
    return output.with_suffix(".refused.style")


def request_of(clips: list[str], options: TuningOptions, config: TransferConfig) -> dict[str, str]:
    """Return what a tuned style depends on; `clips` are the digests of the videos."""
    source = find_style(options.style) if options.style else None
    style = json.dumps([source.statistics, source.provenance]) if source else ""
    return {
        "source": " ".join(clips) or hashlib.sha256(style.encode()).hexdigest(),
        "audio": files.digest(options.audio) if options.audio else "",
        "separate": options.separate.value,
        "generator": generator_digest(options.encoder.value),
        "projection": f"{options.projection:g}",
        "dynamics": f"{config.dynamics:g}",
        "steps": str(config.steps),
    }


def keep_refused(style: Style, output: Path, request: dict[str, str]) -> Path:
    """Write a refused style beside the report and return its file."""
    kept = refused_path(output)
    provenance = {**style.provenance, REQUEST: json.dumps(request)}
    save_style(replace(style, provenance=provenance), kept)
    return kept


def release_refused(output: Path, request: dict[str, str]) -> bool:
    """Write the kept style as `output` and return True if this very request was refused before."""
    kept = refused_path(output)
    if not kept.is_file():
        return False
    try:
        style = load_style(kept)
    except StyleError:  # damaged: it is made again
        return False
    provenance = dict(style.provenance)
    if provenance.pop(REQUEST, "") != json.dumps(request):
        return False
    save_style(replace(style, provenance=provenance), output)
    kept.unlink()
    return True


def as_saved(style: Style) -> Style:
    """Return a style as its file will have it, in the file's precision: what is to be tested."""
    with temporary_folder() as folder:
        path = folder / "tuned.style"
        save_style(style, path)
        return load_style(path)


# ---- the folder of a run --------------------------------------------------------------------


def begin_run(folder: Path, request: dict[str, str], *, anew: bool, reporter: Reporter) -> None:
    """Make the folder of a run; with `anew`, one of another request loses its checkpoint."""
    files.make_folder(folder)
    path = folder / "request.json"
    known = path.read_text(encoding="utf-8") if path.is_file() else None
    asked = json.dumps(request, indent=1) + "\n"
    if anew and known not in (None, asked):
        reporter.say(f"{folder} is of other clips or settings: tuning begins anew.")
        for name in ("checkpoint.pt", "log.csv"):
            (folder / name).unlink(missing_ok=True)
    if anew or known is None:
        with files.atomic(path) as part:
            part.write_text(asked, encoding="utf-8")


def save_track(folder: Path, digest: str, track: FaceTrack) -> None:
    """Keep a tracked clip in the folder of a run."""
    save_clip(_track_path(folder, digest), Clip(digest, "", track, np.zeros(0, np.int16)))


def load_track(folder: Path, digest: str) -> FaceTrack | None:
    """Return the track of the clip with that digest, None when there is none that can be read."""
    path = _track_path(folder, digest)
    if not path.is_file():
        return None
    try:
        return load_clip(path).track
    except DataError:  # damaged: the clip is tracked again
        return None


def _track_path(folder: Path, digest: str) -> Path:
    return folder / f"track-{digest[:16]}.npz"
