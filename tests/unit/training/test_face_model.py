import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from stylehead.face.face_model import EXPRESSIVE, FaceModel
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import MESH_OF_68, RIGID, interocular, to_68
from stylehead.training.data.clips import Clip
from stylehead.training.face_model import fit_face_model, mean_face
from tests.stand_ins.faces import face_track, mean_mesh, wave, without_face

PEOPLE = 7
FRAMES = 50


def person(number):
    """The mean face, a little wider, longer or flatter."""
    rng = np.random.default_rng(number)
    return mean_mesh() * (1 + 0.04 * rng.normal(size=3)).astype(np.float32)


def clip(number):
    """Somebody who moves lips, jaw and brows by known scores; the first frames are quiet."""
    rng = np.random.default_rng(100 + number)
    times = np.arange(FRAMES) / 25
    scores = np.zeros((FRAMES, 52), np.float32)
    for k in EXPRESSIVE:
        scores[:, k] = 0.4 * np.clip(wave(times, 0.5 + rng.uniform(0, 2), rng.uniform(0, 6)), 0, 1)
    scores[:8] = 0
    model = FaceModel.embedded()
    heads = person(number) + (scores @ model.basis).reshape(-1, 478, 3)
    angles = np.column_stack([5 * wave(times, 0.4), 8 * wave(times, 0.3, 1), 3 * wave(times, 0.6)])
    track = face_track(heads, fps=25, angles=angles, expression=scores)
    return Clip(f"{number}.mp4", f"person {number}", track, np.zeros(0, np.int16))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "face_model.safetensors"
    metrics = fit_face_model([clip(number) for number in range(PEOPLE)], path)
    return path, metrics


@pytest.fixture(scope="module")
def model(fitted):
    arrays = load_file(fitted[0])
    return FaceModel(
        **{name: arrays[name].astype(np.float32) for name in ("mean", "dense", "basis")},
        neutral_scores=arrays["rest"].astype(np.float32),
        triangles=arrays["triangles"].astype(np.int64),
    )


def test_the_mean_face_of_posed_people_is_their_mean_shape():
    rng = np.random.default_rng(0)
    meshes = []
    for number in range(12):
        turned = rotation_from_angles(rng.uniform(-12, 12, 3))
        meshes.append(rng.uniform(80, 300) * (person(number) @ turned) + rng.uniform(-500, 500, 3))
    found = mean_face([mesh.astype(np.float32) for mesh in meshes])
    wanted = np.mean([person(number) for number in range(12)], axis=0)
    wanted /= interocular(to_68(wanted))
    assert np.linalg.norm(found - wanted, axis=1).mean() < 0.06


def test_the_mean_face_is_in_head_space_and_symmetrical():
    found = mean_face([200 * person(number) + 50 for number in range(6)])
    points = to_68(found)
    np.testing.assert_allclose(points[list(RIGID)].mean(0), 0, atol=1e-3)
    assert interocular(points) == pytest.approx(1, abs=1e-3)
    assert points[27:31, 0] == pytest.approx(np.zeros(4), abs=0.01)
    np.testing.assert_allclose(points[36, 1:], points[45, 1:], atol=0.01)


def test_the_file_holds_what_the_product_reads(fitted):
    arrays = load_file(fitted[0])
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes == {
        "mean": (478, 3), "dense": (204, 1434), "basis": (52, 1434), "rest": (52,),
        "triangles": (852, 3),
    }  # fmt: skip
    shipped = FaceModel.embedded()
    np.testing.assert_array_equal(arrays["triangles"], shipped.triangles)


def test_metrics_are_returned_and_stored(fitted):
    path, metrics = fitted
    assert metrics["clips"] == str(PEOPLE)
    assert int(metrics["frames"]) == PEOPLE * FRAMES
    assert 0.8 < float(metrics["dense_r2_held_out"]) <= 1
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == metrics


def test_the_fitted_mean_is_the_peoples_mean(model):
    wanted = np.mean([person(number) for number in range(PEOPLE)], axis=0)
    wanted /= interocular(to_68(wanted))
    assert np.linalg.norm(model.mean - wanted, axis=1).mean() < 0.05


def test_a_landmarks_own_vertex_follows_it_exactly(model):
    offsets = np.random.default_rng(0).normal(size=(3, 68, 3)).astype(np.float32)
    np.testing.assert_allclose(model.mesh_offsets(offsets)[:, MESH_OF_68], offsets, atol=1e-3)


def test_the_dense_map_spreads_landmarks_over_the_mesh(model):
    scores = np.zeros(52, np.float32)
    scores[25] = 0.5
    known = FaceModel.embedded().expression_offset(scores + FaceModel.embedded().neutral_scores)
    found = model.mesh_offsets(to_68(known)[None])[0]
    assert np.linalg.norm(found - known) < 0.35 * np.linalg.norm(known)


def test_neutral_scores_are_those_of_quiet_frames(model):
    assert np.abs(model.neutral_scores[EXPRESSIVE]).max() < 0.05


def test_clips_with_too_few_faces_are_passed_over(tmp_path):
    clips = [clip(number) for number in range(PEOPLE)]
    lost = clips[3]
    clips[3] = Clip(lost.name, lost.person, without_face(lost.track, slice(3, None)), lost.samples)
    metrics = fit_face_model(clips, tmp_path / "m.safetensors")
    assert metrics["clips"] == str(PEOPLE - 1)
