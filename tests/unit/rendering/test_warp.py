from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from stylehead.rendering import warp
from stylehead.rendering.still.square import cut_matte, cut_square
from stylehead.rendering.warp import Sampler

CPU = torch.device("cpu")


def picture(size=128):
    """Smooth shapes in three colours, with a sharp edge."""
    y, x = np.mgrid[:size, :size] / size
    red = 128 + 100 * np.sin(11 * x) * np.cos(7 * y)
    green = 255 * (np.hypot(x - 0.4, y - 0.6) < 0.25)
    blue = 128 + 20 * np.random.default_rng(0).normal(size=(size, size))  # more grain than film's
    return np.stack([red, green, blue], -1).clip(0, 255).astype(np.uint8)


def wobble(cells, pixels=5.0, seed=0):
    """A smooth displacement map."""
    y, x = np.mgrid[:cells, :cells] / cells
    phase = np.random.default_rng(seed).uniform(0, 6, 2)
    out = [np.sin(5 * x + phase[0]) * np.cos(4 * y), np.cos(6 * y + phase[1]) * np.sin(3 * x)]
    return (pixels * np.stack(out, -1)).astype(np.float32)


def difference(a, b):
    return np.abs(a.astype(float) - b)


def test_no_displacement_gives_the_picture_back():
    crop = picture()
    found = Sampler(crop)(np.zeros((64, 64, 2), np.float32))
    assert found.dtype == np.uint8
    assert difference(found, crop).max() <= 1


def test_whole_pixels_move_exactly():
    crop = picture()
    displacement = np.broadcast_to(np.array([3, -2], np.float32), (64, 64, 2)).copy()
    found = Sampler(crop)(displacement)
    # Each pixel comes from 3 to the right and 2 above.
    assert difference(found[2:, :-3], crop[:-2, 3:]).max() <= 1


def test_what_lies_outside_repeats_the_edge():
    crop = picture()
    displacement = np.broadcast_to(np.array([-500, 0], np.float32), (64, 64, 2)).copy()
    found = Sampler(crop)(displacement)
    assert difference(found, np.broadcast_to(crop[:, :1], crop.shape)).max() <= 1


def test_half_a_pixel_lies_between():
    crop = np.zeros((32, 32, 3), np.uint8)
    crop[:, ::2] = 200
    displacement = np.broadcast_to(np.array([0.5, 0], np.float32), (32, 32, 2)).copy()
    assert difference(Sampler(crop)(displacement)[4:-4, 4:-4], 100).max() <= 2


def test_a_coarse_map_is_filled_in_smoothly():
    crop = np.repeat(np.linspace(0, 255, 128)[None, :, None], 128, 0).repeat(3, 2).astype(np.uint8)
    ramp = np.broadcast_to((0.2 * (np.arange(32) + 0.5) * 4)[None, :], (32, 32))
    found = Sampler(crop)(np.stack([ramp, 0 * ramp], -1).astype(np.float32))
    steps = np.diff(found[64, 8:100, 0].astype(int))
    assert (steps >= 1).all()
    assert (steps <= 4).all()


def test_sampling_twice_gives_the_same_and_leaves_the_picture_alone():
    crop = picture()
    before = crop.copy()
    sample = Sampler(crop)
    np.testing.assert_array_equal(sample(wobble(64)), sample(wobble(64)))
    np.testing.assert_array_equal(crop, before)


def test_what_is_over_the_picture_comes_in_where_it_moves_down():
    crop, above = picture(), picture()[::-1][:10]
    down = np.broadcast_to(np.array([0, -4], np.float32), (64, 64, 2)).copy()
    found = Sampler(crop, above)(down)
    np.testing.assert_array_equal(found[4:], crop[:-4])
    np.testing.assert_array_equal(found[:4], above[-4:])
    still = Sampler(crop, above)(np.zeros((64, 64, 2), np.float32))
    np.testing.assert_array_equal(still, crop)


def test_hair_goes_on_over_the_picture_and_nothing_else_does():
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    matte = np.zeros((128, 128), np.uint8)
    matte[:, 40:80] = 255
    corner = np.array((0, -5), np.float32)
    cut = cut_matte(matte, corner, 1.0, 128)
    where = SimpleNamespace(corner=corner, scale=1.0, size=128, matte=cut)
    crop = warp.crop_of(pixels, where)
    np.testing.assert_array_equal(crop[5:], pixels[:123])
    edge = cut_square(pixels, corner, 1.0, 128)
    assert crop[:5, 40:80].std() > 1.5 * edge[:5, 40:80].std(), "strands, not a blur"
    np.testing.assert_array_equal(crop[:5, 80:], edge[:5, 80:])


def test_a_matte_keeps_hard_edges_beyond_the_picture():
    matte = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    cut = cut_matte(matte, np.array((0, -8), np.float32), 1.0, 64)
    np.testing.assert_array_equal(cut[8:], matte[:56])
    np.testing.assert_array_equal(cut[:8], np.where(matte[:8] < 128, 0, 255))


