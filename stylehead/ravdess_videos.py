"""The paper's protocol on RAVDESS as published: animate each clip's first frame and compare."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from stylehead import files, images, media, pipeline
from stylehead.errors import FaceError, MediaError
from stylehead.evaluation import Cell, compare
from stylehead.options import Options
from stylehead.progress import SILENT, Reporter
from stylehead.ravdess import actor_of
from stylehead.style import extract_style

FULL_AUDIO_VIDEO = "01"  # first field of a file name: modality with picture and sound


def find_videos(root: Path, actors: list[str] | None) -> list[Path]:
    """Return the audio-video files of a published folder (Actor_NN/*.mp4), chosen actors only."""
    found = [
        path
        for path in sorted(root.rglob("*.mp4"))
        if path.stem.split("-")[0] == FULL_AUDIO_VIDEO
        and (not actors or actor_of(path.stem) in actors)
    ]
    if not found:
        raise MediaError(
            f"{root} holds no RAVDESS videos.",
            remedy="Give the folder with Actor_NN/01-*.mp4, and actors that are in it.",
        )
    return found


def evaluate_video(
    path: Path, options: Options, *, reporter: Reporter = SILENT
) -> dict[str, dict[str, Cell]]:
    """Animate a clip's first frame with its sound, in the style of the clip itself, and compare.

    The style reference is the clip of the same name, as in the authors' scripts.
    """
    style = extract_style(path)
    with tempfile.TemporaryDirectory() as folder:
        portrait, made = Path(folder) / "portrait.png", Path(folder) / path.name
        images.write_image(portrait, next(media.read_frames(path)).pixels)
        pipeline.animate(portrait, path, made, style=style, options=options, reporter=reporter)
        return compare(made, path, reporter=reporter).rows


def evaluate_folder(
    videos: list[Path], cache: Path, options: Options, *, reporter: Reporter = SILENT
) -> dict[str, dict[str, dict[str, Cell]]]:
    """Score videos by name; each is kept in `cache`, so that a broken run goes on there.

    Each encoder has its own file there.
    """
    files.make_folder(cache)
    scored: dict[str, dict[str, dict[str, Cell]]] = {}
    for number, path in enumerate(videos, 1):
        kept = cache / f"{path.stem}-{options.encoder.value}.json"
        if not kept.exists():
            reporter.say(f"{path.name} ({number} of {len(videos)})")
            try:
                rows = evaluate_video(path, options, reporter=reporter)
            except FaceError as error:
                reporter.say(f"Left out: {error}")
                continue
            numbers = {
                row: {name: cell.value for name, cell in cells.items()}
                for row, cells in rows.items()
            }
            with files.atomic(kept) as part:
                part.write_text(json.dumps(numbers), encoding="utf-8")
        table = json.loads(kept.read_text(encoding="utf-8"))
        scored[path.stem] = {
            row: {name: Cell(value) for name, value in cells.items()}
            for row, cells in table.items()
        }
    return scored
