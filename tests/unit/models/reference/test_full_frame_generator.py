from __future__ import annotations

import pytest
import torch
from torch import nn

from stylehead.models.discriminator import DiscriminatorConfig, MultiscaleDiscriminator
from stylehead.models.reference.full_frame_generator import StyleGenerator, StyleGeneratorConfig
from tests.golden.parity_cases import case, check_all, fill, noise, same_form

SMALL = StyleGeneratorConfig(width=4, levels=4)


@pytest.mark.parametrize(("blocks", "name"), [(1, "normal"), (2, "large")])
def test_the_generator_has_the_published_names_and_shapes(blocks, name):
    with torch.device("meta"):
        net = StyleGenerator(StyleGeneratorConfig(blocks=blocks))
    same_form(net, "lsp", f"Feature2Face_{name}")


def test_the_paper_size_has_76_million_parameters():
    with torch.device("meta"):
        net = StyleGenerator(StyleGeneratorConfig())
    assert round(sum(part.numel() for part in net.parameters()) / 1e6, 1) == 76.2


@pytest.mark.slow
@torch.inference_mode()
def test_the_generator_gives_the_published_form_s_numbers():
    wanted = case("lsp_Feature2Face_normal")
    net = fill(StyleGenerator(StyleGeneratorConfig()), wanted["fill_rule"])
    check_all([(net(noise("cond", (1, 13, 256, 256))), "pred")], wanted)


def test_a_small_generator_keeps_the_sides_and_stays_within_the_picture_s_range():
    condition = torch.randn(2, 13, 32, 48, generator=torch.Generator().manual_seed(1))
    picture = StyleGenerator(SMALL)(condition)
    assert picture.shape == (2, 3, 32, 48)
    assert picture.abs().max() < 1


def test_every_level_of_the_generator_learns():
    net = StyleGenerator(SMALL)
    net(torch.rand(2, 13, 32, 32)).square().mean().backward()
    assert all(part.grad is not None and part.grad.abs().sum() > 0 for part in net.parameters())


def test_convolutions_start_small_and_norms_near_one():
    net = StyleGenerator(StyleGeneratorConfig(width=16, levels=4))
    convolutions = torch.cat(
        [part.weight.detach().flatten() for part in net.modules() if isinstance(part, nn.Conv2d)]
    )
    scales = torch.cat(
        [part.weight.detach() for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    )
    assert abs(float(convolutions.std()) - 0.02) < 1e-3
    assert abs(float(scales.mean()) - 1) < 0.01


def test_the_discriminator_has_the_published_names_and_shapes():
    with torch.device("meta"):
        net = MultiscaleDiscriminator(DiscriminatorConfig())
    same_form(net, "lsp", "MultiscaleDiscriminator_16ch_2scales")


@torch.inference_mode()
def test_the_discriminator_gives_the_published_form_s_numbers():
    wanted = case("lsp_MultiscaleDiscriminator_16ch_2scales")
    net = fill(MultiscaleDiscriminator(DiscriminatorConfig()), wanted["fill_rule"])
    scales = net(noise("dis", (1, 16, 256, 256)))
    named = [
        (found, f"scale{scale}_layer{layer}")
        for scale, maps in enumerate(scales)
        for layer, found in enumerate(maps)
    ]
    assert len(named) == len(wanted["outputs"])
    check_all(named, wanted)


def test_logits_of_512_pixels_have_the_paper_s_places():
    with torch.device("meta"):
        net = MultiscaleDiscriminator(DiscriminatorConfig())
        scales = net(torch.empty(1, 16, 512, 512))
    assert [maps[-1].shape[2:] for maps in scales] == [(67, 67), (35, 35)]
    assert [len(maps) for maps in scales] == [5, 5]
