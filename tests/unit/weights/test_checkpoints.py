import contextlib
import gc
import pickle
import random
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stylehead.errors import WeightsError
from stylehead.files import digest
from stylehead.weights import checkpoints
from stylehead.weights.cache import converted, recorded
from stylehead.weights.checkpoints import load_state, read_tensors
from stylehead.weights.manifest import WeightsEntry
from tests.fuzz.checkpoints import HOSTILE, hostile

SHARED = torch.arange(4.0)


def entry(path, **more):
    return WeightsEntry(
        name="net",
        file=path.name,
        role="a test",
        licence="MIT",
        commercial="yes",
        origin="here",
        **{"format": "pth", "sha256": digest(path), **more},
    )


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


def numbers(state):
    return {name: tensor.tolist() for name, tensor in state.items()}


NESTED = {
    "generator": {"a.weight": torch.ones(2), "b": torch.zeros(1)},
    "kp_detector": {"module.c": torch.full((1,), 3.0)},
    "kp_detector_optimizer": {"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": []},
    "epoch": 189,
}
SECTIONS = {"generator": "generator.", "kp_detector": "kp_detector."}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_nested_checkpoint_gives_one_network_at_a_time(tmp_path, zipped):
    path = saved(tmp_path / "n.pth.tar", NESTED, _use_new_zipfile_serialization=zipped)
    net = entry(path, sections=SECTIONS)
    generator = load_state(net, path, "generator")
    assert numbers(generator) == {"a.weight": [1, 1], "b": [0]}
    assert numbers(load_state(net, path, "kp_detector")) == {"c": [3]}


def test_what_is_kept_is_the_networks_alone(tmp_path):
    path = saved(tmp_path / "n.pth", NESTED)
    load_state(entry(path, sections=SECTIONS), path, "generator")
    assert set(load_file(converted(path))) == {
        "generator.a.weight",
        "generator.b",
        "kp_detector.module.c",
    }
    assert recorded(converted(path)) == digest(converted(path))
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "n.pth",
        "n.pth.safetensors",
        "n.pth.safetensors.sha256",
    ]


@pytest.mark.parametrize(
    ("content", "prefix"),
    [
        ({"x": torch.ones(1)}, ""),
        ({"module.x": torch.ones(1)}, ""),
        ({"detector.x": torch.ones(1)}, "detector."),
        ({"detector.module.x": torch.ones(1)}, "detector."),
    ],
)
def test_prefixes_are_cut_off(tmp_path, content, prefix):
    path = saved(tmp_path / "n.pth", content)
    assert numbers(load_state(entry(path, prefix=prefix), path, None)) == {"x": [1]}


def test_a_prefix_is_cut_off_at_the_start_only(tmp_path):
    path = saved(tmp_path / "n.pth", {"net.a.net.b": torch.ones(1)})
    assert set(load_state(entry(path, prefix="net."), path, None)) == {"a.net.b"}


def test_values_kinds_and_shared_memory_survive(tmp_path):
    content = {"a": SHARED, "b": SHARED[1:], "c": torch.ones(2, dtype=torch.float16)}
    content["t"] = torch.arange(6).reshape(2, 3).T
    path = saved(tmp_path / "n.pth", content)
    state = load_state(entry(path), path, None)
    assert set(state) == set(content)
    for name, tensor in content.items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor)


def test_a_checkpoint_is_converted_once(tmp_path, monkeypatch):
    path = saved(tmp_path / "n.pth", {"x": torch.ones(1)})
    net = entry(path)
    load_state(net, path, None)
    monkeypatch.setattr(checkpoints.torch, "load", None)
    assert numbers(load_state(net, path, None)) == {"x": [1]}


@pytest.mark.parametrize("spoil", ["cut", "changed", "other file"])
def test_a_conversion_that_is_damaged_or_old_is_made_again(tmp_path, spoil):
    path = saved(tmp_path / "n.pth", {"x": torch.ones(1)})
    load_state(entry(path), path, None)
    plain = converted(path)
    if spoil == "cut":
        plain.write_bytes(plain.read_bytes()[:-2])
    elif spoil == "changed":
        save_file({"x": torch.full((1,), 9.0)}, plain)
    else:
        saved(path, {"x": torch.full((1,), 2.0)})
    wanted = 2 if spoil == "other file" else 1
    assert numbers(load_state(entry(path), path, None)) == {"x": [wanted]}