@pytest.mark.parametrize("corner", [(-40, -30), (60, 70), (-40, 60), (0, 0)])
def test_beyond_the_picture_its_edge_goes_on_without_a_second_face(corner):
    pixels = np.full((128, 128, 3), 90, np.uint8)
    pixels[:, 16:112] = 200  # what a mirror at the edge would repeat
    pixels[16:112, :] = 200
    where = SimpleNamespace(corner=np.array(corner, np.float32), scale=1.0, size=128, matte=None)
    crop = warp.crop_of(pixels, where).astype(int)
    x, y = corner
    whole = np.pad(pixels, ((128, 128), (128, 128), (0, 0)), mode="edge").astype(int)
    wanted = whole[128 + y : 256 + y, 128 + x : 256 + x]
    inside = np.zeros((384, 384), bool)
    inside[128:256, 128:256] = True
    inside = inside[128 + y : 256 + y, 128 + x : 256 + x]
    np.testing.assert_array_equal(crop[inside], wanted[inside])
    if not inside.all():
        far = np.abs(crop - wanted)[~inside].mean()
        assert far < 12, "the edge does not go on"


def test_sampling_is_as_sharp_as_a_cubic_and_agrees_with_it(astronaut):
    crop = np.ascontiguousarray(astronaut.pixels[:256, 100:356])
    steps = np.stack(np.meshgrid(*[np.arange(256, dtype=np.float32)] * 2), -1)
    sharp, apart = {"ours": 0.0, "cubic": 0.0}, []
    for seed in range(6):
        displacement = wobble(256, seed=seed)
        columns, rows = (steps + displacement).transpose(2, 0, 1)
        wanted = cv2.remap(crop, columns, rows, cv2.INTER_CUBIC)
        found = Sampler(crop)(displacement)
        inside = np.s_[16:-16, 16:-16]
        apart.append(difference(found[inside], wanted[inside]).mean())
        for name, picture in (("ours", found), ("cubic", wanted)):
            sharp[name] += np.abs(cv2.Laplacian(picture[inside].astype(np.float32), -1)).mean()
    assert sharp["ours"] == pytest.approx(sharp["cubic"], rel=0.05)
    assert np.mean(apart) < 0.5


def test_sampled_into_given_memory_it_is_the_same_picture():
    crop, displacement = picture(), wobble(64)
    memory = np.zeros((160, 128, 3), np.uint8)
    found = Sampler(crop)(displacement, memory[16:144])
    np.testing.assert_array_equal(memory[16:144], Sampler(crop)(displacement))
    assert np.shares_memory(found, memory)
    assert not memory[:16].any()


@pytest.mark.parametrize("cells", [64, 128])
def test_folds_are_blurred_and_nothing_else_is(cells):
    moved = picture()
    before = moved.copy()
    displacement = np.zeros((cells, cells, 2), np.float32)
    displacement[cells // 4 : cells // 2, cells // 2 :, 0] = 9
    warp.soften_folds(moved, displacement)
    fold = (rasterize_folds(displacement) > 0).repeat(128 // cells, 0).repeat(128 // cells, 1)
    near = cv2.dilate(fold.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert fold.sum() > 100
    np.testing.assert_array_equal(moved[~near], before[~near])
    weight = cv2.GaussianBlur(fold.astype(np.float32), (3, 3), 0)[..., None]
    wanted = before * (1 - weight) + cv2.GaussianBlur(before, (3, 3), 0.8) * weight
    assert difference(moved[1:-1, 1:-1], wanted[1:-1, 1:-1]).max() <= 1.5
    still = picture()
    warp.soften_folds(still, np.zeros((cells, cells, 2), np.float32))
    np.testing.assert_array_equal(still, before)


def rasterize_folds(displacement):
    """Cells beside a jump, by comparing whole maps."""
    fold = np.zeros(displacement.shape[:2], bool)
    for axis in (0, 1):
        jump = (np.abs(np.diff(displacement, axis=axis)) > warp.FOLD).any(-1)
        rows, columns = jump.shape
        fold[:rows, :columns] |= jump
        fold[-rows:, -columns:] |= jump
    return fold


def test_a_crop_is_added_where_its_weight_says():
    picture = np.full((20, 30, 3), 100, np.uint8)
    moved = np.full((12, 12, 3), 200, np.uint8)
    weight = np.ones((12, 12), np.float32)
    weight[:, :6] = 0.5
    frame = picture.copy()
    warp.add_crop(frame, picture, moved, (-2, 24), weight)
    assert (frame[:10, 24:] == 150).all()
    assert (frame[10:] == 100).all()
    assert (frame[:, :24] == 100).all()
    warp.add_crop(frame, picture, moved, (-2, 24), weight)
    assert (frame[:10, 24:] == 200).all(), "changes add up"
