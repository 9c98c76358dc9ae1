import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stylehead.errors import WeightsError
from stylehead.files import digest
from stylehead.weights import download, store
from stylehead.weights.manifest import WebFile, WeightsEntry
from stylehead.weights.store import home, load_state, read_manifest, resolve
from tests.stand_ins.server import serving, status

CONTENT = b"numbers " * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NOBODY = "http://127.0.0.1:9/never"


class RememberingReporter:
    def __init__(self):
        self.said = []

    def start(self, stage, total):
        pass

    def advance(self):
        pass

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def server():
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Point the cache at an empty folder; returns where the model file will be."""
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights" / "model.bin"


def entry(url=None, **more):
    usual = WeightsEntry(
        name="model",
        file="model.bin",
        role="a test",
        licence="MIT",
        commercial="yes",
        origin="here",
        format="pth",
        bytes=len(CONTENT),
        sha256=SHA256,
        sources=(WebFile(url),) if url else (),
    )
    return replace(usual, **more)


def manifest(url=None, **more):
    return {"model": entry(url, **more)}


def unknown(url=None, **more):
    return manifest(url, sha256=None, bytes=None, **more)


# ---- the list -------------------------------------------------------------------------------

TINY = """\
[tiny]
file = "t"
role = "a test"
bytes = 3
sha256 = "unknown"
licence = "MIT"
commercial = "yes"
origin = "test"
format = "pth"
profile = "training"
"""


def test_a_manifest_may_be_read_from_another_place(tmp_path):
    path = tmp_path / "list.toml"
    path.write_text(TINY)
    assert list(read_manifest(path)) == ["tiny"]


def test_a_missing_manifest_is_a_weights_error(tmp_path):
    with pytest.raises(WeightsError, match="none"):
        read_manifest(tmp_path / "none.toml")


@pytest.mark.parametrize("inside", [True, False])
def test_the_manifest_is_found_in_a_wheel_and_in_a_checkout(tmp_path, monkeypatch, inside):
    package = tmp_path / "stylehead"
    package.mkdir()
    ((package if inside else tmp_path) / "weights.toml").write_text(TINY)
    monkeypatch.setattr(store, "PACKAGE", package)
    assert list(read_manifest()) == ["tiny"]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(WeightsError, match="'motoin'") as caught:
        resolve("motoin")
    assert "motion" in caught.value.remedy
    assert "face_model" in caught.value.remedy


def test_a_damaged_embedded_file_says_install_again(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "PACKAGE", tmp_path)
    (tmp_path / "assets").mkdir()
    entries = manifest(embedded=True)
    with pytest.raises(WeightsError, match="missing or damaged") as caught:
        resolve("model", manifest=entries)
    assert "Install" in caught.value.remedy
    (tmp_path / "assets" / "model.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match="missing or damaged"):
        resolve("model", manifest=entries)
    (tmp_path / "assets" / "model.bin").write_bytes(CONTENT)
    assert resolve("model", manifest=entries) == tmp_path / "assets" / "model.bin"


# ---- the cache ------------------------------------------------------------------------------


def test_stylehead_home_moves_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "elsewhere"))
    assert home() == tmp_path / "elsewhere"
    monkeypatch.delenv("STYLEHEAD_HOME")
    usual = home()
    assert usual.is_absolute()
    assert "stylehead" in usual.parts
    monkeypatch.setenv("STYLEHEAD_HOME", "")
    assert home() == usual


def test_naming_the_cache_makes_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "elsewhere"))
    home()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_fetched_once(server, cache):
    listener = RememberingReporter()
    first = resolve("model", manifest=manifest(server.url), reporter=listener)
    second = resolve("model", manifest=manifest(server.url), reporter=listener)
    assert first == second == cache
    assert cache.read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert len(listener.said) == 1
    assert "model.bin" in listener.said[0]


def test_a_damaged_file_in_the_cache_is_fetched_again(server, cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(CONTENT[:100])
    assert resolve("model", manifest=manifest(server.url)).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_file_put_there_by_hand_is_used(cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(CONTENT)
    assert resolve("model", manifest=manifest(NOBODY)) == cache


def test_a_failed_fetch_names_the_place_for_the_file_and_its_hash(server, cache):
    server.steps.append(status(404))
    with pytest.raises(WeightsError, match="404") as caught:
        resolve("model", manifest=manifest(server.url))
    assert SHA256 in caught.value.remedy
    assert str(cache) in caught.value.remedy


def test_a_failed_fetch_keeps_the_damaged_file_out_of_use(server, cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"broken")
    server.steps.append(status(404))
    with pytest.raises(WeightsError):
        resolve("model", manifest=manifest(server.url))


def test_a_cache_that_cannot_be_made_says_what_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="cannot be created") as caught:
        resolve("model", manifest=manifest(NOBODY))
    assert "STYLEHEAD_HOME" in caught.value.remedy


def test_digest_is_the_sha256_of_the_bytes(tmp_path):
    path = Path(tmp_path / "file")
    path.write_bytes(bytes(range(256)) * 10_000)
    assert digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


# ---- files that cannot be checked -----------------------------------------------------------


def test_an_unknown_file_is_refused_unless_it_is_allowed(server, cache):
    with pytest.raises(WeightsError, match=r"No sha256 is published for model\.bin") as caught:
        resolve("model", manifest=unknown(server.url))
    assert "--allow-unverified" in caught.value.remedy
    assert server.asked == []
    assert resolve("model", manifest=unknown(server.url), allow_unverified=True) == cache


def test_what_was_allowed_once_is_used_from_then_on_and_watched(server, cache):
    resolve("model", manifest=unknown(server.url), allow_unverified=True)
    assert resolve("model", manifest=unknown(server.url)) == cache
    assert len(server.asked) == 1
    cache.write_bytes(CONTENT[::-1])
    with pytest.raises(WeightsError, match="No sha256"):
        resolve("model", manifest=unknown(server.url))


def test_an_unknown_file_put_there_by_hand_needs_the_users_word(cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(CONTENT)
    with pytest.raises(WeightsError, match="No sha256"):
        resolve("model", manifest=unknown())
    assert resolve("model", manifest=unknown(), allow_unverified=True) == cache
    assert resolve("model", manifest=unknown()) == cache


def test_a_file_put_there_by_hand_with_another_start_is_not_taken(cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(CONTENT)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        resolve("model", manifest=unknown(sha256_start="00000000"), allow_unverified=True)
    assert not cache.exists()


# ---- loading --------------------------------------------------------------------------------


def stored(folder, **more):
    """Put a small network into the cache and return its entry."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / more.get("file", "net.safetensors")
    save_file({f"net.{name}": torch.full((2,), more.pop("value", 1.0)) for name in "ab"}, path)
    more = {"file": path.name, "format": "safetensors", "prefix": "net.", **more}
    return entry(bytes=path.stat().st_size, sha256=digest(path), **more)


