"""The warping network with scripts in place of what was learned, and Eq. 8 and 9 on it.

The published numbers that would show a fault here take a minute to compute.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylehead.models.warping import (
    COMPRESSED,
    DECODED,
    DEPTH,
    HOURGLASS,
    VARIANCE,
    VOLUME,
    AppearanceEncoder,
    DenseMotion,
    DenseMotionNetwork,
    Hourglass,
    VolumeWarper,
    gaussians,
    unit_grid,
)

SIZE = torch.Size((2, 3, 5))


class Adds(nn.Module):
    """Adds a number, and keeps what it was asked."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, x: Tensor) -> Tensor:
        self.asked = x
        return x + self.number


class Says(nn.Module):
    """Answers with one thing whatever it is asked, and keeps that."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *asked: Tensor) -> object:
        self.asked = asked
        return self.answer


# ---- places ---------------------------------------------------------------------------------


def test_the_grid_has_minus_one_and_one_on_the_outermost_cells() -> None:
    grid = unit_grid(SIZE, torch.zeros(1, dtype=torch.float64))
    assert grid.shape == (2, 3, 5, 3)
    assert grid.dtype == torch.float64
    assert grid[0, 0, 0].tolist() == [-1, -1, -1]
    assert grid[1, 2, 4].tolist() == [1, 1, 1]
    assert grid[0, 2, 1].tolist() == [-0.5, 1, -1]  # x, y, z


def test_the_grid_lies_where_the_picture_does() -> None:
    assert unit_grid(SIZE, torch.zeros(1, device="meta")).device.type == "meta"


def test_a_bump_is_one_at_its_keypoint_and_falls_as_a_gaussian() -> None:
    grid = torch.tensor([0.5, -0.25, 0.0]) + torch.tensor([[[[0.0, 0, 0], [0.1, 0.2, 0.0]]]])
    found = gaussians(torch.tensor([[[0.5, -0.25, 0.0], [0.5, -0.25, 0.1]]]), grid)
    assert found.shape == (1, 2, 1, 1, 2)
    near = [1, math.exp(-0.5 * 0.05 / VARIANCE)]
    assert found[0, 0, 0, 0].tolist() == pytest.approx(near, rel=1e-4)
    far = [math.exp(-0.5 * 0.01 / VARIANCE), math.exp(-0.5 * 0.06 / VARIANCE)]
    assert found[0, 1, 0, 0].tolist() == pytest.approx(far, rel=1e-4)


# ---- the hourglass --------------------------------------------------------------------------


def test_the_hourglass_goes_down_and_up_and_keeps_what_it_passed() -> None:
    """Each level down adds one, each level up ten; the level's own map is put behind."""
    with torch.device("meta"):
        net = Hourglass(1)
    levels = len(HOURGLASS)
    net.encoder.down_blocks = nn.ModuleList(Adds(1.0) for _ in range(levels))
    net.decoder.up_blocks = nn.ModuleList(Adds(10.0) for _ in range(levels))
    net.decoder.conv, net.decoder.norm = Adds(0.5), Adds(-0.25)
    found = net(torch.full((1, 1, 1, 1, 1), -42.0)).flatten().tolist()
    wanted = [-42 + levels + 10.0 * levels]
    wanted += [-42 + level + 10.0 * level for level in reversed(range(levels))]
    assert found == [max(0, value + 0.25) for value in wanted]


def weights_of(part: nn.Module) -> list[tuple[int, int]]:
    """Return the channels that a part's blocks give and take, in order."""
    shapes = [value.shape for value in part.parameters() if value.ndim == 5]
    return [(shape[0], shape[1]) for shape in shapes]


def test_the_hourglass_has_the_published_sizes() -> None:
    with torch.device("meta"):
        net = Hourglass(110)
        found = net(torch.zeros(1, 110, DEPTH, 64, 64))
    assert net.channels == 142
    assert found.shape == (1, 142, DEPTH, 64, 64)
    blocks = ("encoder.down_blocks", "decoder.up_blocks")
    down, up = (weights_of(net.get_submodule(name)) for name in blocks)
    assert down == [(64, 110), (128, 64), (256, 128), (512, 256), (1024, 512)]
    assert up == [(512, 1024), (256, 1024), (128, 512), (64, 256), (32, 128)]


# ---- dense motion ---------------------------------------------------------------------------


@torch.inference_mode()
def test_dense_motion_has_the_published_sizes() -> None:
    with torch.device("meta"):
        net = DenseMotionNetwork(21)
        volume, points = torch.zeros(2, VOLUME, DEPTH, 64, 64), torch.zeros(2, 21, 3)
        found = net(volume, points, points)
    assert net.hourglass.channels == 22 * (COMPRESSED + 1) + 32
    assert found.mask.shape == (2, 22, DEPTH, 64, 64)
    assert found.deformation.shape == (2, DEPTH, 64, 64, 3)
    assert found.occlusion.shape == (2, 1, 64, 64)


