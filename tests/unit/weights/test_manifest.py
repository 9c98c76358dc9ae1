import re
from pathlib import Path

import pytest

from stylehead.errors import WeightsError
from stylehead.weights.manifest import HubFile, WebFile, WheelFile, parse
from stylehead.weights.store import is_there, place_of, read_manifest

PLACE = Path("list.toml")
SHA256 = "ab" * 32
GOOD = f"""\
# A comment.

[net]
file = "net.pth"
role = "does something"
bytes = 5
sha256 = "{SHA256}"
licence = "MIT"
commercial = "yes"
origin = "somebody"
format = "pth"
profile = "liveportrait"
sources = [
  {{ repository = "a/b", revision = "main", file = "x/net.pth" }},
  {{ url = "https://example.org/net.pth" }},
  {{ package = "pack==1", member = "pack/net.pth" }},
]
sections = {{ one = "one.", two = "two." }}
config = {{ keypoints = 21 }}

[own]
file = "own.safetensors"
role = "built in"
bytes = 7
sha256 = "{SHA256}"
licence = "MIT"
commercial = "unknown"
origin = "us"
format = "safetensors"
embedded = true
"""


def changed(old, new):
    assert GOOD.count(old) >= 1
    return GOOD.replace(old, new, 1)


def test_every_field_arrives():
    entries = parse(GOOD, PLACE)
    net = entries["net"]
    assert list(entries) == ["net", "own"]
    assert (net.name, net.file, net.bytes, net.sha256) == ("net", "net.pth", 5, SHA256)
    assert net.sources == (
        HubFile("a/b", "main", "x/net.pth"),
        WebFile("https://example.org/net.pth"),
        WheelFile("pack==1", "pack/net.pth"),
    )
    assert net.sections == {"one": "one.", "two": "two."}
    assert net.config == {"keypoints": 21}
    assert (net.embedded, entries["own"].embedded) == (False, True)
    assert entries["own"].profile == "embedded"


def test_an_unknown_hash_is_none_and_a_rounded_size_is_the_size():
    text = changed(f'sha256 = "{SHA256}"', 'sha256 = "unknown"\nsha256_start = "abababab"')
    net = parse(text.replace("bytes = 5", "bytes_about = 500"), PLACE)["net"]
    assert (net.sha256, net.sha256_start, net.bytes, net.size) == (None, "abababab", None, 500)


@pytest.mark.parametrize(
    ("old", "new", "entry", "words"),
    [
        ('role = "does something"\n', "", "net", "field role: Field required"),
        ('file = "net.pth"\n', "", "net", "field file: Field required"),
        ("bytes = 5", "byts = 5", "net", "field byts: Unexpected"),
        ("bytes = 5", "bytes = -5", "net", "field bytes: Input should be greater than 0"),
        ("bytes = 5", 'bytes = "5"', "net", "field bytes: Input should be a valid integer"),
        ("bytes = 5", "bytes = true", "net", "field bytes: Input should be a valid integer"),
        (f'sha256 = "{SHA256}"', 'sha256 = "abc"', "net", "field sha256: String should match"),
        (f'sha256 = "{SHA256}"', f'sha256 = "{SHA256.upper()}"', "net", "field sha256: String"),
        (
            f'"{SHA256}"',
            f'"{SHA256}"\nsha256_start = "abababab"',
            "net",
            "field sha256_start: says",
        ),
        ('commercial = "yes"', 'commercial = "maybe"', "net", "field commercial: Input should be"),
        ('format = "pth"', 'format = "pickle"', "net", "field format: Input should be"),
        ('profile = "liveportrait"', 'profile = "liveportrai"', "net", "field profile: none of"),
        ('profile = "liveportrait"\n', "", "net", "field profile: only embedded files"),
        ('file = "net.pth"', 'file = "../net.pth"', "net", "field file: String should match"),
        ('file = "net.pth"', 'file = "/net.pth"', "net", "field file: String should match"),
        ('file = "net.pth"', 'file = ".."', "net", "field file: String should match"),
        ('file = "net.pth"', 'file = "own.safetensors"', "net", "field file: another entry has"),
        ("https://example.org", "http://example.org", "net", "field sources: an address without"),
        ('revision = "main", ', "", "net", "field sources.0.revision: Field required"),
        ('member = "pack/net.pth"', "member = 3", "net", "field sources.2.member: Input should be"),
        ('{ url = "https', '{ address = "https', "net", "field sources.1: a source has one of"),
        ('two = "two."', "two = 2", "net", "field sections.two: Input should be a valid string"),
        ("embedded = true", "embedded = false", "own", "field profile: only embedded files"),
        ("embedded = true", 'embedded = true\nprofile = "vid2vid"', "own", "field profile: only"),
        ("bytes = 7\n", "", "own", "field embedded: needs bytes"),
        ("config = {", 'instead_of = "nett"\nconfig = {', "net", "field instead_of: nett is not"),
        ("config = {", 'instead_of = "own"\nconfig = {', "net", "field sections: differs from own"),
    ],
)
def test_a_mistake_is_told_with_its_entry_and_field(old, new, entry, words):
    text = changed(old, new)
    with pytest.raises(WeightsError, match=rf"^list\.toml, entry {entry}, {re.escape(words)}"):
        parse(text, PLACE)


