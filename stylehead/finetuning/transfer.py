"""Style transfer: re-weight the motion generator until its motion has a style (paper, 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor, nn

from stylehead.errors import StyleError
from stylehead.face.landmarks import REGIONS
from stylehead.finetuning.losses import (
    about_mean,
    constraint_loss,
    dynamics,
    dynamics_loss,
    gradient_penalty,
    joint_motion,
    sync_loss,
    transfer_loss,
)
from stylehead.models.adapter import Adapter
from stylehead.models.motion_generator import MotionGenerator
from stylehead.models.style_network import StyleNetwork
from stylehead.progress import SILENT, Reporter
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.training.loop import Checkpoint, log_row
from stylehead.training.motion_generator import MotionTraining, motion_loss, predict
from stylehead.types import MOTION_FPS

STYLE_FPS = 30
"""Rate at which dynamics are compared: that of a style file's motion."""
STRETCH = (0.2, 4.0)  # least and most a region of the teacher is scaled to the style's spread


@dataclass(frozen=True, slots=True)
class TransferConfig:
    """How a style is transferred."""

    warm_up: int = 20
    """Steps of f alone, the motion held (method notes, 7: 200); its slopes begin near 1."""
    steps: int = 200
    """Steps of both (method notes, 7: 500 to 2000)."""
    batch: int = 4  # windows; a clip of 20 s has few
    window: int = 120  # frames: 2 s; half of the training's, for minutes on a CPU
    learning_rate: float = 3e-3  # of the adapter: thirty times the paper's, for low-rank changes
    network_rate: float = 1e-4  # of f (paper, Implementation)
    constraint: float = 0.05
    """Weight of L_sc: its 204 standardised coordinates against L_mg's mean of them."""
    penalty: float = 1.0
    """Weight of L_r (Eq. 7)."""
    sync: float = 1.0
    """Weight of what is lost of the teacher's timing."""
    dynamics: float = 0.3
    """Weight of the match of spread and speed; 0 leaves it out."""
    frames: int = 64
    """Rows of motion that f sees in a step."""
    every: int = 100
    """Steps between two judgements."""
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class TransferData:
    """What a style is learned from."""

    references: Tensor
    """(R, 68, 3) offsets of the style references from their person's neutral face."""
    shares: Tensor
    """(R,) how much of the clip is nearest to each."""
    articulation: Tensor
    """(T, 68, 3) what of the clip's offsets speaks, at STYLE_FPS."""
    expression: Tensor
    """(T, 68, 3) what of them does not; together they are phi_s of a video."""
    own: list[AlignedFeatures]
    """The clip's articulation as it was heard and seen, in step; empty for a silent one."""
    replay: list[Tensor]
    """Features (T, F) of speech without a face: the teacher says how it moves."""
    neutral: Tensor
    """(68, 3) the target's neutral face."""


class Validation(NamedTuple):
    """What is thought of a change: less is better, and numbers for the log."""

    score: float
    numbers: dict[str, float]


class _Learned(nn.Module):
    """Everything a run carries from step to step, the best change so far as well."""

    adapter: Adapter
    best: Adapter
    network: StyleNetwork
    best_score: Tensor

    def __init__(self, adapter: Adapter, best: Adapter, network: StyleNetwork) -> None:
        super().__init__()
        self.adapter, self.best, self.network = adapter, best, network
        self.register_buffer("best_score", torch.tensor(torch.inf))


