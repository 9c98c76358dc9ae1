import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from stylehead.face.face_model import EXPRESSIVE, FaceModel
from stylehead.face.shapes import POINTS, FaceShapes, measures
from stylehead.training import face_shapes
from stylehead.training.data.clips import PEOPLE, Clip
from stylehead.training.face_shapes import FRAMES, fit_face_shapes, frontal_offsets
from tests.stand_ins.faces import face_track, mean_mesh

COUNT = 80
WIDTH = 6


def clip(number, *, person=None, size=1.0, yaw=0.0, count=COUNT):
    """Somebody whose face does something else in every frame; the first ones are quiet."""
    rng = np.random.default_rng(number)
    scores = np.zeros((count, 52), np.float32)
    scores[:, EXPRESSIVE] = size * rng.uniform(0, 0.4, (count, len(EXPRESSIVE)))
    scores[:12] = 0
    heads = mean_mesh() + (scores @ FaceModel.embedded().basis).reshape(-1, 478, 3)
    angles = np.zeros((count, 3), np.float32)
    angles[count // 2 :, 1] = yaw
    track = face_track(heads.astype(np.float32), fps=25, angles=angles, expression=scores)
    return Clip(f"{number}.mp4", person or f"person {number}", track, np.zeros(0, np.int16))


@pytest.fixture(scope="module")
def clips():
    held_out = clip(9, person=min(PEOPLE), size=3.0)
    return [*(clip(number) for number in range(4)), held_out]


def fitted(clips, folder):
    path = folder / "face_shapes.safetensors"
    metrics = fit_face_shapes(clips, path)
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == metrics
    return FaceShapes(**{k: v.astype(np.float32) for k, v in load_file(path).items()}), metrics


def test_people_who_are_held_out_are_judged_on_and_not_learned_from(clips, tmp_path):
    shapes, metrics = fitted(clips, tmp_path)
    alone, others = fitted(clips[:-1], tmp_path)
    for name in ("mean", "shapes", "spread", "limits", "farthest"):
        np.testing.assert_array_equal(getattr(shapes, name), getattr(alone, name))
    assert metrics["people"] == "4"
    assert 0 < float(metrics["r2_held_out"]) < float(metrics["r2"]) <= 1
    assert "r2_held_out" not in others


def test_limits_are_percentiles_of_what_was_filmed(clips, tmp_path):
    shapes, metrics = fitted(clips, tmp_path)
    frames = np.concatenate([frontal_offsets(one) for one in clips[:-1]])
    assert 0.99 * len(frames) < int(metrics["frames"]) < len(frames)
    found = measures(frames.reshape(len(frames), -1, 3))[:, WIDTH]
    wanted = np.percentile(found, [0.5, 1.5, 98.5, 99.5])
    np.testing.assert_allclose(shapes.limits[WIDTH], wanted, atol=0.1 * np.ptp(wanted))
    assert (np.diff(shapes.limits, axis=1) >= 0).all()


def test_the_neutral_face_is_among_the_shapes(clips, tmp_path):
    shapes, _ = fitted(clips, tmp_path)
    neutral = np.zeros((1, 68, 3), np.float32)
    made = shapes.with_coordinates(neutral, shapes.coordinates(neutral))
    np.testing.assert_allclose(made[:, POINTS], 0, atol=1e-3)
    gram = shapes.shapes @ shapes.shapes.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=0.01)


def test_frames_that_look_away_are_left_out():
    assert len(frontal_offsets(clip(1))) == pytest.approx(1.2 * COUNT, abs=2)  # 30 for 25 a second
    assert len(frontal_offsets(clip(1, yaw=60.0))) < 0.7 * COUNT


def test_a_long_clip_does_not_count_more(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(face_shapes, "FRAMES", COUNT // 2)
    _, metrics = fitted(clips[:2], tmp_path)
    assert int(metrics["frames"]) < 2 * COUNT * 0.7
    assert FRAMES > COUNT
