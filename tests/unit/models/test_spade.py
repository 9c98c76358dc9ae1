"""SPADE: a norm that a picture guides."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from stylehead.models.spade import Spade


@pytest.mark.parametrize(("gamma", "beta"), [(0.0, 0.0), (0.5, 0.0), (0.0, 2.0), (-1.0, 3.0)])
@torch.inference_mode()
def test_a_guided_norm_scales_by_one_more_than_gamma_and_adds_beta(gamma, beta):
    torch.manual_seed(0)
    norm, picture = Spade(2, 3), 5 + 2 * torch.randn(1, 2, 8, 8)
    for layer, value in ((norm.mlp_gamma, gamma), (norm.mlp_beta, beta)):
        layer.weight.zero_()
        assert layer.bias is not None
        layer.bias.fill_(value)
    found = norm(picture, torch.randn(1, 3, 4, 4))
    torch.testing.assert_close(found, (1 + gamma) * F.instance_norm(picture) + beta)
