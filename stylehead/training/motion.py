"""Train the motion generator on speakers, as one encoder hears them."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from stylehead import weights
from stylehead.errors import MediaError
from stylehead.hearing import Ears, WhisperEars
from stylehead.landmarks import MOUTH_PAIRS, REGIONS, mirror_68
from stylehead.media import SPEECH_RATE
from stylehead.models.load import load_motion_generator, load_whisper
from stylehead.models.motion_generator import FPS, MotionConfig, MotionGenerator
from stylehead.progress import SILENT, Reporter
from stylehead.training import sounds
from stylehead.training.data import load_clips
from stylehead.training.held_out import PEOPLE
from stylehead.training.loop import Checkpoint, log_row
from stylehead.training.speakers import (
    TEMPI,
    HeardSpeaker,
    Speaker,
    Take,
    hear_speakers,
    load_speakers,
)
from stylehead.training.spoken import (
    SENTENCES,
    VOICES,
    close,
    closed_lips,
    frames_of,
    read_voice,
    synthesise,
)
from stylehead.types import Floats

log = logging.getLogger(__name__)

MOUTH_WEIGHT = 3.0  # against 1 for the rest: the lips are what a viewer reads
POINT_WEIGHTS = {"jaw": 1.0, "brows": 1.0, "nose": 0.5, "eyes": 1.0, "mouth": MOUTH_WEIGHT}
LARGEST_LAG = 20  # frames at 60 fps: a third of a second
LAGS = "sync.json"
SYNC_LEAST = 0.3  # correlation with a held-out prediction below which a clip has no clear sync
SYNC_ROUNDS = 3
IMAGINED = 20  # seconds
STRANGERS = 20  # pieces on which a finished generator's own spread is measured

Lags = dict[str, tuple[float, int]]
"""Clip -> best correlation with a held-out prediction, and the lag in frames it is found at."""


@dataclass(frozen=True, slots=True)
class MotionTraining:
    """How the motion generator is trained."""

    steps: int = 600
    batch: int = 24
    window: int = 240  # frames: 4 s (method notes, 3.1)
    learning_rate: float = 1.5e-3  # 15 x the paper's: a far smaller set and net
    weight_decay: float = 0.1
    feature_noise: float = 0.1
    """Spreads of noise on standardised features."""
    velocity: float = 0.5  # method notes, 3.4
    opening: float = 1.0  # method notes, 3.4: plain MSE under-opens
    sync_steps: int = 250  # of each half-set net that measures lags
    generated: float = 0.0
    """Weight of clips made by other systems, against filmed ones."""
    spoken: float = 0.3
    """Weight of synthesised speech, whose closures are known."""
    imagined: float = 0.0
    """Weight of recorded speech whose motion another generator imagined."""
    pieces: int = 150
    """Pieces of recorded speech imagined, IMAGINED seconds each."""
    seed: int = 0


def principal(takes: list[Take], count: int) -> Tensor:
    """Return (count, 204) principal offsets of all takes, mouth weighted, unit variance."""
    weights = _weights().repeat_interleave(3).sqrt()
    pooled = torch.cat([take.offsets[::4].flatten(1) for take in takes]) * weights
    _, sizes, basis = torch.linalg.svd(pooled, full_matrices=False)
    return basis[:count] / weights * (sizes[:count] / len(pooled) ** 0.5)[:, None]


def _weights() -> Tensor:
    weights = torch.ones(68)
    for name, region in REGIONS.items():
        weights[list(region)] = POINT_WEIGHTS[name]
    return weights


def gaps(offsets: Tensor) -> Tensor:
    """Return the change of the three inner-lip gaps: (..., 68, 3) in, (..., 3) out."""
    upper, lower = [a for a, _ in MOUTH_PAIRS], [b for _, b in MOUTH_PAIRS]
    return offsets[..., lower, 1] - offsets[..., upper, 1]


def motion_loss(predicted: Tensor, target: Tensor, spread: Tensor, how: MotionTraining) -> Tensor:
    """Weighted squared error of position, velocity and inner-lip gap, in pooled spreads.

    (B, T, 68, 3) each. L_mg of the paper with the additions of the method notes, 3.4.
    """
    weights = (_weights() / _weights().mean()).to(predicted.device)[:, None]
    scale = spread.mean(0)  # one unit per axis: a point that hardly moves stays unimportant
    error = (predicted - target) / scale
    position = (weights * error.square()).mean()
    velocity = (weights * (error.diff(dim=1) * 4).square()).mean()  # 4: speeds' usual share
    opening = ((gaps(predicted) - gaps(target)) / (2 * scale[1])).square().mean()
    return position + how.velocity * velocity + how.opening * opening


@torch.random.fork_rng(devices=[])
def fit(
    speakers: list[HeardSpeaker],
    held: list[HeardSpeaker],
    spread: Floats,
    config: MotionConfig,
    how: MotionTraining,
    *,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    reporter: Reporter = SILENT,
    folder: Path | None = None,
) -> MotionGenerator:
    """Train one net; with `folder`, log to CSV, keep checkpoints there and resume from them.

    `held` is only looked at for the log.
    """
    generator = torch.Generator().manual_seed(how.seed)
    torch.manual_seed(how.seed)  # layer initialisation and dropout know no generator
    net = MotionGenerator(config)
    clean = [heard.takes[0] for heard in speakers]
    sample = torch.cat([take.features[::7] for take in clean]).float()
    net.mean.copy_(sample.mean(0))
    net.scale.copy_(sample.std(0) + 1e-3)
    net.components.copy_(principal(clean, config.components))
    net.spread.copy_(torch.from_numpy(spread))
    net.to(device)
    optimiser = torch.optim.AdamW(
        net.parameters(), how.learning_rate, weight_decay=how.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.learning_rate, how.steps)
    checkpoint = step = None
    if folder:
        parts = {"net": net, "optimiser": optimiser, "schedule": schedule}
        settings = asdict(how) | asdict(config)
        checkpoint = Checkpoint(folder, settings, **parts, generator=generator)
        step = checkpoint.resume(reporter)
    step = step or 0
    reporter.start("Motion generator", how.steps - step)
    began = time.monotonic()
    while step < how.steps:
        net.train()
        features, target = _batch(speakers, config, how, generator)
        noise = torch.randn(features.shape, generator=generator) * how.feature_noise
        predicted, _ = net((features + noise * net.scale.cpu()).to(device))
        loss = motion_loss(predicted[:, config.delay :], target.to(device), net.spread, how)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        step += 1
        reporter.advance()
        if folder and checkpoint and (step % 200 == 0 or step == how.steps):
            row = {"step": step, "train": loss.item(), **(evaluate(net, held, how) if held else {})}
            row["s"] = time.monotonic() - began
            reporter.say("  ".join(f"{k} {v:.4g}" for k, v in row.items()))
            log_row(folder / "log.csv", row)
            checkpoint.save(step)
    return net.eval()


def _batch(
    speakers: list[HeardSpeaker],
    config: MotionConfig,
    how: MotionTraining,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Draw windows, people equally often up to the square root of their length; mirror half.

    features (B, T + delay, F); target (B, T, 68, 3).
    """
    shares = [one.speaker.weight * len(one.takes[0].offsets) ** 0.5 for one in speakers]
    picks = torch.multinomial(
        torch.tensor(shares), how.batch, replacement=True, generator=generator
    )
    mirror = torch.from_numpy(mirror_68())
    all_features, all_targets = [], []
    for pick in picks.tolist():
        takes = speakers[pick].takes
        take = takes[int(torch.randint(len(takes), (), generator=generator))]
        spare = len(take.offsets) - how.window
        start = int(torch.randint(max(1, spare + 1), (), generator=generator))
        frames = torch.arange(start, start + how.window + config.delay)
        frames = frames.clamp(max=len(take.offsets) - 1)
        target = take.offsets[frames[: how.window]]
        if torch.rand((), generator=generator) < 0.5:
            target = target[:, mirror] * torch.tensor([-1.0, 1.0, 1.0])
        all_features.append(take.features[frames].float())
        all_targets.append(target)
    return torch.stack(all_features), torch.stack(all_targets)


