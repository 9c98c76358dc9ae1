"""Pseudo-labels: motion predicted by trained generators for recordings without video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stylehead.compute.device import to_array
from stylehead.models.motion_generator import MotionGenerator
from stylehead.speech.encoders import SpeechEncoder, WhisperSpeechEncoder
from stylehead.training.data.audio import from_corpus
from stylehead.training.data.speakers import AlignedFeatures, Speaker
from stylehead.training.data.synthetic_speech import (
    SENTENCES,
    VOICES,
    close_lips,
    closed_lips,
    frame_count,
    read_voice,
    synthesise,
)
from stylehead.training.motion_generator import predict
from stylehead.types import SPEECH_RATE, Floats
from stylehead.weights.networks import load_network, load_whisper
from stylehead.weights.store import asset, resolve

PIECE = 20  # seconds of a pseudo-labelled recording


@dataclass(frozen=True, slots=True)
class Teacher:
    """A teacher ensemble: trained generators whose mean prediction labels recordings."""

    nets: tuple[MotionGenerator, ...]
    encoder: SpeechEncoder


def shipped_teacher() -> Teacher:
    """Return the shipped generator that runs on Whisper's features."""
    encoder = WhisperSpeechEncoder(load_whisper(resolve("encoder_whisper")))
    return Teacher((load_network(MotionGenerator, asset("motion_whisper.safetensors")),), encoder)


def pseudo_label(samples: Floats, teacher: Teacher, closed: Floats | None = None) -> Floats:
    """Return the offsets (T, 68, 3) that a teacher predicts for a voice.

    samples (N,) at 16 kHz; `closed` (T,) says how far the lips are brought together, 0 to 1.
    """
    features = torch.cat(list(teacher.encoder.encode([samples])))[: frame_count(samples)]
    aligned = AlignedFeatures(features, torch.zeros(len(features), 68, 3))
    offsets = torch.stack([predict(net, aligned) for net in teacher.nets]).mean(0)
    return to_array(offsets if closed is None else close_lips(offsets, closed))


def synthetic_speakers(folder: Path, teacher: Teacher, weight: float) -> list[Speaker]:
    """Synthesise SENTENCES into a folder, label them and close the lips in /p b m/.

    Raises DataError without the synthesiser.
    """
    folder.mkdir(parents=True, exist_ok=True)
    speakers: list[Speaker] = []
    for voice in VOICES:
        for number, sentence in enumerate(SENTENCES):
            path = folder / f"{voice}_{number:02d}.wav"
            stretch = (1.0, 1.2, 0.85)[number % 3]
            phones = synthesise(sentence, voice, path, stretch=stretch)
            samples = read_voice(path)
            offsets = pseudo_label(samples, teacher, closed_lips(phones, frame_count(samples)))
            speakers.append(Speaker(path.stem, voice, samples, offsets, weight))
    return speakers


def pseudo_labelled_speakers(
    corpus: NDArray[np.int16], teacher: Teacher, weight: float, *, count: int
) -> list[Speaker]:
    """Label pieces of a voice corpus (N,), PIECE seconds each, evenly spread over it."""
    length = PIECE * SPEECH_RATE
    speakers: list[Speaker] = []
    for start in np.linspace(0, len(corpus) - length, count).astype(int).tolist():
        samples = to_array(from_corpus(corpus[start : start + length]))
        offsets = pseudo_label(samples, teacher)
        speakers.append(Speaker(f"corpus {start}", f"corpus {start}", samples, offsets, weight))
    return speakers
