import numpy as np
import pytest
from safetensors.numpy import load_file

from stylehead.errors import DataError
from stylehead.rendering.eyes import eye_texture
from stylehead.rendering.skin import face_texture
from stylehead.training.appearance import fit_appearance, fit_folds, fit_lids
from stylehead.training.data.clips import FIRST_PEOPLE, Clip
from stylehead.training.data.skin_textures import (
    SkinTextures,
    load_textures,
    make_textures,
    save_textures,
    shut_vertices,
)
from stylehead.types import Frame
from tests.stand_ins.faces import face_track, mean_mesh, shut_lids

EYE, FACE = eye_texture.SIZE, face_texture.SIZE
HELD_OUT = min(FIRST_PEOPLE)
LINE = 40  # row of the lash line of these people's shut eyes
FOLD = (60, 30)
FOLDING = 48 * 3  # offset that folds these people's cheeks


def textures(person, rng, *, factor=1.0, frames=12):
    """Return a person whose shut eyes have a dark line, and whose cheek darkens with one offset."""
    level = rng.integers(90, 200) * factor
    offsets = np.zeros((frames, 68, 3), np.float32)
    offsets.reshape(frames, -1)[:, FOLDING] = np.linspace(-0.1, 0.1, frames)
    offsets += rng.normal(0, 0.002, offsets.shape)
    shown = np.full((frames, FACE, FACE, 3), level)
    row, column = FOLD
    change = np.exp(-2 * offsets.reshape(frames, -1)[:, FOLDING])[:, None, None, None]
    shown[:, row - 4 : row + 5, column - 4 : column + 5] *= change
    opened = np.full((2, 2, EYE, EYE, 3), level)
    opened[:, :, LINE - 6 : LINE + 2] *= 0.4  # a dark eye
    shut = np.full((3, 2, EYE, EYE, 3), level)
    shut[:, :, LINE - 1 : LINE + 2] *= 0.5
    noisy = [
        (each + rng.normal(0, 1, each.shape)).clip(0, 255).astype(np.uint8)
        for each in (np.full((3, FACE, FACE, 3), level), shown, opened, shut)
    ]
    rest, shown, opened, shut = noisy
    still = np.zeros((3, 68, 3), np.float32)
    return SkinTextures(
        person, rest, still, np.zeros((3, 3), np.float32), shown, offsets,
        rng.normal(0, 3, (frames, 3)).astype(np.float32), opened, shut,
    )  # fmt: skip


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    return [textures(f"person {number}", rng) for number in range(8)]


def test_shut_eyes_are_told_from_open_ones(people):
    model, _ = fit_lids(people)
    light = model.shut(people[0].open_eyes[0, 0])
    line, lid = light[LINE].mean(), light[LINE - 15 : LINE - 8].mean()
    assert line < lid + 0.7 * np.log(0.5)
    level = np.log(people[0].shut_eyes[0, 0, 50].mean() / 255)
    assert lid == pytest.approx(level, abs=0.15)


def test_folds_are_told_from_the_offset_that_makes_them(people):
    model, _ = fit_folds(people)
    offsets = np.zeros((68, 3), np.float32)
    offsets.reshape(-1)[FOLDING] = 0.08
    change = model.change(model.amounts(offsets, np.eye(3, dtype=np.float32)))
    row, column = FOLD
    assert change[row, column] < -0.05
    assert np.abs(change[20:30, 60:70]).max() < 0.02


def test_held_out_people_are_measured_and_never_learned_from(people):
    rng = np.random.default_rng(1)
    stranger = textures(HELD_OUT, rng, factor=0.5)
    stranger.shut_eyes[:] = rng.integers(0, 255, stranger.shut_eyes.shape)
    (lids, metrics), (alone, none) = fit_lids([*people, stranger]), fit_lids(people)
    np.testing.assert_allclose(lids.mean, alone.mean, atol=1e-5)
    assert "lid_error_of_stretched" in metrics and not none
    (folds, metrics), (alone, none) = fit_folds([*people, stranger]), fit_folds(people)
    np.testing.assert_allclose(folds.write, alone.write, atol=1e-4)
    assert float(metrics["fold_correlation"]) > 0 and not none


def test_each_person_counts_once(people):
    often = fit_lids([*people, *[people[0]] * 5])[0]
    np.testing.assert_allclose(often.mean, fit_lids(people)[0].mean, atol=0.01)


def test_the_fitted_file_has_what_rendering_reads(people, tmp_path):
    (tmp_path / "textures").mkdir()
    for number, person in enumerate(people):
        save_textures(tmp_path / "textures" / f"{number}.npz", person)
    metrics = fit_appearance(tmp_path, tmp_path / "appearance.safetensors")
    assert metrics["people"] == "8"
    arrays = load_file(tmp_path / "appearance.safetensors")
    assert arrays["lids.write"].shape[1:] == (EYE, EYE)
    assert arrays["folds.write"].shape[1:] == (FACE, FACE)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}


def test_without_anybody_to_learn_from_it_says_so(people, tmp_path):
    (tmp_path / "textures").mkdir()
    stranger = textures(HELD_OUT, np.random.default_rng(2))
    save_textures(tmp_path / "textures" / "0.npz", stranger)
    with pytest.raises(DataError, match="no textures to learn from"):
        fit_appearance(tmp_path, tmp_path / "appearance.safetensors")


def test_textures_survive_a_file(people, tmp_path):
    save_textures(tmp_path / "0.npz", people[0])
    again = load_textures(tmp_path / "0.npz")
    assert again.person == people[0].person
    np.testing.assert_array_equal(again.shut_eyes, people[0].shut_eyes)


def test_a_clip_gives_faces_at_rest_and_eyes_open_and_shut():
    frames = 60
    closure = np.zeros(frames, np.float32)
    closure[28:32] = 1
    heads = shut_lids(np.tile(mean_mesh(), (frames, 1, 1)), closure)
    track = face_track(heads)
    width, height = track.size
    films = (
        Frame(np.full((height, width, 3), 100 + row, np.uint8), float(second))
        for row, second in enumerate(track.seconds)
    )
    made = make_textures(films, Clip("clip", "somebody", track, np.zeros(0, np.int16)))
    assert made is not None
    assert made.rest.shape[1:] == (FACE, FACE, 3)
    assert made.open_eyes.shape[1:] == (2, EYE, EYE, 3)
    assert set(np.unique(made.shut_eyes[:, :, EYE // 2, EYE // 2])) <= {128, 129, 130, 131}
    assert not set(np.unique(made.open_eyes[:, :, EYE // 2, EYE // 2])) & {128, 129, 130, 131}


def test_tracked_lids_of_a_blink_are_shut_wholly():
    open_, shut = (shut_vertices(mean_mesh(), blink) for blink in (0.0, 1.0))
    upper, lower = 159, 145
    assert open_[lower, 1] - open_[upper, 1] > 0.05
    assert shut[lower, 1] - shut[upper, 1] < 0