@torch.inference_mode()
def predict(net: MotionGenerator, take: Take) -> Tensor:
    """Return offsets (T, 68, 3) of one take."""
    device, delay = net.spread.device, net.config.delay
    tail = take.features[-1:].expand(delay, -1)
    offsets, _ = net(torch.cat([take.features, tail]).float()[None].to(device))
    return offsets[0, delay:].cpu()


@torch.inference_mode()
def evaluate(
    net: MotionGenerator, held: list[HeardSpeaker], how: MotionTraining
) -> dict[str, float]:
    """Return loss and mean correlation of mouth opening on held-out speakers."""
    net.eval()
    losses, correlations = [], []
    spread = net.spread.cpu()
    for heard in held:
        take = heard.takes[0]
        predicted = predict(net, take)
        losses.append(motion_loss(predicted[None], take.offsets[None], spread, how).item())
        correlations.append(_correlation(predicted, take.offsets, 0))
    return {"loss": float(np.mean(losses)), "opening_r": float(np.mean(correlations))}


def _correlation(predicted: Tensor, target: Tensor, lag: int) -> float:
    """Correlate mouth openings; the target shifted to be `lag` frames later than the sound."""
    a, b = gaps(predicted).mean(-1), gaps(target).mean(-1)
    a, b = (a[: len(a) - lag], b[lag:]) if lag >= 0 else (a[-lag:], b[:lag])
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def measure_sync(net: MotionGenerator, take: Take) -> tuple[float, int]:
    """Return the best correlation and its lag in frames, from a net that never saw the person."""
    predicted = predict(net, take)
    lags = range(-LARGEST_LAG, LARGEST_LAG + 1)
    scores = [_correlation(predicted, take.offsets, lag) for lag in lags]
    best = int(np.nanargmax(scores))
    return scores[best], lags[best]


