"""Train one motion generator: its loss, its batches and its validation."""

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
from stylehead.training.loop import Learner, Stage, seeded, train
from stylehead.types import Floats
from stylehead.weights.networks import CPU

MOUTH_WEIGHT = 3.0  # against 1 elsewhere: the lips are what a viewer reads
ROUND = 1e-3  # spreads within which a distance is rounded off, so that it has a slope at nothing
POINT_WEIGHTS = {"jaw": 1.0, "brows": 1.0, "nose": 0.5, "eyes": 1.0, "mouth": MOUTH_WEIGHT}


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionTraining:
    """How the motion generator is trained; the keys of its recipes."""

    steps: int = 700
    batch: int = 16
    window: int = 180  # frames: 3 s
    learning_rate: float = 1.5e-3  # 15 x the paper's: a far smaller set and net
    weight_decay: float = 0.1
    feature_noise: float = 0.1
    """Spreads of noise on standardised features."""
    squares: float = 0.5
    """Weight of the squared errors of position, velocity and opening."""
    velocity: float = 0.5
    opening: float = 1.0  # squares of positions alone open mouths too little
    mouth: float = 6.0
    """Weight of the mouth points' plain distance about their centre, which is what LMD counts."""
    sync_steps: int = 250  # of each half-set net that measures audio-visual offsets
    generated: float = 0.0
    """Weight of the clips in DATA/generated, made by other systems, against 1 for a filmed clip
    of the same length; 0 leaves them out."""
    synthetic_speech: float = 0.3
    """Weight of synthesised sentences, whose lip closures are known."""
    pseudo_labels: float = 0.0
    """Weight of recorded speech whose motion a teacher predicted."""
    teachers: int = 1
    """Generators in the teacher ensemble where none is given, each of its own seed."""
    pseudo_label_pieces: int = 150
    """Pieces of recorded speech that are labelled, PIECE seconds each."""
    seed: int = 0


def principal(renditions: list[AlignedFeatures], count: int) -> Tensor:
    """Return (count, 204) principal offsets of all renditions, mouth weighted, unit variance."""
    weights = _weights().repeat_interleave(3).sqrt()
    pooled = torch.cat([aligned.offsets[::4].flatten(1) for aligned in renditions]) * weights
    _, sizes, basis = torch.linalg.svd(pooled, full_matrices=False)
    return basis[:count] / weights * (sizes[:count] / len(pooled) ** 0.5)[:, None]


def _weights() -> Tensor:
    weights = torch.ones(68)
    for name, region in REGIONS.items():
        weights[list(region)] = POINT_WEIGHTS[name]
    return weights


def gaps(offsets: Tensor) -> Tensor:
    """Return the change of the three inner-lip gaps: offsets (..., 68, 3) in, (..., 3) out."""
    upper, lower = [a for a, _ in MOUTH_PAIRS], [b for _, b in MOUTH_PAIRS]
    return offsets[..., lower, 1] - offsets[..., upper, 1]


def motion_loss(
    predicted: Tensor, target: Tensor, spread: Tensor, config: MotionTraining
) -> Tensor:
    """Return squared errors of position, velocity and inner-lip gap, and the mouth's distance.

    predicted and target (B, T, 68, 3) are offsets from the neutral face in head space; errors are
    in units of the pooled `spread` (68, 3). The paper's L_mg is the squared position error. Squares
    alone learn from the few clips that move unlike all others; distances do not.
    """
    weights = (_weights() / _weights().mean()).to(predicted.device)[:, None]
    scale = spread.mean(0)  # one unit per axis: a point that hardly moves stays unimportant
    error = (predicted - target) / scale
    position = (weights * error.square()).mean()
    velocity = (weights * (error.diff(dim=1) * 4).square()).mean()  # 4: to the size of positions
    opening = ((gaps(predicted) - gaps(target)) / (2 * scale[1])).square().mean()
    squares = position + config.velocity * velocity + config.opening * opening
    mouth = (predicted - target)[..., MOUTH, :2] / scale[1]
    mouth = mouth - mouth.mean(-2, keepdim=True)
    distance = (mouth.square().sum(-1) + ROUND**2).sqrt().mean() - ROUND
    return config.squares * squares + config.mouth * distance


