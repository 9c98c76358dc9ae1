"""Tracked clips, and the people held out of every training."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylehead import files, progress
from stylehead.errors import DataError, FaceError, MediaError
from stylehead.media.audio import open_audio
from stylehead.progress import SILENT, Reporter
from stylehead.tracking.clip import track_video
from stylehead.training.data.prepared import open_prepared
from stylehead.types import FaceTrack

SUFFIXES = {".mp4", ".mov", ".mpg", ".avi", ".mkv", ".webm"}


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One tracked clip and its sound."""

    name: str
    person: str
    """Who is seen; splits go by person."""
    track: FaceTrack
    samples: NDArray[np.int16]
    """(N,) mono at 16 kHz; empty without a sound track."""


def prepare_clips(clips: Path, work: Path, *, reporter: Reporter = SILENT) -> int:
    """Track every clip of a folder into `work`, skip those already there, return their number.

    A table beside the folder, `clips.tsv` for `clips`, names the person of each file in `identity`.
    """
    if not clips.is_dir():
        raise DataError(f"{clips} is not a folder.", remedy="Give the folder that holds the clips.")
    people = read_people(clips)
    work.mkdir(parents=True, exist_ok=True)
    paths = sorted(path for path in clips.iterdir() if path.suffix.lower() in SUFFIXES)
    done = 0
    for path in progress.track(paths, "Preparing clips", len(paths), reporter):
        target = work / f"{path.name}.npz"
        if not target.exists():
            try:
                tracked = track_video(path)
            except (FaceError, MediaError) as error:
                reporter.say(f"Left out: {error}")
                continue
            person = people.get(path.name, path.stem)
            save_clip(target, Clip(path.name, person, tracked, _sound(path)))
        done += 1
    return done


def _sound(path: Path) -> NDArray[np.int16]:
    try:
        blocks = list(open_audio(path).blocks())
    except MediaError:
        return np.zeros(0, np.int16)  # a silent clip still teaches the face model
    return (np.concatenate(blocks) * 32767).clip(-32768, 32767).astype(np.int16)


def read_people(clips: Path) -> dict[str, str]:
    """Return file name -> person from the table beside the folder; empty without such columns."""
    clips = clips.resolve()
    table = clips.with_name(f"{clips.name}.tsv")
    if not table.exists():
        return {}
    with table.open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        if not {"file", "identity"} <= set(rows.fieldnames or ()):
            return {}
        return {row["file"]: row["identity"] for row in rows}


def save_clip(path: Path, clip: Clip) -> None:
    """Write one tracked clip as npz."""
    track = clip.track
    with files.atomic(path) as part:
        np.savez(
            part,
            mesh=track.mesh,
            expression=track.expression,
            sharpness=track.sharpness,
            seconds=track.seconds,
            cuts=track.cuts,
            size=np.array(track.size),
            audio=clip.samples,
            person=np.array(clip.person),
        )


def load_clips(work: Path) -> list[Clip]:
    """Read all tracked clips of a folder, in name order.

    Raises DataError when there is none, or for a damaged one.
    """
    clips = [load_clip(path) for path in sorted(work.glob("*.npz"))]
    if not clips:
        raise DataError(f"{work} holds no tracked clips.", remedy="Run stylehead prepare first.")
    return clips


def load_clip(path: Path) -> Clip:
    """Read one tracked clip; DataError when its file is damaged."""
    with open_prepared(path) as arrays:
        track = FaceTrack(
            arrays["mesh"],
            arrays["expression"],
            arrays["sharpness"],
            arrays["seconds"],
            arrays["cuts"],
            (int(arrays["size"][0]), int(arrays["size"][1])),
        )
        return Clip(path.stem, str(arrays["person"]), track, arrays["audio"])


FIRST_PEOPLE = frozenset(
    {
        "andrew-ng",
        "bob-menendez",
        "david-beckham",
        "emmanuel-macron",
        "grid-h",
        "hdtf-RD_Radio22",
        "jamie-oliver",
        "kristi-noem",
        "mead-W036",
        "peter-roskam",
        "robert-downey-jr",
        "theresa-may",
        "unknown-10",
        "unknown-71",
        "unknown-74",
        "unknown-84",
    }
)
"""Held out of everything since version 0.1; chosen for variety of source, sex, language and
picture, once."""
LATER_PEOPLE = frozenset(
    {
        "bill-pascrell",
        "elospheres-T8",
        "facegood-zsmeif",
        "jeanne-shaheen",
        "l2l-hou-speaker01",
        "niall-ferguson",
        "seth-meyers",
        "talkact-woman-black",
        "talkvid-04",
        "talkvid-10",
        "talkvid-16",
        "talkvid-24",
        "talkvid-26",
        "talkvid-28",
    }
)
"""Held out of the footage that came later, in the same way."""
SINGERS = frozenset(
    {
        "acapella-T3uR6qWEsc",
        "acapella-viimfQi_pUw",
        "acapella-xTjLJcXGUpQ",
        "lin-manuel-miranda",
    }
)
"""Everybody who was filmed singing or rapping: too few to learn from and be judged by."""
PEOPLE = FIRST_PEOPLE | LATER_PEOPLE | SINGERS
"""Held-out people, by `identity` in the table of clips."""
