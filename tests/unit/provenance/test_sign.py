"""Signatures: in files that hold one, beside those that do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylehead.files import atomic, digest
from stylehead.options import Options, sidecar_of
from stylehead.progress import SILENT, Noting
from stylehead.provenance import sign
from stylehead.provenance.manifest import Ingredient, manifest_of, read_manifest
from stylehead.provenance.seal import Seal
from stylehead.provenance.verify import State, Verdict, unsigned_sha256, verify
from tests.conftest import environment
from tests.stand_ins import media

FRAMES = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), np.uint8)
RUN = {"style": "plain", "seed": 3}


def sealing(path: Path, *, notes: Noting | None = None, **options: object) -> Seal:
    portrait = Ingredient("portrait", "me.jpg", "ab" * 32)
    return Seal(path, "talk", [portrait], RUN, Options(**options), notes or Noting(SILENT))


def sealed(path: Path, *, notes: Noting | None = None, **options: object) -> Seal:
    """Sign what lies at a path, as it would be while it is written."""
    seal = sealing(path, notes=notes, **options)
    if path.is_dir():
        seal(path)
        return seal
    content = path.read_bytes()
    with atomic(path) as part:
        part.write_bytes(content)
        seal(part)
    return seal


def saved(path: Path) -> Path:
    if path.suffix == ".mp4":
        return media.save_video(path, list(FRAMES))
    if path.suffix in (".gif", ".webp", ".apng"):
        first, *others = map(Image.fromarray, FRAMES)
        kind = "PNG" if path.suffix == ".apng" else None
        first.save(path, kind, save_all=True, append_images=others)
        return path
    path.write_bytes(FRAMES.tobytes())  # whatever it holds, it is hashed as a whole
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "a.apng", "a.webm", "a.mkv"])
def test_a_signed_file_is_intact_and_one_flipped_byte_is_found(tmp_path, name):
    path = saved(tmp_path / name)
    before = digest(path)
    seal = sealed(path)
    beside = path.suffix in (".webm", ".mkv")
    assert seal.signed == ("beside" if beside else "inside")
    assert (digest(path) == before) == beside == sidecar_of(path).exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == [name, f"{name}.c2pa"][: 1 + beside]
    verdict = verify(path)
    assert (verdict.state, verdict.trusted) == (State.INTACT, True), verdict
    assert verdict.run["unsigned_sha256"] == before == seal.sha256 == unsigned_sha256(path)
    assert verdict.run["made_from"] == [
        {"role": "portrait", "title": "me.jpg", "sha256": "ab" * 32}
    ]
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    path.write_bytes(content)
    assert verify(path).state is State.ALTERED
    assert unsigned_sha256(path) == digest(path)


def test_two_signatures_differ_and_what_was_signed_does_not(tmp_path):
    one, other = (saved(tmp_path / name) for name in ("a.mp4", "b.mp4"))
    assert digest(one) == digest(other)
    sealed(one)
    sealed(other)
    assert digest(one) != digest(other)
    assert unsigned_sha256(one) == unsigned_sha256(other)


def test_a_folder_is_signed_by_its_listing(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(FRAMES[:2]):
        Image.fromarray(frame).save(folder / f"{number}.png")
    assert sealed(folder).signed == "beside"
    assert verify(folder).state is State.INTACT
    assert verify(folder / "%d.png").state is State.INTACT
    Image.fromarray(FRAMES[2]).save(folder / "1.png")
    assert verify(folder).state is State.ALTERED


def test_neither_pictures_nor_folders_nor_copies_of_inputs_are_in_a_manifest(tmp_path):
    picture = media.save_picture(tmp_path / "me.png", FRAMES[0])
    path = saved(tmp_path / "a.mp4")
    size = path.stat().st_size
    one = Ingredient.of("portrait", picture)
    assert one == Ingredient("portrait", "me.png", digest(picture))
    Seal(path, "talk", [one, one], RUN, Options(), SILENT)(path)
    assert path.stat().st_size - size < 8000
    store = sign.read(path, sidecar_of(path), None)
    assert store
    active, _ = read_manifest(store)
    assert [each["title"] for each in active["ingredients"]] == ["me.png"]
    assert active["ingredients"][0]["instance_id"] == f"sha256:{digest(picture)}"
    assert not {"thumbnail", "data"} & {*active, *active["ingredients"][0]}
    assert str(tmp_path).encode() not in path.read_bytes()


def test_what_is_said_is_c2pas_own_word_for_it():
    said = manifest_of("talk", [], RUN)
    ((action,),) = (one["data"]["actions"] for one in said["assertions"][:1])
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")


def test_without_c2pa_a_video_stays_as_it_is_and_why_is_said_in_one_line(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.webm")
    sealed(path)
    assert sidecar_of(path).exists()
    before = digest(path)
    monkeypatch.setitem(sys.modules, "c2pa", None)
    seal = sealed(path, notes=(notes := Noting(SILENT)))
    assert (seal.signed, seal.sha256) == ("", before) == ("", digest(path))
    assert not sidecar_of(path).exists()  # it would be that of another video
    assert notes.notes == [
        "Note: a.webm is not signed: c2pa-python is not installed, which signs videos. "
        "Run pip install -c constraints.txt c2pa-python."
    ]


KILLED = """
import os
from pathlib import Path
from stylehead.files import atomic
from tests.unit.provenance.test_sign import sealing
with atomic(path := Path("a.webm")) as part:
    part.write_bytes(b"another video")
    sealing(path)(part)
    os._exit(9)  # as by SIGKILL: nothing is tidied up
