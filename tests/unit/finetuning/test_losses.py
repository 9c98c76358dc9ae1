"""Every equation of style transfer against a value worked out by hand."""

import math

import pytest
import torch
from torch import nn

from stylehead.face.landmarks import REGIONS
from stylehead.finetuning.losses import (
    STILL,
    about_mean,
    constraint_loss,
    dynamics,
    dynamics_loss,
    gradient_penalty,
    joint_motion,
    sync_loss,
    transfer_loss,
)
from stylehead.models.style_network import MOTION, StyleNetwork, mean_features


def test_the_network_has_the_papers_sizes():
    net = StyleNetwork(torch.zeros(68, 3), torch.ones(68, 3))
    widths = [tuple(one.weight.shape) for one in net.layers if isinstance(one, nn.Linear)]
    assert widths == [(1024, 204), (512, 1024), (256, 512)]
    assert not isinstance(net.layers[-1], nn.LeakyReLU)


def test_phi_is_measured_from_the_neutral_in_usual_movements():
    neutral = torch.full((68, 3), 0.5)
    net = StyleNetwork(neutral, torch.full((68, 3), 0.1))
    moved = neutral.clone()
    moved[8, 1] += 0.2  # the chin, two usual movements down
    phi = net.standardised(moved)
    assert phi.shape == (MOTION,)
    assert phi[8 * 3 + 1] == pytest.approx(2, rel=1e-5)
    assert phi.abs().sum() == pytest.approx(2, rel=1e-4)


def test_a_point_that_never_moves_does_not_divide_by_zero():
    net = StyleNetwork(torch.zeros(68, 3), torch.zeros(68, 3))
    assert net.standardised(torch.full((68, 3), 1e-3)).max() == pytest.approx(1)


def test_mean_features_weigh_the_references():
    features = torch.tensor([[0.0, 2.0], [4.0, 2.0]])
    assert mean_features(features).tolist() == [2.0, 2.0]
    assert mean_features(features, torch.tensor([3.0, 1.0])).tolist() == [1.0, 2.0]


def test_equation_4_is_the_squared_distance_of_means():
    motion = torch.tensor([[[1.0, 0.0], [3.0, 0.0]]])  # mean (2, 0)
    style = torch.tensor([[0.0, 1.0], [0.0, 5.0]])  # mean (0, 3)
    assert constraint_loss(motion, style) == pytest.approx(4 + 9)
    assert constraint_loss(motion, style, torch.tensor([1.0, 0.0])) == pytest.approx(4 + 1)


def test_equation_6_mixes_style_and_motion():
    motion, style = torch.tensor([[0.0, 4.0]]), torch.tensor([[8.0, 0.0]])
    assert joint_motion(motion, style, torch.tensor([[0.25]])).tolist() == [[2.0, 3.0]]
    assert joint_motion(motion, style, torch.tensor([[0.0]])).tolist() == motion.tolist()
    assert joint_motion(motion, style, torch.tensor([[1.0]])).tolist() == style.tolist()


def test_equation_5_is_the_squared_excess_of_the_slope():
    """f(x) = (3 x1, 4 x2): along (1, 0) its slope is 3, along (0.6, 0.8) it is |(1.8, 3.2)|."""

    def f(x):
        return x * torch.tensor([3.0, 4.0])

    joint = torch.zeros(2, 2)
    directions = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    wanted = ((3 - 1) ** 2 + (math.hypot(1.8, 3.2) - 1) ** 2) / 2
    assert gradient_penalty(f, joint, directions) == pytest.approx(wanted)


def test_equation_5_vanishes_for_a_unit_slope_and_shapes_f_alone():
    f = nn.Linear(3, 3, bias=False)
    nn.init.eye_(f.weight)
    motion = torch.zeros(4, 3, requires_grad=True)
    direction = nn.functional.normalize(torch.ones(4, 3), dim=-1)
    assert gradient_penalty(f, motion * 2, direction).item() == pytest.approx(0, abs=1e-10)
    nn.init.constant_(f.weight, 2.0)
    gradient_penalty(f, motion * 2, direction).backward()
    assert f.weight.grad is not None
    assert f.weight.grad.abs().sum() > 0
    assert motion.grad is None


