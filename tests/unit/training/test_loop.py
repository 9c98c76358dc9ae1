import csv

import pytest
import torch
from torch import nn

from stylehead.errors import ConfigError
from stylehead.progress import SILENT
from stylehead.training.loop import Checkpoint, log_row
from tests.stand_ins.faces import RememberingReporter


class Run:
    """A training of eight numbers that uses every source of chance."""

    def __init__(self, folder, settings=None, *, seed=0):
        torch.manual_seed(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.net = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        self.optimiser = torch.optim.AdamW(self.net.parameters(), 0.1)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, 0.1, 20)
        self.checkpoint = Checkpoint(
            folder,
            {"steps": 20} if settings is None else settings,
            net=self.net,
            optimiser=self.optimiser,
            schedule=self.schedule,
            generator=self.generator,
        )

    def steps(self, count):
        for _ in range(count):
            loss = self.net(torch.randn(5, 2, generator=self.generator)).square().mean()
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
        return self

    @property
    def numbers(self):
        return torch.cat([value.flatten() for value in self.net.parameters()])


def test_a_fresh_run_begins_at_nothing(tmp_path):
    listener = RememberingReporter()
    assert Run(tmp_path).checkpoint.resume(listener) == 0
    assert listener.said == []


def test_going_on_gives_what_running_through_gives(tmp_path):
    unbroken = Run(tmp_path).steps(12).numbers
    Run(tmp_path).steps(5).checkpoint.save(5)
    later = Run(tmp_path, seed=99)
    listener = RememberingReporter()
    assert later.checkpoint.resume(listener) == 5
    assert any("5" in line for line in listener.said)
    assert torch.equal(later.steps(7).numbers, unbroken)
    assert not torch.equal(Run(tmp_path, seed=99).steps(12).numbers, unbroken)


def test_the_last_state_counts(tmp_path):
    run = Run(tmp_path).steps(2)
    run.checkpoint.save(2)
    run.steps(3).checkpoint.save(5)
    again = Run(tmp_path)
    assert again.checkpoint.resume(SILENT) == 5
    assert torch.equal(again.numbers, run.numbers)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_settings_may_hold_all_that_recipes_hold(tmp_path):
    settings = {"steps": 20, "rate": 0.5, "deep": True, "clean": ("a", "b"), "name": "one"}
    Run(tmp_path, settings).checkpoint.save(3)
    assert Run(tmp_path, dict(settings)).checkpoint.resume(SILENT) == 3


def test_a_run_with_other_settings_is_refused(tmp_path):
    Run(tmp_path).steps(1).checkpoint.save(1)
    other = Run(tmp_path, {"steps": 21})
    before = other.numbers.clone()
    with pytest.raises(ConfigError, match="other settings") as caught:
        other.checkpoint.resume(SILENT)
    assert caught.value.remedy
    assert torch.equal(other.numbers, before)


def test_rows_are_logged_below_one_header(tmp_path):
    path = tmp_path / "log.csv"
    for step in (1, 2, 3):
        log_row(path, {"step": step, "loss": 1 / step})
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in rows] == [1 / 1, 1 / 2, 1 / 3]
