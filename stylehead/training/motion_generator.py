"""Fit one motion generator: losses, batches and what it is judged by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylehead.face.landmarks import MOUTH, MOUTH_PAIRS, REGIONS, mirror_68
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.progress import SILENT, Reporter
from stylehead.training.data.speakers import AlignedFeatures, EncodedSpeaker
from stylehead.training.loop import descend
from stylehead.types import Floats

MOUTH_WEIGHT = 3.0  # against 1 for the rest: the lips are what a viewer reads
ROUND = 1e-3  # spreads within which a distance is rounded off, so that it has a slope at nothing
POINT_WEIGHTS = {"jaw": 1.0, "brows": 1.0, "nose": 0.5, "eyes": 1.0, "mouth": MOUTH_WEIGHT}


@dataclass(frozen=True, slots=True)
class MotionTraining:
    """How the motion generator is trained."""

    steps: int = 700
    batch: int = 16
    window: int = 180  # frames: 3 s
    learning_rate: float = 1.5e-3  # 15 x the paper's: a far smaller set and net
    weight_decay: float = 0.1
    feature_noise: float = 0.1
    """Spreads of noise on standardised features."""
    squares: float = 0.5
    """Weight of the squared errors of position, velocity and opening."""
    velocity: float = 0.5  # method notes, 3.4
    opening: float = 1.0  # method notes, 3.4: plain MSE under-opens
    mouth: float = 6.0
    """Weight of the mouth points' plain distance about their centre, which is what LMD counts."""
    sync_steps: int = 250  # of each half-set net that measures lags
    generated: float = 0.0
    """Weight of clips made by other systems, against filmed ones."""
    spoken: float = 0.3
    """Weight of synthesised speech, whose closures are known."""
    imagined: float = 0.0
    """Weight of recorded speech whose motion other generators imagined."""
    teachers: int = 1
    """Generators of a first round, each of its own seed, whose mean does that."""
    pieces: int = 150
    """Pieces of recorded speech imagined, IMAGINED seconds each."""
    seed: int = 0


def principal(takes: list[AlignedFeatures], count: int) -> Tensor:
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
    """Squared errors of position, velocity and inner-lip gap, and distance of the mouth's points.

    In pooled spreads; (B, T, 68, 3) each. L_mg of the paper with the additions of the method notes,
    3.4. Squares alone learn from the few clips that move unlike all others; distances do not.
    """
    weights = (_weights() / _weights().mean()).to(predicted.device)[:, None]
    scale = spread.mean(0)  # one unit per axis: a point that hardly moves stays unimportant
    error = (predicted - target) / scale
    position = (weights * error.square()).mean()
    velocity = (weights * (error.diff(dim=1) * 4).square()).mean()  # 4: speeds' usual share
    opening = ((gaps(predicted) - gaps(target)) / (2 * scale[1])).square().mean()
    squares = position + how.velocity * velocity + how.opening * opening
    mouth = (predicted - target)[..., MOUTH, :2] / scale[1]
    mouth = mouth - mouth.mean(-2, keepdim=True)
    distance = (mouth.square().sum(-1) + ROUND**2).sqrt().mean() - ROUND
    return how.squares * squares + how.mouth * distance


@torch.random.fork_rng(devices=[])
def fit(
    speakers: list[EncodedSpeaker],
    held: list[EncodedSpeaker],
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

    def losses() -> dict[str, Tensor]:
        features, target = _batch(speakers, config, how, generator)
        noise = torch.randn(features.shape, generator=generator) * how.feature_noise
        predicted, _ = net((features + noise * net.scale.cpu()).to(device))
        loss = motion_loss(predicted[:, config.delay :], target.to(device), net.spread, how)
        return {"total": loss}

    descend(
        "Motion generator",
        losses,
        asdict(how) | asdict(config),
        steps=how.steps,
        every=200,
        net=net,
        optimiser=optimiser,
        schedule=schedule,
        generator=generator,
        run=folder,
        validate=lambda: evaluate(net, held, how) if held else {},
        reporter=reporter,
    )
    return net.eval()


def _batch(
    speakers: list[EncodedSpeaker],
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
def predict(net: MotionGenerator, take: AlignedFeatures) -> Tensor:
    """Return offsets (T, 68, 3) of one take."""
    device, delay = net.spread.device, net.config.delay
    tail = take.features[-1:].expand(delay, -1)
    offsets, _ = net(torch.cat([take.features, tail]).float()[None].to(device))
    return offsets[0, delay:].cpu()


@torch.inference_mode()
def evaluate(
    net: MotionGenerator, held: list[EncodedSpeaker], how: MotionTraining
) -> dict[str, float]:
    """Return loss and mean correlation of mouth opening on held-out speakers."""
    net.eval()
    losses, correlations = [], []
    spread = net.spread.cpu()
    for heard in held:
        take = heard.takes[0]
        predicted = predict(net, take)
        losses.append(motion_loss(predicted[None], take.offsets[None], spread, how).item())
        correlations.append(opening_correlation(predicted, take.offsets, 0))
    return {"loss": float(np.mean(losses)), "opening_r": float(np.mean(correlations))}


def opening_correlation(predicted: Tensor, target: Tensor, lag: int) -> float:
    """Correlate mouth openings; the target shifted to be `lag` frames later than the sound."""
    a, b = gaps(predicted).mean(-1), gaps(target).mean(-1)
    a, b = (a[: len(a) - lag], b[lag:]) if lag >= 0 else (a[-lag:], b[:lag])
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])
