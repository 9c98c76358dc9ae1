"""Train the motion generator on tracked clips that have their own speech."""

from __future__ import annotations

import csv
import json
import logging
import time
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stylehead import capture, files, media
from stylehead.errors import MediaError, WeightsError
from stylehead.features import LOUDNESS, log_mel, mel_filters
from stylehead.landmarks import MOUTH_PAIRS, REGIONS, mirror_68
from stylehead.media import SPEECH_RATE
from stylehead.models.motion_generator import FPS, ROWS_PER_FRAME, MotionConfig, MotionGenerator
from stylehead.progress import SILENT, Reporter
from stylehead.training.data import Clip
from stylehead.types import Floats

log = logging.getLogger(__name__)

MOUTH_WEIGHT = 3.0  # against 1 for the rest: the lips are what a viewer reads
POINT_WEIGHTS = {"jaw": 1.0, "brows": 1.0, "nose": 0.5, "eyes": 1.0, "mouth": MOUTH_WEIGHT}
LARGEST_LAG = 15  # frames at 60 fps: some clips are off by 0.2 s
LAGS = "sync.json"
SYNC_LEAST = 0.25  # correlation with a held-out prediction below which a clip has no clear sync


Lags = dict[str, tuple[float, int]]
"""Clip -> best correlation with a held-out prediction, and the lag in frames it is found at."""


@dataclass(frozen=True, slots=True)
class MotionTraining:
    """How the motion generator is trained."""

    steps: int = 1500
    batch: int = 24
    window: int = 240  # frames: 4 s (method notes, 3.1)
    learning_rate: float = 1e-3  # 10 x the paper's: a far smaller set and net
    weight_decay: float = 0.1
    velocity: float = 0.5  # method notes, 3.4
    opening: float = 1.0  # method notes, 3.4: plain MSE under-opens
    sync_steps: int = 300  # of each half-set net that measures lags
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """One clip as the net sees it."""

    name: str
    person: str
    rows: Tensor
    """(2 T, 80) log-mel."""
    offsets: Tensor
    """(T, 68, 3) in units of an average person."""


