"""Train the motion generator on speakers, as one encoder hears them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from stylehead.errors import MediaError
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.progress import SILENT, Reporter
from stylehead.speech.encoders import SpeechEncoder
from stylehead.training.av_sync import LAGS, align_speakers, measure_sync, read_lags, synchronise
from stylehead.training.data.audio import Corpora, load_corpora
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
from stylehead.training.pseudo_labels import IMAGINED, Teacher, imagined_speakers, spoken_speakers
from stylehead.types import MOTION_FPS, SPEECH_RATE, Floats

STRANGERS = 20  # pieces on which a finished generator's own spread is measured


def train_motion(
    data: Path,
    run: Path,
    path: Path,
    how: MotionTraining,
    *,
    encoder: str,
    ears: SpeechEncoder,
    teacher: Teacher | None = None,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Align, train, measure on held-out people and write the weights; return their metrics.

    Without a teacher first generators, trained on the filmed clips alone, imagine the motion of
    other voices for the last one, which is kept.
    """
    run.mkdir(parents=True, exist_ok=True)
    config = MotionConfig(encoder=encoder, features=ears.width)
    corpora = load_corpora(data)
    if len(corpora.voice) < IMAGINED * SPEECH_RATE:
        raise MediaError(
            f"{data} holds less than {IMAGINED} seconds of recorded voices.",
            remedy="Run stylehead prepare with --as voice on folders of speech.",
        )
    speakers, spread = load_speakers(load_clips(data / "clips"))
    reporter.say(f"{len(speakers)} clips have speech and a face throughout")
    if len({one.person for one in speakers} - PEOPLE) < 2:
        raise _too_few()
    heard = encode_speakers(speakers, ears, corpora, seed=how.seed, reporter=reporter)
    measured = read_lags(data / LAGS)
    if not measured:
        measured = synchronise(heard, spread, config, how, reporter=reporter)
        (data / LAGS).write_text(json.dumps(measured, indent=1))
    kept = align_speakers(heard, measured)
    held = [one for one in kept if one.speaker.person in PEOPLE]
    known = [one for one in kept if one.speaker.person not in PEOPLE]
    if len({one.speaker.person for one in known}) < 2:
        raise _too_few()
    more: list[Speaker] = []
    if teacher is None and (how.spoken or how.imagined):
        nets: list[MotionGenerator] = []
        for number in range(how.teachers):
            first = run / f"first_{number}"
            first.mkdir(exist_ok=True)
            other = replace(how, seed=how.seed + number)
            nets.append(
                fit(known, held, spread, config, other, device=device, reporter=reporter,
                    folder=first)
            )  # fmt: skip
        teacher = Teacher(tuple(nets), ears)
    if teacher and how.spoken:
        more += spoken_speakers(run / "spoken", teacher, how.spoken)
    if teacher and how.imagined:
        more += imagined_speakers(corpora.voice, teacher, how.imagined, count=how.pieces)
    extra = encode_speakers(
        more, ears, corpora, tempi=TEMPI[:1], seed=how.seed + 1, reporter=reporter
    )
    if how.generated:
        extra += _generated(data, known, spread, config, how, ears, corpora, reporter)
    net = fit(
        known + extra, held, spread, config, how, device=device, reporter=reporter, folder=run
    )
    strangers = imagined_speakers(corpora.voice, Teacher((net.cpu(),), ears), 1.0, count=STRANGERS)
    predicted = np.concatenate([one.offsets for one in strangers])
    net.predicted_spread.copy_(torch.from_numpy(predicted.std(0) + 1e-4))
    score = evaluate(net, held, how) if held else {}
    metrics = {
        "config": json.dumps(asdict(config)),
        "training": json.dumps(asdict(how)),
        "clips": str(len(known)),
        "people": str(len({one.speaker.person for one in known})),
        "minutes": f"{sum(len(one.takes[0].offsets) for one in known) / MOTION_FPS / 60:.1f}",
        "held_out_people": str(len({one.speaker.person for one in held})),
        "dropped_for_sync": str(len(heard) - len(kept)),
        **{f"held_out_{name}": f"{value:.3f}" for name, value in score.items()},
    }
    save_weights(path, net.state_dict(), metrics)
    return metrics


def _too_few() -> MediaError:
    return MediaError(
        "Clips of fewer than two people can be learned from.",
        remedy="Give clips with speech of at least two people.",
    )


def _generated(
    data: Path,
    known: list[EncodedSpeaker],
    spread: Floats,
    config: MotionConfig,
    how: MotionTraining,
    ears: SpeechEncoder,
    corpora: Corpora,
    reporter: Reporter,
) -> list[EncodedSpeaker]:
    """Return clips made by other systems, aligned; a quick net of filmed clips is the judge."""
    clips = load_clips(data / "generated")
    speakers, _ = load_speakers(clips, spread=spread, weight=how.generated)
    heard = encode_speakers(speakers, ears, corpora, seed=how.seed + 2, reporter=reporter)
    net = fit(known, [], spread, config, replace(how, steps=how.sync_steps), reporter=reporter)
    measured = {one.speaker.name: measure_sync(net, one.takes[0]) for one in heard}
    aligned = align_speakers(heard, measured)
    reporter.say(f"{len(aligned)} of {len(heard)} generated clips have clear sync")
    return aligned
