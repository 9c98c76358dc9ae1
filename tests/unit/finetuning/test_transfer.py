from dataclasses import replace

import pytest
import torch

from stylehead.errors import StyleError
from stylehead.finetuning.config import TransferConfig
from stylehead.finetuning.data import TransferData, template_weights
from stylehead.finetuning.transfer import Validation, transfer
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.training.motion_generator import predict
from tests.stand_ins.faces import RememberingReporter, gape, mean_face

CONFIG = TransferConfig(warm_up=2, steps=8, batch=2, window=30, frames=16, every=2)


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


def target(generator, *, wide=1.0):
    """Return a person who moves as the generator predicts, `wide` times as far."""
    predicted = predict(generator, AlignedFeatures(features(), torch.zeros(120, 68, 3)))
    articulation = (predicted - predicted.mean(0))[::2] * wide
    references = articulation[[0, 10, 20, 30]]
    return TransferData(
        references=references,
        reference_weights=template_weights(references, articulation),
        articulation=articulation,
        expression=torch.zeros(60, 68, 3),
        own=[],
        replay=[features()],
        neutral=torch.from_numpy(mean_face()),
    )


def always_better():
    scores = iter(range(100, 0, -1))
    return lambda _: Validation(float(next(scores)), {})


def by_size(adapter):
    return Validation(-sum(value.abs().sum().item() for value in adapter.parameters()), {})


def learn(generator, config=CONFIG, **options):
    settings = {"validate": by_size, "identity": {}, **options}
    return transfer(generator, target(generator), config, **settings)


def same(first, other):
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


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
    config = replace(CONFIG, steps=60, window=100, every=30)
    wide = target(generator, wide=1.6)
    adapter = transfer(generator, wide, config, validate=always_better(), identity={})
    predicted = adapter.run(generator, features()[None])[0][0, 3:].detach()
    own = predict(generator, AlignedFeatures(features(), torch.zeros(120, 68, 3)))
    ratio = predicted[:, 66, 1].std() / own[:, 66, 1].std()
    assert ratio == pytest.approx(1.6, rel=0.15)
    gaps = [offsets[:117, 66, 1] - offsets[:117, 62, 1] for offsets in (predicted, own)]
    assert torch.corrcoef(torch.stack(gaps))[0, 1] > 0.9


def test_steps_are_counted_from_the_end_of_the_warm_up(generator, tmp_path):
    listener = RememberingReporter()
    config = replace(CONFIG, every=1, steps=3)
    learn(generator, config, run=tmp_path, reporter=listener)
    assert listener.stages == [("Warming up", 2), ("Tuning", 3)]
    assert [line.split(":")[0] for line in listener.said] == ["Step 1", "Step 2", "Step 3"]
    header, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert len(rows) == 3
    assert all(len(row.split(",")) == len(header.split(",")) for row in rows)


def test_more_steps_go_on_from_where_fewer_ended(generator, tmp_path):
    learn(generator, replace(CONFIG, steps=4), run=tmp_path)
    listener = RememberingReporter()
    learn(generator, replace(CONFIG, steps=10), run=tmp_path, reporter=listener)
    assert listener.said[0] == "Resumed at step 4."
    assert listener.stages == [("Tuning", 6)]


def test_fewer_steps_begin_anew_and_say_so(generator, tmp_path):
    learn(generator, run=tmp_path)
    listener = RememberingReporter()
    fewer = learn(generator, replace(CONFIG, steps=4), run=tmp_path, reporter=listener)
    assert "begins anew" in listener.said[0]
    assert same(fewer, learn(generator, replace(CONFIG, steps=4)))