def load_speakers(clips: list[Clip], filters: Tensor) -> tuple[list[Speaker], Floats]:
    """Turn clips with speech into mel rows and person-normalised offsets at 60 fps.

    Returns the speakers and the pooled spread (68, 3). Brows, eyes and nose are centred on the
    clip's mean; jaw and mouth are measured from the closed neutral, so that silence is zero.
    """
    raw: list[tuple[Clip, Floats, Tensor]] = []
    for clip in clips:
        if len(clip.samples) < 2 * SPEECH_RATE or clip.track.found.mean() < 0.9:
            continue
        samples = clip.samples.astype(np.float32) / 32767
        loud = media.loudness(media.piece_energies(samples))
        if loud < 10 ** (-55 / 20):
            continue  # digital silence
        motion, times = capture.capture(clip.track).motion(Fraction(FPS))
        first = round(float(times[0]) * SPEECH_RATE)
        heard = samples[first:] * np.float32(LOUDNESS / loud)
        rows = log_mel(torch.from_numpy(heard), filters)
        frames = min(len(motion), len(rows) // ROWS_PER_FRAME)
        if frames < FPS:
            continue
        raw.append((clip, motion.landmarks[:frames], rows[: frames * ROWS_PER_FRAME]))
    spread = np.sqrt(np.mean([_spread(offsets) ** 2 for _, offsets, _ in raw], axis=0))
    speakers = [
        Speaker(clip.name, clip.person, rows, torch.from_numpy(_normalise(offsets, spread)))
        for clip, offsets, rows in raw
    ]
    return speakers, spread.astype(np.float32)


def _spread(offsets: Floats) -> Floats:
    return offsets.std(0) + 1e-4


def _normalise(offsets: Floats, spread: Floats) -> Floats:
    """Bring each region and axis of one person to the pooled spread."""
    out = offsets.copy()
    own = _spread(offsets)
    for name, region in REGIONS.items():
        points = list(region)
        if name not in ("jaw", "mouth"):
            out[:, points] -= offsets[:, points].mean(0)
        ratio = np.sqrt(np.square(spread[points]).mean(0) / np.square(own[points]).mean(0))
        out[:, points] *= ratio.clip(1 / 3, 3)
    return out.astype(np.float32)


def principal(speakers: list[Speaker], count: int) -> Tensor:
    """Return (count, 204) principal offsets of all speakers, mouth weighted, unit variance."""
    weights = _weights().repeat_interleave(3).sqrt()
    pooled = torch.cat([speaker.offsets[::4].flatten(1) for speaker in speakers]) * weights
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
    speakers: list[Speaker],
    held: list[Speaker],
    spread: Floats,
    config: MotionConfig,
    how: MotionTraining,
    *,
    reporter: Reporter = SILENT,
    folder: Path | None = None,
) -> MotionGenerator:
    """Train one net; with `folder`, log to CSV, keep checkpoints there and resume from them.

    Returns the net of the checkpoint that did best on `held` (the last one without `held`).
    """
    generator = torch.Generator().manual_seed(how.seed)
    torch.manual_seed(how.seed)  # layer initialisation and dropout know no generator
    net = MotionGenerator(config)
    net.filters.copy_(torch.from_numpy(mel_filters()))
    net.components.copy_(principal(speakers, config.components))
    net.spread.copy_(torch.from_numpy(spread))
    optimiser = torch.optim.AdamW(
        net.parameters(), how.learning_rate, weight_decay=how.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.learning_rate, how.steps)
    step, best, best_state = 0, float("inf"), {k: v.clone() for k, v in net.state_dict().items()}
    checkpoint = folder / "checkpoint.pt" if folder else None
    if checkpoint and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["how"] != asdict(how):
            raise WeightsError(
                f"{checkpoint} was begun with other settings.",
                remedy="Give the same --steps, or an empty --run folder.",
            )
        net.load_state_dict(saved["net"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        generator.set_state(saved["generator"])
        torch.set_rng_state(saved["dropout"])
        step, best, best_state = saved["step"], saved["best"], saved["best_state"]
        reporter.say(f"Resumed at step {step}")
    reporter.start("Motion generator", how.steps)
    began = time.monotonic()
    while step < how.steps:
        net.train()
        rows, target = _batch(speakers, config, how, generator)
        predicted, _ = net(rows)
        loss = motion_loss(predicted[:, config.delay :], target, net.spread, how)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        step += 1
        reporter.advance()
        if held and (step % 250 == 0 or step == how.steps):
            score = evaluate(net, held, how)
            if score["loss"] < best:
                best = score["loss"]
                best_state = {k: v.clone() for k, v in net.state_dict().items()}
            row = {"step": step, "train": loss.item(), **score, "s": time.monotonic() - began}
            reporter.say("  ".join(f"{k} {v:.4g}" for k, v in row.items()))
            if folder and checkpoint:
                _log(folder / "log.csv", row)
                saved = {"net": net.state_dict(), "optimiser": optimiser.state_dict()}
                saved |= {"schedule": schedule.state_dict(), "generator": generator.get_state()}
                saved |= {"dropout": torch.get_rng_state()}
                saved |= {"how": asdict(how), "step": step, "best": best, "best_state": best_state}
                with files.atomic(checkpoint) as part:
                    torch.save(saved, part)
    if held:
        net.load_state_dict(best_state)
    return net.eval()


def _log(path: Path, row: dict[str, float]) -> None:
    fresh = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def _batch(
    speakers: list[Speaker], config: MotionConfig, how: MotionTraining, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw windows, people equally often up to the square root of their length; augment them.

    rows (B, 2 (T + delay), 80); target (B, T, 68, 3).
    """
    shares = torch.tensor([len(speaker.offsets) ** 0.5 for speaker in speakers])
    picks = torch.multinomial(shares, how.batch, replacement=True, generator=generator)
    mirror = torch.from_numpy(mirror_68())
    all_rows, all_targets = [], []
    for pick in picks.tolist():
        speaker = speakers[pick]
        spare = len(speaker.offsets) - how.window
        start = int(torch.randint(max(1, spare + 1), (), generator=generator))
        frames = torch.arange(start, start + how.window + config.delay)
        frames = frames.clamp(max=len(speaker.offsets) - 1)
        rows = speaker.rows.unflatten(0, (-1, ROWS_PER_FRAME))[frames].flatten(0, 1).clone()
        target = speaker.offsets[frames[: how.window]]
        noise = torch.rand(4, generator=generator)
        shift = int(torch.randint(-2, 3, (), generator=generator))  # mel bands: vocal tract length
        rows = rows.roll(shift, 1)
        rows = rows + (noise[0] - 0.5) * 0.1  # loudness +-5 dB
        tilt = torch.linspace(-1, 1, rows.shape[1]) * (noise[1] - 0.5) * 0.15  # microphone
        hiss = 0.5 * noise[2] ** 2  # up to a noisy room
        rows = torch.maximum(
            rows + tilt, hiss + 0.03 * torch.randn(rows.shape, generator=generator)
        )
        for _ in range(2):  # a word may be missed: the net must not lean on single moments
            begin = int(torch.randint(len(rows), (), generator=generator))
            rows[begin : begin + int(torch.randint(24, (), generator=generator))] = hiss
        if noise[3] < 0.5:
            target = target[:, mirror] * torch.tensor([-1.0, 1.0, 1.0])
        all_rows.append(rows)
        all_targets.append(target)
    return torch.stack(all_rows), torch.stack(all_targets)


@torch.inference_mode()
def predict(net: MotionGenerator, speaker: Speaker) -> Tensor:
    """Return offsets (T, 68, 3) of one speaker."""
    delay = net.config.delay
    tail = speaker.rows[-1:].expand(delay * ROWS_PER_FRAME, -1)
    offsets, _ = net(torch.cat([speaker.rows, tail])[None])
    return offsets[0, delay:]


@torch.inference_mode()
def evaluate(net: MotionGenerator, held: list[Speaker], how: MotionTraining) -> dict[str, float]:
    """Return loss and mean correlation of mouth opening on held-out speakers."""
    net.eval()
    losses, correlations = [], []
    for speaker in held:
        predicted = predict(net, speaker)
        losses.append(motion_loss(predicted[None], speaker.offsets[None], net.spread, how).item())
        correlations.append(_correlation(predicted, speaker.offsets, 0))
    return {"loss": float(np.mean(losses)), "opening_r": float(np.mean(correlations))}


def _correlation(predicted: Tensor, target: Tensor, lag: int) -> float:
    """Correlate mouth openings; the target shifted to be `lag` frames later than the sound."""
    a, b = gaps(predicted).mean(-1), gaps(target).mean(-1)
    a, b = (a[: len(a) - lag], b[lag:]) if lag >= 0 else (a[-lag:], b[:lag])
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def measure_sync(net: MotionGenerator, speaker: Speaker) -> tuple[float, int]:
    """Return the best correlation and its lag in frames, from a net that never saw the person."""
    predicted = predict(net, speaker)
    lags = range(-LARGEST_LAG, LARGEST_LAG + 1)
    scores = [_correlation(predicted, speaker.offsets, lag) for lag in lags]
    best = int(np.nanargmax(scores))
    return scores[best], lags[best]


def synchronise(
    speakers: list[Speaker],
    spread: Floats,
    config: MotionConfig,
    how: MotionTraining,
    *,
    reporter: Reporter = SILENT,
) -> Lags:
    """Measure the lag between sound and picture of each clip.

    Two nets, each trained on half of the people, judge the other half, twice: the second round
    learns from what the first one aligned.
    """
    people = sorted({speaker.person for speaker in speakers})
    halves = (set(people[::2]), set(people[1::2]))
    quick = replace(how, steps=how.sync_steps)
    aligned, measured = speakers, {}
    for _ in range(2):
        measured = {}
        for half in halves:
            known = [speaker for speaker in aligned if speaker.person in half]
            net = fit(known, [], spread, config, quick, reporter=reporter)
            for speaker in speakers:
                if speaker.person not in half:
                    measured[speaker.name] = measure_sync(net, speaker)
        aligned = align_speakers(speakers, measured)
        reporter.say(f"{len(aligned)} of {len(speakers)} clips have clear sync")
    return measured


def read_lags(folder: Path) -> Lags:
    """Return the lags measured in a run's folder; empty when there are none yet."""
    path = folder / LAGS
    if not path.exists():
        return {}
    return {name: (best, lag) for name, (best, lag) in json.loads(path.read_text()).items()}


def align_speakers(speakers: list[Speaker], measured: Lags) -> list[Speaker]:
    """Shift each clip by its measured lag, and leave out those without clear sync.

    A clip stays when its best correlation is at least SYNC_LEAST and its lag is not at the end of
    the searched range.
    """
    clear = {
        name: lag
        for name, (best, lag) in measured.items()
        if best >= SYNC_LEAST and abs(lag) < LARGEST_LAG
    }
    return [_shifted(speaker, clear[speaker.name]) for speaker in speakers if speaker.name in clear]


def _shifted(speaker: Speaker, lag: int) -> Speaker:
    frames = len(speaker.offsets) - abs(lag)
    rows = speaker.rows.unflatten(0, (-1, ROWS_PER_FRAME))
    rows = rows[max(0, -lag) :][:frames].flatten(0, 1)
    return replace(speaker, rows=rows, offsets=speaker.offsets[max(0, lag) :][:frames])


def train_motion(
    clips: list[Clip], folder: Path, path: Path, how: MotionTraining, *, reporter: Reporter = SILENT
) -> dict[str, str]:
    """Align, train, measure on held-out people and write the weights; return their metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    config = MotionConfig()
    filters = torch.from_numpy(mel_filters())
    speakers, spread = load_speakers(clips, filters)
    reporter.say(f"{len(speakers)} of {len(clips)} clips have speech and a face throughout")
    measured = read_lags(folder)
    if not measured:
        measured = synchronise(speakers, spread, config, how, reporter=reporter)
        (folder / LAGS).write_text(json.dumps(measured, indent=1))
    kept = align_speakers(speakers, measured)
    people = sorted({speaker.person for speaker in kept})
    apart = set(people[3::6])
    if not apart:
        raise MediaError(
            f"Only {len(people)} people in the clips can be learned from.",
            remedy="Give clips with speech of at least four people.",
        )
    held = [speaker for speaker in kept if speaker.person in apart]
    known = [speaker for speaker in kept if speaker.person not in apart]
    net = fit(known, held, spread, config, how, reporter=reporter, folder=folder)
    predicted = torch.cat([predict(net, speaker) for speaker in held])
    net.predicted_spread.copy_(predicted.std(0) + 1e-4)
    score = evaluate(net, held, how)
    metrics = {
        "config": json.dumps(asdict(config)),
        "training": json.dumps(asdict(how)),
        "clips": str(len(known)),
        "people": str(len(people) - len(apart)),
        "minutes": f"{sum(len(s.offsets) for s in known) / FPS / 60:.1f}",
        "held_out_people": str(len(apart)),
        "held_out_opening_correlation": f"{score['opening_r']:.3f}",
        "held_out_loss": f"{score['loss']:.4f}",
        "dropped_for_sync": str(len(speakers) - len(kept)),
    }
    # Buffers stay in single precision: they are small, and exact filters keep features exact.
    state = {
        key: value if key in ("filters", "components") else value.half()
        for key, value in net.state_dict().items()
    }
    save_file(state, path, metadata=metrics)
    return metrics
