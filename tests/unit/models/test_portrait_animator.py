from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from stylehead.models.keypoints import transform_keypoints
from stylehead.models.liveportrait.motion_extractor import liveportrait_pose
from stylehead.models.liveportrait.portrait_animator import PortraitAnimator
from tests.golden.parity_cases import case, fill, picture


class Spy(nn.Module):
    """Stands in for encoder, warper and decoder, which have tests of their own."""

    def encode(self, shown: Tensor) -> Tensor:
        return torch.zeros(1, 32, 16, 64, 64)

    def warp(self, volume: Tensor, source: Tensor, driving: Tensor) -> tuple[Tensor, None]:
        assert len(volume) == len(source) == len(driving)
        self.source, self.driving = source, driving
        return volume, None

    def forward(self, features: Tensor) -> Tensor:
        return features


@pytest.fixture(scope="module")
def animator() -> PortraitAnimator:
    with torch.device("meta"):
        net = PortraitAnimator()
    spy = Spy()
    for part in ("appearance", "warping", "decoder"):
        net.add_module(part, spy)
    net.to_empty(device="cpu")
    fill(net.motion, case("liveportrait_M")["fill_rule"])
    for part in net.stitching.parameters():
        nn.init.zeros_(part)
    return net.eval()


def found(animator: PortraitAnimator, tag: str):
    return animator.motion(picture(tag))


@torch.inference_mode()
def test_a_driver_s_face_is_taken_exactly(animator):
    source = animator.encode_source(picture("source"))
    animator.drive(source, torch.cat([picture("driving"), picture("source")]))
    canonical = found(animator, "source").keypoints
    poses = [liveportrait_pose(found(animator, tag)) for tag in ("driving", "source")]
    wanted = torch.cat([transform_keypoints(canonical, pose) for pose in poses])
    torch.testing.assert_close(animator.warping.driving, wanted)
    torch.testing.assert_close(animator.warping.source, source.keypoints.expand(2, -1, -1))
    torch.testing.assert_close(animator.warping.driving[1:], source.keypoints)


@torch.inference_mode()
def test_stitching_adds_offsets_and_shifts_in_the_picture_plane_alone(animator):
    last = animator.stitching.mlp[-1]
    source = animator.encode_source(picture("source"))
    animator.drive(source, picture("driving"))
    before = animator.warping.driving.clone()
    with torch.no_grad():
        last.bias[4] = 0.5  # y of the second keypoint
        last.bias[63:] = torch.tensor([0.1, -0.2])
    animator.drive(source, picture("driving"))
    last.bias.zero_()
    moved = animator.warping.driving - before
    wanted = torch.tensor([0.1, -0.2, 0.0]).repeat(21, 1)
    wanted[1, 1] += 0.5
    torch.testing.assert_close(moved[0], wanted, atol=1e-6, rtol=0)
