from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from stylehead.models.keypoints import transform_keypoints
from stylehead.models.vid2vid.generator import Generated
from stylehead.models.vid2vid.style_mapper import StyleMapper
from tests.golden.parity_cases import case, fill, picture


class Spy(nn.Module):
    """Stands in for the generator, which has a test of its own: keeps what it is told."""

    def encode(self, picture: Tensor) -> Tensor:
        self.encoded = picture
        return torch.zeros(1, 32, 16, 64, 64)

    def move(self, volume: Tensor, source: Tensor, driving: Tensor) -> Generated:
        assert len(volume) == len(source) == len(driving)
        self.source, self.driving = source, driving
        return Generated(volume, None)


@pytest.fixture(scope="module")
def mapper() -> StyleMapper:
    with torch.device("meta"):
        net = StyleMapper()
    net.add_module("generator", Spy())
    net.to_empty(device="cpu")
    for name in ("kp_detector", "he_estimator"):
        rule = case(f"facevid2vid_{name}")["fill_rule"]
        fill(net.get_submodule(name), rule | {"left_as_constructed": []})
    return net.eval()


@torch.inference_mode()
def placed(mapper: StyleMapper, pose_of: Tensor) -> Tensor:
    return transform_keypoints(mapper.kp_detector(picture("source")), mapper.pose(pose_of))


@torch.inference_mode()
def test_one_neutral_serves_several_references_and_its_own_pose_leaves_it_where_it_is(mapper):
    neutral, reference = picture("source"), picture("driving")
    mapper.drive(mapper.encode_source(neutral), torch.cat([neutral, reference]))
    assert torch.equal(mapper.generator.encoded, neutral)
    at_rest, held = placed(mapper, neutral), placed(mapper, reference)
    torch.testing.assert_close(mapper.generator.source, torch.cat([at_rest, at_rest]))
    torch.testing.assert_close(mapper.generator.driving, torch.cat([at_rest, held]))
    assert (held - at_rest).abs().max() > 1e-3