def test_equation_7_is_the_plain_sum():
    assert transfer_loss(torch.tensor(1.0), torch.tensor(2.0), torch.tensor(4.0)) == 7


def test_posture_is_taken_out():
    offsets = torch.zeros(1, 2, 68, 3)
    offsets[0, :, 8, 1] = torch.tensor([1.0, 3.0])
    assert about_mean(offsets)[0, :, 8, 1].tolist() == [-1.0, 1.0]


def opened(curve):
    offsets = torch.zeros(1, len(curve), 68, 3)
    for point in (65, 66, 67):
        offsets[0, :, point, 1] = torch.tensor(curve)
    return offsets


def test_sync_is_lost_by_timing_and_not_by_size():
    """Of (1, 0, -1, 0) and (0, 1, 0, -1) no time agrees; twice as far at the same times does."""
    curve = [1.0, 0.0, -1.0, 0.0]
    assert sync_loss(opened([3.0, 1.0, -1.0, 1.0]), opened(curve)) == pytest.approx(0, abs=1e-6)
    assert sync_loss(opened([0.0, 1.0, 0.0, -1.0]), opened(curve)) == pytest.approx(1)
    assert sync_loss(opened([-1.0, 0.0, 1.0, 0.0]), opened(curve)) == pytest.approx(2)


def alternating(size, frames=240):
    """Return the mouth going up and down by `size` each frame; everything else at rest."""
    offsets = torch.zeros(1, frames, 68, 3)
    signs = torch.ones(frames)
    signs[1::2] = -1
    offsets[0, :, list(REGIONS["mouth"]), 1] = size * signs[:, None]
    return offsets


def test_dynamics_are_spread_and_speed_of_each_region():
    moves = dynamics(alternating(0.1), 30.0)
    mouth = list(REGIONS).index("mouth")
    assert moves.spread.shape == moves.speed.shape == (len(REGIONS), 3)
    assert moves.spread[mouth, 1] == pytest.approx(math.hypot(0.1, STILL))
    assert moves.speed[mouth, 1] == pytest.approx(math.hypot(0.2 * 30, 10 * STILL))
    assert moves.spread[mouth, 0] == pytest.approx(STILL)
    # The whole mouth goes up and down: its lips do not part.
    assert moves.opening.tolist() == pytest.approx([0, STILL, 10 * STILL], abs=1e-6)


def test_the_opening_has_a_mean_a_spread_and_a_speed():
    offsets = torch.zeros(1, 240, 68, 3)
    offsets[0, ::2, (65, 66, 67), 1] = 0.2
    opening = dynamics(offsets, 30.0).opening
    wanted = [0.1, math.hypot(0.1, STILL), math.hypot(0.2 * 30, 10 * STILL)]
    assert opening.tolist() == pytest.approx(wanted)


def test_the_dynamics_loss_is_the_squared_log_ratio():
    wanted = dynamics(alternating(0.1), 30.0)
    assert dynamics_loss(alternating(0.1), wanted, 30.0) == pytest.approx(0, abs=1e-10)
    twice = dynamics_loss(alternating(0.2), wanted, 30.0)
    # One of fifteen region axes is twice as far and twice as fast; the floors hardly matter.
    assert twice == pytest.approx(2 * math.log(2) ** 2 / 15, rel=1e-2)


def test_the_dynamics_loss_weighs_the_opening_like_all_regions():
    style = dynamics(torch.zeros(1, 60, 68, 3), 30.0)
    style = style._replace(opening=torch.tensor([0.1, 0.05, 1.0]))
    still = dynamics_loss(torch.zeros(1, 60, 68, 3), style, 30.0)
    wanted = (0.1 / 0.05) ** 2 + math.log(STILL / 0.05) ** 2 + math.log(10 * STILL / 1.0) ** 2
    assert still == pytest.approx(wanted, rel=1e-4)
