"""Train the audio encoder: predictive coding, and what a large speech encoder hears."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import Tensor, nn

from stylehead import files
from stylehead.errors import MediaError
from stylehead.media.audio import loudness, piece_energies
from stylehead.models.audio_encoder import AudioEncoder, AudioEncoderConfig
from stylehead.models.manifold import CHUNK
from stylehead.models.motion_generator import MotionGenerator
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
from stylehead.training.loop import descend, save_weights
from stylehead.types import MEL_ROWS_PER_FRAME, MOTION_FPS, SPEECH_RATE
from stylehead.weights.networks import load_network, load_whisper
from stylehead.weights.store import resolve


def make_base(
    features: Tensor, size: int, *, rounds: int = 8, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Return k-means centroids (size, D) of features (N, D), with their mean and spread (D,)."""
    generator = torch.Generator().manual_seed(seed)
    mean, scale = features.mean(0), features.std(0) + 1e-4
    points = (features - mean) / scale
    size = min(size, len(points))
    centres = points[torch.randperm(len(points), generator=generator)[:size]]
    for _ in range(rounds):
        nearest = torch.cat(
            [(centres.square().sum(1) - 2 * p @ centres.T).argmin(1) for p in points.split(CHUNK)]
        )
        counts = torch.bincount(nearest, minlength=size)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
    return centres * scale + mean, mean, scale


TEACHER = "teacher.npy"
BASE_BATCHES = 15
WARM_UP = 0.101  # of the steps; a tenth of ten steps would be one, which has no length
SPEEDS = ((9, 10), (11, 10), (7, 8), (8, 7))
"""Ratios by which copies are resampled: pitch and tempo change together."""
CHANGED = 20 * SPEECH_RATE  # samples of the tape that share one speed


@dataclass(frozen=True, slots=True)
class EncoderTraining:
    """How the audio encoder is trained."""

    distil: bool = True
    """Learn the teacher's features beside predictive coding."""
    steps: int = 1800
    batch: int = 48
    seconds: float = 2.4
    """Length of a training window."""
    learning_rate: float = 1e-3  # 10 x the paper's: 1/20 of its steps
    apc: float = 1.0
    """Weight of the prediction loss (method notes, 2.2)."""
    teacher: float = 0.5
    """Weight of the squared error to the teacher's standardised features."""
    focus: float = 1.0
    """Weight of the same error as the motion generator sees it, through its first layer."""
    base: int = 4096
    """Centroids of the manifold's base."""
    seed: int = 0


def load_voice(data: Path) -> NDArray[np.int16]:
    """Return the voice tape: prepared voices, then the clips' own sound, held-out people apart."""
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
        raise MediaError(
            f"{data} holds less than a minute of voice.",
            remedy="Run stylehead prepare on folders of speech with --as voice.",
        )
    return corpus


