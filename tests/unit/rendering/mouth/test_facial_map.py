import numpy as np

from stylehead.face.landmarks import POLYLINES
from stylehead.rendering.mouth.facial_map import facial_map
from stylehead.training.data.region_weights import EYES, MOUTH, SKIN, region_weights
from tests.stand_ins.faces import mean_face


def placed(size=512, shift=0.0):
    points = mean_face()[:, :2] * size / 3 + size / 2.2 + shift
    inner = points[60:68]  # corner, upper lip, corner, lower lip back
    return np.concatenate([points, inner]).astype(np.float32)


def test_every_group_has_a_grey_of_its_own():
    drawn = facial_map(placed(), 512)[..., 0]
    points = placed().round().astype(int)
    greys = [drawn[points[group[1]][1], points[group[1]][0]] for group, _ in POLYLINES]
    assert sorted(set(greys)) == greys  # rising from group to group


def test_the_open_mouth_is_filled_and_a_shut_one_is_not():
    wide = placed()
    wide[[65, 66, 67], 1] += 40
    wide[68:] = wide[60:68]
    assert facial_map(wide, 512)[..., 1].sum() > 4 * facial_map(placed(), 512)[..., 1].sum()


def test_lips_that_cross_are_not_open():
    crossed = placed()
    crossed[68:] = crossed[60:68]
    crossed[[69, 70, 71], 1] += 30  # the upper lip far below the lower one
    width = np.ptp(crossed[68:, 0])
    assert (facial_map(crossed, 512)[..., 1] > 128).sum() < 2 * width  # a line is left


def test_lines_move_by_less_than_a_pixel():
    one, other = facial_map(placed(), 256), facial_map(placed(shift=0.25), 256)
    assert (one != other).any()


def test_regions_have_the_paper_s_weights():
    points = placed()
    weights = region_weights(points, 512)
    assert set(np.unique(weights)) == {0, SKIN, EYES, MOUTH}

    def at(*rows):
        x, y = points[list(rows), :2].mean(0).round().astype(int)
        return weights[y, x]

    assert at(51, 57) == MOUTH
    assert at(37, 38, 40, 41) == EYES
    assert at(30) == SKIN
    assert weights[2, 2] == 0


def test_a_region_reaches_past_its_outline():
    points = placed()
    x, y = points[57, :2].round().astype(int)
    assert region_weights(points, 512)[y + 3, x] == MOUTH
