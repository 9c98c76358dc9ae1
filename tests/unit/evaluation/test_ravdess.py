from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from stylehead.errors import MediaError
from stylehead.evaluation.baselines import Baselines
from stylehead.evaluation.measurements import FPS
from stylehead.evaluation.ravdess import (
    COLUMNS,
    evaluate_motion,
    frontal_motion,
    measure_motion,
    motion_measures,
    read_recordings,
    summary,
)
from stylehead.evaluation.run import evaluate_ravdess
from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import mouth_opening, to_68
from stylehead.media.audio import open_audio
from stylehead.options import Device, Encoder
from stylehead.style.file import find_style
from stylehead.types import Floats, Motion
from stylehead.weights.store import PACKAGE
from tests.conftest import Command
from tests.stand_ins.faces import predictor

JAW_OPEN = 25  # place of the score in the tracker's list
VOICE = PACKAGE / "assets" / "demo_voice.ogg"


def talking(frames: int = 90) -> tuple[Floats, Floats]:
    """Opening in [0, 1] and camera-space points in mm of a head that turns while it talks."""
    model = FaceModel.embedded()
    opening = np.maximum(0, np.sin(np.arange(frames) / 4)).astype(np.float32)
    wide = to_68(model.basis[JAW_OPEN].reshape(478, 3))
    head = to_68(model.mean) + 0.6 * opening[:, None, None] * wide
    angles = np.zeros((frames, 3))
    angles[:, 1] = 10 * np.sin(np.arange(frames) / 20)
    turned = head @ rotation_from_angles(angles) + np.array([0.2, -0.1, 5])
    return opening, (90 * turned).astype(np.float32)


def write_clip(folder: Path, name: str, *, sure: float = 1.0) -> None:
    _, points = talking()
    np.savez(folder / f"{name}.npz", landmarks_mm=points, confidence=np.full(90, sure))
    voice = np.concatenate(list(open_audio(VOICE).blocks()))[: 3 * 16_000]
    sf.write(folder / f"{name}.flac", voice, 16_000)


def test_head_pose_and_size_are_taken_off() -> None:
    opening, points = talking()
    offsets, neutral = frontal_motion(points)
    found = mouth_opening(neutral + offsets) - mouth_opening(neutral)
    assert np.corrcoef(found, opening)[0, 1] > 0.99
    forehead = offsets[:, 27]  # the bridge of the nose does not talk
    assert np.abs(forehead).max() < 0.01


def test_a_clip_the_tracker_was_unsure_of_is_left_out(tmp_path: Path) -> None:
    write_clip(tmp_path, "01-01-01-01-01-07")
    write_clip(tmp_path, "01-01-01-01-01-08", sure=0.1)
    assert [one.actor for one in read_recordings(tmp_path)] == ["07"]


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="landmark files"):
        read_recordings(tmp_path)


def test_actors_can_be_chosen(tmp_path: Path) -> None:
    write_clip(tmp_path, "01-01-01-01-01-07")
    write_clip(tmp_path, "01-01-01-01-01-08")
    assert [one.actor for one in read_recordings(tmp_path, ["08"])] == ["08"]
    with pytest.raises(MediaError, match="none of these actors"):
        read_recordings(tmp_path, ["09"])


def test_ground_truth_is_at_no_distance_and_a_neutral_face_at_some(tmp_path: Path) -> None:
    write_clip(tmp_path, "01-01-01-01-01-07")
    recording = read_recordings(tmp_path)[0]
    same = motion_measures(recording, recording.landmarks, np.ones(90, np.float32))
    assert [same[name].value for name in COLUMNS[:7]] == pytest.approx([0] * 7, abs=1e-9)
    assert same["opening r"].value == pytest.approx(1)
    neutral = motion_measures(recording, np.zeros_like(recording.landmarks), None)
    assert min(neutral[name].value for name in COLUMNS[:4]) > 0
    assert np.isnan(neutral["opening r"].value)
    assert neutral["excess opening"].value < 0


def test_every_method_is_measured_and_actors_can_be_told_apart(tmp_path: Path) -> None:
    write_clip(tmp_path, "01-01-01-01-01-07")
    write_clip(tmp_path, "01-01-01-01-01-08")
    tables = evaluate_motion(read_recordings(tmp_path), predictor(), find_style("plain"))
    assert list(tables) == ["01-01-01-01-01-07", "01-01-01-01-01-08"]
    measures = summary(tables, "stylehead, style plain", per_actor=True)
    names = list(measures.rows)
    assert names[0] == "ground truth"
    assert names[-3:] == [f"stylehead, style plain{n}" for n in ("", ", actor 07", ", actor 08")]
    assert set(measures.names()) == set(COLUMNS)


def test_the_papers_rows_stand_below_ours(tmp_path: Path) -> None:
    write_clip(tmp_path, "01-01-01-01-01-07")
    measures = evaluate_ravdess(
        tmp_path, cache=tmp_path, device=Device.CPU, encoder=Encoder.APC, per_actor=True
    )
    lines = list(measures.transposed().table())
    assert {len(line) for line in lines} == {1 + len(COLUMNS)}
    assert lines[-1][:3] == ("published: the paper", "1.83", "2.65")
    assert "stylehead, style plain, actor 07" in [line[0] for line in lines]


def test_the_command_measures_the_actors_that_are_named(call: Command, tmp_path: Path) -> None:
    corpus, cache = tmp_path / "corpus", tmp_path / "kept"
    corpus.mkdir()
    for actor in ("07", "08"):
        write_clip(corpus, f"01-01-01-01-01-{actor}")
    words = ("evaluate", "ravdess", "--root", corpus, "--cache", cache, "--encoder", "apc")
    outcome = call(*words, "--per-actor", "--actor", "08")
    assert outcome.code == 0, outcome.stderr
    assert "plain, actor 08\t" in outcome.stdout and "actor 07" not in outcome.stdout
    assert "actor" not in call(*words).stdout


def test_baselines_follow_the_voice_and_the_neutral_face_does_not() -> None:
    sound = open_audio(VOICE)
    found = Baselines().predict(sound, Fraction(30), 250)
    assert not found["neutral face"].any()
    assert np.ptp(found["mean mouth motion"], axis=0).max() == 0
    for name in ("loudness -> jaw", "ridge from log-mel"):
        assert found[name].std(0).max() > 0.005


def test_a_motion_is_judged_against_landmarks(tmp_path: Path) -> None:
    write_clip(tmp_path, "x")
    offsets, neutral = frontal_motion(talking()[1])
    eye = np.broadcast_to(np.eye(3, dtype=np.float32), (90, 3, 3)).copy()
    still, open_ = np.zeros((90, 3), np.float32), np.zeros(90, np.float32)
    motion = Motion(offsets, eye, still, open_, FPS, neutral)
    rows = measure_motion(motion, tmp_path / "x.npz").rows
    assert rows["motion"]["LMD"].value == pytest.approx(0, abs=1e-6)
    assert rows["neutral face"]["LMD"].value > 0
    with pytest.raises(MediaError, match="lacks landmarks_mm"):
        np.savez(tmp_path / "y.npz", other=offsets)
        measure_motion(motion, tmp_path / "y.npz")
