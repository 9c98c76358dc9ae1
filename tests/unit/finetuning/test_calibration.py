from __future__ import annotations

import numpy as np
import pytest
import torch

from stylehead.finetuning.calibration import PRIOR, calibrate
from stylehead.models.adapter import Adapter, tuned
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.training.data.speakers import AlignedFeatures

CONFIG = MotionConfig(features=12, hidden=10, components=6, delay=3)


@pytest.fixture
def generator() -> MotionGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = MotionGenerator(CONFIG)
        net.components.copy_(torch.randn(6, 204))
    return net.eval()


def features(frames: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(frames, 12, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def spoken(net: MotionGenerator, sound: torch.Tensor) -> torch.Tensor:
    """What a generator says to a sound, at the frames it belongs to."""
    late = torch.cat([sound, sound[-1:].expand(CONFIG.delay, -1)])
    return net(late[None])[0][0, CONFIG.delay :]


def calibrated(generator: MotionGenerator, pair: AlignedFeatures) -> MotionGenerator:
    adapter = Adapter(generator)
    adapter.start_from(*calibrate(generator, [pair]))
    return tuned(generator, adapter)


@torch.no_grad()
def another(generator: MotionGenerator, amount: float) -> MotionGenerator:
    """Somebody who shapes the same sounds in another way."""
    adapter = Adapter(generator)
    random = torch.Generator().manual_seed(7)
    adapter.start_from(
        amount * torch.randn(6, 10, generator=random), amount * torch.randn(6, generator=random)
    )
    return tuned(generator, adapter)


def test_a_person_is_met_on_sounds_that_were_not_learned_from(generator):
    person = another(generator, 0.5)
    sound, unheard = features(4000), features(500, seed=2)
    net = calibrated(generator, AlignedFeatures(sound, spoken(person, sound)))
    before, after = (
        (spoken(each, unheard) - spoken(person, unheard)).square().mean().sqrt()
        for each in (generator, net)
    )
    assert after < 0.4 * before


def test_who_speaks_as_the_generator_does_changes_nothing(generator):
    sound = features(600)
    weight, bias = calibrate(generator, [AlignedFeatures(sound, spoken(generator, sound))])
    assert weight.abs().max() < 1e-4
    assert bias.abs().max() < 1e-4


def test_a_short_clip_moves_the_mean_and_hardly_the_shapes(generator):
    person = another(generator, 0.5)
    changes = {}
    for frames in (60, 6000):
        sound = features(frames)
        weight, _ = calibrate(generator, [AlignedFeatures(sound, spoken(person, sound))])
        changes[frames] = float(weight.norm())
    assert changes[60] < 0.2 * changes[6000]
    sound = features(60)
    net = calibrated(generator, AlignedFeatures(sound, spoken(person, sound)))
    missed = (spoken(net, sound) - spoken(person, sound)).mean(0)
    assert missed.abs().max() < 1e-3


def test_it_is_the_ridge_regression_that_its_docstring_says(generator):
    sound = features(300)
    offsets = spoken(generator, sound) + torch.randn(300, 68, 3, generator=torch.manual_seed(3))
    weight, bias = calibrate(generator, [AlignedFeatures(sound, offsets)])
    with torch.no_grad():
        inputs = generator.before_last(sound).double().numpy()
        missing = (offsets - spoken(generator, sound)).flatten(1).double().numpy()
    missing = missing @ np.linalg.pinv(generator.components.double().numpy())
    about = inputs - inputs.mean(0)
    rows = np.concatenate([about, np.sqrt(PRIOR) * np.eye(10)])
    wanted = np.concatenate([missing - missing.mean(0), np.zeros((10, 6))])
    found = np.linalg.lstsq(rows, wanted, rcond=None)[0].T
    np.testing.assert_allclose(weight.numpy(), found, atol=1e-4)
    np.testing.assert_allclose(bias.numpy(), missing.mean(0) - found @ inputs.mean(0), atol=1e-4)