@torch.random.fork_rng(devices=[])
def fit(
    speakers: list[EncodedSpeaker],
    held_out: list[EncodedSpeaker],
    spread: Floats,
    architecture: MotionConfig,
    config: MotionTraining,
    *,
    device: torch.device = CPU,
    reporter: Reporter = SILENT,
    run: Path | None = None,
) -> MotionGenerator:
    """Train one generator; with `run`, log to CSV, keep checkpoints there and resume from them.

    `spread` (68, 3) is the speakers' pooled one, as of `load_speakers`; `held_out` is only looked
    at for the log.
    """
    generator = seeded(config.seed)
    net = MotionGenerator(architecture)
    undisturbed = [encoded.renditions[0] for encoded in speakers]
    sample = torch.cat([aligned.features[::7] for aligned in undisturbed]).float()
    net.mean.copy_(sample.mean(0))
    net.scale.copy_(sample.std(0) + 1e-3)
    net.components.copy_(principal(undisturbed, architecture.components))
    net.spread.copy_(torch.from_numpy(spread))
    net.to(device)
    optimiser = torch.optim.AdamW(
        net.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )

    def losses(generator: torch.Generator) -> dict[str, Tensor]:
        features, target = _batch(speakers, architecture, config, generator)
        noise = torch.randn(features.shape, generator=generator) * config.feature_noise
        predicted, _ = net((features + noise * net.scale.cpu()).to(device))
        predicted = predicted[:, architecture.delay :]
        return {"motion/total": motion_loss(predicted, target.to(device), net.spread, config)}

    stage = Stage(
        name="Motion generator",
        config=asdict(config) | asdict(architecture),
        steps=config.steps,
        every=200,
        learners={"motion": Learner.one_cycle(net, optimiser, config.steps)},
        generator=generator,
        losses=losses,
        validate=lambda: evaluate(net, held_out, config) if held_out else {},
    )
    train(stage, run, reporter=reporter)
    return net.eval()


def _batch(
    speakers: list[EncodedSpeaker],
    architecture: MotionConfig,
    config: MotionTraining,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Draw windows, people equally often up to the square root of their length; mirror half.

    features (B, T + delay, F); target (B, T, 68, 3).
    """
    weights = [
        encoded.speaker.weight * len(encoded.renditions[0].offsets) ** 0.5 for encoded in speakers
    ]
    picks = torch.multinomial(
        torch.tensor(weights), config.batch, replacement=True, generator=generator
    )
    mirror = torch.from_numpy(mirror_68())
    features: list[Tensor] = []
    targets: list[Tensor] = []
    for pick in picks.tolist():
        renditions = speakers[pick].renditions
        aligned = renditions[int(torch.randint(len(renditions), (), generator=generator))]
        spare = len(aligned.offsets) - config.window
        start = int(torch.randint(max(1, spare + 1), (), generator=generator))
        frames = torch.arange(start, start + config.window + architecture.delay)
        frames = frames.clamp(max=len(aligned.offsets) - 1)
        target = aligned.offsets[frames[: config.window]]
        if torch.rand((), generator=generator) < 0.5:
            target = target[:, mirror] * torch.tensor([-1.0, 1.0, 1.0])
        features.append(aligned.features[frames].float())
        targets.append(target)
    return torch.stack(features), torch.stack(targets)


@torch.inference_mode()
def predict(net: MotionGenerator, aligned: AlignedFeatures) -> Tensor:
    """Return the offsets (T, 68, 3) that a generator gives features, its delay taken off."""
    device, delay = net.spread.device, net.config.delay
    tail = aligned.features[-1:].expand(delay, -1)
    offsets, _ = net(torch.cat([aligned.features, tail]).float()[None].to(device))
    return offsets[0, delay:].cpu()


@torch.inference_mode()
def evaluate(
    net: MotionGenerator, held_out: list[EncodedSpeaker], config: MotionTraining
) -> dict[str, float]:
    """Return the mean loss and correlation of mouth opening on held-out speakers."""
    net.eval()
    losses: list[float] = []
    correlations: list[float] = []
    spread = net.spread.cpu()
    for encoded in held_out:
        aligned = encoded.renditions[0]
        predicted = predict(net, aligned)
        losses.append(motion_loss(predicted[None], aligned.offsets[None], spread, config).item())
        openings = [gaps(offsets).mean(-1) for offsets in (predicted, aligned.offsets)]
        correlations.append(float(torch.corrcoef(torch.stack(openings))[0, 1]))
    return {"loss": float(np.mean(losses)), "opening_r": float(np.mean(correlations))}