def synchronise(
    speakers: list[HeardSpeaker],
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


def align_speakers(speakers: list[HeardSpeaker], measured: Lags) -> list[HeardSpeaker]:
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
        HeardSpeaker(one.speaker, [_shifted(one, take, clear) for take in one.takes])
        for one in speakers
        if one.speaker.name in clear
    ]


def _shifted(heard: HeardSpeaker, take: Take, lags: dict[str, int]) -> Take:
    """Shift one take; a stretched one by as much more."""
    stretch = len(take.offsets) / len(heard.takes[0].offsets)
    return take.shifted(round(lags[heard.speaker.name] * stretch))


# ---- what no camera saw ---------------------------------------------------------------------


def imagine(
    samples: Floats, net: MotionGenerator, ears: Ears, shut: Floats | None = None
) -> Floats:
    """Return the offsets (T, 68, 3) a generator gives a voice, lips brought together by `shut`."""
    features = torch.cat(list(ears.listen([samples])))[: frames_of(samples)]
    offsets = predict(net, Take(features, torch.zeros(len(features), 68, 3)))
    return (offsets if shut is None else close(offsets, shut)).numpy()


def spoken_speakers(folder: Path, net: MotionGenerator, ears: Ears, weight: float) -> list[Speaker]:
    """Have SENTENCES spoken, imagine their motion and shut the lips in /p b m/."""
    folder.mkdir(parents=True, exist_ok=True)
    speakers: list[Speaker] = []
    for voice in VOICES:
        for number, sentence in enumerate(SENTENCES):
            path = folder / f"{voice}_{number:02d}.wav"
            stretch = (1.0, 1.2, 0.85)[number % 3]
            phones = synthesise(sentence, voice, path, stretch=stretch)
            samples = read_voice(path)
            offsets = imagine(samples, net, ears, closed_lips(phones, frames_of(samples)))
            speakers.append(Speaker(path.stem, voice, samples, offsets, weight))
    return speakers


def imagined_speakers(
    tape: NDArray[np.int16], net: MotionGenerator, ears: Ears, weight: float, *, count: int
) -> list[Speaker]:
    """Imagine the motion of pieces of the voice tape, evenly spread over it."""
    length = IMAGINED * SPEECH_RATE
    speakers: list[Speaker] = []
    for start in np.linspace(0, len(tape) - length, count).astype(int).tolist():
        samples = sounds.from_tape(tape[start : start + length]).numpy()
        offsets = imagine(samples, net, ears)
        speakers.append(Speaker(f"tape {start}", f"tape {start}", samples, offsets, weight))
    return speakers


# ---- the whole ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained generator and its ears: what imagines motion for voices that were not filmed."""

    net: MotionGenerator
    ears: Ears


