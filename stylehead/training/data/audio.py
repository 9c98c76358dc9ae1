"""Sound files -> corpora of voices, noises and music, and how they are mixed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead import files
from stylehead.errors import DataError, MediaError
from stylehead.media.audio import open_audio
from stylehead.progress import SILENT, Reporter, track
from stylehead.speech.mel import LOUDNESS
from stylehead.training.data.prepared import open_prepared
from stylehead.types import SPEECH_RATE, Floats

SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac"}
GRID = SPEECH_RATE // 50  # recordings are padded to whole teacher features
GAP = 10 * GRID  # samples of near-silence between two recordings: 0.2 s
QUIETEST = 10 ** (-60 / 20)
FULL_SCALE = 32767 / 4  # of a corpus: voices at LOUDNESS peak at about 1, mixtures above


def prepare_sounds(folder: Path, target: Path, *, reporter: Reporter = SILENT) -> int:
    """Decode every sound file under a folder, bring it to LOUDNESS and join all into a corpus.

    `target` becomes an .npz with `samples` (N,) int16 at 16 kHz. Returns the number of files; those
    that cannot be read or are silent are reported and left out. Raises DataError when none is left.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder.", remedy="Give a folder of sound files.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    pieces: list[NDArray[np.int16]] = []
    for path in track(paths, f"Reading {folder.name}", len(paths), reporter):
        try:
            sound = open_audio(path)
            if sound.loudness < QUIETEST:
                raise MediaError(f"{path} is silent.", remedy="Leave it out.")
            samples = np.concatenate(list(sound.blocks())) * (LOUDNESS / sound.loudness)
        except MediaError as error:
            reporter.say(f"Left out: {error}")
            continue
        pieces.append(to_corpus(samples))
    if not pieces:
        raise DataError(f"{folder} holds no sound.", remedy="Give a folder of sound files.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic(target) as part, part.open("wb") as file:
        np.savez(file, samples=np.concatenate(pieces))
    return len(pieces)


def to_corpus(samples: Floats) -> NDArray[np.int16]:
    """Return a recording (N,) as a corpus holds it, (M,): silence around it, whole features."""
    length = len(samples) + GAP
    padded = np.zeros(-(-length // GRID) * GRID, np.float32)
    padded[GAP // 2 : GAP // 2 + len(samples)] = samples
    return (padded * FULL_SCALE).round().clip(-32768, 32767).astype(np.int16)


def from_corpus(samples: NDArray[np.int16]) -> Tensor:
    """Return samples (N,) of a corpus as float32 (N,), voices at LOUDNESS."""
    return torch.from_numpy(samples.astype(np.float32) / FULL_SCALE)


@dataclass(frozen=True, slots=True, eq=False)
class Corpora:
    """What is learned from, and what is mixed in: int16 at 16 kHz."""

    voice: NDArray[np.int16]
    """(N,) speech and song."""
    noise: NDArray[np.int16]
    """(M,) noises; empty when none were prepared."""
    music: NDArray[np.int16]
    """(M,) instrumental music; empty when none was prepared."""


def load_corpus(folder: Path, role: str) -> NDArray[np.int16]:
    """Join the corpora `role`*.npz of a folder, (N,); empty when there is none.

    Raises DataError for a damaged one.
    """
    corpora: list[NDArray[np.int16]] = []
    for path in sorted(folder.glob(f"{role}*.npz")):
        with open_prepared(path) as arrays:
            corpora.append(arrays["samples"])
    return np.concatenate(corpora) if corpora else np.zeros(0, np.int16)


def load_corpora(data: Path, voice: NDArray[np.int16] | None = None) -> Corpora:
    """Return a prepared folder's corpora; with `voice` (N,), that one in place of its own."""
    folder = data / "sounds"
    return Corpora(
        load_corpus(folder, "voice") if voice is None else voice,
        load_corpus(folder, "noise"),
        load_corpus(folder, "music"),
    )


# ---- augmentation ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """How often and how strongly training sound is disturbed."""

    noise: float = 0.3
    """Fraction of windows with a recorded noise."""
    music: float = 0.3
    """Fraction of windows with music."""
    reverberation: float = 0.25
    """Fraction of windows in a room."""
    hiss: float = 0.3
    """Fraction of windows with white to brown hiss."""
    least: float = 0.0
    """Lowest level of the voice over what is mixed in, in dB."""
    most: float = 25.0
    """Highest level of the voice over what is mixed in, in dB."""
    gain: float = 6.0
    """Largest change of level, in dB."""


def windows(corpus: NDArray[np.int16], starts: Tensor, length: int) -> Tensor:
    """Cut windows (B, length) out of a corpus (N,), `starts` (B,) samples in."""
    cut = np.stack([corpus[start : start + length] for start in starts.tolist()])
    return from_corpus(cut)


def disturb(voice: Tensor, corpora: Corpora, mixing: Mixing, generator: torch.Generator) -> Tensor:
    """Return voices (B, N) as microphones hear them: rooms, noises, music, levels."""
    count, length = voice.shape
    mixed = voice.clone()
    draw = torch.rand(4, count, generator=generator)
    rooms = (draw[0] < mixing.reverberation).nonzero().flatten()
    if len(rooms):
        mixed[rooms] = _in_room(mixed[rooms], generator)
    for row, fraction, corpus in (
        (1, mixing.noise, corpora.noise),
        (2, mixing.music, corpora.music),
    ):
        chosen = (draw[row] < fraction).nonzero().flatten()
        if len(chosen) and len(corpus) > length:
            starts = torch.randint(len(corpus) - length, (len(chosen),), generator=generator)
            added = windows(corpus, starts, length)
            mixed[chosen] += added * _level(mixed[chosen], added, mixing, generator)
    hissing = (draw[3] < mixing.hiss).nonzero().flatten()
    if len(hissing):
        added = _hiss(len(hissing), length, generator)
        quiet = Mixing(least=mixing.least + 10, most=mixing.most + 15)
        mixed[hissing] += added * _level(mixed[hissing], added, quiet, generator)
    gain = (torch.rand(count, 1, generator=generator) * 2 - 1) * mixing.gain
    return mixed * 10 ** (gain / 20)


def _level(voice: Tensor, added: Tensor, mixing: Mixing, generator: torch.Generator) -> Tensor:
    """Return the factor (B, 1) that puts the voice a random number of dB over what is added.

    Measured against the usual loudness of a voice, so that a pause does not raise the noise.
    """
    span = mixing.most - mixing.least
    decibels = mixing.least + span * torch.rand(len(voice), 1, generator=generator)
    loud = added.square().mean(1, keepdim=True).sqrt().clamp(min=1e-4)
    return LOUDNESS / loud * 10 ** (-decibels / 20)


def _hiss(count: int, length: int, generator: torch.Generator) -> Tensor:
    """Return noise (B, N) whose spectrum falls by 0 to 6 dB an octave."""
    spectrum = torch.fft.rfft(torch.randn(count, length, generator=generator))
    slope = torch.rand(count, 1, generator=generator)
    frequency = torch.arange(1, spectrum.shape[1] + 1) / spectrum.shape[1]
    return torch.fft.irfft(spectrum * frequency**-slope, length)


def _in_room(voice: Tensor, generator: torch.Generator) -> Tensor:
    """Convolve voices (B, N) with decaying noise of 0.1 to 0.7 s; the direct sound stays first."""
    count, length = voice.shape
    taps = int(0.7 * SPEECH_RATE)
    seconds = torch.arange(taps) / SPEECH_RATE
    decay = 0.1 + 0.6 * torch.rand(count, 1, generator=generator)
    response = torch.randn(count, taps, generator=generator) * torch.exp(-6.9 * seconds / decay)
    response[:, : int(0.004 * SPEECH_RATE)] = 0
    wet = 0.1 + 0.5 * torch.rand(count, 1, generator=generator)
    response = response / response.norm(dim=1, keepdim=True) * wet
    response[:, 0] = 1
    size = 2 ** math.ceil(math.log2(length + taps))
    mixed = torch.fft.rfft(voice, size) * torch.fft.rfft(response, size)
    return torch.fft.irfft(mixed, size)[:, :length]
