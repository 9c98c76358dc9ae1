"""Half precision, tried on the CPU, where it is bfloat16: eight times coarser than a GPU's."""

from __future__ import annotations

import copy

import pytest
import torch

from stylehead.models.layers import fold_spectral_norms, single
from stylehead.models.spade import SpadeBlock, SpadeDecoder
from stylehead.models.warping import DenseMotionNetwork
from tests.golden.parity_cases import case, fill, noise

RULE = {"gain": 1.0, "multipliers": {}, "left_as_constructed": []}


def half() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def test_single_precision_is_kept_inside_half():
    one, other = torch.rand(1, 8, 8), torch.rand(1, 8, 8)
    with half():
        assert (one @ other).dtype == torch.bfloat16
        with single(one):
            inside = one @ other
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, one @ other)


@torch.inference_mode()
def test_folded_norms_give_the_same_picture():
    net = fill(SpadeBlock(8, 4, 6), RULE)
    x, guide = noise("x", (1, 8, 16, 16)), noise("guide", (1, 6, 8, 8))
    folded = copy.deepcopy(net)
    fold_spectral_norms(folded)
    assert not [name for name in folded.state_dict() if name.endswith(("_orig", "_u", "_v"))]
    torch.testing.assert_close(folded(x, guide), net(x, guide))


@torch.inference_mode()
def test_a_decoder_in_half_precision_paints_nearly_the_same():
    net = fill(SpadeDecoder(upscale=2, width=16, last=8), RULE)
    fold_spectral_norms(net)
    features = noise("features", (1, 16, 16, 16))
    wanted = net(features)
    with half():
        found = net(features)
    assert found.dtype == torch.bfloat16
    assert (found.float() - wanted).abs().mean() < 0.02


@pytest.mark.slow
@torch.inference_mode()
def test_places_stay_in_single_precision_where_features_are_in_half():
    rule = case("liveportrait_W")["fill_rule"]
    rule["multipliers"] = {
        name.removeprefix("dense_motion_network."): value
        for name, value in rule["multipliers"].items()
    }
    net = fill(DenseMotionNetwork(21), rule)
    volume, source = noise("feature_3d", (1, 32, 16, 64, 64)), noise("kp_source", (1, 21, 3), 0.5)
    with half():
        still = net(volume, source, source)
    assert still.deformation.dtype == torch.float32
    grid = net(volume, source, source).deformation
    # Nothing moves, so every mixture of flows is the grid, whatever the features' precision.
    torch.testing.assert_close(still.deformation, grid, atol=2e-6, rtol=0)
