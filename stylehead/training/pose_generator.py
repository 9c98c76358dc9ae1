"""Train the pose generator on tracked clips, held-out people apart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylehead.errors import DataError
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.performance import recover_performance
from stylehead.media.audio import loudness, piece_energies
from stylehead.models.pose_generator import AXES, FPS, STATE, PoseConfig, PoseGenerator
from stylehead.motion.head import tempo_of
from stylehead.progress import SILENT, Reporter, track
from stylehead.speech.mel import LOUDNESS, log_mel, mel_filters
from stylehead.training.data.clips import PEOPLE, Clip, load_clips
from stylehead.training.data.speakers import QUIETEST
from stylehead.training.loop import Learner, Stage, save_weights, seeded, train
from stylehead.types import MEL_ROWS_PER_FRAME, SPEECH_RATE
from stylehead.types import MOTION_FPS as FRAMES


def pose_loss(mean: Tensor, precision: Tensor, target: Tensor) -> Tensor:
    """Return the mean negative log likelihood of states under their Gaussians.

    mean, precision and target (B, T, 12); precision is -ln of the spread.
    """
    distance = (target - mean) * precision.exp()
    return (0.5 * torch.log(torch.tensor(2 * torch.pi)) - precision + distance.square() / 2).mean()


SHORTEST = 3.0  # seconds a clip needs
ROWS = FRAMES // FPS * MEL_ROWS_PER_FRAME
"""Mel rows of one pose."""
MIRROR = torch.tensor([1.0, -1, -1, -1, 1, 1]).repeat(2)
"""Signs of a mirrored state: yaw, roll and the shift to the side turn over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseTraining:
    """How the pose generator is trained; the keys of its recipes."""

    steps: int = 1500
    batch: int = 32
    window: int = 60  # poses that count: 4 s (LSP), after the receptive field
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PosedClip:
    """How one clip's head moved, and the sound meanwhile."""

    person: str
    states: Tensor
    """(T, 12) at the generator's rate: three angles, three translations and the steps of
    these, in units of the clip's own spread."""
    heard: Tensor
    """(T, 80) mean log-mel rows; silence for clips without sound."""
    style: Tensor
    """(6,) logarithm of each axis's tempo in rad/s."""