def with_changed_speeds(corpus: NDArray[np.int16], seed: int) -> NDArray[np.int16]:
    """Return the tape followed by itself, piece by piece at another speed."""
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
    """Return the teacher's features of the whole tape (N / 320, 384), computed once into `path`."""
    rows = len(corpus) // GRID
    if path.exists():
        known = np.load(path, mmap_mode="r")
        if len(known) == rows:
            return known
    whisper = WhisperSpeechEncoder(load_whisper(resolve("encoder_whisper", reporter=reporter)))
    span = 300 * SPEECH_RATE
    reporter.start("Asking the teacher", -(-len(corpus) // span))
    with files.atomic(path) as part:  # a broken-off file must not pass for a whole one
        features = np.lib.format.open_memmap(part, "w+", np.float16, (rows, whisper.width))
        for start in range(0, len(corpus), span):
            piece = from_corpus(corpus[start : start + span]).numpy()
            heard = torch.cat(list(whisper.at_50_hz([piece])))
            first = start // GRID
            features[first : first + len(heard)] = heard[: rows - first].numpy()
            reporter.advance()
        features.flush()
    return np.load(path, mmap_mode="r")


@torch.random.fork_rng(devices=[])
def train_encoder(
    data: Path,
    run: Path,
    path: Path,
    how: EncoderTraining,
    *,
    focus: Tensor | None = None,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Train on a prepared folder, resuming from `run`; write half-precision weights to `path`.

    `focus` (K, 384) is what the first layer of a motion generator that hears the teacher takes
    from standardised features: what matters for faces.
    """
    run.mkdir(parents=True, exist_ok=True)
    corpora = load_corpora(data, with_changed_speeds(load_voice(data), how.seed))
    taught = teach(corpora.voice, run / TEACHER, reporter=reporter) if how.distil else None
    mean, spread = _statistics(taught)
    if taught is not None and focus is not None:
        focus = _unit_spread(focus, (_sample(taught) - mean) / spread).to(device)
    config = AudioEncoderConfig(teacher=taught.shape[1] if taught is not None else 0)
    generator = torch.Generator().manual_seed(how.seed)
    torch.manual_seed(how.seed)
    net = AudioEncoder(config).to(device)
    filters = torch.from_numpy(mel_filters())
    optimiser = torch.optim.AdamW(net.parameters(), how.learning_rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, how.learning_rate, how.steps, pct_start=WARM_UP
    )

    def losses() -> dict[str, Tensor]:
        clean, rows, target = _batch(corpora, taught, filters, how, generator)
        target = ((target - mean) / spread).to(device)
        parts = encoder_losses(net, rows.to(device), clean.to(device), target, focus)
        weighed = how.apc * parts["apc"] + how.teacher * parts["teacher"]
        return parts | {"total": weighed + how.focus * parts["focus"]}

    descend(
        "Audio encoder",
        losses,
        asdict(how),
        steps=how.steps,
        every=50,
        net=net,
        optimiser=optimiser,
        schedule=schedule,
        generator=generator,
        run=run,
        reporter=reporter,
    )
    metrics = {
        "config": json.dumps(asdict(config)),
        "training": json.dumps(asdict(how)),
        "minutes": f"{len(corpora.voice) / SPEECH_RATE / 60:.0f}",
    }
    base = _base(net.cpu().eval(), corpora, filters, how)
    named = {f"manifold.{name}": value for name, value in base.items()}
    save_weights(path, net.state_dict() | named, metrics)
    return metrics


@torch.inference_mode()
def _base(
    net: AudioEncoder, corpora: Corpora, filters: Tensor, how: EncoderTraining
) -> dict[str, Tensor]:
    """Return the manifold's base: centroids of the features of undisturbed voices."""
    generator = torch.Generator().manual_seed(how.seed + 1)
    found: list[Tensor] = []
    for _ in range(BASE_BATCHES):
        clean, *_ = _batch(corpora, None, filters, how, generator)
        hidden, _ = net(clean * 2 - 1)
        found.append(hidden[:, 60::3].flatten(0, 1))  # without the start from nothing
    base, mean, scale = make_base(torch.cat(found), how.base, seed=how.seed)
    return {"base": base, "mean": mean, "scale": scale}


def encoder_losses(
    net: AudioEncoder, rows: Tensor, clean: Tensor, target: Tensor, focus: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the losses `apc`, `teacher` and `focus` of a batch of windows.

    rows (B, T, 80) as heard, clean (B, T, 80) without what was mixed in, target (B, T / 2, 384)
    standardised teacher features at 60 Hz. Predictive coding is L1, `ahead` rows on (method notes,
    2.2); the teacher's feature of a row is asked for `lookahead` rows later.
    """
    # GRUs at half precision: 3 x faster on CPUs that have it, the same losses.
    with torch.autocast(rows.device.type, torch.bfloat16):
        hidden, _ = net(rows * 2 - 1)
        ahead = net.postnet(hidden[:, : -net.config.ahead])
        apc = (ahead.float() - clean[:, net.config.ahead :]).abs().mean()
        nothing = torch.zeros(())
        if net.student is None:
            return {"apc": apc, "teacher": nothing, "focus": nothing}
        late = hidden[:, net.config.lookahead :: MEL_ROWS_PER_FRAME]
        told = net.student(late).float()
    error = told - target[:, : told.shape[1]]
    seen = nothing if focus is None else (error @ focus.T).square().mean()
    return {"apc": apc, "teacher": error.square().mean(), "focus": seen}


def _statistics(taught: NDArray[np.float16] | None) -> tuple[Tensor, Tensor]:
    """Return the teacher's mean and spread per dimension."""
    if taught is None:
        return torch.zeros(()), torch.ones(())
    sample = _sample(taught)
    return sample.mean(0), sample.std(0) + 1e-3


def _sample(taught: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(taught[:: max(1, len(taught) // 100_000)].astype(np.float32))


def _unit_spread(focus: Tensor, features: Tensor) -> Tensor:
    """Scale each row so that the features give it unit spread."""
    return focus / (features @ focus.T).std(0)[:, None]


def _batch(
    corpora: Corpora,
    taught: NDArray[np.float16] | None,
    filters: Tensor,
    how: EncoderTraining,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw windows: clean mel rows and disturbed ones (B, T, 80), teacher features at 60 Hz."""
    features = round(how.seconds * 50)
    length = features * GRID
    starts = torch.randint((len(corpora.voice) - length) // GRID, (how.batch,), generator=generator)
    voice = windows(corpora.voice, starts * GRID, length)
    heard = disturb(voice, corpora, Mixing(), generator)
    clean, rows = (
        torch.stack([log_mel(one, filters) for one in which]).clamp(0, 1.2)
        for which in (voice, heard)
    )
    if taught is None:
        return clean, rows, torch.zeros(())
    chosen = np.stack([taught[start : start + features + 1] for start in starts.tolist()])
    target = torch.from_numpy(chosen.astype(np.float32))
    frames = torch.arange(round(how.seconds * MOTION_FPS)) * (50 / MOTION_FPS)
    low = frames.floor().long().clamp(max=target.shape[1] - 2)
    share = (frames - low)[None, :, None]
    return clean, rows, target[:, low] * (1 - share) + target[:, low + 1] * share


def motion_focus(path: Path) -> Tensor:
    """Return what a motion generator's first layer takes from its features: (K, F)."""
    first = load_network(MotionGenerator, path).front[1]
    assert isinstance(first, nn.Linear)
    return first.weight.detach()
