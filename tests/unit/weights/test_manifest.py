import re
from pathlib import Path

import pytest

from stylehead.errors import WeightsError
from stylehead.weights.manifest import HubFile, WebFile, WheelFile, parse
from stylehead.weights.store import USUAL, is_there, place_of, read_manifest

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
role = "comes along"
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
    ("old", "new", "line", "words"),
    [
        ('role = "does something"\n', "", 3, "net lacks role"),
        ('file = "net.pth"\n', "", 3, "lacks file"),
        ("bytes = 5", "byts = 5", 6, "unknown key 'byts'"),
        ("bytes = 5", "bytes = -5", 6, "bytes to -5, which should be a positive whole number"),
        ("bytes = 5", 'bytes = "5"', 6, "positive whole number"),
        ("bytes = 5", "bytes = true", 6, "positive whole number"),
        (f'sha256 = "{SHA256}"', 'sha256 = "abc"', 7, "64 lower-case hexadecimal digits"),
        (f'sha256 = "{SHA256}"', f'sha256 = "{SHA256.upper()}"', 7, "64 lower-case"),
        (f'"{SHA256}"', f'"{SHA256}"\nsha256_start = "abababab"', 8, "says nothing more"),
        ('commercial = "yes"', 'commercial = "maybe"', 9, "yes or no or unknown"),
        ('format = "pth"', 'format = "pickle"', 11, "safetensors or pth"),
        ('profile = "liveportrait"', 'profile = "liveportrai"', 12, "profile"),
        ('profile = "liveportrait"\n', "", 3, "lacks profile"),
        ('file = "net.pth"', 'file = "../net.pth"', 4, "a plain file name"),
        ('file = "net.pth"', 'file = "/net.pth"', 4, "a plain file name"),
        ('file = "net.pth"', 'file = ".."', 4, "a plain file name"),
        ('file = "net.pth"', 'file = "own.safetensors"', 4, "the file name of own"),
        ("https://example.org", "http://example.org", 13, "without https"),
        ('revision = "main", ', "", 13, "should have the keys"),
        ('member = "pack/net.pth"', "member = 3", 13, "should have the keys"),
        ('two = "two."', "two = 2", 18, "a table of network = prefix"),
        ("embedded = true", "embedded = false", 30, "true, or left out"),
        ("embedded = true", 'embedded = true\nprofile = "speech"', 30, "neither sources nor"),
        ("bytes = 7\n", "", 29, "embedded"),
        ("config = {", 'instead_of = "nett"\nconfig = {', 19, "stands for nett, which is not"),
        ("config = {", 'instead_of = "own"\nconfig = {', 19, "other sections than own"),
    ],
)
def test_a_mistake_is_told_with_its_line(old, new, line, words):
    text = changed(old, new)
    with pytest.raises(WeightsError, match=rf"list\.toml, line {line}: .*{re.escape(words)}"):
        parse(text, PLACE)


def test_what_is_no_toml_is_told_with_its_line():
    with pytest.raises(WeightsError, match=r"list\.toml is not TOML \(.*line 4"):
        parse(changed('file = "net.pth"', 'file = "net.pth'), PLACE)


def test_what_is_no_table_is_told():
    with pytest.raises(WeightsError, match="line 1: size is not a table"):
        parse("size = 3\n" + GOOD, PLACE)


# ---- our own list ---------------------------------------------------------------------------

ENTRIES = read_manifest()


def test_what_every_video_needs_is_listed():
    assert {"face_landmarker", "face_model", "voice_filter", "pose", "whisper_tiny_en"} <= set(
        ENTRIES
    )
    for encoder in ("whisper", "distilled", "apc"):
        assert f"motion_{encoder}" in ENTRIES
    usual = {name for name, entry in ENTRIES.items() if entry.profile in USUAL}
    assert {name for name in usual if not ENTRIES[name].embedded} == {
        "face_landmarker",
        "whisper_tiny_en",
    }


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
