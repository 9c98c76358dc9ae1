"""Style transfer learns from every loss of its sum: leave one out, and one of these fails."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest
import torch

from stylehead.face.landmarks import REGIONS
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.data import TransferData, template_weights
from stylehead.finetuning.losses import dynamics
from stylehead.finetuning.objective import teacher_scale
from stylehead.finetuning.transfer import Validation, transfer
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.training.motion_generator import predict
from tests.stand_ins.faces import gape, mean_face

FRAMES = 120
USUAL = TransferConfig()
CONFIG = replace(USUAL, warm_up=0, steps=3, batch=2, window=30, frames=16, every=1)
TERMS = {
    "L_sc": USUAL.constraint,
    "L_r": USUAL.penalty,
    "L_teacher": 1.0,
    "sync_lost": USUAL.sync,
    "L_own": 1.0,
    "L_dyn": USUAL.dynamics,
}
"""What a run's log says of each loss -> its weight in the total."""


@pytest.fixture(scope="module")
def generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = MotionGenerator(MotionConfig(features=8, hidden=16, components=4, delay=3))
        net.components.normal_(0, 0.02)
    net.components[0] = torch.from_numpy(gape(10.0)).flatten()
    return net.eval()


def features():
    times = torch.arange(FRAMES)[:, None] / 60
    return torch.sin(2 * torch.pi * times * torch.arange(1, 9))


def target(generator, *, sung=1.0):
    """Return a person whose mouth goes 1.5 times as far as the generator's; `sung` with sound."""
    predicted = predict(generator, AlignedFeatures(features(), torch.zeros(FRAMES, 68, 3)))
    moves = predicted - predicted.mean(0)
    smile = torch.zeros(68, 3)
    smile[[54, 64], 0] = 0.05
    articulation, expression = 1.5 * moves[::2], smile.expand(FRAMES // 2, -1, -1).clone()
    references = (articulation + expression)[[0, 10, 20, 30]]
    return TransferData(
        references=references,
        reference_weights=template_weights(references, articulation + expression),
        articulation=articulation,
        expression=expression,
        own=[AlignedFeatures(features(), sung * moves)],
        replay=[features()],
        neutral=torch.from_numpy(mean_face()),
    )


def learn(generator, config=CONFIG, *, sung=1.0, run=None):
    scores = iter(range(100, 0, -1))  # the last change is the best one
    adapter = transfer(
        generator,
        target(generator, sung=sung),
        config,
        validate=lambda _: Validation(float(next(scores)), {}),
        identity={},
        run=run,
    )
    return torch.cat([value.detach().flatten() for value in adapter.parameters()])


@pytest.fixture(scope="module")
def logged(generator, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    learn(generator, run=run)
    with (run / "log.csv").open(encoding="utf-8", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_what_is_minimised_is_the_weighted_sum_of_all_losses(logged):
    assert len(logged) == CONFIG.steps
    for row in logged:
        wanted = sum(weight * row[name] for name, weight in TERMS.items())
        assert row["total"] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", TERMS)
def test_no_loss_is_without_weight_or_value(logged, name):
    # The first step starts from no change: there the teacher's timing is not lost yet.
    assert TERMS[name] * logged[-1][name] > 1e-6


@pytest.mark.parametrize("weight", ["constraint", "penalty", "sync", "dynamics"])
def test_a_loss_that_weighs_more_changes_what_is_learned(generator, weight):
    """A term that is logged but has no gradient would not."""
    more = replace(CONFIG, **{weight: 20 * getattr(CONFIG, weight)})
    assert not torch.equal(learn(generator), learn(generator, more))


def test_the_target_s_own_sound_and_face_are_learned_from(generator):
    assert not torch.equal(learn(generator), learn(generator, sung=2.0))


def test_the_constraint_alone_brings_motion_nearer_to_the_references(generator, tmp_path):
    """Eq. 4: of two runs that differ in the weight of L_sc, the heavier ends with less of it."""
    ends = []
    for number, weight in enumerate((0.0, 5.0)):
        run = tmp_path / str(number)
        run.mkdir()
        config = replace(CONFIG, steps=12, every=12, constraint=weight, penalty=0.0)
        learn(generator, config, run=run)
        with (run / "log.csv").open(encoding="utf-8", newline="") as file:
            ends.append(float(next(csv.DictReader(file))["L_sc"]))
    assert ends[1] < 0.9 * ends[0]


def test_the_teacher_is_scaled_by_the_smaller_of_spread_and_speed():
    mouth = list(REGIONS["mouth"])
    times = torch.arange(300) / 30
    quick, slow = torch.zeros(300, 68, 3), torch.zeros(300, 68, 3)
    quick[:, mouth, 1] = 0.05 * torch.sin(2 * torch.pi * 3 * times)[:, None]
    slow[:, mouth, 1] = 0.15 * torch.sin(2 * torch.pi * 0.5 * times)[:, None]
    scale = teacher_scale(quick, slow)[mouth[0], 1]
    row = list(REGIONS).index("mouth")
    speeds = [dynamics(offsets, 30).speed[row, 1] for offsets in (quick, slow)]
    assert scale == pytest.approx(float(speeds[1] / speeds[0]), rel=1e-5)
    assert scale < 1
