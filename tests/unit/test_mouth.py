import cv2
import numpy as np
import pytest

from stylehead.mouth import fit_interior
from stylehead.rig import INNER_LIPS, INNER_LOWER, INNER_UPPER, build_rig
from tests.unit.synthetic import STILL, drawn_portrait

NOTHING = np.zeros((478, 3), np.float32)
NOWHERE = np.zeros(3, np.float32)
WARM, DARK, GREY = (205, 160, 140), (70, 52, 44), (150, 150, 150)


def opened(size):
    """Mesh offsets that open the inner lips by `size` interocular distances."""
    offsets = NOTHING.copy()
    arch = np.sin(np.linspace(0, np.pi, len(INNER_LOWER) + 2))[1:-1]
    offsets[INNER_LOWER, 1] = 0.8 * size * arch
    offsets[INNER_UPPER, 1] = -0.2 * size * arch
    return offsets


def teeth_plane(rig):
    """Return the (2, 3) move from head-space x, y at the lips' depth to crop pixels."""
    depth = float(rig.rest[INNER_LIPS, 2].mean())
    origin, right, down = rig.pose.apply(np.array([[0, 0, depth], [1, 0, depth], [0, 1, depth]]))
    return np.column_stack([right - origin, down - origin, origin])[:2]


def painted(size, *, skin=WARM, side=384):
    """Return the crop before and after painting a mouth open by `size`, and its polygon."""
    rig = build_rig(drawn_portrait(skin=skin, side=side), size=side)
    crop = np.full((side, side, 3), skin, np.uint8)
    vertices = rig.pose_vertices(opened(size), STILL, NOWHERE, 0.0)
    after = crop.copy()
    fit_interior(crop, rig).paint(after, vertices, rig, teeth_plane(rig))
    return crop, after, vertices[INNER_LIPS, :2]


def inside(polygon, shape, *, grow=0):
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 255)
    if grow > 0:
        mask = cv2.dilate(mask, np.ones((2 * grow + 1, 2 * grow + 1), np.uint8))
    elif grow < 0:
        mask = cv2.erode(mask, np.ones((1 - 2 * grow, 1 - 2 * grow), np.uint8))
    return mask > 0


def colour(size=0.25, **how):
    before, after, polygon = painted(size, **how)
    return after[inside(polygon, before.shape, grow=-2)].astype(float)


def test_a_shut_mouth_is_left_untouched():
    before, after, _ = painted(0.0)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("size", [0.1, 0.3])
def test_paint_stays_within_the_lips(size):
    before, after, polygon = painted(size)
    changed = (after != before).any(-1)
    assert changed.any()
    assert not changed[~inside(polygon, before.shape, grow=3)].any()


def test_an_open_mouth_is_filled():
    before, after, polygon = painted(0.3)
    core = inside(polygon, before.shape, grow=-3)
    assert core.sum() > 300
    assert (np.abs(after.astype(int) - before)[core].max(-1) > 10).mean() > 0.9


def test_paint_sets_in_smoothly_as_the_mouth_opens():
    amounts = []
    for size in np.linspace(0, 0.06, 13):
        before, after, _ = painted(float(size))
        amounts.append(np.abs(after.astype(float) - before).sum())
    steps = np.diff(amounts)
    assert amounts[0] == 0
    assert amounts[-1] > 0
    assert steps.max() < 0.4 * amounts[-1]


def test_a_mouth_is_dark_inside_with_teeth_above():
    before, after, polygon = painted(0.35)
    middle = polygon[:, 0].mean()
    top, bottom = polygon[:, 1].min(), polygon[:, 1].max()
    column = after[int(top) + 2 : int(bottom) - 2, int(middle) + 3].astype(float).mean(-1)
    third = len(column) // 3
    assert column[:third].max() > column[third : 2 * third].min() + 40
    assert column.min() < 0.6 * np.mean(WARM)
    assert before.mean() > column.mean()


def test_brightness_follows_the_light_of_the_picture():
    bright, dark = colour(skin=WARM), colour(skin=DARK)
    assert dark.mean() < 0.7 * bright.mean()
    assert dark.max() < bright.max()


def test_nothing_in_the_mouth_outshines_the_face_by_far():
    assert colour(skin=DARK).max() < 2.2 * max(DARK)


def test_a_grey_picture_stays_grey():
    assert np.ptp(colour(skin=GREY), axis=-1).max() <= 1


def test_a_colour_picture_gets_a_reddish_mouth():
    mean = colour().mean(0)
    assert mean[0] > mean[1] + 5
    assert mean[0] > mean[2] + 5


def test_painting_twice_gives_the_same():
    np.testing.assert_array_equal(painted(0.2)[1], painted(0.2)[1])


@pytest.mark.parametrize("side", [96, 384])
def test_any_resolution_can_be_painted(side):
    before, after, polygon = painted(0.3, side=side)
    changed = (after != before).any(-1)
    assert changed.any()
    assert not changed[~inside(polygon, before.shape, grow=3)].any()


def test_a_mouth_that_left_the_crop_is_no_failure():
    rig = build_rig(drawn_portrait(), size=128)
    crop = np.full((128, 128, 3), WARM, np.uint8)
    vertices = rig.pose_vertices(opened(0.3), STILL, NOWHERE, 0.0) + np.float32(900)
    before = crop.copy()
    fit_interior(crop, rig).paint(crop, vertices, rig, teeth_plane(rig))
    np.testing.assert_array_equal(crop, before)
