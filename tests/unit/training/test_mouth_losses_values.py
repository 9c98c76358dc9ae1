"""More of the picture's losses by hand: little weight, borders, points that do not count."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylehead.training.mouth_losses import (
    best_patterns,
    discriminator_loss,
    feature_matching_loss,
    generator_adversarial_loss,
    gradient_loss,
    mouth_only,
    perceptual_loss,
    photometric_loss,
)


def flat(value: float, size: int = 8) -> Tensor:
    return torch.full((1, 3, size, size), value)


def maps(*values: float) -> list[list[Tensor]]:
    """Return one scale's maps, flat; the last value is that of the logits."""
    return [[torch.full((1, 2, 4, 4), value) for value in values]]


# ---- weights --------------------------------------------------------------------------------


def test_a_little_weight_is_divided_by_like_a_large_one() -> None:
    little = torch.full((1, 1, 8, 8), 1e-4)
    assert photometric_loss(flat(0.7), flat(0.2), little).item() == pytest.approx(0.5)
    step = flat(0.0)
    step[..., 4:] = 1.0
    heavy = gradient_loss(step, flat(0.0), torch.ones(1, 1, 8, 8)).item()
    assert gradient_loss(step, flat(0.0), little).item() == pytest.approx(heavy)


def test_a_difference_of_neighbours_has_the_weight_of_the_first_one() -> None:
    """An edge between columns 3 and 4, and weight up to column 3."""
    step, weights = flat(0.0), torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 1.0
    weights[..., :4] = 1.0
    found = gradient_loss(step, flat(0.0), weights).item()
    assert found == pytest.approx((1 / 4 + 1 / 2 + 1) / 6)


def test_the_mouth_is_where_w_is_five() -> None:
    weights = torch.tensor([[[[0.0, 1.0], [3.0, 5.0]]]])
    assert mouth_only(weights).tolist() == [[[[0.0, 0.0], [0.0, 1.0]]]]


# ---- patterns -------------------------------------------------------------------------------


def test_the_lips_alone_decide_all_twenty_of_them() -> None:
    """Pattern 0 has other lips by a pixel; pattern 1 the same ones in quite another face."""
    points = torch.zeros(1, 88, 2)
    patterns = torch.zeros(1, 2, 88, 2)
    patterns[0, 0, 48:68] = 1.0
    patterns[0, 1, :48] = patterns[0, 1, 68:] = 50.0
    index, fits = best_patterns(points, patterns, 128)
    assert (index.tolist(), fits.tolist()) == ([1], [1.0])


@pytest.mark.parametrize("point", [48, 67])
def test_the_first_and_the_last_point_of_the_lips_count(point: int) -> None:
    patterns = torch.zeros(1, 2, 88, 2)
    patterns[0, 0, point] = 1.0
    assert best_patterns(torch.zeros(1, 88, 2), patterns, 128)[0].tolist() == [1]


def test_distances_are_of_points_and_not_of_coordinates() -> None:
    """All points off by 3 pixels, or half of them by 5: the mean distance is 3 or 2.5."""
    patterns = torch.zeros(1, 2, 88, 2)
    patterns[0, 0, 48:68, 0] = 3.0
    patterns[0, 1, 48:58] = torch.tensor([3.0, 4.0])
    assert best_patterns(torch.zeros(1, 88, 2), patterns, 128)[0].tolist() == [1]


def test_lips_at_three_hundredths_of_the_patch_no_longer_fit() -> None:
    patterns = torch.zeros(2, 1, 88, 2)
    patterns[0, ..., 0], patterns[1, ..., 0] = 3.0, 2.9
    assert best_patterns(torch.zeros(2, 88, 2), patterns, 100)[1].tolist() == [0.0, 1.0]


# ---- discriminators -------------------------------------------------------------------------


def test_the_logits_are_the_last_map() -> None:
    assert generator_adversarial_loss(maps(9.0, 8.0, 0.5)).item() == pytest.approx(0.25)
    found = discriminator_loss(maps(9.0, 8.0, 0.5), maps(7.0, 6.0, 2.0)).item()
    assert found == pytest.approx((0.25 + 4) / 2)


def test_all_inner_maps_are_matched() -> None:
    """Off by 1 and by 3; four over the number of maps each."""
    found = feature_matching_loss(maps(1.0, 3.0, 9.0), maps(0.0, 0.0, 0.0)).item()
    assert found == pytest.approx(4 * (1 + 3) / 3)


def test_unlike_numbers_of_scales_or_maps_are_an_error() -> None:
    two, one = maps(1.0, 2.0) * 2, maps(1.0, 2.0)
    for loss in (discriminator_loss, feature_matching_loss):
        with pytest.raises(ValueError, match="zip"):
            loss(two, one)
    with pytest.raises(ValueError, match="zip"):
        feature_matching_loss(maps(1.0, 2.0, 3.0), one)


def test_unlike_numbers_of_features_are_an_error() -> None:
    def features(picture: Tensor) -> list[Tensor]:
        return [picture] * round(picture.max().item())

    with pytest.raises(ValueError, match="zip"):
        perceptual_loss(flat(1.0), flat(2.0), features)
