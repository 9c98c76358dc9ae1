"""Train the voice filter on clean voices mixed with noise and music, and on those alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylehead.errors import MediaError
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
from stylehead.training.loop import descend, save_weights
from stylehead.types import SPEECH_RATE

VOICED = -32.0  # dB under LOUDNESS above which a clean recording's moment counts as voice
COMPRESSED = 0.3 * float(np.log(FLOOR))
BRIDGED = 9  # steps of 20 ms: shorter gaps inside a word are voice too


@dataclass(frozen=True, slots=True)
class VoiceFilterTraining:
    """How the voice filter is trained."""

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
    """Voice tapes without other sounds under them."""
    steps: int = 900
    batch: int = 32
    seconds: float = 4.0
    voiceless: float = 0.3
    """Share of windows with no voice at all."""
    learning_rate: float = 2e-3
    seed: int = 0


@torch.random.fork_rng(devices=[])
def train_voice_filter(
    data: Path,
    run: Path,
    path: Path,
    how: VoiceFilterTraining,
    *,
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Train on a prepared folder, resuming from `run`; write half-precision weights to `path`."""
    run.mkdir(parents=True, exist_ok=True)
    folder = data / "sounds"
    length = round(how.seconds * SPEECH_RATE) // (2 * HOP) * 2 * HOP
    voices = [load_corpus(folder, f"voice_{name}") for name in how.clean]
    voices = [one for one in voices if len(one) > length]
    voice = np.concatenate([np.zeros(0, np.int16), *voices])
    corpora = load_corpora(data, voice)
    if not min(len(corpora.voice), len(corpora.noise), len(corpora.music)):
        raise MediaError(
            f"{folder} lacks voices, noise or music.",
            remedy="Run stylehead prepare with --as voice, --as noise and --as music.",
        )
    # Songs are few: each window is drawn from a tape first, by the root of its length.
    shares = torch.tensor([len(one) ** 0.5 for one in voices])
    starts = np.cumsum([0, *map(len, voices)])
    config = VoiceFilterConfig()
    generator = torch.Generator().manual_seed(how.seed)
    torch.manual_seed(how.seed)
    net = VoiceFilter(config)
    filters = torch.from_numpy(mel_filters(N_FFT, config.mels, SPAN))
    optimiser = torch.optim.AdamW(net.parameters(), how.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.learning_rate, how.steps)

    def losses() -> dict[str, Tensor]:
        chosen = torch.multinomial(shares, how.batch, replacement=True, generator=generator)
        at = torch.rand(how.batch, generator=generator).numpy()
        first = starts[chosen] + at * (np.diff(starts)[chosen] - length)
        clean = windows(voice, torch.from_numpy(first).long(), length)
        parts = voice_losses(net, *_mixed(clean, corpora, how, generator), filters)
        return parts | {"total": parts["activity"] + parts["mask"]}

    descend(
        "Voice filter",
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
        "minutes": f"{len(voice) / SPEECH_RATE / 60:.0f}",
    }
    save_weights(path, net.state_dict(), metrics)
    return metrics


def _mixed(
    clean: Tensor, corpora: Corpora, how: VoiceFilterTraining, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return voices (B, N), some of them taken away, and the sounds they are heard in."""
    mute = torch.rand(len(clean), 1, generator=generator) < how.voiceless
    voice = torch.where(mute, 0.0, clean)
    mixing = Mixing(noise=0.4, music=0.6, reverberation=0.0, hiss=0.3, least=-5.0, gain=0.0)
    heard = disturb(voice, corpora, mixing, generator)
    # What a gain does to a whole recording is undone before the filter hears it: its loudest part
    # is at LOUDNESS, whether that is a voice or not.
    loud = heard.square().unfold(1, 800, 800).mean(-1).quantile(0.75, dim=1, keepdim=True).sqrt()
    gain = torch.where(loud > 1e-3, LOUDNESS / loud.clamp(min=1e-3), 1.0)
    spread = 10 ** ((torch.rand(len(clean), 1, generator=generator) - 0.5) * 12 / 20)
    gain = torch.where(mute, gain * spread, spread)
    return voice * gain, heard * gain


def voice_losses(
    net: VoiceFilter, voice: Tensor, heard: Tensor, filters: Tensor
) -> dict[str, Tensor]:
    """Return the losses `activity` and `mask`, and the rates of hits and false alarms.

    voice (B, N) alone, heard (B, N) among other sounds. The mask is judged by the mel bands it
    lets through against those of the voice.
    """
    window = torch.hann_window(N_FFT)
    clean, mixed = (
        torch.stft(one, N_FFT, HOP, window=window, return_complex=True) for one in (voice, heard)
    )
    rows = clean.shape[-1] // ROWS_PER_STEP * ROWS_PER_STEP
    wanted, mel = (log_bands(one, filters)[:, :rows] for one in (clean, mixed))
    spoken = activity_of(voice, rows // ROWS_PER_STEP)
    with torch.autocast("cpu", torch.bfloat16):
        logits, mask = net(mel)
    logits, mask = logits.float(), mask.float()
    # Magnitudes to the power 0.3: near to how loud things seem, and quiet bands still count.
    wanted, let_through = ((1 - one) * COMPRESSED for one in (wanted, mel))
    wanted, let_through = wanted.exp(), let_through.exp() * mask.clamp(min=1e-4) ** 0.3
    guessed = logits > 0
    return {
        "activity": F.binary_cross_entropy_with_logits(logits, spoken),
        "mask": 4 * (let_through - wanted).abs().mean(),
        "hits": (guessed & (spoken > 0.5)).sum() / (spoken > 0.5).sum().clamp(min=1),
        "false": (guessed & (spoken < 0.5)).sum() / (spoken < 0.5).sum().clamp(min=1),
    }


def activity_of(voice: Tensor, steps: int) -> Tensor:
    """Return 1 where a clean recording (B, N) speaks, (B, steps) of 20 ms; short gaps bridged."""
    size = ROWS_PER_STEP * HOP
    level = voice.unfold(1, size, size).square().mean(-1)
    level = F.pad(level, (0, max(0, steps - level.shape[1])))[:, :steps]
    loud = (10 * torch.log10(level + 1e-12) > 20 * np.log10(LOUDNESS) + VOICED).float()
    widened = F.max_pool1d(loud[:, None], BRIDGED, 1, BRIDGED // 2)
    return -F.max_pool1d(-widened, BRIDGED, 1, BRIDGED // 2)[:, 0]
