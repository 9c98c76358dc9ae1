"""Are the style references what their templates say? Over every clip of folders of tracked clips.

    python benchmarks/retrieval.py DATA/clips DATA/footage

The folders are what `stylehead prepare` writes. For each template: in how many clips it is found,
and the percentiles, within the clip, of its mouth's opening, width and lip thickness. Then the
fraction of clips that meet each condition: all clips, and those that show every template in it.
Last, what retrieval does not look at: the percentiles of the tracker's expression scores in the
frames that show a template.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stylehead.errors import FaceError
from stylehead.face.face_model import EXPRESSIVE
from stylehead.face.landmarks import mouth_opening, mouth_width, to_68
from stylehead.face.performance import recover_performance
from stylehead.style.references import retrieve
from stylehead.style.templates import lip_thickness
from stylehead.training.data.clips import load_clips
from stylehead.types import Floats, StyleReference

MEASURES = {"opening": mouth_opening, "width": mouth_width, "lips": lip_thickness}
SCORES = {
    "jaw open": [25],
    "lips pressed or rolled in": [36, 37, 40, 41],
    "funnel or pucker": [32, 38],
    "brows, squint and mouth together": list(EXPRESSIVE),
}
"""The tracker's expression scores whose sum is ranked."""
PRESSED = 0.95  # of the lips' thickness at rest


@dataclass(frozen=True)
class Found:
    """One template in one clip."""

    in_clip: bool
    opening: float
    width: float
    lips: float
    rest_lips: float
    ranks: dict[str, float]
    """Measure or name of scores -> percentage of the clip's frames below it."""


Clip = dict[str, Found]
CONDITIONS: dict[str, tuple[str, Callable[[Clip], bool]]] = {
    "None's opening <= 10th percentile": (
        "None",
        lambda clip: clip["None"].ranks["opening"] <= 10,
    ),
    "M's opening <= 10th percentile": ("M", lambda clip: clip["M"].ranks["opening"] <= 10),
    "M's lips thinner than at rest by 5 %": (
        "M",
        lambda clip: clip["M"].lips < PRESSED * clip["M"].rest_lips,
    ),
    "M's lips thinner than None's": (
        "None M",
        lambda clip: clip["M"].lips < clip["None"].lips,
    ),
    "opening None < R < O": (
        "None R O",
        lambda clip: clip["None"].opening < clip["R"].opening < clip["O"].opening,
    ),
    "O narrower than R": ("R O", lambda clip: clip["O"].width < clip["R"].width),
}


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=Path)
    clips: list[Clip] = []
    for folder in parser.parse_args().folders:
        for clip in load_clips(folder):
            try:
                performance = recover_performance(clip.track, name=clip.name)
            except FaceError as error:
                print(f"left out: {error}")
                continue
            found = clip.track.found
            points = to_68(performance.mesh[found])
            measures = {name: measure(points) for name, measure in MEASURES.items()}
            measures |= {
                name: clip.track.expression[found][:, rows].sum(1) for name, rows in SCORES.items()
            }
            thickness = float(lip_thickness(to_68(performance.neutral)))
            references = retrieve(clip.track, performance).references
            clips.append({each.title: _found(each, measures, thickness) for each in references})
    print(f"{len(clips)} clips\n")
    _print_templates(clips)
    _print_conditions(clips)
    _print_scores(clips)


def _found(reference: StyleReference, measures: dict[str, Floats], rest_lips: float) -> Found:
    values = {name: float(measure(reference.landmarks)) for name, measure in MEASURES.items()}
    scores = {name: float(reference.expression[rows].sum()) for name, rows in SCORES.items()}
    ranks = {
        name: float((measures[name] < value).mean() * 100)
        for name, value in (values | scores).items()
    }
    return Found(reference.in_clip, **values, rest_lips=rest_lips, ranks=ranks)


def _print_templates(clips: list[Clip]) -> None:
    cells = "".join(f" {name} 10 % | 50 % | 90 % |" for name in MEASURES)
    print(f"| template | in the clip |{cells}")
    print("| --- |" + " --- |" * (1 + 3 * len(MEASURES)))
    for title in clips[0]:
        row = [f"{np.mean([clip[title].in_clip for clip in clips]):.0%}"]
        for name in MEASURES:
            ranks = [clip[title].ranks[name] for clip in clips]
            row += [f"{value:.0f}" for value in np.percentile(ranks, [10, 50, 90])]
        print(f"| {title} | " + " | ".join(row) + " |")


def _print_conditions(clips: list[Clip]) -> None:
    print("\n| condition | of all clips | of those that show the templates |\n| --- | --- | --- |")
    for name, (titles, meets) in CONDITIONS.items():
        showing = [clip for clip in clips if all(clip[each].in_clip for each in titles.split())]
        fractions = [np.mean([meets(clip) for clip in part]) for part in (clips, showing)]
        print(f"| {name} | {fractions[0]:.1%} | {fractions[1]:.1%} of {len(showing)} |")


def _print_scores(clips: list[Clip]) -> None:
    print("\n| template | " + " | ".join(f"{name}, median" for name in SCORES) + " |")
    print("| --- |" + " --- |" * len(SCORES))
    for title in clips[0]:
        showing = [clip[title] for clip in clips if clip[title].in_clip]
        row = [f"{np.median([each.ranks[name] for each in showing]):.0f}" for name in SCORES]
        print(f"| {title} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