def test_what_is_no_toml_is_told_with_its_line():
    with pytest.raises(WeightsError, match=r"list\.toml is not TOML \(.*line 4"):
        parse(changed('file = "net.pth"', 'file = "net.pth'), PLACE)


def test_what_is_no_table_is_told():
    with pytest.raises(WeightsError, match="entry size, is not a table"):
        parse("size = 3\n" + GOOD, PLACE)


def test_an_entry_cannot_be_changed():
    net = parse(GOOD, PLACE)["net"]
    with pytest.raises(AttributeError):
        net.sha256 = None  # pyright: ignore[reportAttributeAccessIssue] (what is tested)


def test_the_list_is_understood_once_and_again_when_the_file_has_changed(tmp_path):
    path = tmp_path / "list.toml"
    path.write_text(GOOD)
    first, second = read_manifest(path), read_manifest(path)
    assert first["net"] is second["net"]
    first.clear()  # what one caller does to its list is not seen by the next
    assert set(read_manifest(path)) == {"net", "own"}
    path.write_text(changed("bytes = 5", "bytes = 6"))
    assert read_manifest(path)["net"].bytes == 6


# ---- our own list ---------------------------------------------------------------------------

ENTRIES = read_manifest()
ENCODERS = ("whisper", "apc")


def test_what_every_video_needs_is_inside_the_package():
    needed = {"face_landmarker", "face_model", "appearance", "voice_filter", "pose"}
    needed |= {f"{network}_{name}" for network in ("encoder", "motion") for name in ENCODERS}
    assert {name for name in needed if ENTRIES[name].embedded} == needed


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.embedded])
def test_an_embedded_file_is_there_with_the_size_and_hash_listed(name):
    assert is_there(ENTRIES[name])
    assert place_of(ENTRIES[name]).stat().st_size == ENTRIES[name].bytes


def test_the_neural_renderers_files_are_listed_with_their_sections():
    for part in ("appearance", "motion", "warping", "generator", "stitching"):
        entry, other = ENTRIES[f"liveportrait_{part}"], ENTRIES[f"liveportrait_{part}_safetensors"]
        assert entry.profile == "liveportrait"
        assert other.instead_of == entry.name
        assert other.format == "safetensors"
        (source,) = entry.sources
        assert isinstance(source, HubFile)
        assert re.fullmatch(r"[0-9a-f]{40}", source.revision)
    assert set(ENTRIES["liveportrait_stitching"].sections) == {"stitching", "lip", "eye"}
    assert set(ENTRIES["vid2vid_00189"].sections) == {"generator", "kp_detector", "he_estimator"}
    assert "he_estimator" not in ENTRIES["vid2vid_sadtalker_256"].sections


def test_restricted_files_are_marked():
    assert all(
        entry.commercial == "no"
        for entry in ENTRIES.values()
        if entry.profile.startswith("vid2vid")
    )
    assert all("NC" not in e.licence for e in ENTRIES.values() if e.commercial == "yes")


def test_what_cannot_be_checked_says_so():
    assert {name for name, entry in ENTRIES.items() if entry.sha256 is None} == {
        "liveportrait_stitching_safetensors",
        "vid2vid_authors",
        "vgg19",
    }
    assert ENTRIES["vgg19"].sha256_start == "dcbb9e9d"


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 3000])
def test_endless_digits_and_brackets_are_no_toml(value):
    with pytest.raises(WeightsError, match="is not TOML"):
        parse(f"[net]\nbytes = {value}\n", PLACE)
