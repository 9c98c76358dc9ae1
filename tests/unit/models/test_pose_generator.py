import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.distributions import Normal

from stylehead.models.pose_generator import AXES, LEAST_SPREAD, STATE, PoseConfig, PoseGenerator
from stylehead.training.pose_generator import pose_loss
from stylehead.weights.networks import load_network
from tests.golden.parity_cases import hashed

SMALL = PoseConfig(width=8, skip=6, layers=3, blocks=2)
SHARPEST = math.log(1 / 0.03)


def tiny(config=SMALL, seed=0):
    torch.manual_seed(seed)
    return PoseGenerator(config).eval()


def material(count=40, seed=1):
    generator = torch.Generator().manual_seed(seed)
    heard = torch.rand(count, 80, generator=generator)
    style = torch.randn(AXES, generator=generator)
    return heard, style, torch.randn(count, STATE, generator=generator)


def states_before(axes):
    """Return what the net is told before each pose: nothing, then the poses and their steps."""
    states = torch.zeros(len(axes), STATE)
    states[1:, :AXES] = axes[:-1]
    states[2:, AXES:] = axes[1:-1] - axes[:-2]
    return states


# ---- sampling -------------------------------------------------------------------------------


@torch.inference_mode()
@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_drawing_pose_by_pose_equals_the_whole_net_on_what_was_drawn(temperature, count):
    net = tiny()
    heard, style, noise = material(count)
    axes = net.sample(heard, style, noise, temperature=temperature)
    mean, precision = net(states_before(axes)[None], heard[None], style[None])
    drawn = mean[0] + temperature * torch.exp(-precision[0]) * noise
    assert axes.shape == (count, AXES)
    torch.testing.assert_close(axes, drawn[:, :AXES].clamp(-3.5, 3.5), rtol=0, atol=1e-5)


@torch.inference_mode()
def test_queues_work_beyond_the_receptive_field_in_the_shipped_shape():
    net = tiny(PoseConfig())
    heard, style, noise = material(150)
    axes = net.sample(heard, style, noise, temperature=0.5)
    mean, precision = net(states_before(axes)[None], heard[None], style[None])
    drawn = mean[0] + 0.5 * torch.exp(-precision[0]) * noise
    torch.testing.assert_close(axes, drawn[:, :AXES], rtol=0, atol=1e-5)


def test_without_temperature_noise_does_not_matter():
    heard, style, noise = material()
    net = tiny()
    still = net.sample(heard, style, noise, temperature=0.0)
    assert torch.equal(net.sample(heard, style, -3 * noise, temperature=0.0), still)
    assert not torch.equal(net.sample(heard, style, noise, temperature=0.5), still)


def test_sampling_does_not_hear_ahead():
    heard, style, noise = material()
    changed = heard.clone()
    changed[25:] = 0
    net = tiny()
    one, other = (net.sample(each, style, noise, temperature=0.3) for each in (heard, changed))
    assert torch.equal(one[:25], other[:25])
    assert not torch.equal(one[25], other[25])


def test_axes_stay_within_three_and_a_half_spreads():
    heard, style, noise = material()
    axes = tiny().sample(heard, style, 1000 * noise, temperature=1.0)
    assert axes.abs().max() == 3.5


# ---- the net --------------------------------------------------------------------------------


def gradient(row, count=40):
    """Return which states (T,) and which sounds (T,) the mean after state `row` depends on."""
    net = tiny().double()
    heard, style, noise = (each.double() for each in material(count))
    heard, states = heard[None].requires_grad_(), noise[None].requires_grad_()
    mean, _ = net(states, heard, style.double()[None])
    mean[0, row].sum().backward()
    return [each.grad[0].abs().sum(1) for each in (states, heard) if each.grad is not None]


def test_a_pose_depends_on_as_many_states_as_the_config_says():
    assert SMALL.receptive == 15
    row = 30
    states, _ = gradient(row)
    used = states.nonzero().flatten().tolist()
    assert used == list(range(row - SMALL.receptive + 1, row + 1))


