"""Train the voice filter on clean voices mixed with noise and music, and on those alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylehead.errors import DataError
from stylehead.models.voice_filter import ROWS_PER_STEP, VoiceFilter, VoiceFilterConfig
from stylehead.progress import SILENT, Reporter
from stylehead.speech.mel import FLOOR, LOUDNESS, mel_filters
from stylehead.speech.separation import HOP, N_FFT, SPAN, log_bands
from stylehead.training.data.audio import (
    Corpora,
    Mixing,
    disturb,
    load_corpora,
    load_corpus,
    windows,
)
from stylehead.training.loop import Learner, Stage, save_weights, seeded, train
from stylehead.types import SPEECH_RATE

VOICED = -32.0  # dB under LOUDNESS above which a clean recording's moment counts as voice
COMPRESSED = 0.3 * float(np.log(FLOOR))
BRIDGED = 9  # steps of 20 ms: shorter gaps inside a word are voice too


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceFilterTraining:
    """How the voice filter is trained; the keys of its recipes."""

    clean: tuple[str, ...] = (
        "librispeech_resemblyzer",
        "kathleen",
        "thorsten",
        "vctk_autovc",
        "emodb",
        "ljspeech_mozilla_tests",
        "sing_acappella_demo",
        "sing_gugak",
    )
    """Voice corpora without other sounds under them."""
    steps: int = 900
    batch: int = 32
    seconds: float = 4.0
    voiceless: float = 0.3
    """Fraction of windows with no voice at all."""
    learning_rate: float = 2e-3
    seed: int = 0


@torch.random.fork_rng(devices=[])
def train_voice_filter(
    data: Path,
    run: Path,
    path: Path,
    config: VoiceFilterTraining,
    *,
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Train on a prepared folder, resuming from `run`; write half-precision weights to `path`.

    Returns the metrics, which lie in the file as well. Raises DataError when voices, noise or music
    are missing.
    """
    run.mkdir(parents=True, exist_ok=True)
    folder = data / "sounds"
    length = round(config.seconds * SPEECH_RATE) // (2 * HOP) * 2 * HOP
    voices = [load_corpus(folder, f"voice_{name}") for name in config.clean]
    voices = [corpus for corpus in voices if len(corpus) > length]
    voice = np.concatenate([np.zeros(0, np.int16), *voices])
    corpora = load_corpora(data, voice)
    if not min(len(corpora.voice), len(corpora.noise), len(corpora.music)):
        raise DataError(
            f"{folder} lacks voices, noise or music.",
            remedy="Run stylehead prepare with --as voice, --as noise and --as music.",
        )
    # Songs are few: each window is drawn from a corpus first, by the root of its length.
    weights = torch.tensor([len(corpus) ** 0.5 for corpus in voices])
    starts = np.cumsum([0, *map(len, voices)])
    generator = seeded(config.seed)
    net = VoiceFilter(VoiceFilterConfig())
    filters = torch.from_numpy(mel_filters(N_FFT, net.config.mels, SPAN))
    optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate)

    def losses(generator: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.multinomial(weights, config.batch, replacement=True, generator=generator)
        at = torch.rand(config.batch, generator=generator).numpy()
        first = starts[chosen] + at * (np.diff(starts)[chosen] - length)
        clean = windows(voice, torch.from_numpy(first).long(), length)
        parts = voice_losses(net, *_mixed(clean, corpora, config, generator), filters)
        named = {f"voice/{name}": loss for name, loss in parts.items()}
        return named | {"voice/total": parts["activity"] + parts["mask"]}

    stage = Stage(
        name="Voice filter",
        config=asdict(config),
        steps=config.steps,
        every=50,
        learners={"voice": Learner.one_cycle(net, optimiser, config.steps)},
        generator=generator,
        losses=losses,
    )
    train(stage, run, reporter=reporter)
    metrics = {
        "config": json.dumps(asdict(net.config)),
        "training": json.dumps(asdict(config)),
        "minutes": f"{len(voice) / SPEECH_RATE / 60:.0f}",
    }
    save_weights(path, net.state_dict(), metrics)
    return metrics


def _mixed(
    clean: Tensor, corpora: Corpora, config: VoiceFilterTraining, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return voices (B, N), some of them muted, and the mixtures (B, N) they are heard in."""
    mute = torch.rand(len(clean), 1, generator=generator) < config.voiceless
    voice = torch.where(mute, 0.0, clean)
    mixing = Mixing(noise=0.4, music=0.6, reverberation=0.0, hiss=0.3, least=-5.0, gain=0.0)
    mixed = disturb(voice, corpora, mixing, generator)
    # What a gain does to a whole recording is undone before the filter hears it: its loudest part
    # is at LOUDNESS, whether that is a voice or not.
    loud = mixed.square().unfold(1, 800, 800).mean(-1).quantile(0.75, dim=1, keepdim=True).sqrt()
    gain = torch.where(loud > 1e-3, LOUDNESS / loud.clamp(min=1e-3), 1.0)
    spread = 10 ** ((torch.rand(len(clean), 1, generator=generator) - 0.5) * 12 / 20)
    gain = torch.where(mute, gain * spread, spread)
    return voice * gain, mixed * gain


def voice_losses(
    net: VoiceFilter, voice: Tensor, mixture: Tensor, filters: Tensor
) -> dict[str, Tensor]:
    """Return the losses `activity` and `mask`, and the rates of hits and false alarms.

    voice (B, N) alone, mixture (B, N) with other sounds, both at 16 kHz; filters are those of
    `mel_filters`. The mask is judged by the mel bands it lets through against those of the voice.
    """
    window = torch.hann_window(N_FFT)
    clean, mixed = (
        torch.stft(sound, N_FFT, HOP, window=window, return_complex=True)
        for sound in (voice, mixture)
    )
    rows = clean.shape[-1] // ROWS_PER_STEP * ROWS_PER_STEP
    target, mel = (log_bands(spectrum, filters)[:, :rows] for spectrum in (clean, mixed))
    active = activity_of(voice, rows // ROWS_PER_STEP)
    with torch.autocast("cpu", torch.bfloat16):
        logits, mask = net(mel)
    logits, mask = logits.float(), mask.float()
    # Magnitudes to the power 0.3: near to how loud things seem, and quiet bands still count.
    target, passed = (((1 - bands) * COMPRESSED).exp() for bands in (target, mel))
    passed = passed * mask.clamp(min=1e-4) ** 0.3
    predicted = logits > 0
    return {
        "activity": F.binary_cross_entropy_with_logits(logits, active),
        "mask": 4 * (passed - target).abs().mean(),
        "hits": (predicted & (active > 0.5)).sum() / (active > 0.5).sum().clamp(min=1),
        "false": (predicted & (active < 0.5)).sum() / (active < 0.5).sum().clamp(min=1),
    }


def activity_of(voice: Tensor, steps: int) -> Tensor:
    """Return 1 where a clean recording (B, N) speaks, (B, steps) of 20 ms; short gaps bridged."""
    size = ROWS_PER_STEP * HOP
    level = voice.unfold(1, size, size).square().mean(-1)
    level = F.pad(level, (0, max(0, steps - level.shape[1])))[:, :steps]
    loud = (10 * torch.log10(level + 1e-12) > 20 * np.log10(LOUDNESS) + VOICED).float()
    widened = F.max_pool1d(loud[:, None], BRIDGED, 1, BRIDGED // 2)
    return -F.max_pool1d(-widened, BRIDGED, 1, BRIDGED // 2)[:, 0]
