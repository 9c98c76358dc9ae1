import hashlib
from dataclasses import replace

import pytest

from stylehead.errors import WeightsError
from stylehead.files import digest
from stylehead.training import loop
from stylehead.training.loop import register
from stylehead.weights import store
from stylehead.weights.store import read_manifest

LIST = """\
# Comment at the top.

[first]
file = "first.bin"
role = "comes first"
bytes = 1
sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
licence = "MIT"
commercial = "yes"
# A comment inside: bytes = 99
origin = "somewhere"
format = "safetensors"
embedded = true

[first_second]
file = "second.bin"
role = "comes second"
bytes = 2
sha256 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
licence = "MIT"
commercial = "yes"
origin = "elsewhere"
format = "safetensors"
embedded = true
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    (tmp_path / "stylehead").mkdir()
    monkeypatch.setattr(loop, "PACKAGE", tmp_path / "stylehead")
    monkeypatch.setattr(store, "PACKAGE", tmp_path / "stylehead")
    (tmp_path / "weights.toml").write_text(LIST)
    trained = tmp_path / "trained.bin"
    trained.write_bytes(b"new numbers")
    return tmp_path


@pytest.mark.parametrize("name", ["first", "first_second"])
def test_only_size_and_hash_of_the_entry_change(checkout, name):
    wanted = read_manifest()
    register(name, checkout / "trained.bin")
    sha256 = hashlib.sha256(b"new numbers").hexdigest()
    wanted[name] = replace(wanted[name], bytes=len(b"new numbers"), sha256=sha256)
    assert read_manifest() == wanted


def test_comments_and_layout_stay(checkout):
    register("first", checkout / "trained.bin")
    before, after = LIST.splitlines(), (checkout / "weights.toml").read_text().splitlines()
    changed = [a for a, b in zip(before, after, strict=True) if a != b]
    assert changed == ["bytes = 1", f'sha256 = "{"aa" * 32}"']


def test_registering_twice_changes_nothing_more(checkout):
    register("first", checkout / "trained.bin")
    once = (checkout / "weights.toml").read_text()
    register("first", checkout / "trained.bin")
    assert (checkout / "weights.toml").read_text() == once


def test_what_was_registered_is_what_weights_asks_for(checkout):
    register("first", checkout / "trained.bin")
    entry = read_manifest()["first"]
    assert entry.sha256 == digest(checkout / "trained.bin")
    assert entry.bytes == (checkout / "trained.bin").stat().st_size


def test_an_entry_that_is_not_listed_is_refused(checkout):
    with pytest.raises(WeightsError, match="'third'"):
        register("third", checkout / "trained.bin")
    assert (checkout / "weights.toml").read_text() == LIST


def test_outside_a_checkout_nothing_can_be_registered(checkout):
    (checkout / "weights.toml").unlink()
    with pytest.raises(WeightsError, match="not there") as caught:
        register("first", checkout / "trained.bin")
    assert "checkout" in caught.value.remedy
