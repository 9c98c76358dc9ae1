"""Synthetic speech, whose phones are known to the millisecond: where lips have to be closed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylehead.errors import DataError
from stylehead.media.audio import open_audio
from stylehead.speech.mel import LOUDNESS
from stylehead.types import MOTION_FPS, SPEECH_RATE, Floats

BILABIALS = ("p", "b", "m")
RAMP = 0.06  # seconds in which lips come together and part again
LIPS = slice(48, 68)

SENTENCES = (
    "My mother bought a bumper box of purple plums.",
    "Please bring me the map before the boat departs.",
    "Bob and Pam met by the lamp in the empty lobby.",
    "The lamb jumped up and bumped the bamboo table.",
    "Maybe the baby will sleep if you hum a simple tempo.",
    "Tom put the apple pie beside the big brown pump.",
    "A number of people complimented the humble member.",
    "We must remember to stop by the public swimming pool.",
    "Jimmy's pet monkey climbed up the steep ramp.",
    "I'm happy to be part of the company's symphony program.",
    "Somebody stamped the problem papers in the basement.",
    "Compare the bumpy map with the smooth marble slab.",
    "The embassy banned plump pumpkins from the camp.",
    "Mom popped the bubble with a probing thumb.",
    "Beyond the dome, the comet passed above the temple.",
    "Your umbrella is upon the marble bench.",
    "Pepper improves the bland beef and mushroom soup.",
    "Amber lamps brighten the purple room in December.",
    "How beautiful the empty abbey seems at midnight.",
    "Stop! You might bump the priest's mop bucket.",
)
"""Ours; full of bilabials between open sounds."""
VOICES = ("rms", "awb", "kal16")


@dataclass(frozen=True, slots=True)
class Phone:
    """One sound of speech."""

    name: str
    start: float
    """Seconds."""
    end: float


def synthesise(text: str, voice: str, path: Path, *, stretch: float = 1.0) -> list[Phone]:
    """Speak a text into a WAV file with Flite and return its phones.

    `stretch` above 1 is slower. Raises DataError without the program.
    """
    if shutil.which("flite") is None:
        raise DataError(
            "The synthesiser flite is not installed.",
            remedy="On Debian or Ubuntu: apt install flite",
        )
    command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch}", "-t", text]
    output = subprocess.run(
        [*command, "-o", str(path), "-psdur"], capture_output=True, text=True, check=True
    )
    return read_phones(output.stdout)


def read_phones(text: str) -> list[Phone]:
    """Parse `name:end` pairs, seconds, as Flite prints them."""
    phones: list[Phone] = []
    for name, end in re.findall(r"(\S+?):([\d.]+)", text):
        phones.append(Phone(name, phones[-1].end if phones else 0.0, float(end)))
    return phones


def closed_lips(phones: list[Phone], frames: int) -> Floats:
    """Return how far the lips must be closed at 60 fps (T,), 0 to 1: fully through /p b m/."""
    times = np.arange(frames) / MOTION_FPS
    closed = np.zeros(frames, np.float32)
    for phone in phones:
        if phone.name in BILABIALS:
            # A stop's phone includes its release: lips part towards its end.
            end = phone.end if phone.name == "m" else phone.start + 0.6 * (phone.end - phone.start)
            away = np.maximum(phone.start - times, times - end).clip(0, None)
            closed = np.maximum(closed, 0.5 + 0.5 * np.cos(np.pi * (away / RAMP).clip(0, 1)))
    return closed


def close_lips(offsets: Tensor, closed: Floats) -> Tensor:
    """Return offsets (T, 68, 3) with the lips brought together by `closed` (T,), 0 to 1.

    At 1 their height is that of the closed neutral face.
    """
    out = offsets.clone()
    out[:, LIPS, 1] *= 1 - torch.from_numpy(closed)[:, None]
    return out


def read_voice(path: Path) -> Floats:
    """Return a recording (N,) at 16 kHz with its voice at LOUDNESS."""
    sound = open_audio(path)
    samples = np.concatenate(list(sound.blocks()))
    return samples * np.float32(LOUDNESS / sound.loudness)


def frame_count(samples: Floats) -> int:
    """Return the whole frames at 60 fps that samples (N,) last."""
    return len(samples) * MOTION_FPS // SPEECH_RATE