def test_safetensors_are_read_as_they_are(tmp_path):
    path = tmp_path / "n.safetensors"
    save_file({"kp_extractor.a": torch.ones(1), "audio2exp.b": torch.ones(1)}, path)
    net = entry(path, format="safetensors", sections={"kp_detector": "kp_extractor."})
    assert numbers(load_state(net, path, "kp_detector")) == {"a": [1]}
    assert [each.name for each in tmp_path.iterdir()] == ["n.safetensors"]


# ---- what is refused ------------------------------------------------------------------------


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_in_a_checkpoint_ever_runs(tmp_path, zipped):
    content = {"x": torch.ones(1), "bomb": Bomb(tmp_path / "fired")}
    path = saved(tmp_path / "n.pth", content, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="more than tensors"):
        load_state(entry(path), path, None)
    assert [each.name for each in tmp_path.iterdir()] == ["n.pth"]
    torch.load(path, weights_only=False)
    assert (tmp_path / "fired").exists(), "the bomb is a real one"


def test_a_plain_pickle_never_runs(tmp_path):
    path = tmp_path / "n.pth"
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "fired"), protocol=2))
    with pytest.raises(WeightsError):
        load_state(entry(path), path, None)
    assert not (tmp_path / "fired").exists()


def test_objects_are_refused(tmp_path):
    path = saved(tmp_path / "n.pth", {"x": torch.ones(1), "arguments": Namespace(a=1)})
    with pytest.raises(WeightsError, match="more than tensors"):
        load_state(entry(path), path, None)


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"no checkpoint", random.Random(3).randbytes(3000)]
)
@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_what_is_no_model_is_refused_in_one_line(tmp_path, content, form):
    path = tmp_path / f"n.{form}"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        load_state(entry(path, format=form), path, None)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_checkpoint_is_refused(tmp_path):
    path = saved(tmp_path / "n.pth", NESTED)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(WeightsError, match=r"n\.pth"):
        load_state(entry(path, sections=SECTIONS), path, "generator")


@pytest.mark.parametrize(("sections", "wanted"), [(SECTIONS, None), (SECTIONS, "eyes"), ({}, "x")])
def test_a_section_that_is_not_there_is_refused(tmp_path, sections, wanted):
    path = saved(tmp_path / "n.pth", NESTED)
    with pytest.raises(WeightsError, match="has no section") as caught:
        load_state(entry(path, sections=sections), path, wanted)
    assert ("generator" if sections else "none") in caught.value.remedy


def test_a_file_without_the_networks_tensors_is_refused(tmp_path):
    path = saved(tmp_path / "n.pth", {"y.x": torch.ones(1)})
    with pytest.raises(WeightsError, match=r"no tensor is called z\.\*"):
        load_state(entry(path, prefix="z."), path, None)


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_checkpoint_by_somebody_who_means_harm_is_refused_or_harmless(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pth"
    path.write_bytes(hostile(name))
    if name in ("quantised", "complex", "odd keys", "twice one name", "one tensor"):
        with contextlib.suppress(WeightsError):
            load_state(entry(path), path, None)
    else:
        with pytest.raises(WeightsError):
            load_state(entry(path), path, None)
    assert not (tmp_path / "ran").exists()


def test_reading_tensors_leaves_nothing_behind(tmp_path):
    path = tmp_path / "x.safetensors"
    stored = {f"{n}": torch.full((3, n % 5), float(n)) for n in range(200)}
    others = {"half": torch.ones((), dtype=torch.float16), "brain": torch.ones(2).bfloat16()}
    save_file(stored | others, path)

    def left() -> int:
        found = dict(read_tensors(path))
        assert all(torch.equal(found[name], tensor) for name, tensor in others.items())
        assert len(found) == len(stored) + len(others)
        del found
        gc.collect()
        return sys.getallocatedblocks()

    left()
    before = left()
    after = [left() for _ in range(5)][-1]
    assert after - before < 500  # safetensors for torch leaves two for each tensor: 2000
