"""Motions for other programs, by the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from stylehead.motion.file import load_motion, save_motion
from stylehead.options.choices import MotionFormat
from tests.conftest import FILTERED, QUICK, Command
from tests.stand_ins.faces import performed_motion


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "take.csv"), "Say which: --to livelink or --to csv."),
        (("-o", "take.csv", "--to", "gltf"), "take.csv does not end in .glb"),
        (("-o", "take.glb", "--to", "livelink"), "take.glb does not end in .csv"),
        (("-o", "take.fbx"), "take.fbx does not end in .npz or .csv or .glb"),
    ],
)
def test_a_motion_that_could_be_anything_is_refused_before_any_work(
    call: Command,
    speech: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
):
    monkeypatch.chdir(tmp_path)
    outcome = call("motion", "--audio", speech, *words)
    assert outcome.code == 1
    assert said in " ".join(outcome.stderr.split())
    assert "Listening" not in outcome.stderr
    assert not list(tmp_path.iterdir())


def test_a_take_of_a_recording_is_animated(
    call: Command, speech: Path, portrait: Path, tmp_path: Path
):
    take = tmp_path / "take.csv"
    words = ("--duration", 1, "--fps", 10, *FILTERED)
    outcome = call("motion", "--audio", speech, "-o", take, "--to", "livelink", *words)
    assert (outcome.code, outcome.stdout) == (0, f"{take}\n")
    with take.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Timecode"][-6:] for row in rows] == [f"{6 * k:02}.000" for k in range(10)]
    assert np.ptp([float(row["JawOpen"]) for row in rows]) > 0.01

    video, saved = tmp_path / "v.mp4", tmp_path / "saved.npz"
    outcome = call(
        *("animate", "--image", portrait, "--audio", speech, "--motion", take),
        *("-o", video, "--save-motion", saved, *QUICK),
    )
    assert outcome.code == 0, outcome
    shown, meant = load_motion(saved), load_motion(take)
    np.testing.assert_allclose(shown.rotation, meant.rotation, atol=1e-5)
    np.testing.assert_allclose(shown.landmarks, meant.landmarks, atol=0.05)  # kept to real mouths
    assert video.stat().st_size > 1000


def test_a_bad_line_is_named_in_one(call: Command, speech: Path, portrait: Path, tmp_path: Path):
    table = tmp_path / "m.csv"
    save_motion(performed_motion(1.0), table, MotionFormat.CSV)
    lines = table.read_text().splitlines()
    lines[7] = lines[7].replace(",", ",much", 1)
    table.write_text("\n".join(lines))
    outcome = call(
        *("animate", "--image", portrait, "--audio", speech, "--motion", table),
        *("-o", tmp_path / "v.mp4", *QUICK),
    )
    assert outcome.code == 1
    assert "line 8: head_pitch is 'much" in " ".join(outcome.stderr.split())
    assert not (tmp_path / "v.mp4").exists()
