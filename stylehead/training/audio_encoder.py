"""Train the audio encoder: predictive coding, and distillation from a large speech encoder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import Tensor

from stylehead import files
from stylehead.compute.device import to_array
from stylehead.errors import DataError
from stylehead.media.audio import loudness, piece_energies
from stylehead.models.audio_encoder import AudioEncoder, AudioEncoderConfig
from stylehead.progress import SILENT, Reporter
from stylehead.speech.encoders import WhisperSpeechEncoder
from stylehead.speech.mel import LOUDNESS, log_mel, mel_filters
from stylehead.training.data.audio import (
    GRID,
    QUIETEST,
    Corpora,
    Mixing,
    disturb,
    from_corpus,
    load_corpora,
    load_corpus,
    to_corpus,
    windows,
)
from stylehead.training.data.clips import PEOPLE, load_clips
from stylehead.training.loop import Learner, Stage, save_weights, seeded, train
from stylehead.types import MEL_ROWS_PER_FRAME, MOTION_FPS, SPEECH_RATE
from stylehead.weights.networks import CPU, load_whisper
from stylehead.weights.store import resolve

TEACHER = "teacher.npy"
WARM_UP = 0.101  # of the steps; a tenth of ten steps would be one, which has no length
SPEEDS = ((9, 10), (11, 10), (7, 8), (8, 7))
"""Ratios by which copies are resampled: pitch and tempo change together."""
CHANGED = 20 * SPEECH_RATE  # samples of a corpus that share one speed


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderTraining:
    """How the audio encoder is trained; the keys of its recipes."""

    distil: bool = False
    """Learn a large speech encoder's features beside predictive coding; that is Whisper."""
    steps: int = 400
    batch: int = 48
    seconds: float = 2.4
    """Length of a training window."""
    learning_rate: float = 1e-3  # 10 x the paper's: 1/20 of its steps
    apc: float = 1.0
    """Weight of the prediction loss."""
    teacher: float = 0.5
    """Weight of the squared error to the teacher's standardised features."""
    seed: int = 0


def load_voice(data: Path) -> NDArray[np.int16]:
    """Return the voice corpus (N,): prepared voices, then the clips' own sound.

    Held-out people are left out. Raises DataError for less than a minute.
    """
    parts = [load_corpus(data / "sounds", "voice")]
    for clip in load_clips(data / "clips"):
        if clip.person in PEOPLE or not len(clip.samples):
            continue
        samples = clip.samples.astype(np.float32) / 32767
        loud = loudness(piece_energies(samples))
        if loud > QUIETEST:
            parts.append(to_corpus(samples * np.float32(LOUDNESS / loud)))
    corpus = np.concatenate(parts)
    if len(corpus) < 60 * SPEECH_RATE:
        raise DataError(
            f"{data} holds less than a minute of voice.",
            remedy="Run stylehead prepare on folders of speech with --as voice.",
        )
    return corpus


