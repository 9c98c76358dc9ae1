import pytest
import torch

from stylehead.models.mouth_generator import MouthGenerator, MouthGeneratorConfig, compose

SIZE = 64


def made(config=MouthGeneratorConfig(), seed=0, **inputs):  # noqa: B008 (frozen)
    torch.manual_seed(seed)
    net = MouthGenerator(config).eval()
    warped, drawn = torch.rand(2, 3, SIZE, SIZE), torch.rand(2, 2, SIZE, SIZE)
    return net, warped, drawn


def trained(net):
    """Give the zeroed layers numbers, as training does."""
    with torch.no_grad():
        for value in net.parameters():
            value += 0.05 * torch.randn(value.shape)
    return net


@torch.inference_mode()
def test_before_training_the_warp_is_kept_nearly():
    net, warped, drawn = made()
    drawn[:, 1] = 0  # a closed mouth
    memory = net.encode(torch.rand(2, 12, SIZE, SIZE))
    made_up = compose(warped, net(warped, drawn, memory))
    assert (made_up - warped).abs().max() < 0.06


@torch.inference_mode()
def test_nothing_reaches_the_rim_of_the_patch():
    net, warped, drawn = made(MouthGeneratorConfig(patterns=0))
    layer = trained(net)(warped, drawn)
    assert layer.abs().max() > 0.1
    rim = torch.cat([layer[..., 0, :], layer[..., -1, :], layer[..., :, 0], layer[..., :, -1]], -1)
    assert rim.abs().max() == 0


@torch.inference_mode()
def test_patterns_change_what_is_made():
    net, warped, drawn = made()
    trained(net)
    layers = [net(warped, drawn, net.encode(torch.rand(1, 12, SIZE, SIZE))) for _ in range(2)]
    assert (layers[0] - layers[1]).abs().max() > 1e-4


@torch.inference_mode()
def test_one_memory_serves_a_batch():
    net, warped, drawn = made()
    memory = trained(net).encode(torch.rand(1, 12, SIZE, SIZE))
    together = net(warped, drawn, memory)
    alone = torch.cat([net(warped[i : i + 1], drawn[i : i + 1], memory) for i in range(2)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("looks", [False, True])
def test_a_net_without_a_map_does_not_look_at_it(looks):
    net, warped, drawn = made(MouthGeneratorConfig(patterns=0, facial_map=looks))
    trained(net)
    same = torch.equal(net(warped, drawn), net(warped, 1 - drawn))
    assert same == (not looks)


@torch.inference_mode()
def test_of_the_open_mouth_the_warp_is_neither_seen_nor_shown():
    net, warped, drawn = made(MouthGeneratorConfig(patterns=0))
    trained(net)
    drawn[:, 1] = 0
    drawn[:, 1, 24:40, 24:40] = 1
    other = warped.clone()
    other[..., 24:40, 24:40] = torch.rand(16, 16)
    layers = net(warped, drawn), net(other, drawn)
    torch.testing.assert_close(*layers)
    assert (layers[0][:, 0, 24:40, 24:40] == 1).all()


def test_composing_by_hand():
    warped = torch.full((1, 3, 2, 2), 0.8)
    layer = torch.tensor([0.25, 0.1, 0.2, 0.3]).view(1, 4, 1, 1).expand(1, 4, 2, 2)
    made_up = compose(warped, layer)[0, :, 0, 0]
    torch.testing.assert_close(made_up, torch.tensor([0.7, 0.8, 0.9]))
