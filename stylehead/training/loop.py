"""What every training stage shares: the stage, its loop, checkpoints, a log, the file."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stylehead import files
from stylehead.errors import ConfigError, WeightsError
from stylehead.files import digest
from stylehead.progress import SILENT, Reporter
from stylehead.training.config import with_new_names
from stylehead.weights.store import PACKAGE


@dataclass(frozen=True, kw_only=True, eq=False)
class Learner:
    """One network of a stage, with what changes its parameters."""

    net: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    clip: float = 1.0
    """Largest norm of the network's gradient."""

    @classmethod
    def one_cycle(
        cls, net: nn.Module, optimiser: torch.optim.Optimizer, steps: int, **options: Any
    ) -> Learner:
        """Return a learner whose rate rises to that of the optimiser and falls to nothing.

        `options` are those of torch's OneCycleLR.
        """
        rate = optimiser.param_groups[0]["lr"]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, **options)
        return cls(net=net, optimiser=optimiser, schedule=schedule)

    def step(self, loss: Tensor) -> None:
        """Take one step down the gradient of a loss ()."""
        self.optimiser.zero_grad()
        if loss.requires_grad:  # else the network takes no part yet
            loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.optimiser.step()
        self.schedule.step()


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """One training stage: its networks and what they are asked for."""

    name: str
    """As the user reads it."""
    config: dict[str, Any]
    """Everything that has to be the same for a run to be resumed."""
    steps: int
    every: int
    """Steps from one row of the log, and checkpoint, to the next."""
    learners: dict[str, Learner]
    """Network name -> what trains it."""
    generator: torch.Generator
    """Draws the batches."""
    losses: Callable[[torch.Generator], dict[str, Tensor]]
    """Draws a batch and returns its losses (), by names like `mouth/l1`; each network's own sum
    is NETWORK/total."""
    validate: Callable[[], dict[str, float]] = dict
    """Returns what the log says of held-out data."""

    def step(self) -> dict[str, float]:
        """Take one step with every network and return the losses before it."""
        for learner in self.learners.values():
            learner.net.train()
        losses = self.losses(self.generator)
        for name, learner in self.learners.items():
            learner.step(losses[f"{name}/total"])
        return {name: loss.item() for name, loss in losses.items()}

    @property
    def parts(self) -> dict[str, Stateful]:
        """What a checkpoint keeps, by name; the parts of an only network lack its name."""
        return {
            part if len(self.learners) == 1 else f"{name}/{part}": getattr(learner, part)
            for name, learner in self.learners.items()
            for part in ("net", "optimiser", "schedule")
        }


def train(
    stage: Stage,
    run: Path | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    reporter: Reporter = SILENT,
) -> None:
    """Take a stage's steps, resuming from the folder `run`; without one nothing is kept.

    Every `stage.every` steps, and at the end, `run` gets a row of log.csv (the mean of each loss
    since the last row, the validation and the seconds) and a checkpoint. `stopped` is asked before
    each step; a stopped run can be resumed at that step.

    Raises ConfigError when `run` was begun with another config.
    """
    checkpoint = None
    first = 0
    if run:
        checkpoint = Checkpoint(run, stage.config, generator=stage.generator, **stage.parts)
        first = checkpoint.resume(reporter)
    reporter.start(stage.name, stage.steps - first)
    began = time.monotonic()
    unlogged: list[dict[str, float]] = []
    for step in range(first + 1, stage.steps + 1):
        if stopped():
            if checkpoint:
                checkpoint.save(step - 1)
            return
        losses = stage.step()
        unlogged.append(losses)
        reporter.advance()
        if run and checkpoint and (step % stage.every == 0 or step == stage.steps):
            means = {name: sum(row[name] for row in unlogged) / len(unlogged) for name in losses}
            unlogged = []
            row = {"step": step, **means, **stage.validate(), "s": time.monotonic() - began}
            reporter.say("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
            log_row(run / "log.csv", row)
            checkpoint.save(step)


def seeded(seed: int) -> torch.Generator:
    """Return the generator of a stage's batches, and seed what knows no generator.

    That is torch's initialisation of layers, and dropout.
    """
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


class Stateful(Protocol):
    """A network, an optimiser, a schedule: what has a state that can be saved."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Take a state over."""
        ...


class Checkpoint:
    """The state of a run in its folder; resuming gives what running through would have given."""

    def __init__(
        self, run: Path, settings: dict[str, Any], *, generator: torch.Generator, **parts: Stateful
    ) -> None:
        self._path = run / "checkpoint.pt"
        self._settings = settings
        self._parts = parts
        self._generator = generator

    def save(self, step: int) -> None:
        """Write everything needed to go on after `step`."""
        state = {name: part.state_dict() for name, part in self._parts.items()}
        state |= {"generator": self._generator.get_state(), "chance": torch.get_rng_state()}
        state |= {"settings": self._settings, "step": step}
        with files.atomic(self._path) as part:
            torch.save(state, part)

    @property
    def saved_step(self) -> int:
        """The step of the run's last state; 0 for a fresh run."""
        if not self._path.exists():
            return 0
        return torch.load(self._path, weights_only=True)["step"]

    def resume(self, reporter: Reporter) -> int:
        """Load the run's last state, if any, and return its step; 0 for a fresh run.

        Raises ConfigError when the run was begun with other settings.
        """
        if not self._path.exists():
            return 0
        state = torch.load(self._path, weights_only=True)
        if with_new_names(state["settings"]) != self._settings:
            raise ConfigError(
                f"{self._path} was started with other settings.",
                remedy="Give the same settings again, or an empty --run folder.",
            )
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self._generator.set_state(state["generator"])
        torch.set_rng_state(state["chance"])
        reporter.say(f"Resumed at step {state['step']}")
        return state["step"]


def save_weights(path: Path, state: dict[str, Tensor], metrics: dict[str, str]) -> None:
    """Save a state dict in half precision, mode 0644, with its metrics as metadata."""
    arrays = {name: value.half().cpu().contiguous() for name, value in state.items()}
    save_file(arrays, path, metadata=metrics)
    path.chmod(0o644)


def log_row(path: Path, row: dict[str, float]) -> None:
    """Append one line to a CSV file, after a header if the file is new."""
    fresh = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def checkout_manifest() -> Path:
    """Return the checkout's weights.toml; an installed package has none that may be written.

    Raises WeightsError outside a checkout.
    """
    manifest = PACKAGE.parent / "weights.toml"
    if not manifest.is_file():
        raise WeightsError(
            f"{manifest} is not there.",
            remedy="Train from a checkout, installed with pip install -e .",
        )
    return manifest


def register(name: str, path: Path) -> None:
    """Write the file's size and sha256 into the checkout's weights.toml.

    Raises WeightsError for a name that is not listed there.
    """
    manifest = checkout_manifest()
    text = manifest.read_text(encoding="utf-8")
    entry = re.search(rf"^\[{re.escape(name)}\]\n(?:.+\n)*", text, re.MULTILINE)
    if entry is None:
        raise WeightsError(f"weights.toml has no entry {name!r}.", remedy="Add the entry first.")
    block = re.sub(r"(?m)^bytes = .*$", f"bytes = {path.stat().st_size}", entry[0])
    block = re.sub(r"(?m)^sha256 = .*$", f'sha256 = "{digest(path)}"', block)
    manifest.write_text(text[: entry.start()] + block + text[entry.end() :], encoding="utf-8")
