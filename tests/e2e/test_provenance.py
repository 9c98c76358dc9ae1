"""Videos that say where they come from, through the commands."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from stylehead.batch.record import read_record
from stylehead.files import digest
from stylehead.media.image import read_image
from stylehead.options import sidecar_of
from stylehead.provenance.verify import unsigned_sha256
from tests.conftest import Command
from tests.stand_ins import media


def test_a_video_is_signed_and_marked_and_what_becomes_of_it_is_told(
    animate: Command, call: Command, clip: Path, output: Path, glance: tuple[object, ...]
) -> None:
    outcome = animate(*glance, "--json")
    assert outcome.code == 0, outcome
    facts = json.loads(outcome.stdout)
    assert (facts["signed"], facts["mark"]) == ("inside", True)
    assert facts["unsigned_sha256"] == unsigned_sha256(output) != digest(output)

    outcome = call("verify", output, "--json")
    assert outcome.code == 0, outcome
    found = json.loads(outcome.stdout)
    assert (found["state"], found["trusted"], found["run"]["seed"]) == ("intact", True, 0)
    names = {one["title"]: one["role"] for one in found["run"]["made_from"]}
    assert names == {"portrait.png": "portrait", "speech.wav": "recording"}

    outcome = call("verify", clip)  # long enough for the mark
    assert outcome.code == 0, outcome
    assert "intact since it was signed by stylehead signer (self-made key)" in outcome.stdout
    assert "stylehead's mark is in it" in outcome.stdout

    content = bytearray(output.read_bytes())
    content[-900] ^= 1
    output.write_bytes(content)
    outcome = call("verify", output)
    assert (outcome.code, "ALTERED" in outcome.stdout) == (1, True)


def test_what_was_encoded_again_is_known_by_its_mark_alone(
    call: Command, clip: Path, tmp_path: Path
) -> None:
    frames = [media.resized(one, (256, 256)) for one in media.read_video(clip)[0]]
    again = media.save_video(tmp_path / "again.mp4", frames)
    outcome = call("verify", again, "--json")
    found = json.loads(outcome.stdout)
    assert (outcome.code, found["state"], found["signed"]) == (1, "altered", False)
    assert found["mark"]["false_alarm"] < 1e-6
    other = media.save_video(tmp_path / "other.mp4", [one[:, ::-1] for one in frames])
    assert call("verify", other).code == 3
    assert call("verify", tmp_path / "none.mp4").code == 1


def test_without_the_mark_frames_are_what_was_drawn(
    animate: Command, call: Command, output: Path, glance: tuple[object, ...], tmp_path: Path
) -> None:
    folders = {flag: tmp_path / flag.strip("-") for flag in ("--mark", "--no-mark")}
    for flag, folder in folders.items():
        assert animate(*glance, flag, "-o", f"{folder}/").code == 0
    one, other = (
        np.stack([read_image(path).astype(int) for path in sorted(folder.glob("*.png"))])
        for folder in folders.values()
    )
    assert np.unique(abs(one - other)).tolist() == [0, 1]
    outcome = call("verify", tmp_path / "no-mark", "--json")
    assert (outcome.code, json.loads(outcome.stdout)["run"]["mark"]) == (0, False)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", "", "", ".c2pa", ".c2pa"]
    assert not output.exists()


def test_a_gif_is_signed_and_not_marked(
    animate: Command, call: Command, output: Path, glance: tuple[object, ...]
) -> None:
    path = output.with_suffix(".gif")
    assert animate(*glance, "-o", path).code == 0
    outcome = call("verify", path, "--json")
    assert (outcome.code, json.loads(outcome.stdout)["run"]["mark"]) == (0, False)


def test_a_key_of_ones_own_signs(
    animate: Command, call: Command, output: Path, glance: tuple[object, ...], tmp_path: Path
) -> None:
    from stylehead.provenance import keys

    keys.own_key()
    key, chain = (shutil.copy(keys.folder() / name, tmp_path) for name in (keys.KEY, keys.CHAIN))
    assert animate(*glance, "--sign-key", key, "--sign-cert", chain).code == 0
    assert call("verify", output).code == 0
    outcome = animate(*glance, "--sign-key", key, "--overwrite")
    assert outcome.code == 1
    assert "--sign-key needs the certificate of that key." in outcome.stderr
    outcome = animate(*glance, "--sign-key", chain, "--sign-cert", chain, "--overwrite")
    assert "is no private key that can be read" in outcome.stderr


@pytest.mark.slow
def test_a_batch_keeps_a_signature_beside_its_video(
    call: Command, portrait: Path, speech: Path, tmp_path: Path, glance: tuple[object, ...]
) -> None:
    _, motion, _, seconds = glance
    (tmp_path / "jobs.jsonl").write_text(
        json.dumps(
            {
                **{"image": str(portrait), "audio": str(speech), "motion": str(motion)},
                **{"duration": seconds, "fps": 10, "crop": True, "size": 128, "output": "a.mkv"},
            }
        )
    )
    words = ("batch", tmp_path / "jobs.jsonl", "-o", tmp_path / "out")
    assert call(*words).code == 0
    made = tmp_path / "out" / "a.mkv"
    record = read_record(made)
    assert record and record.sha256 == digest(made) == record.facts["unsigned_sha256"]
    assert call("verify", made).code == 0
    assert sidecar_of(made).exists()
    assert "0 of 1" in call(*words).stderr


def test_a_computer_without_c2pa_makes_videos_and_says_so_once(
    animate: Command,
    call: Command,
    output: Path,
    glance: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    outcome = animate(*glance)
    assert outcome.code == 0, outcome
    said = [line for line in outcome.stderr.splitlines() if "not signed" in line]
    assert said == [
        "Note: talk.mp4 is not signed: c2pa-python is not installed, which signs videos. "
        "Run pip install -c constraints.txt c2pa-python."
    ]
    outcome = call("verify", output)
    assert (outcome.code, outcome.stderr.count("\n")) == (1, 1)
    assert "Error: c2pa-python is not installed" in outcome.stderr
