"""Train the pose generator on tracked clips, held-out people apart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylehead.errors import MediaError
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.performance import recover_performance
from stylehead.media.audio import loudness, piece_energies
from stylehead.models.pose_generator import AXES, FPS, STATE, PoseConfig, PoseGenerator
from stylehead.motion.head import tempo_of
from stylehead.progress import SILENT, Reporter, track
from stylehead.speech.mel import LOUDNESS, log_mel, mel_filters
from stylehead.training.data.clips import PEOPLE, Clip, load_clips
from stylehead.training.data.speakers import QUIETEST
from stylehead.training.loop import descend, save_weights
from stylehead.types import MEL_ROWS_PER_FRAME, SPEECH_RATE
from stylehead.types import MOTION_FPS as FRAMES


def pose_loss(mean: Tensor, precision: Tensor, target: Tensor) -> Tensor:
    """Return the mean negative log likelihood of states under their Gaussians (method notes, 3.2).

    All (B, T, 12); precision is -ln of the spread.
    """
    distance = (target - mean) * precision.exp()
    return (0.5 * torch.log(torch.tensor(2 * torch.pi)) - precision + distance.square() / 2).mean()


SHORTEST = 3.0  # seconds a clip needs
ROWS = FRAMES // FPS * MEL_ROWS_PER_FRAME
"""Mel rows of one pose."""
MIRROR = torch.tensor([1.0, -1, -1, -1, 1, 1]).repeat(2)
"""Signs of a mirrored state: yaw, roll and the shift to the side turn over."""


@dataclass(frozen=True, slots=True)
class PoseTraining:
    """How the pose generator is trained."""

    steps: int = 1500
    batch: int = 32
    window: int = 60  # poses that count: 4 s (LSP), after the receptive field
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PosedClip:
    """How one clip's head moved, and what was heard."""

    person: str
    states: Tensor
    """(T, 12) at the generator's rate, in units of the clip's own spread."""
    heard: Tensor
    """(T, 80) mean log-mel rows; silence for clips without sound."""
    style: Tensor
    """(6,) logarithm of each axis's tempo in rad/s."""


def posed(clip: Clip, filters: Tensor) -> PosedClip | None:
    """Return a clip's poses and sound; None for clips too short or without a face throughout."""
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
    data: Path, run: Path, path: Path, how: PoseTraining, *, reporter: Reporter = SILENT
) -> dict[str, str]:
    """Train on a prepared folder, resuming from `run`; write half-precision weights to `path`.

    Held-out people's clips are only looked at for the log.
    """
    run.mkdir(parents=True, exist_ok=True)
    filters = torch.from_numpy(mel_filters())
    found = load_clips(data / "clips")
    clips = [posed(one, filters) for one in track(found, "Reading poses", len(found), reporter)]
    known = [one for one in clips if one and one.person not in PEOPLE]
    held = [one for one in clips if one and one.person in PEOPLE]
    if not known:
        raise MediaError("No clip is long enough.", remedy="Give clips of 3 seconds and more.")
    config = PoseConfig()
    generator = torch.Generator().manual_seed(how.seed)
    torch.manual_seed(how.seed)
    net = PoseGenerator(config)
    optimiser = torch.optim.AdamW(
        net.parameters(), how.learning_rate, weight_decay=how.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.learning_rate, how.steps)

    def losses() -> dict[str, Tensor]:
        states, heard, style = _batch(known, config, how, generator)
        mean, precision = net(states[:, :-1], heard, style)
        shown = slice(-how.window, None)
        return {"total": pose_loss(mean[:, shown], precision[:, shown], states[:, shown])}

    descend(
        "Pose generator",
        losses,
        asdict(how),
        steps=how.steps,
        every=250,
        net=net,
        optimiser=optimiser,
        schedule=schedule,
        generator=generator,
        run=run,
        validate=lambda: evaluate_pose(net, held),
        reporter=reporter,
    )
    metrics = {
        "config": json.dumps(asdict(config)),
        "training": json.dumps(asdict(how)),
        "clips": str(len(known)),
        "people": str(len({one.person for one in known})),
        "minutes": f"{sum(len(one.states) for one in known) / FPS / 60:.1f}",
        **{name: f"{value:.3f}" for name, value in evaluate_pose(net, held).items()},
    }
    save_weights(path, net.state_dict(), metrics)
    return metrics


@torch.inference_mode()
def evaluate_pose(net: PoseGenerator, held: list[PosedClip]) -> dict[str, float]:
    """Return the negative log likelihood on held-out clips: hearing them, and hearing another.

    A third figure, `still`, is that of a head that is expected to stay where it is, with the best
    fixed spread for each channel.
    """
    net.eval()
    scores: dict[str, list[float]] = {"held": [], "deaf": [], "still": []}
    for number, one in enumerate(held):
        states, heard = one.states, one.heard
        other = held[(number + 1) % len(held)].heard
        other = other[torch.arange(len(heard)) % len(other)]
        for name, sound in (("held", heard), ("deaf", other)):
            rows = _ahead(sound, net.config.ahead)
            mean, precision = net(states[None, :-1], rows[None, 1:], one.style[None])
            scores[name].append(pose_loss(mean, precision, states[None, 1:]).item())
        still = torch.cat([states[:-1, :AXES], torch.zeros(len(states) - 1, AXES)], 1)
        spread = (states[1:] - still).std(0).clamp(min=0.03)
        scores["still"].append(pose_loss(still, -spread.log(), states[1:]).item())
    return {name: float(np.mean(values)) for name, values in scores.items() if values}


def _ahead(heard: Tensor, ahead: int) -> Tensor:
    """Return rows moved so that each pose hears `ahead` poses further."""
    return heard[(torch.arange(len(heard)) + ahead).clamp(max=len(heard) - 1)]


def _batch(
    clips: list[PosedClip], config: PoseConfig, how: PoseTraining, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw windows: states (B, H + W, 12), heard (B, H + W - 1, 80) of the later ones, style.

    H is the receptive field; before a clip's start there are zeros, as when sampling.
    """
    shares = torch.tensor([len(one.states) ** 0.5 for one in clips])
    picks = torch.multinomial(shares, how.batch, replacement=True, generator=generator)
    length = config.receptive + how.window
    batch = [], [], []
    for pick in picks.tolist():
        one = clips[pick]
        end = int(torch.randint(how.window // 2, len(one.states) + 1, (), generator=generator))
        end = max(end, min(how.window, len(one.states)))
        states, heard = torch.zeros(length, STATE), one.heard[:1].repeat(length, 1)
        count = min(length, end)
        states[-count:] = one.states[end - count : end]
        heard[-count:] = _ahead(one.heard, config.ahead)[end - count : end]
        if torch.rand((), generator=generator) < 0.5:
            states = states * MIRROR
        level = (torch.rand((), generator=generator) - 0.5) * 0.1
        for part, value in zip(batch, (states, heard[1:] + level, one.style), strict=True):
            part.append(value)
    states, heard, style = (torch.stack(part) for part in batch)
    return states, heard, style