def put_in(net: nn.Module, **parts: nn.Module) -> None:
    """Put stand-ins in place of a network's parts."""
    for name, part in parts.items():
        net.add_module(name, part)


class Scripted(NamedTuple):
    """A network of one keypoint, and the stand-ins that keep what they were asked."""

    net: DenseMotionNetwork
    hourglass: Says
    mask: Says
    occlusion: Says


def scripted(answer: Tensor) -> Scripted:
    """Return a network whose hourglass gives one answer, (B, C, D, H, W)."""
    with torch.device("meta"):
        net = DenseMotionNetwork(1)
    hourglass, mask = Says(answer), Says(torch.zeros(2, 2, *SIZE))
    occlusion = Says(torch.full((2, 1, 3, 5), math.log(3.0)))
    put_in(net, compress=Adds(0.0), norm=nn.Identity())
    put_in(net, hourglass=hourglass, mask=mask, occlusion=occlusion)
    return Scripted(net, hourglass, mask, occlusion)


@torch.inference_mode()
def test_features_go_to_the_hourglass_warped_by_each_motion_and_above_zero() -> None:
    """One feature that grows with x: the keypoint's motion reads it half a width to the right."""
    script = scripted(torch.zeros(2, 7, *SIZE))
    volume = torch.tensor([-4.0, 1, 2, 3, 4]).expand(2, 1, *SIZE).clone()
    volume[1] *= 10
    source, driving = torch.zeros(2, 1, 3), torch.zeros(2, 1, 3)
    source[..., 0] = 0.5
    script.net(volume, source, driving)
    (asked,) = script.hourglass.asked
    assert asked.shape == (2, 4, *SIZE)  # background: heat, feature; keypoint: heat, feature
    assert (asked[:, 0] == 0).all()
    # Cell 2 of 5 is the middle; half a unit is 1.25 cells, for the grid samples cells' edges. For
    # the same reason the first depth is read half outside the volume.
    still, moved = asked[0, 1, 0, 1], asked[0, 3, 0, 1]
    assert still[2] == pytest.approx(2.0 / 2)
    assert moved[2] == pytest.approx(3.25 / 2)
    assert still[0] == 0  # rectified before it is read
    torch.testing.assert_close(asked[1, 1::2], 10 * asked[0, 1::2])


@torch.inference_mode()
def test_occlusion_is_a_probability_from_all_depths() -> None:
    answer = torch.arange(2 * 7 * 30, dtype=torch.float32).reshape(2, 7, *SIZE)
    script = scripted(answer)
    found = script.net(torch.zeros(2, 1, *SIZE), torch.zeros(2, 1, 3), torch.zeros(2, 1, 3))
    torch.testing.assert_close(found.occlusion, torch.full((2, 1, 3, 5), 0.75))
    torch.testing.assert_close(script.occlusion.asked[0], answer.reshape(2, 14, 3, 5))
    torch.testing.assert_close(script.mask.asked[0], answer)


# ---- Eq. 8 and 9 ----------------------------------------------------------------------------

CUBE = torch.Size((2, 9, 9))
PLACES = torch.linspace(-1, 1, 9)  # 0.25 apart


def network(logits: Tensor) -> DenseMotionNetwork:
    """Return a network of K keypoints that answers with mask logits (1, K + 1, D, H, W)."""
    with torch.device("meta"):  # forty million weights that nobody needs
        net = DenseMotionNetwork(logits.shape[1] - 1)
    net.compress = nn.Conv3d(VOLUME, COMPRESSED, 1)
    put_in(net, norm=nn.Identity(), hourglass=Says(torch.zeros(1, 1, *CUBE)), mask=Says(logits))
    put_in(net, occlusion=Says(torch.zeros(1, 1, *CUBE[1:])))
    return net.eval()


def only(keypoint: int, keypoints: int) -> Tensor:
    """Return logits that leave everything to one keypoint; 0 is the background."""
    logits = torch.full((1, keypoints + 1, *CUBE), -100.0)
    logits[:, keypoint] = 100.0
    return logits


def points(*rows: tuple[float, float, float]) -> Tensor:
    return torch.tensor([rows])


SOURCE, DRIVING = points((0.5, -0.25, 0.0)), points((-0.25, 0.5, 0.0))


@torch.inference_mode()
def test_equation_8_looks_for_a_driving_keypoint_where_the_source_has_it():
    """w_k(p) = p - Cbar_k + C_k: what is shown at Cbar_k comes from C_k, and not the reverse."""
    moved = network(only(1, 1))(torch.zeros(1, VOLUME, *CUBE), SOURCE, DRIVING)
    column, row = (PLACES.tolist().index(float(DRIVING[0, 0, axis])) for axis in (0, 1))
    torch.testing.assert_close(moved.deformation[0, 0, row, column, :2], SOURCE[0, 0, :2])


