from __future__ import annotations

import math

import pytest
import torch

from stylehead.models.reference.vid2vid_losses import (
    Deformation,
    deformation_prior_loss,
    equivariance_loss,
    head_pose_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
    keypoint_prior_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    matching_loss,
    perceptual_loss,
)

STILL = Deformation(torch.eye(2, 3)[None], torch.zeros(1, 25))


def test_perceptual_loss_adds_maps_and_sizes():
    """One level of grey apart everywhere: each size and map differs by 0.1 over the spread."""
    seen = []

    def features(picture):
        seen.append(tuple(picture.shape[2:]))
        return [picture[:, :1], 2 * picture[:, :1]]

    made, real = torch.full((1, 3, 64, 64), 0.6), torch.full((1, 3, 64, 64), 0.5)
    inside = perceptual_loss(lambda p: features(p[..., 1:-1, 1:-1]), made, made)
    assert inside == 0
    assert seen[::2] == [(62, 62), (30, 30), (14, 14), (6, 6)]
    loss = perceptual_loss(lambda p: [m[..., 3:-3, 3:-3] for m in features(p)], made, real)
    assert float(loss) == pytest.approx(4 * 3 * 0.1 / 0.229, rel=1e-4)


def test_perceptual_loss_teaches_the_made_picture_alone():
    made, real = (torch.rand(1, 3, 16, 16).requires_grad_() for _ in range(2))
    perceptual_loss(lambda p: [p], made, real).backward()
    assert made.grad is not None
    assert real.grad is None


def test_matching_loss_leaves_logits_out():
    made = [torch.full((2, 3), 1.0), torch.full((4,), 5.0), torch.full((1,), 100.0)]
    real = [torch.full((2, 3), 0.5), torch.full((4,), 3.0), torch.zeros(1)]
    assert float(matching_loss(made, real)) == 2.5


def test_hinge_terms():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-2.0, 1.0])
    assert float(hinge_discriminator_loss(real, fake)) == 0.25 + 1.0
    assert float(hinge_generator_loss(fake)) == 0.5


def test_least_squares_terms():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])
    assert float(least_squares_discriminator_loss(real, fake)) == 2.0 + 2.0
    assert float(least_squares_generator_loss(fake)) == 1.0


def test_points_move_by_the_affine_map_and_the_plate():
    affine = torch.tensor([[[2.0, 0.0, 0.1], [0.0, 1.0, -0.2]]])
    plate = torch.zeros(1, 25)
    plate[0, 12] = 0.5  # the control point in the middle
    point = torch.tensor([[[0.3, -0.4]]])
    r = 0.7  # |0.3| + |-0.4|
    push = 0.5 * r * r * math.log(r + 1e-6)
    found = Deformation(affine, plate).points(point)
    torch.testing.assert_close(found, torch.tensor([[[0.7 + push, -0.6 + push]]]))


def test_a_deformation_of_nothing_leaves_the_middle_of_a_picture():
    ramp = torch.linspace(0, 1, 32).expand(1, 3, 32, 32)
    bent = STILL.bend(ramp)
    # Corner-aligned places sampled as if they were edges: a slight zoom about the middle.
    zoomed = (ramp - 0.5) * 32 / 31 + 0.5
    torch.testing.assert_close(bent[..., 1:-1], zoomed[..., 1:-1], atol=1e-4, rtol=0)


def test_random_deformations_repeat_and_stay_near_nothing():
    one, other = (Deformation.random(500, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.affine, other.affine)
    assert torch.equal(one.plate, other.plate)
    assert float((one.affine - torch.eye(2, 3)).std()) == pytest.approx(0.05, rel=0.05)
    assert float(one.plate.std()) == pytest.approx(0.005, rel=0.05)


def test_equivariance_compares_in_the_picture_plane():
    shifted = Deformation(torch.tensor([[[1.0, 0.0, 0.25], [0.0, 1.0, 0.0]]]), torch.zeros(1, 25))
    bent = torch.tensor([[[0.1, 0.2, 0.9]]])
    assert float(equivariance_loss(torch.tensor([[[0.35, 0.2, 0.0]]]), bent, shifted)) < 1e-6
    off = equivariance_loss(torch.tensor([[[0.45, 0.2, 0.0]]]), bent, shifted)
    assert float(off) == pytest.approx(0.05, abs=1e-6)  # 0.1 in x, none in y


def test_keypoint_prior_counts_ordered_pairs_and_depth():
    far = torch.tensor([[[0.0, 0.0, 0.33], [1.0, 0.0, 0.33]]])
    assert float(keypoint_prior_loss(far)) == pytest.approx(0.2)  # each with itself
    near = torch.tensor([[[0.0, 0.0, 0.53], [0.2, 0.0, 0.53]]])
    # Twice 0.1 - 0.04 for the pair, and 0.2 too deep.
    assert float(keypoint_prior_loss(near)) == pytest.approx(0.2 + 0.12 + 0.2)


def test_head_pose_loss_adds_the_angles():
    have = [torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.0]), torch.tensor([5.0, 5.0])]
    want = [torch.tensor([0.0, 4.0]), torch.tensor([0.0, 0.0]), torch.tensor([4.0, 4.0])]
    assert float(head_pose_loss(have, want)) == 1.5 + 0.0 + 1.0


def test_deformation_prior_sums_over_the_keypoints():
    expression = torch.tensor([[[0.1, -0.2, 0.0]], [[0.0, 0.0, 0.5]]])
    assert float(deformation_prior_loss(expression)) == pytest.approx(0.4)
