"""Eq. 8 and 9 of the paper on the warping network itself, its learned parts replaced by a script.

The published numbers that would show a fault here take a minute to compute.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylehead.models.spade import Spade
from stylehead.models.warping import COMPRESSED, VOLUME, DenseMotionNetwork, unit_grid

SIZE = torch.Size((2, 9, 9))
PLACES = torch.linspace(-1, 1, 9)  # 0.25 apart


class Says(nn.Module):
    """Answers with one tensor, and keeps what it was asked."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, asked: Tensor) -> Tensor:
        self.asked = asked
        return self.answer.expand(len(asked), *self.answer.shape[1:])


def network(logits: Tensor) -> DenseMotionNetwork:
    """Return a network of K keypoints that answers with mask logits (1, K + 1, D, H, W)."""
    with torch.device("meta"):  # forty million weights that nobody needs
        net = DenseMotionNetwork(logits.shape[1] - 1)
    net.compress, net.norm = nn.Conv3d(VOLUME, COMPRESSED, 1), nn.Identity()
    net.hourglass = Says(torch.zeros(1, 1, *SIZE))
    net.mask = Says(logits)
    net.occlusion = Says(torch.zeros(1, 1, *SIZE[1:]))
    return net.eval()


def only(keypoint: int, keypoints: int) -> Tensor:
    """Return logits that leave everything to one keypoint; 0 is the background."""
    logits = torch.full((1, keypoints + 1, *SIZE), -100.0)
    logits[:, keypoint] = 100.0
    return logits


def points(*rows: tuple[float, float, float]) -> Tensor:
    return torch.tensor([rows])


SOURCE, DRIVING = points((0.5, -0.25, 0.0)), points((-0.25, 0.5, 0.0))


@torch.inference_mode()
def test_equation_8_looks_for_a_driving_keypoint_where_the_source_has_it():
    """w_k(p) = p - Cbar_k + C_k: what is shown at Cbar_k comes from C_k, and not the reverse."""
    moved = network(only(1, 1))(torch.zeros(1, VOLUME, *SIZE), SOURCE, DRIVING)
    column, row = (PLACES.tolist().index(float(DRIVING[0, 0, axis])) for axis in (0, 1))
    torch.testing.assert_close(moved.deformation[0, 0, row, column, :2], SOURCE[0, 0, :2])


@torch.inference_mode()
def test_a_mark_at_the_source_keypoint_is_seen_at_the_driving_one():
    mark = torch.zeros(1, VOLUME, *SIZE)
    source, driving = points((0.5, 0.0, 0.0)), points((-0.5, 0.0, 0.0))
    mark[..., 4, 6] = 1  # x = 0.5, y = 0
    moved = network(only(1, 1))(mark, source, driving)
    seen = F.grid_sample(mark, moved.deformation, align_corners=False)[0, 0].sum(0)
    row, column = divmod(int(seen.argmax()), 9)
    assert (row, column) == (4, 2)


@torch.inference_mode()
def test_the_background_stays_where_it_is():
    moved = network(only(0, 1))(torch.zeros(1, VOLUME, *SIZE), SOURCE, DRIVING)
    torch.testing.assert_close(moved.deformation[0], unit_grid(SIZE, SOURCE))


@torch.inference_mode()
def test_equation_9_shares_out_each_place_among_keypoints_and_background():
    torch.manual_seed(0)
    logits = 3 * torch.randn(1, 4, *SIZE)
    source = torch.rand(1, 3, 3) - 0.5
    driving = torch.rand(1, 3, 3) - 0.5
    moved = network(logits)(torch.zeros(1, VOLUME, *SIZE), source, driving)
    torch.testing.assert_close(moved.mask.sum(1), torch.ones(1, *SIZE))
    weights = logits.exp()
    torch.testing.assert_close(moved.mask, weights / weights.sum(1, keepdim=True))


@torch.inference_mode()
def test_equation_9_blends_the_motions_by_their_shares():
    """A quarter the background's and three quarters the keypoint's: three quarters of the way."""
    logits = torch.zeros(1, 2, *SIZE)
    logits[:, 1] = torch.tensor(3.0).log()
    moved = network(logits)(torch.zeros(1, VOLUME, *SIZE), SOURCE, DRIVING)
    way = moved.deformation[0] - unit_grid(SIZE, SOURCE)
    torch.testing.assert_close(way, (0.75 * (SOURCE - DRIVING)).expand_as(way))


@torch.inference_mode()
def test_each_motion_is_told_by_its_heat_and_its_own_warped_features():
    """Five channels a motion: first the heat, where it goes less where it comes from."""
    net = network(only(0, 1))
    net(torch.rand(1, VOLUME, *SIZE), SOURCE, DRIVING)
    told = net.hourglass.asked.unflatten(1, (2, 1 + COMPRESSED))[0]
    assert (told[0, 0] == 0).all()  # the background has no place of its own
    heat = told[1, 0].sum(0)
    assert divmod(int(heat.argmax()), 9) == (6, 3)  # y = 0.5, x = -0.25
    assert divmod(int(heat.argmin()), 9) == (3, 6)
    assert not torch.equal(told[0, 1:], told[1, 1:])


@pytest.mark.parametrize(("gamma", "beta"), [(0.0, 0.0), (0.5, 0.0), (0.0, 2.0), (-1.0, 3.0)])
@torch.inference_mode()
def test_a_guided_norm_scales_by_one_more_than_gamma_and_adds_beta(gamma, beta):
    torch.manual_seed(0)
    norm, picture = Spade(2, 3), 5 + 2 * torch.randn(1, 2, 8, 8)
    for layer, value in ((norm.mlp_gamma, gamma), (norm.mlp_beta, beta)):
        layer.weight.zero_()
        layer.bias.fill_(value)
    found = norm(picture, torch.randn(1, 3, 4, 4))
    torch.testing.assert_close(found, (1 + gamma) * F.instance_norm(picture) + beta)