def with_changed_speeds(corpus: NDArray[np.int16], seed: int) -> NDArray[np.int16]:
    """Return the corpus (N,) followed by itself (M,), piece by piece at another speed."""
    rng = np.random.default_rng(seed)
    pieces = [corpus]
    for start in range(0, len(corpus), CHANGED):
        up, down = SPEEDS[rng.integers(len(SPEEDS))]
        piece = resample_poly(corpus[start : start + CHANGED].astype(np.float32), up, down)
        piece = piece[: len(piece) // GRID * GRID]
        pieces.append(piece.round().clip(-32768, 32767).astype(np.int16))
    return np.concatenate(pieces)


def teach(
    corpus: NDArray[np.int16], path: Path, *, reporter: Reporter = SILENT
) -> NDArray[np.float16]:
    """Return Whisper's features (N / 320, 384) of a corpus (N,), computed once into `path`."""
    rows = len(corpus) // GRID
    if path.exists():
        known = np.load(path, mmap_mode="r")
        if len(known) == rows:
            return known
    whisper = WhisperSpeechEncoder(load_whisper(resolve("encoder_whisper", reporter=reporter)))
    span = 300 * SPEECH_RATE
    reporter.start("Encoding with the teacher", -(-len(corpus) // span))
    with files.atomic(path) as part:  # a broken-off file must not pass for a whole one
        features = np.lib.format.open_memmap(part, "w+", np.float16, (rows, whisper.width))
        for start in range(0, len(corpus), span):
            piece = to_array(from_corpus(corpus[start : start + span]))
            encoded = torch.cat(list(whisper.at_50_hz([piece])))
            first = start // GRID
            features[first : first + len(encoded)] = encoded[: rows - first].numpy()
            reporter.advance()
        features.flush()
    return np.load(path, mmap_mode="r")


@torch.random.fork_rng(devices=[])
def train_encoder(
    data: Path,
    run: Path,
    path: Path,
    config: EncoderTraining,
    *,
    device: torch.device = CPU,
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Train on a prepared folder, resuming from `run`; write half-precision weights to `path`.

    Returns the metrics, which lie in the file as well. Raises DataError when the folder holds less
    than a minute of voice.
    """
    run.mkdir(parents=True, exist_ok=True)
    corpora = load_corpora(data, with_changed_speeds(load_voice(data), config.seed))
    taught = teach(corpora.voice, run / TEACHER, reporter=reporter) if config.distil else None
    mean, spread = _statistics(taught)
    generator = seeded(config.seed)
    teacher_width = taught.shape[1] if taught is not None else 0
    net = AudioEncoder(AudioEncoderConfig(teacher=teacher_width)).to(device)
    filters = torch.from_numpy(mel_filters())
    optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate, betas=(0.9, 0.98))

    def losses(generator: torch.Generator) -> dict[str, Tensor]:
        clean, rows, target = _batch(corpora, taught, filters, config, generator)
        target = ((target - mean) / spread).to(device)
        parts = encoder_losses(net, rows.to(device), clean.to(device), target)
        named = {f"encoder/{name}": loss for name, loss in parts.items()}
        total = config.apc * parts["apc"] + config.teacher * parts["teacher"]
        return named | {"encoder/total": total}

    stage = Stage(
        name="Audio encoder",
        config=asdict(config),
        steps=config.steps,
        every=50,
        learners={
            "encoder": Learner.one_cycle(net, optimiser, config.steps, pct_start=WARM_UP),
        },
        generator=generator,
        losses=losses,
    )
    train(stage, run, reporter=reporter)
    metrics = {
        "config": json.dumps(asdict(net.config)),
        "training": json.dumps(asdict(config)),
        "minutes": f"{len(corpora.voice) / SPEECH_RATE / 60:.0f}",
    }
    save_weights(path, net.state_dict(), metrics)
    return metrics


def encoder_losses(
    net: AudioEncoder, rows: Tensor, clean: Tensor, target: Tensor
) -> dict[str, Tensor]:
    """Return the losses `apc` and `teacher` of a batch of windows.

    rows (B, T, 80) mel as heard at 120 Hz, clean (B, T, 80) without what was mixed in, target
    (B, T / 2, F) standardised teacher features at 60 Hz. Predictive coding is the L1 distance to
    the mel `ahead` rows on; the teacher's feature of a row is asked for `lookahead` rows later.
    """
    # GRUs at half precision: 3 x faster on CPUs that have it, the same losses.
    with torch.autocast(rows.device.type, torch.bfloat16):
        hidden, _ = net(rows * 2 - 1)
        ahead = net.postnet(hidden[:, : -net.config.ahead])
        apc = (ahead.float() - clean[:, net.config.ahead :]).abs().mean()
        if net.student is None:
            return {"apc": apc, "teacher": torch.zeros((), device=rows.device)}
        late = hidden[:, net.config.lookahead :: MEL_ROWS_PER_FRAME]
        predicted = net.student(late).float()
    error = predicted - target[:, : predicted.shape[1]]
    return {"apc": apc, "teacher": error.square().mean()}


# ---- batches --------------------------------------------------------------------------------


def _statistics(taught: NDArray[np.float16] | None) -> tuple[Tensor, Tensor]:
    """Return the teacher's mean and spread per dimension."""
    if taught is None:
        return torch.zeros(()), torch.ones(())
    sample = _sample(taught)
    return sample.mean(0), sample.std(0) + 1e-3


def _sample(taught: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(taught[:: max(1, len(taught) // 100_000)].astype(np.float32))


def _batch(
    corpora: Corpora,
    taught: NDArray[np.float16] | None,
    filters: Tensor,
    config: EncoderTraining,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw windows: clean mel rows and disturbed ones (B, T, 80), teacher features at 60 Hz."""
    features = round(config.seconds * 50)
    length = features * GRID
    starts = torch.randint(
        (len(corpora.voice) - length) // GRID, (config.batch,), generator=generator
    )
    voice = windows(corpora.voice, starts * GRID, length)
    disturbed = disturb(voice, corpora, Mixing(), generator)
    clean, rows = (
        torch.stack([log_mel(samples, filters) for samples in batch]).clamp(0, 1.2)
        for batch in (voice, disturbed)
    )
    if taught is None:
        return clean, rows, torch.zeros(())
    chosen = np.stack([taught[start : start + features + 1] for start in starts.tolist()])
    target = torch.from_numpy(chosen.astype(np.float32))
    frames = torch.arange(round(config.seconds * MOTION_FPS)) * (50 / MOTION_FPS)
    low = frames.floor().long().clamp(max=target.shape[1] - 2)
    weight = (frames - low)[None, :, None]
    return clean, rows, target[:, low] * (1 - weight) + target[:, low + 1] * weight
