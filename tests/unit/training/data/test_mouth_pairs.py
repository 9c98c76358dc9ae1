"""Filmed faces in smooth colours: where a patch shows what, and who may learn from whom."""

import numpy as np
import pytest
import torch

from stylehead.errors import DataError
from stylehead.face.landmarks import mouth_opening, to_68
from stylehead.face.performance import recover_performance
from stylehead.training.data import mouth_pairs
from stylehead.training.data.clips import Clip, save_clip
from stylehead.training.data.mouth_batches import Augmentation, batch_of, load_patches
from stylehead.training.data.mouth_pairs import (
    CLOSED_TARGETS,
    Pairs,
    choose_frames,
    load_pairs,
    make_pairs,
    prepare_pictures,
    save_pairs,
)
from stylehead.types import Frame
from tests.stand_ins.faces import RememberingReporter, closed_mesh, face_track, mean_mesh

FRAMES = 40


def speaking(angles=None, seed=0):
    """Return a track of a mouth that opens four times, and its frames: the shift is the picture."""
    rng = np.random.default_rng(seed)
    phase = np.arange(FRAMES) / FRAMES * 8 * np.pi
    way = (0.5 - 0.5 * np.cos(phase))[:, None, None]
    wide = mean_mesh() + (mean_mesh() - closed_mesh()) * 12
    heads = closed_mesh() + way * (wide - closed_mesh())
    place = rng.normal(0, 0.05, (FRAMES, 3)) * [1, 1, 0]
    track = face_track(heads, angles=angles, place=place)
    rows, columns = np.mgrid[:480, :640]
    frames = []
    for row in range(FRAMES):
        centre = track.mesh[row, :468, :2].mean(0)
        red = 128 + (columns - centre[0]) / 3
        green = 128 + (rows - centre[1]) / 3
        blue = np.full_like(red, 4 * row)
        pixels = np.stack([red, green, blue], -1).clip(0, 255).astype(np.uint8)
        frames.append(Frame(pixels, float(track.seconds[row])))
    return track, frames


def filmed(**track_options):
    """Return the frames of a clip, and the clip as it was tracked."""
    track, frames = speaking(**track_options)
    return frames, Clip("someone.mp4", "someone", track, np.zeros(0, np.int16))


def test_sources_are_shut_and_targets_rise_to_wide_open():
    _, clip = filmed()
    performance = recover_performance(clip.track)
    chosen = choose_frames(clip.track, performance)
    assert chosen
    sources, targets, references = chosen
    opening = mouth_opening(to_68(performance.mesh))
    assert opening[sources].max() < 0.15 * opening.max()
    assert (np.diff(opening[targets]) >= 0).all()
    assert opening[targets[-1]] == opening.max()
    assert len(references) == 4


def test_a_face_that_is_turned_away_gives_no_pairs():
    angles = np.tile([0.0, 45.0, 0.0], (FRAMES, 1))
    angles[:, 1] += np.linspace(0, 3, FRAMES)
    assert make_pairs(*filmed(angles=angles)) is None


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    found = make_pairs(*filmed())
    assert found
    return found


@pytest.mark.slow
def test_a_moved_source_lies_where_the_film_shows_the_same(pairs):
    skin = np.s_[8:20, 20:108]  # below the nose: the mouth's opening does not move it
    for warped, shown in zip(pairs.warped, pairs.filmed, strict=True):
        away = warped[skin][..., :2].astype(int) - shown[skin][..., :2]
        assert np.abs(away).mean() < 2


def test_pairs_know_their_source(pairs):
    _, clip = filmed()
    chosen = choose_frames(clip.track, recover_performance(clip.track))
    assert chosen
    sources = chosen[0]
    # A frame's blue tells its row; the last pairs are made of the targets themselves.
    moved = np.array([patch[12, 64, 2] for patch in pairs.warped[:-CLOSED_TARGETS]])
    np.testing.assert_array_equal(moved, 4 * np.array(sources)[pairs.source[: len(moved)]])


def test_pairs_survive_a_file(pairs, tmp_path):
    save_pairs(tmp_path / "pairs.npz", pairs)
    again = load_pairs(tmp_path / "pairs.npz")
    assert again.person == "someone"
    np.testing.assert_array_equal(again.source, pairs.source)
    np.testing.assert_allclose(again.points, pairs.points, atol=0.1)
    assert np.abs(np.stack(again.filmed).astype(int) - np.stack(pairs.filmed)).mean() < 3


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two people's pictures in a prepared folder, which is only read."""
    films, folder = {}, tmp_path_factory.mktemp("prepared")
    (folder / "clips").mkdir()
    for name in ("ann", "ben"):
        track, frames = speaking(seed=len(films))
        films[f"{name}.mp4"] = frames
        clip = Clip(f"{name}.mp4", name, track, np.zeros(0, np.int16))
        save_clip(folder / "clips" / f"{name}.mp4.npz", clip)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mouth_pairs, "read_frames", lambda path: iter(films[path.name]))
        count = prepare_pictures(folder, folder, reporter=RememberingReporter())
    return folder, count