"""


@pytest.mark.parametrize("next_run", ["signed", "unsigned"])
def test_a_signature_whose_video_was_never_named_goes_with_the_next_run(
    tmp_path, monkeypatch, next_run
):
    words = [sys.executable, "-c", KILLED]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), check=False)
    path = tmp_path / "a.webm"
    assert done.returncode == 9 and sidecar_of(path).exists() and not path.exists()
    if next_run == "unsigned":
        monkeypatch.setitem(sys.modules, "c2pa", None)
    with atomic(path) as part:
        part.write_bytes(b"this video")
        sealing(path)(part)
    signed = next_run == "signed"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.webm", "a.webm.c2pa"][: 1 + signed]
    if signed:
        assert verify(path).state is State.INTACT


def test_a_signature_beside_a_video_that_holds_its_own_is_removed(tmp_path):
    path = saved(tmp_path / "a.mp4")
    sidecar_of(path).write_bytes(b"of another video")
    assert sealed(path).signed == "inside"
    assert not sidecar_of(path).exists() and verify(path).state is State.INTACT


def test_when_c2pa_fails_the_video_is_whole_and_unsigned(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.mp4")
    before = digest(path)

    def full(builder, signer, kind, source, target):
        target.write(b"half of it")
        raise sign.library().C2paError("Io: No space left\non device")

    monkeypatch.setattr(sign.library().Builder, "sign", full)
    seal = sealed(path, notes=(notes := Noting(SILENT)))
    assert (seal.signed, digest(path)) == ("", before)
    assert "a.mp4 is not signed: C2PA has failed (Io: No space left on device)." in notes.notes[0]


def test_a_home_that_cannot_be_written_leaves_a_video_unsigned(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "home"))
    seal = sealed(saved(tmp_path / "a.mp4"), notes=(notes := Noting(SILENT)))
    assert seal.signed == ""
    assert "a.mp4 is not signed: The folder" in notes.notes[0]


def test_a_file_of_nobody_has_neither_signature_nor_mark(tmp_path):
    verdict = verify(saved(tmp_path / "a.mp4"))
    assert (verdict.state, verdict.signed) == (State.NOTHING, False)
    assert verdict.sentences() == [
        "a.mp4: no signature.",
        "stylehead's mark was not found in it: strength 0.0, and 5.9 is needed.",
    ]


def test_of_a_damaged_signature_the_rest_is_told(tmp_path):
    path = saved(tmp_path / "a.mp4")
    sealed(path)
    whole = path.read_bytes()
    begins = whole.index(b"uuid") - 4
    ends = begins + int.from_bytes(whole[begins : begins + 4], "big")
    states = set[State]()
    for at in range(begins + 8, ends, (ends - begins) // 60):
        spoilt = bytearray(whole)
        spoilt[at : at + 3] = b"\xff\0\x7f"
        path.write_bytes(spoilt)
        verdict = verify(path)
        assert verdict.sentences()
        states.add(verdict.state)
    assert State.ALTERED in states


@pytest.mark.parametrize(
    "store",
    [
        {"validation_state": "Invalid"},
        {"manifests": {}, "active_manifest": "gone", "validation_state": "Valid"},
        {"manifests": {"x": {"assertions": [{}]}}, "active_manifest": "gone"},
    ],
)
def test_what_lacks_its_claim_is_altered(tmp_path, monkeypatch, store):
    path = saved(tmp_path / "a.mp4")
    monkeypatch.setattr(sign, "read", lambda *_: store)
    verdict = verify(path)
    assert verdict.state is State.ALTERED and verdict.signed and verdict.sentences()
    assert unsigned_sha256(path) == digest(path)


@pytest.mark.parametrize(
    "said",
    [{"style": "plain"}, {"style": 1, "seed": 2, "made_from": [{"title": "a"}]}, {"made_from": 3}],
)
def test_what_somebody_else_says_in_styleheads_name_is_no_crash(said):
    verdict = Verdict(file="a.mp4", state=State.INTACT, signed=True, run=said)
    assert "not as stylehead says it" in verdict.sentences()[1]
