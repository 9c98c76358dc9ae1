"""Style transfer: re-weight the motion generator until its motion has a style (paper, 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stylehead.compute.device import one_thread
from stylehead.errors import StyleError
from stylehead.finetuning.calibration import calibrate
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.data import TransferData
from stylehead.finetuning.objective import TransferObjective, pooled_spread
from stylehead.models.adapter import Adapter
from stylehead.models.motion_generator import MotionGenerator
from stylehead.models.style_network import StyleNetwork
from stylehead.progress import SILENT, Reporter
from stylehead.training.loop import Checkpoint, log_row

LAST_RATE = 0.05  # of the learning rate, at the end of the joint phase
LARGEST_GRADIENT = 1.0  # norm to which the gradients of either network are clipped


class Validation(NamedTuple):
    """Validation result of one adapter: a score (lower is better) and metrics for the log."""

    score: float
    metrics: dict[str, float]


class _TransferState(nn.Module):
    """The networks that a run trains, and the best change of the generator so far."""

    adapter: Adapter
    best: Adapter
    network: StyleNetwork
    best_score: Tensor

    def __init__(self, adapter: Adapter, best: Adapter, network: StyleNetwork) -> None:
        super().__init__()
        self.adapter, self.best, self.network = adapter, best, network
        self.register_buffer("best_score", torch.tensor(torch.inf))

    def keep_if_best(self, score: float) -> None:
        if score < self.best_score:
            self.best_score.fill_(score)
            self.best.load_state_dict(self.adapter.state_dict())

    def clip_gradients(self) -> None:
        nn.utils.clip_grad_norm_(self.adapter.parameters(), LARGEST_GRADIENT)
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)


@one_thread()  # its steps are small: two threads take nearly twice as long
@torch.random.fork_rng(devices=[])
def transfer(
    generator: MotionGenerator,
    data: TransferData,
    config: TransferConfig,
    *,
    validate: Callable[[Adapter], Validation],
    identity: dict[str, str],
    stopped: Callable[[], bool] = lambda: False,
    run: Path | None = None,
    reporter: Reporter = SILENT,
) -> Adapter:
    """Return the change of the generator with the lowest validation score.

    It starts from what fits the person's own sounds in closed form.
    The style network f trains alone during the warm-up, then together with the change. With
    `run`, log to CSV, keep checkpoints there and resume from them: an interrupted run ends where
    an uninterrupted one does, and a finished one goes on when more steps are asked for; `identity`
    names what has to be the same for that. `stopped` is asked at each step; then the best so far is
    returned. Dropout is off and the speech encoder is
    not touched. Raises StyleError when it was stopped before the first validation.
    """
    torch.manual_seed(config.seed)
    rng = torch.Generator().manual_seed(config.seed)
    generator = generator.eval()
    adapter, best = Adapter(generator), Adapter(generator)
    if data.own:
        adapter.start_from(*calibrate(generator, data.own))
        best.load_state_dict(adapter.state_dict())
    network = StyleNetwork(data.neutral, pooled_spread(data.articulation + data.expression))
    state = _TransferState(adapter, best, network)
    optimiser, schedule = _optimiser(adapter, network, config)
    objective = TransferObjective(generator, data, config, rng)
    checkpoint = None
    if run:
        # Not the steps: more of them go on from where fewer ended.
        settings = {key: value for key, value in asdict(config).items() if key != "steps"}
        checkpoint = Checkpoint(
            run,
            settings | identity,
            net=state,
            optimiser=optimiser,
            schedule=schedule,
            generator=rng,
        )

    total = config.warm_up + config.steps
    step = _resumed(run, checkpoint, config, reporter) if run and checkpoint else 0
    begun = ""
    while step < total and not stopped():
        joint = step >= config.warm_up
        stage, end = ("Tuning", total) if joint else ("Warming up", config.warm_up)
        if stage != begun:
            reporter.start(stage, end - step)
            begun = stage
        losses = objective.losses(adapter, network, joint=joint)
        optimiser.zero_grad()
        torch.autograd.backward(losses["total"])
        state.clip_gradients()
        optimiser.step()
        schedule.step()
        step += 1
        reporter.advance()
        tuned = step - config.warm_up
        if tuned < 1 or (tuned % config.every and step != total):
            continue
        validation = validate(adapter)
        state.keep_if_best(validation.score)
        numbers = (f"{name} {value:.2f}" for name, value in validation.metrics.items())
        reporter.say(f"Step {tuned}: {', '.join(numbers)}")
        if run and checkpoint:
            row = {name: loss.item() for name, loss in losses.items()}
            log_row(run / "log.csv", {"step": float(tuned), **row, **validation.metrics})
            checkpoint.save(step)
    if step < total and checkpoint:
        checkpoint.save(step)
    if not torch.isfinite(state.best_score):
        raise StyleError(
            "Tuning was stopped before it had learned anything.",
            remedy="Run the same command again: it resumes where it stopped.",
        )
    return state.best


def _resumed(run: Path, checkpoint: Checkpoint, config: TransferConfig, reporter: Reporter) -> int:
    """Resume a run and return its step; one that has gone further than asked begins anew."""
    if checkpoint.saved_step > config.warm_up + config.steps:
        reporter.say("The kept run has taken more steps than are asked for: tuning begins anew.")
        (run / "log.csv").unlink(missing_ok=True)
        return 0
    step = checkpoint.resume(SILENT)
    if step:
        reporter.say(f"Resumed at step {max(0, step - config.warm_up)}.")
    return step


def _optimiser(
    adapter: Adapter, network: StyleNetwork, config: TransferConfig
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return Adam over both, and a schedule that lowers the adapter's rate in the joint phase."""
    groups = [
        {"params": adapter.parameters(), "lr": config.learning_rate},
        {"params": network.parameters(), "lr": config.network_rate},
    ]
    optimiser = torch.optim.Adam(groups)

    def fraction(step: int) -> float:
        joint_steps = max(step - config.warm_up, 0)
        return max(LAST_RATE, 1 - joint_steps / config.steps)

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, [fraction, lambda _: 1.0])
