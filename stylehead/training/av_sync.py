"""Audio-visual offset of clips: measured, corrected, and told to whoever prepares data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.progress import SILENT, Reporter
from stylehead.training.data.audio import Corpora
from stylehead.training.data.clips import load_clips
from stylehead.training.data.speakers import (
    AlignedFeatures,
    EncodedSpeaker,
    encode_speakers,
    load_speakers,
)
from stylehead.training.motion_generator import MotionTraining, fit, opening_correlation, predict
from stylehead.training.pseudo_labels import shipped_teacher
from stylehead.types import MOTION_FPS, Floats

LARGEST_LAG = 20  # frames at 60 fps: a third of a second
LAGS = "sync.json"
SYNC_LEAST = 0.3  # correlation with a held-out prediction below which a clip has no clear sync
SYNC_ROUNDS = 3

Lags = dict[str, tuple[float, int]]
"""Clip -> best correlation with a held-out prediction, and the lag in frames it is found at."""


def measure_sync(net: MotionGenerator, take: AlignedFeatures) -> tuple[float, int]:
    """Return the best correlation and its lag in frames, from a net that never saw the person."""
    predicted = predict(net, take)
    lags = range(-LARGEST_LAG, LARGEST_LAG + 1)
    scores = [opening_correlation(predicted, take.offsets, lag) for lag in lags]
    best = int(np.nanargmax(scores))
    return scores[best], lags[best]


def synchronise(
    speakers: list[EncodedSpeaker],
    spread: Floats,
    config: MotionConfig,
    how: MotionTraining,
    *,
    reporter: Reporter = SILENT,
) -> Lags:
    """Measure the lag between sound and picture of each clip.

    Two nets, each trained on half of the people, judge the other half, and again: each round
    learns from what the one before aligned.
    """
    people = sorted({one.speaker.person for one in speakers})
    halves = (set(people[::2]), set(people[1::2]))
    quick = replace(how, steps=how.sync_steps)
    aligned, measured = speakers, {}
    for _ in range(SYNC_ROUNDS):
        measured = {}
        for half in halves:
            known = [one for one in aligned if one.speaker.person in half]
            net = fit(known, [], spread, config, quick, reporter=reporter)
            for one in speakers:
                if one.speaker.person not in half:
                    measured[one.speaker.name] = measure_sync(net, one.takes[0])
        aligned = align_speakers(speakers, measured)
        reporter.say(f"{len(aligned)} of {len(speakers)} clips have clear sync")
    return measured


def read_lags(path: Path) -> Lags:
    """Return the lags measured for a prepared folder; empty when there are none yet."""
    if not path.exists():
        return {}
    return {name: (best, lag) for name, (best, lag) in json.loads(path.read_text()).items()}


def align_speakers(speakers: list[EncodedSpeaker], measured: Lags) -> list[EncodedSpeaker]:
    """Shift each clip by its measured lag, and leave out those without clear sync.

    A clip stays when its best correlation is at least SYNC_LEAST and its lag is not at the end of
    the searched range.
    """
    clear = {
        name: lag
        for name, (best, lag) in measured.items()
        if best >= SYNC_LEAST and abs(lag) < LARGEST_LAG
    }
    return [
        EncodedSpeaker(one.speaker, [_shifted(one, take, clear) for take in one.takes])
        for one in speakers
        if one.speaker.name in clear
    ]


def _shifted(heard: EncodedSpeaker, take: AlignedFeatures, lags: dict[str, int]) -> AlignedFeatures:
    """Shift one take; a stretched one by as much more."""
    stretch = len(take.offsets) / len(heard.takes[0].offsets)
    return take.shifted(round(lags[heard.speaker.name] * stretch))


LATE = 0.1  # seconds from which a lag is worth saying


def check_sync(folder: Path, *, reporter: Reporter = SILENT) -> Iterator[str]:
    """Yield a line for each tracked clip that has no clear sync, or is out of it by LATE.

    Training measures lags itself, with nets that never saw the person, and corrects them.
    """
    teacher = shipped_teacher()
    speakers, _ = load_speakers(load_clips(folder))
    nothing = np.zeros(0, np.int16)
    corpora = Corpora(nothing, nothing, nothing)
    for one in encode_speakers(speakers, teacher.ears, corpora, tempi=(), reporter=reporter):
        best, lag = measure_sync(teacher.nets[0], one.takes[0])
        name = one.speaker.name
        if best < SYNC_LEAST or abs(lag) == LARGEST_LAG:
            yield f"{name}: no clear sync between mouth and sound (correlation {best:.2f})"
        elif abs(lag) > LATE * MOTION_FPS:
            late = "later" if lag > 0 else "earlier"
            yield f"{name}: the picture is {abs(lag) / MOTION_FPS:.2f} s {late} than the sound"
