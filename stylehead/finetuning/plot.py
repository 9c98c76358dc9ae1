"""The hold-out test as one picture: bars of distances, curves of the mouth and the brows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stylehead import files
from stylehead.face.face_model import generic_neutral
from stylehead.face.landmarks import brow_height, mouth_opening
from stylehead.finetuning.holdout import HoldoutResult, HoldoutScores
from stylehead.types import Floats, Motion

COLOURS = {"un-tuned": "#969692", "statistics": "#5082be", "tuned": "#c4402a"}
INK = "#22201e"
CLIP = "the clip, held out"
MEASURES = {
    "sld": "SLD",
    "slv": "SLV",
    "smd": "SMD",
    "posed_sld": "SLD with head pose",
    "sync": "lip sync",
}
"""Fields of HoldoutScores that are drawn, and their titles."""
SECONDS = 8.0  # of each curve
BAR = 0.26  # of the distance between two measures


def draw_result(path: Path, result: HoldoutResult, held_out: Motion) -> None:
    """Write a PNG: scores relative to the un-tuned generator, then opening and brows over time.

    The motions are those of the neutral speech; `held_out` is the clip's own, of other words.
    """
    figure = Figure(figsize=(9.6, 7.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)  # the figure keeps it: no window, no global state
    bars, mouth, brows = figure.subplots(3, 1, height_ratios=(1.2, 1, 1))
    draw_bars(bars, result.scores)
    motions = {**result.motions, CLIP: held_out}
    draw_curves(mouth, motions, mouth_opening)
    mouth.set_ylabel("mouth opening\n[interocular]")
    draw_curves(brows, motions, brow_height)
    brows.set_ylabel("brow height\n[interocular]")
    brows.set_xlabel("time [s]")
    mouth.sharex(brows)
    mouth.tick_params(labelbottom=False)
    handles, labels = mouth.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    with files.atomic(path) as part:
        figure.savefig(part, format="png")


def draw_bars(axes: Axes, scores: dict[str, HoldoutScores]) -> None:
    """Draw each measure of each row, relative to the un-tuned generator's."""
    places = np.arange(len(MEASURES))
    for number, (name, row) in enumerate(scores.items()):
        ratios = [getattr(row, field) / getattr(scores["un-tuned"], field) for field in MEASURES]
        bars = axes.bar(places + (number - 1) * BAR, ratios, BAR * 0.92, color=COLOURS[name])
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=8, color=INK, bbox=paper)
    axes.axhline(1, color=INK, linewidth=0.8, linestyle=":", zorder=0)
    axes.set_xticks(places, list(MEASURES.values()))
    axes.set_ylabel("relative to un-tuned")
    axes.set_title("distances: lower is closer; lip sync: higher is better", loc="left", size=9)
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)


def draw_curves(
    axes: Axes, motions: dict[str, Motion], measure: Callable[[Floats], Floats]
) -> None:
    """Draw a measure of landmarks (T, 68, 3) -> (T,) over time, a curve a motion."""
    for name, motion in motions.items():
        values = measure(motion.landmarks + generic_neutral())[: round(SECONDS * motion.fps)]
        seconds = np.arange(len(values)) / float(motion.fps)
        width = 0.8 if name == CLIP else 1.6
        axes.plot(seconds, values, label=name, color=COLOURS.get(name, INK), linewidth=width)
    axes.set_xlim(0, SECONDS)
    axes.spines[["top", "right"]].set_visible(False)
