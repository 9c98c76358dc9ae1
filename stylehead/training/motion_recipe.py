"""The whole recipe of a shipped motion generator, from a prepared folder to a weight file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from stylehead.errors import DataError
from stylehead.models.motion_generator import MotionConfig
from stylehead.progress import SILENT, Reporter
from stylehead.speech.encoders import SpeechEncoder
from stylehead.training.av_sync import (
    OFFSETS,
    align_speakers,
    cross_measure,
    measure_sync,
    read_offsets,
)
from stylehead.training.data.audio import load_corpora
from stylehead.training.data.clips import PEOPLE, load_clips
from stylehead.training.data.speakers import (
    TEMPI,
    EncodedSpeaker,
    Speaker,
    encode_speakers,
    load_speakers,
)
from stylehead.training.loop import save_weights
from stylehead.training.motion_generator import MotionTraining, evaluate, fit
from stylehead.training.pseudo_labels import (
    PIECE,
    Teacher,
    pseudo_labelled_speakers,
    synthetic_speakers,
)
from stylehead.types import MOTION_FPS, SPEECH_RATE
from stylehead.weights.networks import CPU

UNSEEN_PIECES = 20  # of recorded speech, on which a finished generator's own spread is measured


def train_motion(
    data: Path,
    run: Path,
    path: Path,
    config: MotionTraining,
    *,
    encoder_name: str,
    encoder: SpeechEncoder,
    teacher: Teacher | None = None,
    device: torch.device = CPU,
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Train a motion generator on a prepared folder and write its weights to `path`.

    Without a `teacher`, generators trained on the filmed clips alone are the teacher. Checkpoints,
    logs and synthesised sentences lie in `run`.

    Returns the metrics, which lie in the file as well. Raises DataError when the folder holds too
    little to learn from.
    """
    run.mkdir(parents=True, exist_ok=True)
    architecture = MotionConfig(encoder=encoder_name, features=encoder.width)

    # Data: filmed clips as speakers, encoded once undisturbed and once for each tempo with noise.
    corpora = load_corpora(data)
    if len(corpora.voice) < PIECE * SPEECH_RATE:
        raise DataError(
            f"{data} holds less than {PIECE} seconds of recorded voices.",
            remedy="Run stylehead prepare with --as voice on folders of speech.",
        )
    filmed, spread = load_speakers(load_clips(data / "clips"))
    reporter.say(f"{len(filmed)} clips have speech and a face throughout")
    _check_people(filmed)
    encoded = encode_speakers(filmed, encoder, corpora, seed=config.seed, reporter=reporter)

    # Sync: every clip's audio-visual offset is measured once for a folder, and taken out. Clips
    # made by other systems, if the recipe weighs them, are measured by what the filmed ones teach.
    offsets = read_offsets(data / OFFSETS)
    if not offsets:
        offsets = cross_measure(encoded, spread, architecture, config, reporter=reporter)
        (data / OFFSETS).write_text(json.dumps(offsets, indent=1), encoding="utf-8")
    in_sync = align_speakers(encoded, offsets)
    held_out = [clip for clip in in_sync if clip.speaker.person in PEOPLE]
    known = [clip for clip in in_sync if clip.speaker.person not in PEOPLE]
    _check_people(clip.speaker for clip in known)
    generated: list[EncodedSpeaker] = []
    if config.generated:
        clips = load_clips(data / "generated")
        others, _ = load_speakers(clips, spread=spread, weight=config.generated)
        generated = encode_speakers(
            others, encoder, corpora, seed=config.seed + 2, reporter=reporter
        )
        quick = replace(config, steps=config.sync_steps)
        net = fit(known, [], spread, architecture, quick, reporter=reporter)
        generated = align_speakers(
            generated,
            {clip.speaker.name: measure_sync(net, clip.renditions[0]) for clip in generated},
        )
        reporter.say(f"{len(generated)} of {len(others)} generated clips have clear sync")

    # Pseudo-labels: the mean of the teacher ensemble says how unfilmed voices move.
    if teacher is None and (config.synthetic_speech or config.pseudo_labels):
        runs = [run / f"first_{number}" for number in range(config.teachers)]
        for folder in runs:
            folder.mkdir(exist_ok=True)
        nets = [
            fit(known, held_out, spread, architecture, replace(config, seed=config.seed + number),
                device=device, reporter=reporter, run=folder)
            for number, folder in enumerate(runs)
        ]  # fmt: skip
        teacher = Teacher(tuple(nets), encoder)
    pseudo_labelled: list[Speaker] = []
    if teacher and config.pseudo_labels:
        pseudo_labelled = pseudo_labelled_speakers(
            corpora.voice, teacher, config.pseudo_labels, count=config.pseudo_label_pieces
        )

    # Synthetic speech: the teacher again, with the lips closed where the phones say so.
    synthetic: list[Speaker] = []
    if teacher and config.synthetic_speech:
        synthetic = synthetic_speakers(run / "spoken", teacher, config.synthetic_speech)

    # Fit: one generator on everything, then its own spread on voices that nobody filmed.
    unfilmed = encode_speakers(
        synthetic + pseudo_labelled,
        encoder,
        corpora,
        tempi=TEMPI[:1],
        seed=config.seed + 1,
        reporter=reporter,
    )
    net = fit(
        known + unfilmed + generated, held_out, spread, architecture, config,
        device=device, reporter=reporter, run=run,
    ).cpu()  # fmt: skip
    unseen = pseudo_labelled_speakers(
        corpora.voice, Teacher((net,), encoder), 1.0, count=UNSEEN_PIECES
    )
    predicted = np.concatenate([speaker.offsets for speaker in unseen])
    net.predicted_spread.copy_(torch.from_numpy(predicted.std(0) + 1e-4))

    # Save: half-precision weights, and what held-out people say of them.
    score = evaluate(net, held_out, config) if held_out else {}
    seconds = sum(len(clip.renditions[0].offsets) for clip in known) / MOTION_FPS
    metrics = {
        "config": json.dumps(asdict(architecture)),
        "training": json.dumps(asdict(config)),
        "clips": str(len(known)),
        "people": str(len({clip.speaker.person for clip in known})),
        "minutes": f"{seconds / 60:.1f}",
        "held_out_people": str(len({clip.speaker.person for clip in held_out})),
        "dropped_for_sync": str(len(encoded) - len(in_sync)),
        **{f"held_out_{measure}": f"{value:.3f}" for measure, value in score.items()},
    }
    save_weights(path, net.state_dict(), metrics)
    return metrics


def _check_people(speakers: Iterable[Speaker]) -> None:
    if len({speaker.person for speaker in speakers} - PEOPLE) < 2:
        raise DataError(
            "There are usable clips of fewer than two people.",
            remedy="Give clips in which at least two people speak.",
        )
