"""Does tuning bring motion nearer to a style than statistics alone? On held-out parts of clips.

    python benchmarks/transfer.py CLIP... [--without constraint penalty dynamics] [--sweep] [--keep F]

Each clip is split as `stylehead finetune-style` splits it. Rows: the un-tuned generator, statistics
alone, tuned, and the floor: the learned part of the clip itself against its held-out part. SLD, SLV
and SMD (docs/evaluation.md) of neutral speech; sync is the correlation of the mouth's opening with
the un-tuned generator's, LMD on the clip's own held-out sound. --without adds a row with that part
of the loss left out, --sweep the distances at strengths from 0 to 1.5. Styles tuned before are taken
from --keep.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from stylehead import media, tracking, weights
from stylehead.blend import blend_styles
from stylehead.errors import StyleError
from stylehead.motion import features_of, predict_motion
from stylehead.motion_models import MotionModels, load_motion_models
from stylehead.options import Encoder
from stylehead.style import STYLE_FPS, load_style, save_style
from stylehead.training.finetune import NEUTRAL_SPEECH, REPLAY_SECONDS, audio_of, tune
from stylehead.training.proof import Row, Trial, style_distances
from stylehead.training.singer import Singer, learn_singer
from stylehead.training.transfer import TransferConfig
from stylehead.types import Style

PARTS = ("constraint", "penalty", "dynamics")
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


def main() -> None:
    """Print one table row for each clip and way of moving."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--without", nargs="*", choices=PARTS, default=[])
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder of tuned styles")
    asked = parser.parse_args()
    models = load_motion_models(Encoder.WHISPER, torch.device("cpu"))
    for clip in asked.clips:
        track = tracking.track_video(clip)
        singer = learn_singer(track, audio_of(clip), models, str(clip), weights.digest(clip))
        judged_on = media.open_sound(NEUTRAL_SPEECH, start=REPLAY_SECONDS)
        trial = Trial(models, judged_on, [singer.held_out], singer.held_sound)
        style = show_table(clip, singer, trial, asked.without, asked.keep)
        if asked.sweep:
            show_sweep(clip, style, trial)


def show_table(
    clip: Path, singer: Singer, trial: Trial, without: list[str], keep: Path | None
) -> Style:
    """Print the rows of one clip and return its tuned style."""
    style, seconds = tuned(singer, trial, TransferConfig(), keep and keep / f"{clip.stem}.style")
    for name, row in trial.rows(style).items():
        show(clip, name, row, seconds if name == "tuned" else None)
    floor = style_distances(singer.held_out, singer.style.motion)
    print(f"| {clip.stem} | floor | {floor.sld:.2f} | {floor.slv:.3f} | {floor.smd:.1f} | | | | |")
    usual = trial.moved(None, trial.neutral)
    for part in without:
        how = replace(TransferConfig(), **{part: 0.0})
        less, seconds = tuned(singer, trial, how, keep and keep / f"{clip.stem}-{part}.style")
        row = trial.row(trial.moved(less, trial.neutral), usual, less)
        show(clip, f"without {part}", row, seconds)
    return style


def tuned(
    singer: Singer, trial: Trial, how: TransferConfig, kept: Path | None
) -> tuple[Style, float]:
    """Return the tuned style and the seconds that it took, from a file if there is one."""
    if kept:
        try:
            style = load_style(kept)
            return style, float(style.provenance["tuning_seconds"])
        except StyleError:
            kept.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    takes = [singer.take] if singer.take else []
    style = tune(singer.style, takes, [replayed(trial.models)], trial, how, None)
    seconds = time.monotonic() - began
    if kept:
        about = style.provenance | {"tuning_seconds": f"{seconds:.1f}"}
        save_style(replace(style, provenance=about), kept)
    return style, seconds


def replayed(models: MotionModels) -> torch.Tensor:
    """Return the features of the neutral speech that is replayed."""
    return features_of(media.open_sound(NEUTRAL_SPEECH, duration=REPLAY_SECONDS), models)


def show(clip: Path, name: str, row: Row, seconds: float | None) -> None:
    """Print one row."""
    cells = f"{row.sld:.2f} | {row.slv:.3f} | {row.smd:.1f} | {row.sync:.3f} | {row.opening:.2f}"
    spent = "" if seconds is None else f"{seconds:.0f} s"
    print(f"| {clip.stem} | {name} | {cells} | {row.lmd:.2f} | {spent} |", flush=True)


def show_sweep(clip: Path, style: Style, trial: Trial) -> None:
    """Print the distances at each strength."""
    for strength in STRENGTHS:
        blend = blend_styles([(style, 1.0)], strength, {})
        made = predict_motion(trial.neutral, trial.models, blend, fps=STYLE_FPS)
        found = style_distances(trial.held_out[0], made)
        cells = f"{found.sld:.3f} | {found.slv:.3f} | {found.smd:.2f}"
        print(f"| {clip.stem} | strength {strength:.2f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
