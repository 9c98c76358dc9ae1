"""What style transfer minimises: the losses of random batches, weighed and added up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stylehead.face.landmarks import REGIONS
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.data import TransferData
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
from stylehead.style.learn import STYLE_FPS
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.training.motion_generator import MotionTraining, motion_loss, predict
from stylehead.types import MOTION_FPS

FPS = float(STYLE_FPS)
"""Rate at which dynamics are compared: that of a style file's motion."""
STRIDE = int(MOTION_FPS / STYLE_FPS)
"""Frames of the generator for one of a style file."""
TEACHER_SCALE = (0.2, 4.0)  # least and most a region of the teacher is scaled to the style's spread
LEAST_UNIT = 2e-3  # interocular


class BatchSampler:
    """Draws windows, frames and directions from one generator, so that a run can be repeated."""

    def __init__(self, config: TransferConfig, delay: int, rng: torch.Generator) -> None:
        self._config, self._delay, self._rng = config, delay, rng

    def windows(self, sources: list[AlignedFeatures]) -> tuple[Tensor, Tensor]:
        """Draw windows, long sources more often: (B, T + delay, F) and (B, T, 68, 3)."""
        lengths = torch.tensor([float(len(source.offsets)) for source in sources])
        picks = torch.multinomial(lengths, self._config.batch, True, generator=self._rng)
        features: list[Tensor] = []
        offsets: list[Tensor] = []
        window = min(self._config.window, int(lengths.min()))
        for pick in picks:
            source = sources[int(pick)]
            spare = len(source.offsets) - window
            start = int(torch.randint(spare + 1, (), generator=self._rng))
            rows = torch.arange(start, start + window + self._delay)
            features.append(source.features[rows.clamp(max=len(source.features) - 1)].float())
            offsets.append(source.offsets[start : start + window])
        return torch.stack(features), torch.stack(offsets)

    def frames(self, offsets: Tensor) -> Tensor:
        """Draw single frames of offsets (T, 68, 3), with replacement."""
        picks = torch.randint(len(offsets), (self._config.frames,), generator=self._rng)
        return offsets[picks]

    def mixes(self, count: int, references: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw gamma (N, 1) in [0, 1), a reference (N,) and a unit direction (N, 256) a row."""
        gamma = torch.rand(count, 1, generator=self._rng)
        picks = torch.randint(references, (count,), generator=self._rng)
        direction = torch.randn(count, 256, generator=self._rng)
        return gamma, picks, nn.functional.normalize(direction, dim=-1)


class TransferObjective:
    """The weighed losses of one batch: L_transfer = L_mg + L_sc + L_r (paper, Eq. 7)."""

    def __init__(
        self,
        generator: MotionGenerator,
        data: TransferData,
        config: TransferConfig,
        rng: torch.Generator,
    ) -> None:
        self._generator, self._data, self._config = generator, data, config
        self._sampler = BatchSampler(config, generator.config.delay, rng)
        self._weights = MotionTraining()  # of position, velocity and opening
        self._replay = [_with_teacher(generator, features) for features in data.replay]
        teacher = torch.cat([source.offsets for source in self._replay])
        self._teacher_scale = teacher_scale(teacher[::STRIDE], data.articulation)
        self._dynamics = dynamics(data.articulation, FPS)
        # One unit for errors: how far this person moves, so that a calm one is not held loosely.
        self._unit = pooled_spread(data.articulation) + LEAST_UNIT

    def losses(self, adapter: Adapter, network: StyleNetwork, *, joint: bool) -> dict[str, Tensor]:
        """Return each loss of a new batch by name, and their weighed sum as "total".

        L_sc and L_r shape f alone until the `joint` phase, which adds L_mg and the dynamics.
        """
        config, data = self._config, self._data
        features, teacher = self._sampler.windows(self._replay)
        with torch.set_grad_enabled(joint):
            predicted = self._predict(adapter, features)
        losses = self._style_losses(network, predicted)
        total = transfer_loss(
            torch.zeros(()), config.constraint * losses["L_sc"], config.penalty * losses["L_r"]
        )
        if joint:
            target = about_mean(teacher) * self._teacher_scale
            losses["L_teacher"] = self._motion_loss(about_mean(predicted), target)
            losses["sync_lost"] = sync_loss(predicted, teacher)
            generator_loss = losses["L_teacher"] + config.sync * losses["sync_lost"]
            if data.own:
                own_features, own_offsets = self._sampler.windows(data.own)
                losses["L_own"] = self._motion_loss(
                    self._predict(adapter, own_features), own_offsets
                )
                generator_loss = generator_loss + losses["L_own"]
            total = total + generator_loss
            if config.dynamics:
                losses["L_dyn"] = dynamics_loss(predicted[:, ::STRIDE], self._dynamics, FPS)
                total = total + config.dynamics * losses["L_dyn"]
        return losses | {"total": total}

    def _style_losses(self, network: StyleNetwork, predicted: Tensor) -> dict[str, Tensor]:
        """Return L_sc and L_r of offsets (B, T, 68, 3), and how far apart features lie."""
        data, sampler = self._data, self._sampler
        # What the clip's face does besides speaking, at random moments, completes phi_mg.
        offsets = sampler.frames(predicted.flatten(0, 1)) + sampler.frames(data.expression)
        motion = network.standardised(offsets + data.neutral)
        style = network.standardised(data.references + data.neutral)
        features = network(motion)
        constraint = constraint_loss(features, network(style), data.reference_weights)
        # L_r of each frame mixed with a random reference, along a random direction: one fixed
        # direction would leave f free to be blind along all others, and L_sc to vanish.
        gamma, picks, direction = sampler.mixes(len(motion), len(style))
        penalty = gradient_penalty(network, joint_motion(motion, style[picks], gamma), direction)
        spread = features.detach().std(0).mean()
        return {"L_sc": constraint, "L_r": penalty, "f_spread": spread}

    def _predict(self, adapter: Adapter, features: Tensor) -> Tensor:
        offsets, _ = adapter.run(self._generator, features)
        return offsets[:, self._generator.config.delay :]

    def _motion_loss(self, predicted: Tensor, target: Tensor) -> Tensor:
        return motion_loss(predicted, target, self._unit, self._weights)


def _with_teacher(generator: MotionGenerator, features: Tensor) -> AlignedFeatures:
    """Align features (T, F) with what the un-tuned generator predicts from them."""
    unseen = AlignedFeatures(features, torch.zeros(len(features), 68, 3))
    return AlignedFeatures(features, predict(generator, unseen))


def teacher_scale(teacher: Tensor, style: Tensor) -> Tensor:
    """Return (68, 3), by region and axis, the factor from the teacher's dynamics to a style's.

    To hold on to how far an average person moves would forbid the style. The smaller of the two
    ratios counts: to reach a wide but slow mouth's spread with quick syllables would make them
    twice as quick. Offsets (T, 68, 3) each, at STYLE_FPS.
    """
    own, target = dynamics(teacher, FPS), dynamics(style, FPS)
    ratios = torch.minimum(target.spread / own.spread, target.speed / own.speed)
    scale = torch.ones(68, 3)
    for points, ratio in zip(REGIONS.values(), ratios.clamp(*TEACHER_SCALE), strict=True):
        scale[list(points)] = ratio
    return scale


def pooled_spread(offsets: Tensor) -> Tensor:
    """Return (68, 3), at each point, the root mean square spread of its region on each axis.

    offsets (T, 68, 3).
    """
    spread = offsets.std(0)
    pooled = torch.empty_like(spread)
    for points in map(list, REGIONS.values()):
        pooled[points] = spread[points].square().mean(0).sqrt()
    return pooled
