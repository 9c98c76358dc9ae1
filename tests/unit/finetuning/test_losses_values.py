"""More of the losses by hand: signs, means of several windows, faces that rest away from zero."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stylehead.face.landmarks import REGIONS
from stylehead.finetuning.losses import (
    STILL,
    about_mean,
    constraint_loss,
    dynamics,
    dynamics_loss,
    sync_loss,
)


def opened(*curves: tuple[float, ...]) -> Tensor:
    """Return windows (B, T, 68, 3) in which the lower lip goes down by a curve each."""
    offsets = torch.zeros(len(curves), len(curves[0]), 68, 3)
    for point in (65, 66, 67):
        offsets[:, :, point, 1] = torch.tensor(curves)
    return offsets


def test_equation_4_vanishes_where_the_means_agree() -> None:
    motion = torch.tensor([[[1.0, 2.0], [3.0, 2.0]]])
    assert constraint_loss(motion, torch.tensor([[2.0, 2.0]])) == 0
    assert constraint_loss(motion, torch.tensor([[1.0, 4.0]])) == pytest.approx(1 + 4)


def test_what_rests_is_taken_over_all_windows() -> None:
    offsets = torch.zeros(2, 3, 68, 3)
    offsets[0, :, 8, 1], offsets[1, :, 8, 1] = 1.0, 3.0
    found = about_mean(offsets)
    assert found[..., 8, 1].tolist() == [[-1.0] * 3, [1.0] * 3]
    assert found.abs().sum() == 6


def test_each_window_is_in_sync_or_not_by_itself() -> None:
    """The first window agrees, the second is the other way round; they are open unlike wide."""
    taught = opened((0.0, 1.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0))
    result = opened((5.0, 6.0, 5.0, 6.0), (2.0, 0.0, 2.0, 0.0))
    assert sync_loss(result, taught) == pytest.approx(1 - (1 - 1) / 2)
    assert sync_loss(result[:1], taught[:1]) == pytest.approx(0, abs=1e-6)
    assert sync_loss(result[1:], taught[1:]) == pytest.approx(2)


def test_points_that_rest_at_places_of_their_own_do_not_move() -> None:
    offsets = torch.linspace(-1, 1, 204).reshape(68, 3).expand(2, 30, 68, 3)
    found = dynamics(offsets, 30.0)
    still = torch.full((len(REGIONS), 3), STILL)
    torch.testing.assert_close(found.spread, still, rtol=1e-3, atol=0)
    torch.testing.assert_close(found.speed, 10 * still, rtol=1e-3, atol=0)


def test_a_mouth_that_is_as_open_on_average_costs_nothing_for_it() -> None:
    offsets = opened((0.1, 0.3) * 30)
    style = dynamics(offsets, 30.0)
    assert style.opening[0] == pytest.approx(0.2)
    assert dynamics_loss(offsets, style, 30.0) == pytest.approx(0, abs=1e-8)
    wider = style._replace(opening=style.opening + torch.tensor([0.05, 0.0, 0.0]))
    wanted = (0.05 / math.hypot(0.1, STILL)) ** 2
    assert dynamics_loss(offsets, wider, 30.0) == pytest.approx(wanted, rel=1e-4)
