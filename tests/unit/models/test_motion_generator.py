"""The motion generator: streams, standardised features, offsets in the space of its components."""

import pytest
import torch

from stylehead.models.motion_generator import MotionConfig, MotionGenerator

CONFIG = MotionConfig("log-mel", features=6, hidden=12, layers=2, components=5, delay=4)


def tiny():
    torch.manual_seed(0)
    net = MotionGenerator(CONFIG).eval()
    net.components.copy_(torch.randn(5, 204))
    return net


def features(frames=30):
    return torch.rand(1, frames, 6, generator=torch.Generator().manual_seed(1))


def test_the_features_of_a_frame_make_68_points():
    offsets, _ = tiny()(features(30))
    assert offsets.shape == (1, 30, 68, 3)


@pytest.mark.parametrize("cut", [1, 11, 29])
def test_a_stream_in_pieces_gives_what_the_whole_gives(cut):
    net, sound = tiny(), features(30)
    with torch.inference_mode():
        whole, _ = net(sound)
        first, state = net(sound[:, :cut])
        second, _ = net(sound[:, cut:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-5)


def test_what_comes_later_does_not_change_what_was_said():
    net, sound = tiny(), features(30)
    changed = sound.clone()
    changed[:, 20:] = 0
    with torch.inference_mode():
        before, after = net(sound)[0], net(changed)[0]
    torch.testing.assert_close(before[:, :20], after[:, :20], rtol=0, atol=1e-6)
    assert (before[:, 20:] != after[:, 20:]).any()


def test_features_are_standardised_by_what_training_heard():
    net, heard = tiny(), features(30)
    usual, _ = net(heard)
    net.mean.fill_(3)
    net.scale.fill_(0.5)
    assert not torch.allclose(net(heard)[0], usual)
    torch.testing.assert_close(net(3 + 0.5 * heard)[0], usual)


def test_offsets_lie_in_the_space_of_the_components():
    net = tiny()
    with torch.inference_mode():
        offsets = net(features(60))[0].reshape(60, 204)
    assert torch.linalg.matrix_rank(offsets.double(), atol=1e-4, rtol=0) <= 5
