import pytest
import torch

from stylehead.training.mouth_losses import (
    best_patterns,
    discriminator_loss,
    feature_matching_loss,
    generator_adversarial_loss,
    gradient_loss,
    perceptual_loss,
    photometric_loss,
    style_photometric_loss,
)


def flat(value, size=8):
    return torch.full((1, 3, size, size), value)


def mask(size=8):
    weights = torch.zeros(1, 1, size, size)
    weights[..., : size // 2] = 5
    return weights


def test_l1_counts_only_where_there_is_weight():
    made = flat(0.5)
    made[..., 4:] = 0.9  # no weight there
    assert photometric_loss(made, flat(0.2), mask()).item() == pytest.approx(0.3)


def test_l1_does_not_depend_on_how_large_the_region_is():
    small, large = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    small[..., 0, 0] = 3
    found = [photometric_loss(flat(0.7), flat(0.2), one).item() for one in (small, large)]
    assert found == pytest.approx([0.5, 0.5])


def test_the_gradient_loss_ignores_a_change_of_brightness():
    picture = torch.rand(1, 3, 16, 16)
    ones = torch.ones(1, 1, 16, 16)
    assert gradient_loss(picture + 0.2, picture, ones).item() == pytest.approx(0, abs=1e-6)
    assert gradient_loss(flat(0.5, 16), picture, ones).item() > 0.1


def test_the_gradient_loss_of_a_step_by_hand():
    step = flat(0.0)
    step[..., 4:] = 1.0  # one column of 7 differences at 8, one of 3 at 4, one of 1 at 2 pixels
    found = gradient_loss(step, flat(0.0), torch.ones(1, 1, 8, 8)).item()
    assert found == pytest.approx((1 / 7 + 1 / 3 + 1) / 6)


def test_style_photometric_loss_by_hand():
    # Two frames: one that no pattern fits, one a quarter of full scale off its pattern.
    made = torch.cat([flat(0.5), flat(0.5)])
    matched = torch.cat([flat(0.0), flat(0.25)])
    weights = torch.cat([mask(), mask()])
    found = style_photometric_loss(made, matched, weights, torch.tensor([0.0, 1.0]))
    assert found.item() == pytest.approx(0.25)


def test_without_any_match_the_style_loss_is_zero():
    nothing = style_photometric_loss(flat(0.5), flat(0.0), mask(), torch.zeros(1))
    assert nothing.item() == 0


def test_the_nearest_pattern_wins_and_a_far_one_does_not_fit():
    points = torch.zeros(2, 88, 2)
    points[1] += 40
    patterns = torch.stack([torch.full((88, 2), value) for value in (1.0, 0.5, 9.0, 20.0)])
    index, fits = best_patterns(points, patterns.expand(2, -1, -1, -1), 128)
    assert index.tolist() == [1, 3]
    assert fits.tolist() == [1.0, 0.0]


def layers(*logits, inner=0.0):
    return [[torch.full((1, 2, 4, 4), inner), torch.full((1, 1, 3, 3), one)] for one in logits]


def test_lsgan_by_hand():
    assert generator_adversarial_loss(layers(1.0, 0.0)).item() == pytest.approx(0.5)
    assert discriminator_loss(layers(1.0), layers(0.0)).item() == 0
    assert discriminator_loss(layers(0.5), layers(0.5)).item() == pytest.approx(0.25)


def test_feature_matching_leaves_logits_and_real_maps_alone():
    real, fake = layers(5.0, inner=1.0), layers(0.0, inner=0.25)
    real[0][0].requires_grad_()
    fake[0][0].requires_grad_()
    found = feature_matching_loss(real, fake)
    assert found.item() == pytest.approx(4 * 0.75 / 2)
    found.backward()
    assert real[0][0].grad is None
    assert fake[0][0].grad is not None


def test_the_perceptual_loss_compares_features():
    def features(picture):
        return [picture.mean((2, 3)), 2 * picture]

    assert perceptual_loss(flat(0.5), flat(0.25), features).item() == pytest.approx(0.375)