def train_motion(
    data: Path,
    run: Path,
    path: Path,
    how: MotionTraining,
    *,
    encoder: str,
    ears: Ears,
    teacher: Teacher | None = None,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Align, train, measure on held-out people and write the weights; return their metrics.

    Without a teacher a first generator, trained on the filmed clips alone, imagines the motion of
    synthesised speech for the second one, which is kept.
    """
    run.mkdir(parents=True, exist_ok=True)
    config = MotionConfig(encoder=encoder, features=ears.width)
    tapes = sounds.Tapes(
        sounds.load_tape(data / "sounds", "voice"),
        sounds.load_tape(data / "sounds", "noise"),
        sounds.load_tape(data / "sounds", "music"),
    )
    if len(tapes.voice) < IMAGINED * SPEECH_RATE:
        raise MediaError(
            f"{data} holds less than {IMAGINED} seconds of recorded voices.",
            remedy="Run stylehead prepare with --as voice on folders of speech.",
        )
    speakers, spread = load_speakers(load_clips(data / "clips"))
    reporter.say(f"{len(speakers)} clips have speech and a face throughout")
    if len({one.person for one in speakers} - PEOPLE) < 2:
        raise _too_few()
    heard = hear_speakers(speakers, ears, tapes, seed=how.seed, reporter=reporter)
    measured = read_lags(data / LAGS)
    if not measured:
        measured = synchronise(heard, spread, config, how, reporter=reporter)
        (data / LAGS).write_text(json.dumps(measured, indent=1))
    kept = align_speakers(heard, measured)
    held = [one for one in kept if one.speaker.person in PEOPLE]
    known = [one for one in kept if one.speaker.person not in PEOPLE]
    if len({one.speaker.person for one in known}) < 2:
        raise _too_few()
    more: list[Speaker] = []
    if teacher is None and (how.spoken or how.imagined):
        first = run / "first"
        first.mkdir(exist_ok=True)
        net = fit(known, held, spread, config, how, device=device, reporter=reporter, folder=first)
        teacher = Teacher(net, ears)
    if teacher and how.spoken:
        more += spoken_speakers(run / "spoken", teacher.net, teacher.ears, how.spoken)
    if teacher and how.imagined:
        found = imagined_speakers(
            tapes.voice, teacher.net, teacher.ears, how.imagined, count=how.pieces
        )
        more += found
    extra = hear_speakers(more, ears, tapes, tempi=TEMPI[:1], seed=how.seed + 1, reporter=reporter)
    if how.generated:
        extra += _generated(data, known, spread, config, how, ears, tapes, reporter)
    net = fit(
        known + extra, held, spread, config, how, device=device, reporter=reporter, folder=run
    )
    strangers = imagined_speakers(tapes.voice, net.cpu(), ears, 1.0, count=STRANGERS)
    predicted = np.concatenate([one.offsets for one in strangers])
    net.predicted_spread.copy_(torch.from_numpy(predicted.std(0) + 1e-4))
    score = evaluate(net, held, how) if held else {}
    metrics = {
        "config": json.dumps(asdict(config)),
        "training": json.dumps(asdict(how)),
        "clips": str(len(known)),
        "people": str(len({one.speaker.person for one in known})),
        "minutes": f"{sum(len(one.takes[0].offsets) for one in known) / FPS / 60:.1f}",
        "held_out_people": str(len({one.speaker.person for one in held})),
        "dropped_for_sync": str(len(heard) - len(kept)),
        **{f"held_out_{name}": f"{value:.3f}" for name, value in score.items()},
    }
    save_file({k: v.half() for k, v in net.state_dict().items()}, path, metadata=metrics)
    path.chmod(0o644)
    return metrics


def _too_few() -> MediaError:
    return MediaError(
        "Clips of fewer than two people can be learned from.",
        remedy="Give clips with speech of at least two people.",
    )


def _generated(
    data: Path,
    known: list[HeardSpeaker],
    spread: Floats,
    config: MotionConfig,
    how: MotionTraining,
    ears: Ears,
    tapes: sounds.Tapes,
    reporter: Reporter,
) -> list[HeardSpeaker]:
    """Return clips made by other systems, aligned; a quick net of filmed clips is the judge."""
    clips = load_clips(data / "generated")
    speakers, _ = load_speakers(clips, spread=spread, weight=how.generated)
    heard = hear_speakers(speakers, ears, tapes, seed=how.seed + 2, reporter=reporter)
    net = fit(known, [], spread, config, replace(how, steps=how.sync_steps), reporter=reporter)
    measured = {one.speaker.name: measure_sync(net, one.takes[0]) for one in heard}
    aligned = align_speakers(heard, measured)
    reporter.say(f"{len(aligned)} of {len(heard)} generated clips have clear sync")
    return aligned


def shipped_teacher() -> Teacher:
    """Return the generator of this checkout that hears with Whisper."""
    path = weights.PACKAGE / "assets" / "motion_whisper.safetensors"
    ears = WhisperEars(load_whisper(weights.resolve("whisper_tiny_en")))
    return Teacher(load_motion_generator(path), ears)