@torch.random.fork_rng(devices=[])
def transfer(
    generator: MotionGenerator,
    material: TransferData,
    how: TransferConfig,
    *,
    validate: Callable[[Adapter], Validation],
    about: dict[str, str],
    stopped: Callable[[], bool] = lambda: False,
    run: Path | None = None,
    reporter: Reporter = SILENT,
) -> Adapter:
    """Return the best change of the generator by `judge`.

    With `run`, log to CSV, keep checkpoints there and resume from them: an interrupted run ends
    where an uninterrupted one does; `about` is what has to be the same for that. `stopped` is
    asked at each step; then the best so far is returned. Dropout is off and the encoder is not
    touched. Raises StyleError when it was stopped before anything was judged.
    """
    torch.manual_seed(how.seed)
    chance = torch.Generator().manual_seed(how.seed)
    generator = generator.eval()
    adapter = Adapter(generator)
    spread = _pooled((material.articulation + material.expression).std(0))
    learned = _Learned(adapter, Adapter(generator), StyleNetwork(material.neutral, spread))
    optimiser = torch.optim.Adam(
        [
            {"params": adapter.parameters(), "lr": how.learning_rate},
            {"params": learned.network.parameters(), "lr": how.network_rate},
        ]
    )
    total = how.warm_up + how.steps
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        [lambda step: _falling(step - how.warm_up, how.steps), lambda _: 1.0],
    )
    lesson = _BatchSampler(generator, material, how, chance)
    parts = {"net": learned, "optimiser": optimiser, "schedule": schedule}
    checkpoint = Checkpoint(run, asdict(how) | about, **parts, generator=chance) if run else None
    step = checkpoint.resume(reporter) if checkpoint else 0
    reporter.start("Tuning", total - step)
    while step < total and not stopped():
        found = lesson.losses(learned, joint=step >= how.warm_up)
        optimiser.zero_grad()
        found["total"].backward()
        nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
        nn.utils.clip_grad_norm_(learned.network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        step += 1
        reporter.advance()
        if step % how.every == 0 or step == total:
            row = {"step": float(step), **{name: loss.item() for name, loss in found.items()}}
            if step > how.warm_up:
                row |= _judge(learned, validate)
            reporter.say("  ".join(f"{name} {value:.3g}" for name, value in row.items()))
            if run and checkpoint:
                log_row(run / "log.csv", row)
                checkpoint.save(step)
    if step < total and checkpoint:
        checkpoint.save(step)
    if not torch.isfinite(learned.best_score):
        raise StyleError(
            "Tuning was stopped before it had learned anything.",
            remedy="Run the same command again: it goes on where it stopped.",
        )
    return learned.best


def _falling(step: int, steps: int) -> float:
    """Return the share of the learning rate at a step of the joint phase: down to a twentieth."""
    return max(0.05, 1 - max(step, 0) / steps)


def _judge(learned: _Learned, validate: Callable[[Adapter], Validation]) -> dict[str, float]:
    judged = validate(learned.adapter)
    if judged.score < learned.best_score:
        learned.best_score.fill_(judged.score)
        learned.best.load_state_dict(learned.adapter.state_dict())
    return judged.numbers


class _BatchSampler:
    """Draws batches and says what is wrong with the motion."""

    def __init__(
        self,
        generator: MotionGenerator,
        material: TransferData,
        how: TransferConfig,
        chance: torch.Generator,
    ) -> None:
        self._generator, self._material, self._how = generator, material, how
        self._chance = chance
        self._about = MotionTraining()  # its weights of position, velocity and opening
        self._replay = [_taught(generator, features) for features in material.replay]
        said = torch.cat([take.offsets for take in self._replay])
        self._ratio = stretch(said[:: MOTION_FPS // STYLE_FPS], material.articulation)
        self._dynamics = dynamics(material.articulation, STYLE_FPS)
        # One unit for errors: how far this person moves, so that a calm one is not held loosely.
        self._unit = _pooled(material.articulation.std(0)) + 2e-3

    def losses(self, learned: _Learned, *, joint: bool) -> dict[str, Tensor]:
        """Return L_sc, L_r and, in the joint phase, L_mg and the dynamics, and their sum."""
        how, network = self._how, learned.network
        features, target = self._batch(self._replay)
        with torch.set_grad_enabled(joint):
            made = self._run(learned.adapter, features)
        face = self._rows(made) + self._expression() + self._material.neutral
        motion = network.standardised(face)
        style = network.standardised(self._material.references + self._material.neutral)
        said = network(motion)
        constraint = constraint_loss(said, network(style), self._material.shares)
        penalty = self._penalty(network, motion, style)
        found = {"L_sc": constraint, "L_r": penalty, "f_spread": said.detach().std(0).mean()}
        total = transfer_loss(torch.zeros(()), how.constraint * constraint, how.penalty * penalty)
        if joint:
            teacher = motion_loss(
                about_mean(made), about_mean(target) * self._ratio, self._unit, self._about
            )
            found["L_teacher"] = teacher
            found["sync_lost"] = sync_loss(made, target)
            generator = teacher + how.sync * found["sync_lost"]
            if self._material.own:
                heard, seen = self._batch(self._material.own)
                found["L_own"] = motion_loss(
                    self._run(learned.adapter, heard), seen, self._unit, self._about
                )
                generator = generator + found["L_own"]
            total = total + generator
            if how.dynamics:
                slow = made[:, :: MOTION_FPS // STYLE_FPS]
                found["L_dyn"] = dynamics_loss(slow, self._dynamics, STYLE_FPS)
                total = total + how.dynamics * found["L_dyn"]
        return found | {"total": total}

    def _penalty(self, network: StyleNetwork, motion: Tensor, style: Tensor) -> Tensor:
        """L_r at a random mix of each row with a random reference, along a random direction.

        One fixed direction would leave f free to be blind along all others, and L_sc to vanish.
        """
        rows = len(motion)
        gamma = torch.rand(rows, 1, generator=self._chance)
        picks = torch.randint(len(style), (rows,), generator=self._chance)
        direction = torch.randn(rows, 256, generator=self._chance)
        direction = nn.functional.normalize(direction, dim=-1)
        return gradient_penalty(network, joint_motion(motion, style[picks], gamma), direction)

    def _run(self, adapter: Adapter, features: Tensor) -> Tensor:
        offsets, _ = adapter.run(self._generator, features)
        return offsets[:, self._generator.config.delay :]

    def _rows(self, made: Tensor) -> Tensor:
        flat = made.flatten(0, 1)
        picks = torch.randint(len(flat), (self._how.frames,), generator=self._chance)
        return flat[picks]

    def _expression(self) -> Tensor:
        """Draw what the face does besides speaking, at random moments of the clip."""
        count = len(self._material.expression)
        picks = torch.randint(count, (self._how.frames,), generator=self._chance)
        return self._material.expression[picks]

    def _batch(self, takes: list[AlignedFeatures]) -> tuple[Tensor, Tensor]:
        """Draw windows from takes by their length: (B, T + delay, F) and (B, T, 68, 3)."""
        delay = self._generator.config.delay
        lengths = torch.tensor([float(len(take.offsets)) for take in takes])
        picks = torch.multinomial(lengths, self._how.batch, True, generator=self._chance)
        features: list[Tensor] = []
        offsets: list[Tensor] = []
        window = min(self._how.window, int(lengths.min()))
        for pick in picks.tolist():
            take = takes[pick]
            spare = len(take.offsets) - window
            start = int(torch.randint(spare + 1, (), generator=self._chance))
            heard = torch.arange(start, start + window + delay).clamp(max=len(take.features) - 1)
            features.append(take.features[heard].float())
            offsets.append(take.offsets[start : start + window])
        return torch.stack(features), torch.stack(offsets)


def _taught(generator: MotionGenerator, features: Tensor) -> AlignedFeatures:
    return AlignedFeatures(
        features, predict(generator, AlignedFeatures(features, torch.zeros(len(features), 68, 3)))
    )


def stretch(said: Tensor, style: Tensor) -> Tensor:
    """Return (68, 3), by region and axis, what brings one motion to a style's spread and speed.

    The teacher is scaled by it: to hold on to how far an average person moves would forbid the
    style. The smaller of the two ratios counts: to reach a wide but slow mouth's spread with quick
    syllables would make them twice as quick. Both (T, 68, 3) at STYLE_FPS.
    """
    own, wanted = dynamics(said, STYLE_FPS), dynamics(style, STYLE_FPS)
    by_region = torch.minimum(wanted.spread / own.spread, wanted.speed / own.speed).clamp(*STRETCH)
    ratio = torch.ones(68, 3)
    for points, value in zip(map(list, REGIONS.values()), by_region, strict=True):
        ratio[points] = value
    return ratio


def _pooled(spread: Tensor) -> Tensor:
    """Return each region's root mean square spread on each axis at its points: (68, 3)."""
    out = torch.empty_like(spread)
    for points in map(list, REGIONS.values()):
        out[points] = spread[points].square().mean(0).sqrt()
    return out


def template_shares(references: Tensor, motion: Tensor) -> Tensor:
    """Return (R,) the shares of the references whose mix is nearest to a clip's mean.

    Four templates taken alike would make everybody's mean an open mouth: O is as rare as it is
    wide. Non-negative least squares, summing to 1. references (R, 68, 3) and motion (T, 68, 3)
    are offsets.
    """
    columns, wanted = references.flatten(1).T.double(), motion.mean(0).flatten().double()
    heavy = 100.0  # of the row that asks for a sum of 1
    rows = np.concatenate([columns.numpy(), np.full((1, len(references)), heavy)])
    shares, _ = nnls(rows, np.append(wanted.numpy(), heavy))
    return torch.from_numpy(shares / shares.sum()).float()
