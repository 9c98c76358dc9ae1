import numpy as np
import pytest

from stylehead.face.geometry import Similarity, rotation_from_angles
from stylehead.rendering.mouth.crop import CROP_SIZE, CROP_UNITS, MouthCrop

MIDDLE = np.array([0, 0.6, -0.1], np.float32)


def head(*, roll=0.0, yaw=0.0, scale=100.0):
    rotation = rotation_from_angles(np.array([0, yaw, roll]))
    return Similarity(scale, rotation, np.array([256, 200, 0], np.float32))


def shading(side=512):
    rows, columns = np.mgrid[:side, :side]
    return np.stack([rows / 2, columns / 2, (rows + columns) / 4], -1).astype(np.uint8)


def test_the_patch_is_centred_on_the_mouth():
    place = MouthCrop.of(head(), MIDDLE)
    np.testing.assert_allclose(place.centre, [256, 260])
    middle = place.in_crop(place.centre[None])
    np.testing.assert_allclose(middle, [[(CROP_SIZE - 1) / 2] * 2], atol=1e-4)


def test_the_patch_spans_its_units():
    place = MouthCrop.of(head(scale=80), MIDDLE)
    left = place.centre - np.array([CROP_UNITS / 2 * 80, 0])
    assert place.in_crop(left[None])[0, 0] == pytest.approx(-0.5, abs=1e-4)


def test_the_patch_turns_with_the_head():
    pose = head(roll=30)
    place = MouthCrop.of(pose, MIDDLE)
    beside = pose.apply(MIDDLE + np.array([0.2, 0, 0], np.float32))[:2]
    found = place.in_crop(beside[None])[0] - (CROP_SIZE - 1) / 2
    np.testing.assert_allclose(found, [0.2 * CROP_SIZE / CROP_UNITS, 0], atol=1e-3)


def test_a_head_turned_aside_does_not_shrink_the_patch():
    assert MouthCrop.of(head(yaw=40), MIDDLE).step == MouthCrop.of(head(), MIDDLE).step


@pytest.mark.parametrize("scale", [60.0, 116.36, 400.0])
def test_what_was_cut_shows_the_same_places(scale):
    picture = shading(1600)
    pose = Similarity(scale, np.eye(3, dtype=np.float32), np.array([800, 500, 0], np.float32))
    place = MouthCrop.of(pose, MIDDLE)
    patch = place.cut(picture)
    matrix = place.matrix()
    for row, column in ((20, 30), (64, 64), (100, 90)):
        x, y = matrix[:, :2] @ [column, row] + matrix[:, 2]
        # The second channel counts columns in halves, modulo 256.
        expected = picture[round(y), round(x)].astype(int)
        away = (patch[row, column].astype(int) - expected + 128) % 256 - 128
        assert np.abs(away).max() <= 2


def test_an_empty_layer_changes_nothing():
    picture = shading()
    before = picture.copy()
    MouthCrop.of(head(roll=10), MIDDLE).blend(
        picture, np.zeros((CROP_SIZE, CROP_SIZE, 4), np.float32)
    )
    np.testing.assert_array_equal(picture, before)


def test_a_layer_lands_where_its_patch_is():
    picture = np.zeros((512, 512, 3), np.uint8)
    layer = np.zeros((CROP_SIZE, CROP_SIZE, 4), np.float32)
    layer[60:68, 60:68] = 1, 200, 100, 50
    place = MouthCrop.of(head(roll=25, scale=150), MIDDLE)
    place.blend(picture, layer)
    x, y = place.centre.round().astype(int)
    assert picture[y, x].tolist() == [200, 100, 50]
    assert not picture[:100].any()


def test_a_patch_beyond_the_picture_is_left_out():
    picture = shading()
    before = picture.copy()
    pose = Similarity(100.0, np.eye(3, dtype=np.float32), np.array([2000, 2000, 0], np.float32))
    MouthCrop.of(pose, MIDDLE).blend(picture, np.ones((CROP_SIZE, CROP_SIZE, 4), np.float32))
    np.testing.assert_array_equal(picture, before)


def test_a_patch_half_out_of_the_picture_keeps_its_place():
    layer = np.zeros((CROP_SIZE, CROP_SIZE, 4), np.float32)
    layer[..., 1] = np.linspace(0, 200, CROP_SIZE)
    pose = Similarity(100.0, np.eye(3, dtype=np.float32), np.array([10, 20, 0], np.float32))
    inside = np.zeros((400, 400, 3), np.uint8)
    moved = pose._replace(translation=pose.translation + np.array([200, 200, 0], np.float32))
    MouthCrop.of(pose, MIDDLE).blend(inside, layer)
    whole = np.zeros((400, 400, 3), np.uint8)
    MouthCrop.of(moved, MIDDLE).blend(whole, layer)
    np.testing.assert_array_equal(inside[:150, :60], whole[200:350, 200:260])
