"""The mouth generator counts in whole numbers what it computes in floats."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stylehead.models.arithmetic import FLOATS, HEADROOM, Measured, WholeNumbers
from stylehead.models.mouth_generator import MouthGenerator, MouthGeneratorConfig

CPU = torch.device("cpu")
needs_whole_numbers = pytest.mark.skipif(
    not WholeNumbers.work_on(CPU), reason="this processor has no whole numbers in oneDNN"
)


def network(patterns: int = 4) -> MouthGenerator:
    torch.manual_seed(0)
    net = MouthGenerator(MouthGeneratorConfig(patterns=patterns, widths=(8, 12, 16)))
    for part in net.parameters():
        nn.init.normal_(part, std=0.08)
    return net.eval()


def shown(count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.rand(count, 3, 32, 32), (torch.rand(count, 2, 32, 32) > 0.7).float()


@needs_whole_numbers
@pytest.mark.parametrize("patterns", [4, 0])
@torch.inference_mode()
def test_whole_numbers_give_what_floats_give(patterns):
    net, seen = network(patterns), shown()
    memory = net.encode(torch.rand(1, 12, 32, 32)) if patterns else None
    measured = Measured()
    expected = net.layer(*seen, memory, measured)
    torch.testing.assert_close(expected, net.layer(*seen, memory, FLOATS))
    made = net.layer(*seen, memory, WholeNumbers(measured.ranges))
    assert (made - expected).abs().mean() < 0.02 * expected.std()
    assert (made - expected).abs().mean() > 0  # they are whole numbers


@needs_whole_numbers
@torch.inference_mode()
def test_a_frame_is_the_same_whatever_else_is_in_its_batch():
    net, (warped, maps) = network(0), shown()
    measured = Measured()
    net.layer(warped, maps, None, measured)
    do = WholeNumbers(measured.ranges)
    together = net.layer(warped, maps, None, do)
    torch.testing.assert_close(together[1:2], net.layer(warped[1:2], maps[1:2], None, do))


@needs_whole_numbers
@torch.inference_mode()
def test_codes_reach_beyond_what_was_measured():
    do = WholeNumbers({"one": (-1.0, 3.0)})
    values = torch.tensor([-9.0, -1.0, 0.0, 3.0, 3.0 * HEADROOM, 9.0])[None, :, None, None]
    coded = do.keep(values, "one")
    decoded = (coded.codes.float() - coded.zero) * coded.step
    inside = torch.tensor([-HEADROOM, -1.0, 0.0, 3.0, 3.0 * HEADROOM, 3.0 * HEADROOM])
    torch.testing.assert_close(decoded.flatten(), inside, atol=coded.step, rtol=0)
    assert coded.zero and decoded.flatten()[2] == 0  # what is nothing stays nothing


def test_only_processors_of_one_kind_count_in_whole_numbers(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert not WholeNumbers.work_on(CPU)
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    assert WholeNumbers.work_on(CPU) == torch.backends.mkldnn.is_available()
    assert not WholeNumbers.work_on(torch.device("meta"))


def test_coarse_features_are_seen_as_if_each_were_repeated():
    generator = torch.Generator().manual_seed(0)
    convolution = torch.nn.Conv2d(5 + 3, 4, 3, 1, 1)
    coarse = torch.randn(2, 5, 6, 7, generator=generator)
    fine = torch.randn(2, 3, 12, 14, generator=generator)
    repeated = torch.nn.functional.interpolate(coarse, scale_factor=2.0)
    made = FLOATS.join(convolution, coarse, fine, "any")
    wanted = convolution(torch.cat([repeated, fine], 1))
    torch.testing.assert_close(made, wanted.relu(), atol=1e-5, rtol=1e-5)
