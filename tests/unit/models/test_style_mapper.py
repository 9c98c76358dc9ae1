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
def test_the_neutral_s_own_pose_leaves_it_where_it_is(mapper):
    neutral = picture("source")
    mapper.drive(mapper.encode_source(neutral), neutral)
    torch.testing.assert_close(mapper.generator.driving, mapper.generator.source)


@torch.inference_mode()
def test_the_neutral_s_keypoints_are_placed_as_the_reference_is_held(mapper):
    neutral, reference = picture("source"), picture("driving")
    mapper.drive(mapper.encode_source(neutral), reference)
    torch.testing.assert_close(mapper.generator.source, placed(mapper, neutral))
    torch.testing.assert_close(mapper.generator.driving, placed(mapper, reference))
    assert (mapper.generator.driving - mapper.generator.source).abs().max() > 1e-3


@torch.inference_mode()
def test_one_neutral_serves_several_references(mapper):
    neutral, reference = picture("source"), picture("driving")
    mapper.drive(mapper.encode_source(neutral), torch.cat([neutral, reference]))
    assert torch.equal(mapper.generator.encoded, neutral)
    wanted = torch.cat([placed(mapper, neutral), placed(mapper, reference)])
    torch.testing.assert_close(mapper.generator.driving, wanted)
