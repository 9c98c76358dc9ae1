"""What `stylehead finetune-style` does: check, tune, prove, write."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from stylehead import files
from stylehead.errors import FaceError, MediaError, StyleError
from stylehead.finetuning.holdout import (
    SYNC_LEAST,
    HoldoutTest,
    Row,
    crossings,
    distance_ratio,
    rejection_reasons,
)
from stylehead.finetuning.plot import draw_transfer
from stylehead.finetuning.target_clip import (
    TargetClip,
    joined,
    learn_target_clip,
    split_style,
    transfer_data_of,
)
from stylehead.finetuning.transfer import TransferConfig, Validation, transfer
from stylehead.media.audio import Sound, open_audio
from stylehead.models.adapter import Adapter
from stylehead.motion.models import generator_digest, tuning_of
from stylehead.options import Encoder, Encoding
from stylehead.pipeline import Predictor, load_predictor
from stylehead.progress import SILENT, Reporter
from stylehead.speech.listen import speech_features
from stylehead.style.file import SUFFIX, find_style, save_style
from stylehead.tracking.clip import crowd_share, track_video
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.types import Style
from stylehead.version import __version__
from stylehead.weights.store import asset

REPLAY_SECONDS = 40.0  # of the neutral speech that is replayed; the rest is judged on
CROWD = 0.3  # share of sampled frames with a second face from which a clip is refused

Stopping = AbstractContextManager[Callable[[], bool]]
"""Entered while tuning runs; what it gives says whether to stop and keep the best so far."""


@dataclass(frozen=True, slots=True)
class Finetuned:
    """A tuned style on disk and what it was proved with."""

    path: Path
    rows: dict[str, Row]
    notes: list[str]
    seconds: float

    def table(self) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
        """Return title, columns and rows of what was measured."""
        measures = {name: asdict(row) for name, row in self.rows.items()}
        rows = [
            (field.replace("_", " "), *(f"{one[field]:.3f}" for one in measures.values()))
            for field in measures["tuned"]
        ]
        title = f"Against the held-out part ({self.seconds:.0f} s of work)"
        return title, ("", *self.rows), rows


def finetune_style(
    videos: list[Path],
    output: Path,
    *,
    style: str | None,
    audio: Path | None,
    run: Path | None,
    force: bool,
    overwrite: bool,
    encoder: Encoder,
    how: TransferConfig,
    stopping: Stopping,
    reporter: Reporter = SILENT,
) -> Finetuned:
    """Tune the motion generator to clips of one person, or to a style file; write it and its proof.

    Beside `output` come NAME.report.json and NAME.report.png. Checkpoints lie in `run`, by default
    a folder beside `output` that goes when the work is done and stays when it was stopped. Raises
    StyleError when the style did not come nearer or lips got worse, unless forced.
    """
    began = time.monotonic()
    report, plot = output.with_suffix(".report.json"), output.with_suffix(".report.png")
    for path, suffix in ((output, SUFFIX), (report, ".json"), (plot, ".png")):
        files.check_output(path, overwrite=overwrite, suffixes=(suffix,))
    models = load_predictor(Encoding(encoder=encoder), torch.device("cpu"), reporter=reporter)
    replayed = open_audio(NEUTRAL_SPEECH, duration=REPLAY_SECONDS)
    sounds = [replayed] if audio is None else [replayed, open_audio(audio)]
    targets = [_target_clip(video, audio, models, reporter) for video in videos]
    if targets:
        learned = joined(targets, output.stem)
        held_out = [one.held_out for one in targets]
    else:
        assert style is not None  # the command line asks for one of them
        learned, rest = split_style(find_style(style))
        learned, held_out = replace(learned, name=output.stem), [rest]
    notes = [note for one in targets for note in one.notes]
    for note in notes:
        reporter.say(note)
    replay = [speech_features(sound, models.listener) for sound in sounds]
    takes = [one.take for one in targets if one.take is not None]
    judged_on = open_audio(NEUTRAL_SPEECH, start=REPLAY_SECONDS)
    held_sound = targets[0].held_sound if targets else None
    holdout = HoldoutTest(models, judged_on, held_out, held_sound)
    folder = run or output.with_suffix(".tuning")
    files.make_folder(folder)
    with stopping as stopped:
        tuned = tune(learned, takes, replay, holdout, how, folder, stopped, reporter)
        interrupted = stopped()
    rows = holdout.rows(tuned)
    against = rejection_reasons(rows)
    _write_report(report, rows, notes, against, crossings(tuned, judged_on, models), learned, how)
    draw_transfer(plot, holdout, tuned, rows)
    if against and not force:
        raise StyleError(
            f"{output.name} is not written: {' and '.join(against)}.",
            remedy=f"See {report.name}; give a longer or clearer clip, or pass --force.",
        )
    provenance = {
        **learned.provenance,
        "stylehead_version": __version__,
        "held_out_style_distance": f"{distance_ratio(rows['un-tuned'], rows['tuned']):.3f}",
    }
    save_style(replace(tuned, provenance=provenance), output)
    if run is None and not interrupted:
        shutil.rmtree(folder, ignore_errors=True)
    return Finetuned(output, rows, notes, time.monotonic() - began)


NEUTRAL_SPEECH = asset("neutral_speech.ogg")
"""A minute of three synthesised voices: a user's machine has no training data to replay."""