@pytest.mark.slow
def test_preparing_counts_pairs_and_leaves_alone_what_is_there(prepared, monkeypatch):
    folder, count = prepared
    monkeypatch.setattr(mouth_pairs, "make_pairs", lambda *_: pytest.fail("made again"))
    assert prepare_pictures(folder, folder) == count > 40


def test_held_out_people_stay_out(prepared):
    folder, count = prepared
    ann, ben = (load_patches(folder, without={name}) for name in ("ben", "ann"))
    assert set(ann.people) == {"ann"}
    assert len(ann) + len(ben) == count
    with pytest.raises(DataError, match="no pictures"):
        load_patches(folder, without={"ann", "ben"})


def test_a_folder_without_pictures_says_what_to_run(tmp_path):
    with pytest.raises(DataError, match="no pictures") as caught:
        load_patches(tmp_path, without=set())
    assert "--as pictures" in caught.value.remedy


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


def without_an_array(path):
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "source"}
    np.savez(path, **kept)


def with_broken_jpegs(path):
    with np.load(path) as arrays:
        damaged = {name: arrays[name] for name in arrays.files}
    damaged["warped"] = np.zeros_like(damaged["warped"])
    np.savez(path, **damaged)


@pytest.mark.parametrize("damage", [cut_short, without_an_array, with_broken_jpegs])
def test_a_damaged_file_of_pairs_is_named(tmp_path, damage):
    path = tmp_path / "pictures" / "ann.mp4.npz"
    path.parent.mkdir()
    patch, points = np.full((128, 128, 3), 90, np.uint8), np.full((1, 88, 2), 60, np.float32)
    pairs = Pairs("ann", [patch], [patch], points, np.array([0]), [patch] * 4, points.repeat(4, 0))
    save_pairs(path, pairs)
    assert len(load_patches(tmp_path, without=set())) == 1
    damage(path)
    with pytest.raises(DataError, match="ann") as caught:
        load_patches(tmp_path, without=set())
    assert "stylehead prepare" in caught.value.remedy


def test_each_pair_finds_its_own_source_s_patterns(prepared):
    folder, _ = prepared
    both = load_patches(folder, without=set())
    for name in ("ann", "ben"):
        alone = load_patches(folder, people={name}, without=set())
        rows = [row for row, person in enumerate(both.people) if person == name]
        np.testing.assert_array_equal(
            both.references[both.source[rows]], alone.references[alone.source]
        )


def test_a_mirrored_pair_is_the_mirror_of_everything(prepared):
    folder, _ = prepared
    patches = load_patches(folder, without=set())
    still = Augmentation(jitter=0, colour=0, light=0, grey=0, tint=0, blur=0)
    plain = batch_of(patches, [5])
    for seed in range(20):  # until one of them is mirrored
        generator = torch.Generator().manual_seed(seed)
        turned = batch_of(patches, [5], augmentation=still, generator=generator)
        if not torch.equal(turned.warped, plain.warped):
            break
    torch.testing.assert_close(turned.warped, plain.warped.flip(-1))
    torch.testing.assert_close(turned.filmed, plain.filmed.flip(-1))
    torch.testing.assert_close(turned.patterns, plain.patterns.flip(-1))
    torch.testing.assert_close(turned.weights, plain.weights.flip(-1))
    # The labels of left and right change places; what is filled does not care.
    away = (turned.facial_map[:, 1] - plain.facial_map[:, 1].flip(-1)).abs().mean()
    assert away < 0.003


def test_disturbing_changes_both_pictures_alike(prepared):
    folder, _ = prepared
    patches = load_patches(folder, without=set())
    generator = torch.Generator().manual_seed(1)
    augmentation = Augmentation(jitter=0, grey=0, tint=0, blur=0)
    batch = batch_of(patches, [3, 3, 3, 3], augmentation=augmentation, generator=generator)
    shift = (batch.warped - batch.warped[:1]).mean((1, 2, 3))
    same = (batch.filmed - batch.filmed[:1]).mean((1, 2, 3))
    assert shift.abs().max() > 0.01
    torch.testing.assert_close(shift, same, atol=0.04, rtol=0)


def test_grey_pairs_are_grey_throughout(prepared):
    folder, _ = prepared
    patches = load_patches(folder, without=set())
    augmentation = Augmentation(colour=0, grey=1.0)
    batch = batch_of(
        patches, [3, 8], augmentation=augmentation, generator=torch.Generator().manual_seed(0)
    )
    for shown in (batch.warped, batch.filmed, batch.patterns):
        red, green, blue = shown.unbind(-3)
        torch.testing.assert_close(red, green)
        torch.testing.assert_close(red, blue)
