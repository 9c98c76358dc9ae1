"""What every training stage shares: checkpoints to resume from, and a log."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stylehead import files
from stylehead.errors import WeightsError
from stylehead.progress import Reporter


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

    def save(self, step: int, **more: Any) -> None:
        """Write everything needed to go on after `step`, and what else must be kept."""
        state = {name: part.state_dict() for name, part in self._parts.items()}
        state |= {"generator": self._generator.get_state(), "chance": torch.get_rng_state()}
        state |= {"settings": self._settings, "step": step, "more": more}
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
        self.more: dict[str, Any] = state["more"]
        reporter.say(f"Resumed at step {state['step']}")
        return state["step"]


def log_row(path: Path, row: dict[str, float]) -> None:
    """Append one line to a CSV file; the first one brings its header."""
    fresh = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)