def posed(clip: Clip, filters: Tensor) -> PosedClip | None:
    """Return a clip's poses and sound; None for clips too short or without a face throughout.

    `filters` are those of `mel_filters`.
    """
    if clip.track.found.mean() < 0.9:
        return None
    motion, times = recover_performance(clip.track).motion(Fraction(FPS))
    if len(motion) < SHORTEST * FPS:
        return None
    path = np.column_stack([angles_from_rotation(motion.rotation), motion.translation])
    tempo = tempo_of(path, 1 / FPS)
    path = (path - path.mean(0)) / np.maximum(path.std(0), 1e-4)
    states = np.column_stack([path, np.diff(path, axis=0, prepend=path[:1])])
    heard = torch.zeros(len(path), filters.shape[0])
    samples = clip.samples.astype(np.float32) / 32767
    loud = loudness(piece_energies(samples)) if len(samples) else 0.0
    if loud > QUIETEST:
        first = round(float(times[0]) * SPEECH_RATE)
        rows = log_mel(torch.from_numpy(samples[first:] * np.float32(LOUDNESS / loud)), filters)
        rows = rows[: len(rows) // ROWS * ROWS].unflatten(0, (-1, ROWS)).mean(1)[: len(path)]
        heard[: len(rows)] = rows
    style = torch.from_numpy(np.log(tempo)).float()
    return PosedClip(clip.person, torch.from_numpy(states).float(), heard, style)


@torch.random.fork_rng(devices=[])
def train_pose(
    data: Path, run: Path, path: Path, config: PoseTraining, *, reporter: Reporter = SILENT
) -> dict[str, str]:
    """Train on a prepared folder, resuming from `run`; write half-precision weights to `path`.

    Held-out people's clips are only looked at for the log. Returns the metrics, which lie in the
    file as well. Raises DataError when no clip is long enough.
    """
    run.mkdir(parents=True, exist_ok=True)
    filters = torch.from_numpy(mel_filters())
    tracked = load_clips(data / "clips")
    clips = [
        posed(clip, filters) for clip in track(tracked, "Reading poses", len(tracked), reporter)
    ]
    known = [clip for clip in clips if clip and clip.person not in PEOPLE]
    held_out = [clip for clip in clips if clip and clip.person in PEOPLE]
    if not known:
        raise DataError("No clip is long enough.", remedy="Give clips of 3 seconds and more.")
    generator = seeded(config.seed)
    net = PoseGenerator(PoseConfig())
    optimiser = torch.optim.AdamW(
        net.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )

    def losses(generator: torch.Generator) -> dict[str, Tensor]:
        states, heard, style = _batch(known, net.config, config, generator)
        mean, precision = net(states[:, :-1], heard, style)
        counted = slice(-config.window, None)
        loss = pose_loss(mean[:, counted], precision[:, counted], states[:, counted])
        return {"pose/total": loss}

    stage = Stage(
        name="Pose generator",
        config=asdict(config),
        steps=config.steps,
        every=250,
        learners={"pose": Learner.one_cycle(net, optimiser, config.steps)},
        generator=generator,
        losses=losses,
        validate=lambda: evaluate_pose(net, held_out),
    )
    train(stage, run, reporter=reporter)
    metrics = {
        "config": json.dumps(asdict(net.config)),
        "training": json.dumps(asdict(config)),
        "clips": str(len(known)),
        "people": str(len({clip.person for clip in known})),
        "minutes": f"{sum(len(clip.states) for clip in known) / FPS / 60:.1f}",
        **{name: f"{value:.3f}" for name, value in evaluate_pose(net, held_out).items()},
    }
    save_weights(path, net.state_dict(), metrics)
    return metrics


@torch.inference_mode()
def evaluate_pose(net: PoseGenerator, held_out: list[PosedClip]) -> dict[str, float]:
    """Return negative log likelihoods on held-out clips, nothing without any.

    `held_out` is the generator's; `shuffled_audio` is the same with another clip's sound;
    `static_head` is that of a head expected to stay where it is, with the best fixed spread of each
    channel.
    """
    net.eval()
    scores: dict[str, list[float]] = {"held_out": [], "shuffled_audio": [], "static_head": []}
    for number, clip in enumerate(held_out):
        states, heard = clip.states, clip.heard
        other = held_out[(number + 1) % len(held_out)].heard
        other = other[torch.arange(len(heard)) % len(other)]
        for name, sound in (("held_out", heard), ("shuffled_audio", other)):
            rows = _ahead(sound, net.config.ahead)
            mean, precision = net(states[None, :-1], rows[None, 1:], clip.style[None])
            scores[name].append(pose_loss(mean, precision, states[None, 1:]).item())
        still = torch.cat([states[:-1, :AXES], torch.zeros(len(states) - 1, AXES)], 1)
        spread = (states[1:] - still).std(0).clamp(min=0.03)
        scores["static_head"].append(pose_loss(still, -spread.log(), states[1:]).item())
    return {name: float(np.mean(values)) for name, values in scores.items() if values}


def _ahead(heard: Tensor, ahead: int) -> Tensor:
    """Return rows moved so that each pose gets the sound of `ahead` poses later."""
    return heard[(torch.arange(len(heard)) + ahead).clamp(max=len(heard) - 1)]


def _batch(
    clips: list[PosedClip],
    architecture: PoseConfig,
    config: PoseTraining,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw windows: states (B, H + W, 12), heard (B, H + W - 1, 80) of the later ones, style.

    H is the receptive field; before a clip's start there are zeros, as when sampling.
    """
    weights = torch.tensor([len(clip.states) ** 0.5 for clip in clips])
    picks = torch.multinomial(weights, config.batch, replacement=True, generator=generator)
    length = architecture.receptive + config.window
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    for pick in picks.tolist():
        clip = clips[pick]
        end = int(torch.randint(config.window // 2, len(clip.states) + 1, (), generator=generator))
        end = max(end, min(config.window, len(clip.states)))
        states, heard = torch.zeros(length, STATE), clip.heard[:1].repeat(length, 1)
        count = min(length, end)
        states[-count:] = clip.states[end - count : end]
        heard[-count:] = _ahead(clip.heard, architecture.ahead)[end - count : end]
        if torch.rand((), generator=generator) < 0.5:
            states = states * MIRROR
        level = (torch.rand((), generator=generator) - 0.5) * 0.1
        rows.append((states, heard[1:] + level, clip.style))
    states, heard, style = (torch.stack(part) for part in zip(*rows, strict=True))
    return states, heard, style
