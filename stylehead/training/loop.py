"""What every training stage shares: the loop, checkpoints to resume from, a log, the file."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stylehead import files
from stylehead.errors import WeightsError
from stylehead.files import digest
from stylehead.progress import Reporter
from stylehead.weights.store import PACKAGE


class Checkpoint:
    """The state of a run in its folder; resuming gives what running through would have given."""

    def __init__(
        self,
        run: Path,
        settings: dict[str, Any],
        *,
        net: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        generator: torch.Generator,
    ) -> None:
        self._path = run / "checkpoint.pt"
        self._settings = settings
        self._parts = {"net": net, "optimiser": optimiser, "schedule": schedule}
        self._generator = generator

    def save(self, step: int) -> None:
        """Write everything needed to go on after `step`."""
        state = {name: part.state_dict() for name, part in self._parts.items()}
        state |= {"generator": self._generator.get_state(), "chance": torch.get_rng_state()}
        state |= {"settings": self._settings, "step": step}
        with files.atomic(self._path) as part:
            torch.save(state, part)

    def resume(self, reporter: Reporter) -> int:
        """Load the run's last state, if any, and return its step; 0 for a fresh run."""
        if not self._path.exists():
            return 0
        state = torch.load(self._path, weights_only=True)
        if state["settings"] != self._settings:
            raise WeightsError(
                f"{self._path} was begun with other settings.",
                remedy="Give the same settings, or an empty --run folder.",
            )
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self._generator.set_state(state["generator"])
        torch.set_rng_state(state["chance"])
        reporter.say(f"Resumed at step {state['step']}")
        return state["step"]


def descend(
    stage: str,
    losses: Callable[[], dict[str, Tensor]],
    settings: dict[str, Any],
    *,
    steps: int,
    every: int,
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
    run: Path | None,
    validate: Callable[[], dict[str, float]] = dict,
    reporter: Reporter,
) -> None:
    """AlignedFeatures optimiser steps on `losses()["total"]` until there are `steps`, resuming from `run`.

    Each `every` steps, and at the end, the mean of each loss since the last row, what `judge` says
    and the seconds go to the log of `run`, and a checkpoint too; without `run` nothing is kept.
    """
    parts = {"net": net, "optimiser": optimiser, "schedule": schedule}
    checkpoint = Checkpoint(run, settings, **parts, generator=generator) if run else None
    step = checkpoint.resume(reporter) if checkpoint else 0
    reporter.start(stage, steps - step)
    began, seen = time.monotonic(), []
    while step < steps:
        net.train()
        found = losses()
        optimiser.zero_grad()
        found["total"].backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        step += 1
        seen.append({name: loss.item() for name, loss in found.items()})
        reporter.advance()
        if run and checkpoint and (step % every == 0 or step == steps):
            row = {"step": step, **{k: sum(one[k] for one in seen) / len(seen) for k in found}}
            row |= {**validate(), "s": time.monotonic() - began}
            seen = []
            reporter.say("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
            log_row(run / "log.csv", row)
            checkpoint.save(step)


def save_weights(path: Path, state: dict[str, Tensor], metrics: dict[str, str]) -> None:
    """Write arrays in half precision, readable by everybody, with what is to be known of them."""
    arrays = {name: value.half().cpu().contiguous() for name, value in state.items()}
    save_file(arrays, path, metadata=metrics)
    path.chmod(0o644)


def log_row(path: Path, row: dict[str, float]) -> None:
    """Append one line to a CSV file; the first one brings its header."""
    fresh = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def checkout_manifest() -> Path:
    """Return the checkout's weights.toml; an installed package has none that may be written."""
    manifest = PACKAGE.parent / "weights.toml"
    if not manifest.is_file():
        raise WeightsError(
            f"{manifest} is not there.",
            remedy="Train from a checkout, installed with pip install -e .",
        )
    return manifest


def register(name: str, path: Path) -> None:
    """Write the file's size and sha256 into the checkout's weights.toml."""
    manifest = checkout_manifest()
    text = manifest.read_text(encoding="utf-8")
    entry = re.search(rf"^\[{re.escape(name)}\]\n(?:.+\n)*", text, re.MULTILINE)
    if entry is None:
        raise WeightsError(f"weights.toml has no entry {name!r}.", remedy="Add the entry first.")
    block = re.sub(r"(?m)^bytes = .*$", f"bytes = {path.stat().st_size}", entry[0])
    block = re.sub(r"(?m)^sha256 = .*$", f'sha256 = "{digest(path)}"', block)
    manifest.write_text(text[: entry.start()] + block + text[entry.end() :], encoding="utf-8")
