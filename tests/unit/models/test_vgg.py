import torch

from stylehead.models.vgg import Vgg19


def test_names_and_shapes_are_torchvision_s():
    state = Vgg19().state_dict()
    # First, one in the middle and the last of those the perceptual loss needs.
    assert state["features.0.weight"].shape == (64, 3, 3, 3)
    assert state["features.19.weight"].shape == (512, 256, 3, 3)
    assert state["features.28.bias"].shape == (512,)
    assert len(state) == 26


def test_five_levels_come_after_their_relu():
    found = Vgg19()(torch.rand(1, 3, 32, 32))
    assert [tuple(one.shape[1:]) for one in found] == [
        (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2),
    ]  # fmt: skip
    assert all(one.min() >= 0 for one in found)
