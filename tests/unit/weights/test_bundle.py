import hashlib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from stylehead.errors import StyleheadError, WeightsError
from stylehead.progress import SILENT
from stylehead.weights.bundle import read_bundle, write_bundle
from stylehead.weights.manifest import WeightsEntry

CONTENT = b"numbers " * 300_000


def entry(name, content=CONTENT):
    return WeightsEntry(
        name=name,
        file=f"{name}.bin",
        role="a test",
        licence="CC BY-NC 4.0",
        commercial="no",
        origin="somebody",
        format="pth",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


ENTRIES = {name: entry(name) for name in ("a", "b")}


@pytest.fixture
def here(tmp_path):
    """A folder in which all files are."""
    folder = tmp_path / "here"
    folder.mkdir()
    for each in ENTRIES.values():
        (folder / each.file).write_bytes(CONTENT)
    return folder


def export(path, folder, *names):
    write_bundle(path, [ENTRIES[name] for name in names], folder, reporter=SILENT)
    return path


def take(path, folder, entries=ENTRIES, *, allow_unverified=False):
    return read_bundle(path, entries, folder, allow_unverified=allow_unverified, reporter=SILENT)


def files_in(folder):
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(path.relative_to(folder).as_posix() for path in found)


def bundle_of(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_bundle_carries_files_to_another_folder(here, tmp_path):
    bundle = export(tmp_path / "x.zip", here, "a", "b")
    taken = take(bundle, tmp_path / "there" / "weights")
    assert [each.name for each in taken] == ["a", "b"]
    assert files_in(tmp_path / "there") == ["weights/a.bin", "weights/b.bin"]
    assert (tmp_path / "there" / "weights" / "a.bin").read_bytes() == CONTENT


def test_a_bundle_says_what_it_holds_and_under_which_terms(here, tmp_path):
    with zipfile.ZipFile(export(tmp_path / "x.zip", here, "a")) as archive:
        assert archive.namelist() == ["CONTENTS.txt", "weights/a.bin"]
        text = archive.read("CONTENTS.txt").decode()
    for word in ("a.bin", "CC BY-NC 4.0", "somebody", str(ENTRIES["a"].sha256)):
        assert word in text


@pytest.mark.parametrize("spoil", ["missing", "damaged"])
def test_only_intact_files_go_into_a_bundle(here, tmp_path, spoil):
    if spoil == "missing":
        (here / "b.bin").unlink()
    else:
        (here / "b.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(WeightsError, match=r"b\.bin is missing or damaged"):
        export(tmp_path / "x.zip", here, "a", "b")
    assert files_in(tmp_path) == sorted(f"here/{name}" for name in files_in(here))


def test_what_is_there_already_is_left_alone(here, tmp_path):
    bundle = export(tmp_path / "x.zip", here, "a")
    before = (here / "a.bin").stat().st_mtime_ns
    assert len(take(bundle, here)) == 1
    assert (here / "a.bin").stat().st_mtime_ns == before


def test_two_may_take_the_same_bundle_at_once(here, tmp_path):
    bundle = export(tmp_path / "x.zip", here, "a", "b")
    there = tmp_path / "there"
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: take(bundle, there), range(4)))
    assert [len(each) for each in taken] == [2] * 4
    assert files_in(there) == ["a.bin", "b.bin"]
    assert (there / "a.bin").read_bytes() == (there / "b.bin").read_bytes() == CONTENT


def test_a_damaged_file_is_replaced(here, tmp_path):
    bundle = export(tmp_path / "x.zip", here, "a")
    (here / "a.bin").write_bytes(b"broken")
    take(bundle, here)
    assert (here / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "name",
    [
        *("../a.bin", "weights/../../a.bin", "/a.bin", "weights/c.bin", "a.bin", "weights/"),
        *("weights/a.bin/../b.bin", "weights\\..\\a.bin", "C:\\a.bin"),
    ],
)
def test_nothing_that_is_not_listed_is_taken(tmp_path, name):
    folder = tmp_path / "deep" / "down" / "weights"
    bundle = bundle_of(tmp_path / "x.zip", **{"weights/a.bin": CONTENT, name: CONTENT})
    with pytest.raises(WeightsError, match=r"no file that weights\.toml lists"):
        take(bundle, folder)
    assert files_in(tmp_path) == ["x.zip"]


@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT[:-1], CONTENT + b"x", b""])
def test_a_file_with_other_bytes_is_refused(tmp_path, content):
    bundle = bundle_of(tmp_path / "x.zip", **{"weights/a.bin": content})
    with pytest.raises(WeightsError, match=r"a\.bin has"):
        take(bundle, tmp_path / "there")
    assert files_in(tmp_path) == ["x.zip"]


def test_a_folder_is_not_taken_for_a_file(tmp_path):
    bundle = bundle_of(tmp_path / "x.zip", **{"weights/a.bin/": b""})
    with pytest.raises(WeightsError, match=r"no file that weights\.toml lists"):
        take(bundle, tmp_path / "there")


@pytest.mark.parametrize("kind", ["text", "cut", "changed", "empty", "folder", "missing", "none"])
def test_what_is_no_bundle_is_refused_in_one_line(here, tmp_path, kind):
    path = export(tmp_path / "x.zip", here, "a")
    content = bytearray(path.read_bytes())
    if kind == "text":
        path.write_text("no zip")
    elif kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "changed":
        content[5000] ^= 255
        path.write_bytes(content)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "none":
        bundle_of(path, **{"CONTENTS.txt": "nothing"})
    else:
        path.unlink()
        if kind == "folder":
            path.mkdir()
    with pytest.raises(StyleheadError) as caught:
        take(path, tmp_path / "there")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "there" / "a.bin").exists()


def test_a_bomb_is_refused_by_its_size(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/a.bin", bytes(50_000_000))
    with pytest.raises(WeightsError, match="has 50000000 bytes, not"):
        take(path, tmp_path / "there")


def test_a_file_nobody_has_published_a_hash_of_needs_the_users_word(here, tmp_path):
    bundle = export(tmp_path / "x.zip", here, "a")
    entries = {"a": replace(ENTRIES["a"], sha256=None, bytes=None)}
    with pytest.raises(WeightsError, match="No sha256 is published"):
        take(bundle, tmp_path / "there", entries)
    take(bundle, tmp_path / "there", entries, allow_unverified=True)
    assert files_in(tmp_path / "there") == ["a.bin", "a.bin.sha256"]