def _target_clip(
    video: Path, audio: Path | None, models: Predictor, reporter: Reporter
) -> TargetClip:
    crowd = crowd_share(video)
    if crowd > CROWD:
        raise FaceError(
            f"{video} shows several people in {crowd:.0%} of its frames.",
            remedy="Crop it to the one whose style you want.",
        )
    track = track_video(video, reporter=reporter)
    return learn_target_clip(
        track, audio_of(audio or video), models, str(video), files.digest(video)
    )


def audio_of(path: Path) -> Sound | None:
    """Return a clip's sound, None when it has none."""
    try:
        return open_audio(path)
    except MediaError:
        return None


def tune(
    style: Style,
    takes: list[AlignedFeatures],
    replay: list[torch.Tensor],
    holdout: HoldoutTest,
    how: TransferConfig,
    run: Path | None,
    stopped: Callable[[], bool] = lambda: False,
    reporter: Reporter = SILENT,
) -> Style:
    """Return the style with the best change of the generator.

    The best is the one nearest to the learned part of the clip among those whose lips still
    follow; what is held out has no say.
    """
    models = holdout.models
    encoder, digest = models.encoder, generator_digest(models.encoder)
    at_home = replace(holdout, held_out=[style.motion], held_sound=None)
    usual = at_home.moved(None, holdout.neutral)
    before = at_home.row(usual, usual, None)

    def changed(adapter: Adapter) -> Style:
        return replace(style, tuning=tuning_of(adapter, encoder, digest))

    def validate(adapter: Adapter) -> Validation:
        made = at_home.moved(changed(adapter), holdout.neutral)
        row = at_home.row(made, usual, None)
        ratio = distance_ratio(before, row)
        lost = max(0.0, SYNC_LEAST + 0.02 - row.sync)
        return Validation(
            ratio + 10 * lost, {"style": ratio, "sync": row.sync, "open": row.opening}
        )

    adapter = transfer(
        models.networks.generator,
        transfer_data_of(style, takes, replay),
        how,
        validate=validate,
        about={"source": style.provenance.get("source_sha256", ""), "generator": digest},
        stopped=stopped,
        run=run,
        reporter=reporter,
    )
    return changed(adapter)


def _write_report(
    path: Path,
    rows: dict[str, Row],
    notes: list[str],
    against: list[str],
    crossed: tuple[float, float],
    style: Style,
    how: TransferConfig,
) -> None:
    def number(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    table = {
        name: {key: number(value) for key, value in asdict(row).items()}
        for name, row in rows.items()
    }
    about = {
        "rows": table,
        "held_out_style_distance": number(distance_ratio(rows["un-tuned"], rows["tuned"])),
        "lip_crossings": {"un-tuned": crossed[0], "tuned": crossed[1]},
        "rejection_reasons": against,
        "notes": notes,
        "source": style.provenance,
        "settings": asdict(how),
    }
    with files.atomic(path) as part:
        part.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
