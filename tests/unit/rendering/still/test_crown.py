"""Hair that the picture cuts goes on, in its own strands, and ends in a dome."""

import numpy as np

from stylehead.rendering.still.crown import crown_over, hair_over

WIDTH, DEPTH = 120, 40


def strands(first, rows, slope):
    """Return (rows, WIDTH, 3) of slanting strands, from row `first` on, which may be over 0."""
    y, x = np.mgrid[first : first + rows, :WIDTH]
    grey = 120 + 80 * np.sin((x - slope * y) / 3)
    return np.repeat(grey[..., None], 3, -1).astype(np.uint8)


def error(made, wanted):
    return np.abs(made.astype(int) - wanted)[:, 20:-20].mean()


def test_slanting_strands_go_straight_on():
    for slope in (-0.5, 0.0, 0.5):
        over = hair_over(strands(0, DEPTH, slope), 20, (0, WIDTH - 1))
        assert error(over, strands(-20, 20, slope)) < 8
    mirrored = strands(0, DEPTH, 0.5)[:20][::-1]
    assert error(mirrored, strands(-20, 20, 0.5)) > 40, "a zigzag"


def test_there_are_as_many_rows_as_are_asked_for():
    over = hair_over(strands(0, 10, 0.0), 50, (0, WIDTH - 1))
    assert over.shape == (50, WIDTH, 3)
    assert error(over, strands(-50, 50, 0.0)) < 2


def test_what_is_beside_the_hair_is_not_drawn_in():
    hair = strands(0, DEPTH, 0.6)
    hair[:, :30] = hair[:, -30:] = 255
    over = hair_over(hair, 30, (30, WIDTH - 31))
    assert over[:, 30:-30].max() < 220


def person(left=30, right=90):
    """Return a layer (WIDTH, WIDTH, 4) of somebody whose hair the upper edge cuts."""
    layer = np.zeros((WIDTH, WIDTH, 4), np.uint8)
    layer[:, left:right] = (90, 60, 30, 255)
    return layer


def test_a_crown_is_a_dome_over_what_is_cut():
    over = crown_over(person(), forehead=40)
    cover = over[..., 3] / 255
    widths = cover.sum(1)
    assert (np.diff(widths) >= -0.5).all(), "never narrower further down"
    assert widths[0] < 0.5 * widths[-1]
    assert 0.9 * 60 < widths[-1] <= 61
    assert not over[:, :29].any()
    assert not over[:, 91:].any()
    np.testing.assert_array_equal(over[cover == 1][:, :3], [[90, 60, 30]] * (cover == 1).sum())


def test_a_head_that_is_whole_has_nothing_over_it():
    whole = person()
    whole[:10] = 0
    assert crown_over(whole, forehead=40).shape == (0, WIDTH, 4)