def test_a_networks_tensors_come_without_their_prefix(cache):
    entries = {"net": stored(cache.parent, name="net")}
    state = load_state("net", manifest=entries)
    assert {name: tensor.tolist() for name, tensor in state.items()} == {"a": [1, 1], "b": [1, 1]}


def test_another_form_of_the_same_networks_serves_when_it_is_there(cache):
    first = entry(NOBODY, name="net", file="net.pth")
    other = stored(cache.parent, name="other", instead_of="net", value=2.0)
    state = load_state("net", manifest={"net": first, "other": other})
    assert state["a"].tolist() == [2, 2]


def test_the_first_form_is_preferred(cache):
    first = stored(cache.parent, name="net", file="net.safetensors")
    other = stored(cache.parent, name="other", file="o.safetensors", instead_of="net", value=2.0)
    assert load_state("net", manifest={"other": other, "net": first})["a"].tolist() == [1, 1]


def test_another_form_is_fetched_when_the_first_cannot_be_had(cache):
    other = stored(cache.parent, name="other", instead_of="net", value=2.0)
    path = cache.parent / other.file
    with serving(path.read_bytes()) as server:
        path.unlink()
        other = replace(other, sources=(WebFile(server.url),))
        first = entry(NOBODY, name="net", file="net.pth")
        listener = RememberingReporter()
        state = load_state("net", manifest={"net": first, "other": other}, reporter=listener)
    assert state["a"].tolist() == [2, 2]
    assert any(other.file in line for line in listener.said)


def test_when_neither_form_can_be_had_the_first_is_complained_of(cache):
    first = entry(NOBODY, name="net", file="net.pth")
    other = entry(name="other", file="other.pth", sha256=None, bytes=None, instead_of="net")
    with pytest.raises(WeightsError, match=r"net\.pth could not be downloaded"):
        load_state("net", manifest={"net": first, "other": other})


def test_nothing_is_loaded_from_a_file_that_is_not_what_it_should_be(cache):
    net = stored(cache.parent, name="net")
    path = cache.parent / net.file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        load_state("net", manifest={"net": net})
    assert not path.exists()
    assert [each.name for each in cache.parent.glob("*.wrong-*")]


def test_a_checkpoint_is_hashed_and_read_once_and_then_its_conversion(cache, monkeypatch):
    cache.parent.mkdir(parents=True)
    torch.save({"x": torch.ones(1)}, cache)
    entries = {"net": entry(name="net", bytes=cache.stat().st_size, sha256=digest(cache))}
    load_state("net", manifest=entries)
    cache.unlink()
    assert load_state("net", manifest=entries)["x"].tolist() == [1]
    converted = cache.with_name("model.bin.safetensors")
    content = bytearray(converted.read_bytes())
    content[-1] ^= 1
    converted.write_bytes(content)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        load_state("net", manifest=entries)


def test_the_web_client_is_loaded_only_for_a_download(cache, monkeypatch):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(CONTENT)
    monkeypatch.setattr(download, "fetch", None)
    assert resolve("model", manifest=manifest(NOBODY)) == cache
