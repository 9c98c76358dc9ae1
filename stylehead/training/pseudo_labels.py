"""Motion that no camera saw: what a trained generator imagines for other voices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stylehead.models.motion_generator import MotionGenerator
from stylehead.speech.encoders import SpeechEncoder, WhisperSpeechEncoder
from stylehead.training.data.audio import from_corpus
from stylehead.training.data.speakers import AlignedFeatures, Speaker
from stylehead.training.data.synthetic_speech import (
    SENTENCES,
    VOICES,
    close,
    closed_lips,
    frames_of,
    read_voice,
    synthesise,
)
from stylehead.training.motion_generator import predict
from stylehead.types import SPEECH_RATE, Floats
from stylehead.weights.networks import load_network, load_whisper
from stylehead.weights.store import asset, resolve

IMAGINED = 20  # seconds


@dataclass(frozen=True, slots=True)
class Teacher:
    """What imagines motion for voices that were not filmed: the mean of trained generators."""

    nets: tuple[MotionGenerator, ...]
    ears: SpeechEncoder


def shipped_teacher() -> Teacher:
    """Return the generator of this checkout that hears with Whisper."""
    path = asset("motion_whisper.safetensors")
    ears = WhisperSpeechEncoder(load_whisper(resolve("encoder_whisper")))
    return Teacher((load_network(MotionGenerator, path),), ears)


def imagine(samples: Floats, teacher: Teacher, shut: Floats | None = None) -> Floats:
    """Return the offsets (T, 68, 3) a teacher gives a voice, lips brought together by `shut`."""
    features = torch.cat(list(teacher.ears.encode([samples])))[: frames_of(samples)]
    take = AlignedFeatures(features, torch.zeros(len(features), 68, 3))
    offsets = torch.stack([predict(net, take) for net in teacher.nets]).mean(0)
    return (offsets if shut is None else close(offsets, shut)).numpy()


def spoken_speakers(folder: Path, teacher: Teacher, weight: float) -> list[Speaker]:
    """Have SENTENCES spoken, imagine their motion and shut the lips in /p b m/."""
    folder.mkdir(parents=True, exist_ok=True)
    speakers: list[Speaker] = []
    for voice in VOICES:
        for number, sentence in enumerate(SENTENCES):
            path = folder / f"{voice}_{number:02d}.wav"
            stretch = (1.0, 1.2, 0.85)[number % 3]
            phones = synthesise(sentence, voice, path, stretch=stretch)
            samples = read_voice(path)
            offsets = imagine(samples, teacher, closed_lips(phones, frames_of(samples)))
            speakers.append(Speaker(path.stem, voice, samples, offsets, weight))
    return speakers


def imagined_speakers(
    corpus: NDArray[np.int16], teacher: Teacher, weight: float, *, count: int
) -> list[Speaker]:
    """Imagine the motion of pieces of the voice tape, evenly spread over it."""
    length = IMAGINED * SPEECH_RATE
    speakers: list[Speaker] = []
    for start in np.linspace(0, len(corpus) - length, count).astype(int).tolist():
        samples = from_corpus(corpus[start : start + length]).numpy()
        offsets = imagine(samples, teacher)
        speakers.append(Speaker(f"tape {start}", f"tape {start}", samples, offsets, weight))
    return speakers
