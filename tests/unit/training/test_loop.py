import csv
from dataclasses import replace

import pytest
import torch
from torch import nn

from stylehead.errors import ConfigError
from stylehead.progress import SILENT
from stylehead.training.loop import Checkpoint, Learner, Stage, log_row, seeded, train
from tests.stand_ins.faces import Interrupting, RememberingReporter


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


# ---- stages ---------------------------------------------------------------------------------


def stage(*, steps=12, together=True):
    """Two networks of one number each, which learn to follow and to flee."""
    generator = seeded(3)
    nets = {name: nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5)) for name in ("first", "second")}

    def losses(generator):
        rows = torch.randn(4, 1, generator=generator)
        first, second = (net(rows) for net in nets.values())
        answers = {"second/total": (second - first.detach()).square().mean()} if together else {}
        nothing = {"second/total": torch.zeros(())}
        return {"first/total": (first - 1).square().mean()} | (answers or nothing)

    return Stage(
        name="Two numbers",
        config={"steps": steps},
        steps=steps,
        every=4,
        learners={
            name: Learner.one_cycle(net, torch.optim.Adam(net.parameters(), rate), steps)
            for (name, net), rate in zip(nets.items(), (0.1, 0.01), strict=True)
        },
        generator=generator,
        losses=losses,
        validate=lambda: {"held_out": 0.5},
    )


def state(trained):
    return {
        f"{name} {key}": value.clone()
        for name, learner in trained.learners.items()
        for key, value in learner.net.state_dict().items()
    }


def alike(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def rows_of(run):
    with (run / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_network_is_trained_by_its_own_optimiser():
    before = state(stage())
    train(both := stage())
    train(alone := stage(together=False))
    assert all(not torch.equal(value, before[name]) for name, value in state(both).items())
    for name, value in state(alone).items():  # a network without a loss yet stays as it is
        assert torch.equal(value, before[name]) == name.startswith("second")
    assert all(torch.equal(state(both)[n], v) for n, v in state(alone).items() if "first" in n)


def test_the_log_has_a_row_for_every_few_steps_and_each_loss(tmp_path):
    train(stage(steps=10), tmp_path)
    assert [row["step"] for row in rows_of(tmp_path)] == ["4", "8", "10"]
    assert {"first/total", "second/total", "held_out"} <= set(rows_of(tmp_path)[0])


def test_an_interrupted_stage_ends_as_an_unbroken_one(tmp_path):
    train(unbroken := stage())
    with pytest.raises(KeyboardInterrupt):
        train(stage(), tmp_path, reporter=Interrupting(7))
    resumed = stage()
    torch.manual_seed(99)
    train(resumed, tmp_path)
    assert alike(state(unbroken), state(resumed))


def test_a_stage_that_the_user_stops_goes_on_at_that_step(tmp_path):
    train(unbroken := stage())
    asked = iter([False] * 5)
    train(stopped := stage(), tmp_path, stopped=lambda: next(asked, True))
    assert not alike(state(unbroken), state(stopped))
    listener = RememberingReporter()
    train(resumed := stage(), tmp_path, reporter=listener)
    assert any("step 5" in line for line in listener.said)
    assert alike(state(unbroken), state(resumed))


def test_an_only_network_s_checkpoint_has_the_names_of_the_first_version(tmp_path):
    one = stage()
    only = replace(one, learners={"first": one.learners["first"]})
    train(only, tmp_path)
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert set(kept) == {"net", "optimiser", "schedule", "generator", "chance", "settings", "step"}
