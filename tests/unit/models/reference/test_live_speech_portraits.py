from __future__ import annotations

import pytest
import torch

from stylehead.models.reference.live_speech_portraits import HeadPoseNet, MouthNet, SmallRenderer
from tests.golden.parity_cases import case, check_all, fill, noise, same_form

NETS = {
    "Audio2Feature": MouthNet,
    "Audio2Headpose": HeadPoseNet,
    "Feature2Face_small": SmallRenderer,
}


@pytest.mark.parametrize("name", NETS)
def test_a_network_has_the_published_names_and_shapes(name):
    with torch.device("meta"):
        net = NETS[name]()
    same_form(net, "lsp", name)


@torch.inference_mode()
def test_the_mouth_net_gives_the_published_numbers():
    wanted = case("lsp_Audio2Feature")
    net = fill(MouthNet(), wanted["fill_rule"])
    check_all([(net(noise("apc", (1, 40, 512), 0.5)), "pred")], wanted)


@torch.inference_mode()
def test_the_head_pose_net_gives_the_published_numbers():
    wanted = case("lsp_Audio2Headpose")
    net = fill(HeadPoseNet(), wanted["fill_rule"])
    history, rows = noise("history", (1, 300, 12), 0.5), noise("apc2", (1, 300, 1024), 0.5)
    check_all([(net(history, rows, frames=240), "pred")], wanted)


@torch.inference_mode()
def test_a_head_pose_depends_on_255_frames_and_no_more():
    net = HeadPoseNet().eval()
    history, rows = torch.zeros(2, 300, 12), torch.zeros(2, 300, 1024)
    history[1, 299 - 254] = 1
    one, other = net(history, rows, frames=1)
    assert (one - other).abs().max() > 0
    history[1, 299 - 254], history[1, 299 - 255] = 0, 1
    one, other = net(history, rows, frames=1)
    torch.testing.assert_close(one, other, rtol=0, atol=0)


@torch.inference_mode()
def test_the_small_renderer_keeps_the_sides():
    picture = SmallRenderer(width=4).eval()(torch.rand(1, 13, 256, 256))
    assert picture.shape == (1, 3, 256, 256)
    assert picture.abs().max() < 1
