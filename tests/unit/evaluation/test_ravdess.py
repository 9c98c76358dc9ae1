from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from stylehead import pipeline
from stylehead.errors import MediaError
from stylehead.evaluation.baselines import Baselines
from stylehead.evaluation.ravdess import (
    COLUMNS,
    FPS,
    evaluate,
    frontal_motion,
    judge_motion,
    read_recordings,
    score,
    table,
)
from stylehead.evaluation.run import ravdess_rows
from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import mouth_opening, to_68
from stylehead.media.audio import open_audio
from stylehead.options import Device, Encoder
from stylehead.types import Floats, Motion
from stylehead.weights.store import PACKAGE
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


def test_ground_truth_scores_nothing_and_a_frozen_face_its_own_speed(tmp_path: Path) -> None:
    write_clip(tmp_path, "01-01-01-01-01-07")
    recording = read_recordings(tmp_path)[0]
    voice = np.ones(90, np.float32)
    same = score(recording, recording.landmarks, voice)
    assert same[:7] == pytest.approx([0] * 7, abs=1e-9)
    assert same[7] == pytest.approx(1)
    frozen = score(recording, np.zeros_like(recording.landmarks), voice)
    assert min(frozen[:4]) > 0
    assert np.isnan(frozen[7])


def test_the_whole_table_is_made(tmp_path: Path) -> None:
    write_clip(tmp_path, "01-01-01-01-01-07")
    write_clip(tmp_path, "01-01-01-01-01-08")
    scores = evaluate(tmp_path, predictor(), pipeline.choose_style("plain"))
    rows = list(table(scores))
    names = [row[0] for row in rows]
    assert names[0] == "ground truth"
    assert names[-1] == "stylehead, style plain"
    assert {len(row) for row in rows} == {1 + len(COLUMNS)}
    split = scores[-1].by_actor()
    assert [one.name for one in split] == [f"{names[-1]}, actor 0{n}" for n in (7, 8)]


def test_the_papers_rows_stand_below_ours(tmp_path: Path) -> None:
    write_clip(tmp_path, "01-01-01-01-01-07")
    rows, _ = ravdess_rows(
        tmp_path, None, tmp_path, None, Device.CPU, Encoder.DISTILLED, per_actor=True
    )
    assert {len(row) for row in rows} == {1 + len(COLUMNS)}
    assert rows[-1][:3] == ("published: the paper", "1.83", "2.65")
    assert "stylehead, style plain, actor 07" in [row[0] for row in rows]


def test_baselines_follow_the_voice_and_the_frozen_face_does_not() -> None:
    sound = open_audio(VOICE)
    found = Baselines().predict(sound, Fraction(30), 250)
    assert not found["frozen face"].any()
    assert np.ptp(found["mean mouth motion"], axis=0).max() == 0
    for name in ("loudness -> jaw", "ridge from log-mel"):
        assert found[name].std(0).max() > 0.005


def test_a_motion_is_judged_against_landmarks(tmp_path: Path) -> None:
    write_clip(tmp_path, "x")
    offsets, neutral = frontal_motion(talking()[1])
    eye = np.broadcast_to(np.eye(3, dtype=np.float32), (90, 3, 3)).copy()
    still, open_ = np.zeros((90, 3), np.float32), np.zeros(90, np.float32)
    motion = Motion(offsets, eye, still, open_, FPS, neutral)
    rows = {one.name: one.mean() for one in judge_motion(motion, tmp_path / "x.npz")}
    assert rows["motion"][0] == pytest.approx(0, abs=1e-6)
    assert rows["frozen face"][0] > 0
    with pytest.raises(MediaError, match="lacks landmarks_mm"):
        np.savez(tmp_path / "y.npz", other=offsets)
        judge_motion(motion, tmp_path / "y.npz")