def test_a_pose_depends_on_no_later_sound():
    _, heard = gradient(30)
    assert heard[31:].max() == 0
    assert heard[30] > 0


def test_the_shipped_shape_looks_four_seconds_back():
    assert PoseConfig().receptive == 2 * 31 + 1
    assert PoseConfig().receptive / 15 == pytest.approx(4.2)


def test_style_matters():
    heard, style, noise = material()
    net = tiny()
    one, _ = net(noise[None], heard[None], style[None])
    other, _ = net(noise[None], heard[None], style[None] + 1)
    assert (one != other).all()


def test_each_of_a_batch_is_on_its_own():
    net = tiny()
    first, second = material(seed=1), material(seed=2)
    heard, style, states = (torch.stack(pair) for pair in zip(first, second, strict=True))
    both, _ = net(states, heard, style)
    alone, _ = net(second[2][None], second[0][None], second[1][None])
    torch.testing.assert_close(both[1:], alone, rtol=0, atol=1e-5)


def test_the_spread_has_a_floor_and_no_ceiling():
    net = tiny()
    heard, style, noise = material()
    last = net.end[1]
    assert isinstance(last, nn.Linear)
    last.bias.data[STATE:] = torch.tensor([50.0, -50.0]).repeat(6)
    _, precision = net(noise[None], heard[None], style[None])
    spread = torch.exp(-precision)
    torch.testing.assert_close(spread[..., ::2], torch.full((1, 40, 6), LEAST_SPREAD))
    assert spread[..., 1::2].min() > 1e10


def test_history_channels_are_dropped_whole_in_training():
    net = tiny().train()
    heard, style, noise = material()
    seen = []
    net.front.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    net(noise.expand(50, -1, -1), heard.expand(50, -1, -1), style.expand(50, -1))
    kept = seen[0] != 0
    assert (kept.all(1) == kept.any(1)).all()
    assert 0.4 < kept.float().mean() < 0.6


def test_a_saved_net_comes_back_ready_for_use(tmp_path):
    path = tmp_path / "pose.safetensors"
    save_file(tiny().state_dict(), path, metadata={"config": json.dumps(asdict(SMALL))})
    net = load_network(PoseGenerator, path)
    assert net.config == SMALL
    assert not net.training
    heard, style, noise = material()
    wanted = tiny().sample(heard, style, noise, temperature=0.5)
    assert torch.equal(net.sample(heard, style, noise, temperature=0.5), wanted)


# ---- the loss -------------------------------------------------------------------------------


def test_the_loss_is_the_gaussians():
    mean, precision, target = torch.randn(3, 2, 7, STATE)
    wanted = -Normal(mean, torch.exp(-precision)).log_prob(target).mean()
    torch.testing.assert_close(pose_loss(mean, precision, target), wanted)


@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_the_loss_is_least_at_the_true_spread(spread):
    target = spread * torch.randn(1, 20_000, STATE)

    def loss(guess):
        return pose_loss(torch.zeros(()), torch.full((1, 1, 1), -math.log(guess)), target)

    assert loss(spread) < min(loss(0.8 * spread), loss(1.25 * spread))


@pytest.mark.parametrize(("size", "loss"), [(1.5, 3.2205514907836914), (6.0, 1873.4302978515625)])
def test_the_loss_is_live_speech_portraits(size, loss):
    """Its outputs are a logit of no use, twelve means and twelve precisions; those are clipped."""
    outputs = torch.from_numpy(size * hashed("input:gmm_out", (2, 3, 25))).float()
    target = torch.from_numpy(hashed("input:gmm_target", (2, 3, 12))).float()
    net = tiny()
    net.end = nn.Sequential()  # what goes in comes out
    mean, precision = net._shaped(outputs[..., 1:])
    assert precision.max() <= SHARPEST + 1e-6
    assert float(pose_loss(mean, precision, target)) == pytest.approx(loss, rel=1e-5)


def test_the_fill_rule_is_the_references():
    found = hashed("abc", (5,))
    wanted = [0.63237133, -0.47212295, 0.79207987, 0.71011077, -0.36185664]
    np.testing.assert_allclose(found, wanted, atol=1e-8)
