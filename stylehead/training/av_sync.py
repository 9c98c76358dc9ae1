"""Audio-visual offsets of clips: measured, corrected, and reported to whoever prepares data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from stylehead.compute.device import to_array
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.progress import SILENT, Reporter
from stylehead.speech.av_offset import AvOffset, measure_offset
from stylehead.training.data.audio import Corpora
from stylehead.training.data.clips import load_clips
from stylehead.training.data.speakers import (
    AlignedFeatures,
    EncodedSpeaker,
    encode_speakers,
    load_speakers,
)
from stylehead.training.motion_generator import MotionTraining, fit, gaps, predict
from stylehead.training.pseudo_labels import shipped_teacher
from stylehead.types import MOTION_FPS, Floats

LARGEST_LAG = 20  # frames at 60 fps: a third of a second
OFFSETS = "sync.json"
SYNC_LEAST = 0.3  # correlation with a held-out prediction below which a clip has no clear sync
SYNC_ROUNDS = 3
LATE = 0.1  # seconds from which an offset is worth a warning

Offsets = dict[str, AvOffset]
"""Clip name -> its offset against the prediction of a generator that never saw the person."""


def measure_sync(net: MotionGenerator, aligned: AlignedFeatures) -> AvOffset:
    """Return by how many frames at 60 fps the tracked mouth is later than the predicted one."""
    predicted, tracked = (
        to_array(gaps(offsets).mean(-1)) for offsets in (predict(net, aligned), aligned.offsets)
    )
    return measure_offset(predicted, tracked, reach=LARGEST_LAG)


def has_clear_sync(offset: AvOffset) -> bool:
    """Return whether mouth and sound agree, at an offset inside the range that was searched."""
    return offset.correlation >= SYNC_LEAST and abs(offset.frames) < LARGEST_LAG


def cross_measure(
    speakers: list[EncodedSpeaker],
    spread: Floats,
    architecture: MotionConfig,
    config: MotionTraining,
    *,
    reporter: Reporter = SILENT,
) -> Offsets:
    """Measure the offset between sound and picture of each clip.

    Two generators, each trained on half of the people, measure the other half, and again: each
    round learns from what the one before aligned. `spread` (68, 3) is the speakers' pooled one.
    """
    people = sorted({encoded.speaker.person for encoded in speakers})
    halves = (set(people[::2]), set(people[1::2]))
    quick = replace(config, steps=config.sync_steps)
    aligned = speakers
    offsets: Offsets = {}
    for _ in range(SYNC_ROUNDS):
        offsets = {}
        for half in halves:
            known = [encoded for encoded in aligned if encoded.speaker.person in half]
            net = fit(known, [], spread, architecture, quick, reporter=reporter)
            for encoded in speakers:
                if encoded.speaker.person not in half:
                    offsets[encoded.speaker.name] = measure_sync(net, encoded.renditions[0])
        aligned = align_speakers(speakers, offsets)
        reporter.say(f"{len(aligned)} of {len(speakers)} clips have clear sync")
    return offsets


def read_offsets(path: Path) -> Offsets:
    """Return the offsets measured for a prepared folder; empty when there are none yet."""
    if not path.exists():
        return {}
    return {
        name: AvOffset(*offset)
        for name, offset in json.loads(path.read_text(encoding="utf-8")).items()
    }


def align_speakers(speakers: list[EncodedSpeaker], offsets: Offsets) -> list[EncodedSpeaker]:
    """Shift each clip by its measured offset, and leave out those without clear sync."""
    return [
        replace(
            encoded,
            renditions=[
                _shifted(encoded, aligned, offsets[encoded.speaker.name].frames)
                for aligned in encoded.renditions
            ],
        )
        for encoded in speakers
        if encoded.speaker.name in offsets and has_clear_sync(offsets[encoded.speaker.name])
    ]


def _shifted(encoded: EncodedSpeaker, aligned: AlignedFeatures, frames: int) -> AlignedFeatures:
    """Shift one rendition; a stretched one by as much more."""
    stretch = len(aligned.offsets) / len(encoded.renditions[0].offsets)
    return aligned.shifted(round(frames * stretch))


def check_sync(folder: Path, *, reporter: Reporter = SILENT) -> Iterator[str]:
    """Warn of clips whose sound and picture are out of sync, by the shipped generator.

    Yields a line for each tracked clip of a folder that has no clear sync or is out of it by LATE.
    Training measures offsets itself, with generators that never saw the person, and corrects them.
    """
    teacher = shipped_teacher()
    speakers, _ = load_speakers(load_clips(folder))
    nothing = np.zeros(0, np.int16)
    corpora = Corpora(nothing, nothing, nothing)
    for encoded in encode_speakers(speakers, teacher.encoder, corpora, tempi=(), reporter=reporter):
        offset = measure_sync(teacher.nets[0], encoded.renditions[0])
        name, seconds = encoded.speaker.name, offset.frames / MOTION_FPS
        if not has_clear_sync(offset):
            yield (
                f"{name}: no clear sync between mouth and sound "
                f"(correlation {offset.correlation:.2f})"
            )
        elif abs(seconds) > LATE:
            late = "later" if seconds > 0 else "earlier"
            yield f"{name}: the picture is {abs(seconds):.2f} s {late} than the sound"
