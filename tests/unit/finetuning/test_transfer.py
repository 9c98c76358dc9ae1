from dataclasses import replace

import numpy as np
import pytest
import torch

from stylehead.errors import StyleError
from stylehead.face.landmarks import REGIONS
from stylehead.finetuning.losses import dynamics
from stylehead.finetuning.transfer import (
    TransferConfig,
    TransferData,
    Validation,
    stretch,
    template_shares,
    transfer,
)
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.training.motion_generator import predict
from tests.stand_ins.faces import RememberingReporter, gape, mean_face

HOW = TransferConfig(warm_up=2, steps=8, batch=2, window=30, frames=16, every=2)
MOUTH = list(REGIONS["mouth"])


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    net = MotionGenerator(MotionConfig(features=8, hidden=16, components=4, delay=3))
    net.components.normal_(0, 0.02)
    net.components[0] = torch.from_numpy(gape(10.0)).flatten()
    return net.eval()


def features(frames=120):
    times = torch.arange(frames)[:, None] / 60
    return torch.sin(2 * torch.pi * times * torch.arange(1, 9))


def material(generator, *, smile=0.0, wide=1.0):
    """Return a person who moves as the generator says, `wide` times as far, and smiles."""
    said = predict(generator, AlignedFeatures(features(), torch.zeros(120, 68, 3)))
    rest = torch.zeros(68, 3)
    rest[[54, 64], 0] = smile
    articulation = (said - said.mean(0))[::2] * wide
    expression = rest.expand(60, -1, -1).clone()
    frames = articulation + expression
    references = frames[[0, 10, 20, 30]]
    return TransferData(
        references,
        template_shares(references, frames),
        articulation,
        expression,
        [],
        [features()],
        torch.from_numpy(mean_face()),
    )


def always_better():
    scores = iter(range(100, 0, -1))
    return lambda _: Validation(float(next(scores)), {})


def by_size(adapter):
    return Validation(-sum(value.abs().sum().item() for value in adapter.parameters()), {})


def learn(generator, how=HOW, **options):
    given = {"judge": by_size, "about": {}, **options}
    return transfer(generator, material(generator), how, **given)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_same_run_gives_the_same_change(generator):
    assert same(learn(generator), learn(generator))


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(generator, tmp_path):
    whole = learn(generator, run=None)
    asked = iter([False] * 7 + [True])
    learn(generator, run=tmp_path, stopped=lambda: next(asked))
    listener = RememberingReporter()
    resumed = learn(generator, run=tmp_path, reporter=listener)
    assert any("Resumed" in line for line in listener.said)
    assert same(whole, resumed)


def test_stopping_keeps_the_best_so_far(generator):
    asked = iter([False] * 9 + [True])
    scores = iter([1.0, 5.0, 6.0, 7.0])
    seen = []

    def validate(adapter):
        seen.append([value.clone() for value in adapter.parameters()])
        return Validation(next(scores), {})

    best = learn(generator, validate=validate, stopped=lambda: next(asked))
    assert len(seen) >= 2
    assert all(torch.equal(a, b) for a, b in zip(best.parameters(), seen[0], strict=True))


def test_stopping_at_once_says_so(generator):
    with pytest.raises(StyleError, match="before it had learned"):
        learn(generator, stopped=lambda: True)


def test_the_generator_itself_is_left_alone(generator):
    before = [value.clone() for value in generator.state_dict().values()]
    learn(generator)
    after = list(generator.state_dict().values())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_wider_mouth_is_learned_without_its_sound(generator):
    how = replace(HOW, steps=60, window=100, every=30)
    wanted = material(generator, wide=1.6)
    adapter = transfer(generator, wanted, how, validate=always_better(), about={})
    made = adapter.run(generator, features()[None])[0][0, 3:].detach()
    own = predict(generator, AlignedFeatures(features(), torch.zeros(120, 68, 3)))
    ratio = made[:, 66, 1].std() / own[:, 66, 1].std()
    assert ratio == pytest.approx(1.6, rel=0.15)
    gap = torch.stack([made[:, 66, 1] - made[:, 62, 1], (own[:, 66, 1] - own[:, 62, 1])[:117]])
    assert torch.corrcoef(gap)[0, 1] > 0.9


# ---- what is asked of the teacher and of the references -------------------------------------


def test_the_teacher_is_scaled_by_the_smaller_of_spread_and_speed():
    times = torch.arange(300) / 30
    said, slow = torch.zeros(300, 68, 3), torch.zeros(300, 68, 3)
    said[:, MOUTH, 1] = 0.05 * torch.sin(2 * torch.pi * 3 * times)[:, None]
    slow[:, MOUTH, 1] = 0.15 * torch.sin(2 * torch.pi * 0.5 * times)[:, None]
    ratio = stretch(said, slow)[MOUTH[0], 1]
    speeds = [dynamics(one, 30).speed[list(REGIONS).index("mouth"), 1] for one in (said, slow)]
    assert ratio == pytest.approx(float(speeds[1] / speeds[0]), rel=1e-5)
    assert ratio < 1 < 3


def test_shares_mix_the_references_to_the_mean():
    references = torch.zeros(4, 68, 3)
    references[1, 8, 1], references[2, 8, 1], references[3, 48, 0] = 0.1, 0.4, 0.2
    motion = torch.zeros(10, 68, 3)
    motion[:, 8, 1] = 0.1
    motion[:, 48, 0] = 0.02
    shares = template_shares(references, motion)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()
    mixed = torch.einsum("r,rpa->pa", shares, references)
    np.testing.assert_allclose(mixed, motion.mean(0), atol=1e-3)