@torch.inference_mode()
def test_a_mark_at_the_source_keypoint_is_seen_at_the_driving_one():
    mark = torch.zeros(1, VOLUME, *CUBE)
    source, driving = points((0.5, 0.0, 0.0)), points((-0.5, 0.0, 0.0))
    mark[..., 4, 6] = 1  # x = 0.5, y = 0
    moved = network(only(1, 1))(mark, source, driving)
    seen = F.grid_sample(mark, moved.deformation, align_corners=False)[0, 0].sum(0)
    row, column = divmod(int(seen.argmax()), 9)
    assert (row, column) == (4, 2)


@torch.inference_mode()
def test_the_background_stays_where_it_is():
    moved = network(only(0, 1))(torch.zeros(1, VOLUME, *CUBE), SOURCE, DRIVING)
    torch.testing.assert_close(moved.deformation[0], unit_grid(CUBE, SOURCE))


@torch.inference_mode()
def test_equation_9_shares_out_each_place_among_keypoints_and_background():
    torch.manual_seed(0)
    logits = 3 * torch.randn(1, 4, *CUBE)
    source = torch.rand(1, 3, 3) - 0.5
    driving = torch.rand(1, 3, 3) - 0.5
    moved = network(logits)(torch.zeros(1, VOLUME, *CUBE), source, driving)
    torch.testing.assert_close(moved.mask.sum(1), torch.ones(1, *CUBE))
    weights = logits.exp()
    torch.testing.assert_close(moved.mask, weights / weights.sum(1, keepdim=True))


@torch.inference_mode()
def test_equation_9_blends_the_motions_by_their_shares():
    """A quarter the background's and three quarters the keypoint's: three quarters of the way."""
    logits = torch.zeros(1, 2, *CUBE)
    logits[:, 1] = torch.tensor(3.0).log()
    moved = network(logits)(torch.zeros(1, VOLUME, *CUBE), SOURCE, DRIVING)
    way = moved.deformation[0] - unit_grid(CUBE, SOURCE)
    torch.testing.assert_close(way, (0.75 * (SOURCE - DRIVING)).expand_as(way))


@torch.inference_mode()
def test_each_motion_is_told_by_its_heat_and_its_own_warped_features():
    """Five channels a motion: first the heat, where it goes less where it comes from."""
    net = network(only(0, 1))
    hourglass = Says(torch.zeros(1, 1, *CUBE))
    put_in(net, hourglass=hourglass)
    net(torch.rand(1, VOLUME, *CUBE), SOURCE, DRIVING)
    (asked,) = hourglass.asked
    told = asked.unflatten(1, (2, 1 + COMPRESSED))[0]
    assert (told[0, 0] == 0).all()  # the background has no place of its own
    heat = told[1, 0].sum(0)
    assert divmod(int(heat.argmax()), 9) == (6, 3)  # y = 0.5, x = -0.25
    assert divmod(int(heat.argmin()), 9) == (3, 6)
    assert not torch.equal(told[0, 1:], told[1, 1:])


# ---- around it ------------------------------------------------------------------------------


@torch.inference_mode()
def test_the_encoder_folds_channels_into_depth() -> None:
    with torch.device("meta"):
        net = AppearanceEncoder()
        assert net.encode(torch.zeros(2, 3, 256, 256)).shape == (2, VOLUME, DEPTH, 64, 64)
    assert len(net.resblocks_3d) == 6
    put_in(net, first=Adds(1.0), resblocks_3d=Adds(100.0), second=nn.Flatten(2))
    net.down_blocks = nn.ModuleList([Adds(2.0), Adds(3.0)])
    picture = torch.arange(VOLUME * DEPTH, dtype=torch.float32)[None, :, None]
    found = net.encode(picture)
    assert found.shape == (1, VOLUME, DEPTH, 1)
    assert found.flatten().tolist() == [value + 106 for value in range(VOLUME * DEPTH)]


@torch.inference_mode()
def test_what_the_source_hides_is_faded() -> None:
    with torch.device("meta"):
        net = VolumeWarper(keypoints=21)
    assert net.third.slope == 0.01
    assert net.third.conv.weight.shape == (DECODED, VOLUME * DEPTH, 3, 3)
    assert net.fourth.weight.shape == (DECODED, DECODED, 1, 1)
    volume = torch.arange(30, dtype=torch.float32).reshape(1, 1, *SIZE)
    place = torch.tensor([0.4, 0.0, 0.0]).expand(1, *SIZE, 3)  # between 8 and 23: 15.5
    occlusion = torch.linspace(0, 1, 15).reshape(1, 1, 3, 5)
    motion = DenseMotion(torch.zeros(1, 22, *SIZE), place, occlusion)
    dense = Says(motion)
    put_in(net, dense_motion_network=dense, third=Adds(1.0), fourth=Adds(0.5))
    source, driving = torch.zeros(1, 21, 3), torch.ones(1, 21, 3)
    found, told = net.warp(volume, source, driving)
    assert told is motion
    asked = dense.asked
    assert all(one is other for one, other in zip(asked, (volume, source, driving), strict=True))
    torch.testing.assert_close(found, (17.0 * occlusion).expand(1, 2, 3, 5))
