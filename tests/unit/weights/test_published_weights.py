from __future__ import annotations

import pytest
import torch
from torch import nn

from stylehead.errors import WeightsError
from stylehead.weights.networks import load_published


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def state() -> dict[str, torch.Tensor]:
    return {name: torch.rand_like(value.float()) for name, value in net().state_dict().items()}


@pytest.mark.parametrize("wrapper", ["", "module.", "net.", "detector.", "module.detector."])
def test_known_prefixes_come_off(wrapper):
    given = state()
    loaded = net()
    load_published(loaded, {wrapper + name: value for name, value in given.items()}, "a file")
    assert torch.equal(loaded[0].weight, given["0.weight"])
    assert torch.equal(loaded[1].running_var, given["1.running_var"])


def test_a_network_without_memory_of_its_own_takes_the_tensors_as_they_are():
    with torch.device("meta"):
        empty = net()
    load_published(empty, {name: value.half() for name, value in state().items()}, "a file")
    assert {part.dtype for part in empty.parameters()} == {torch.float32}
    assert empty.eval()(torch.rand(4, 2)).shape == (4, 3)


def test_counters_of_batch_norm_may_be_left_out():
    given = state()
    del given["1.num_batches_tracked"]
    load_published(net(), given, "a file")


def test_the_error_lists_what_is_missing_unknown_and_misshapen():
    given = state()
    del given["0.weight"], given["1.bias"]
    given["2.weight"] = torch.zeros(1)
    given["0.bias"] = torch.zeros(5)
    with pytest.raises(WeightsError) as caught:
        load_published(net(), given, "some_entry")
    assert str(caught.value) == (
        "some_entry does not fit its network: 2 missing (0.weight, 1.bias); 1 unknown (2.weight); "
        "1 of another shape (0.bias (5,) instead of (3,))."
    )


def test_a_long_list_is_cut_short():
    with pytest.raises(WeightsError, match=r"6 missing \(0\.weight, .* and 1 more\)"):
        load_published(net(), {}, "an empty file")


def test_a_prefix_on_some_names_only_is_no_wrapper():
    given = state()
    given["module.0.weight"] = given.pop("0.weight")
    with pytest.raises(WeightsError, match=r"1 unknown \(module.0.weight\)"):
        load_published(net(), given, "a file")
