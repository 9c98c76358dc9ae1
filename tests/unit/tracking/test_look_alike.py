"""Doubtful pixels are the background's where they look like it alone."""

from __future__ import annotations

import numpy as np

from stylehead.tracking.look_alike import look_alike

SIDE, REACH = 120, 5
ROWS, COLUMNS = np.indices((SIDE, SIDE))
PERSON = (COLUMNS < 50).astype(np.uint8)
BACKGROUND = (COLUMNS > 57).astype(np.uint8)
DOUBTFUL = (PERSON == 0) & (BACKGROUND == 0)
HAIR, WALL, LAMP = (60, 40, 20), (150, 150, 150), (20, 30, 90)
BAR = np.abs(ROWS - 60) < 6
MIDDLE = DOUBTFUL & (np.abs(ROWS - 60) < 4) & (COLUMNS > 51) & (COLUMNS < 56)
"""Of the bar, where no other colour mixes with its own."""


def judged(between: tuple[int, int, int]) -> np.ndarray:
    """Judge a doubtful strip in which a bar has a colour, and the rest that of the wall."""
    pixels = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    pixels[COLUMNS < 50] = HAIR
    pixels[BAR & (COLUMNS >= 50)] = between
    return look_alike(pixels, DOUBTFUL, PERSON, BACKGROUND, REACH)


def test_a_bar_that_goes_on_in_the_background_is_no_hair() -> None:
    """Though it is nearer to the hair's colour than to the mean of the background."""
    found = judged(LAMP)
    assert found[MIDDLE].max() < 0.05
    assert found[DOUBTFUL & ~BAR & (COLUMNS > 52)].max() < 0.05


def test_what_looks_like_both_is_not_doubted() -> None:
    assert judged(HAIR)[MIDDLE].min() == 1


def test_what_is_known_is_left_alone() -> None:
    assert (judged(LAMP)[~DOUBTFUL] == 1).all()


def test_what_looks_like_nothing_known_is_not_doubted() -> None:
    pixels = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    pixels[COLUMNS < 50] = HAIR
    pixels[DOUBTFUL] = (105, 95, 85)  # half of each
    assert look_alike(pixels, DOUBTFUL, PERSON, BACKGROUND, REACH)[MIDDLE].min() == 1


def test_without_a_known_background_nothing_is_doubted() -> None:
    pixels = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    none = np.zeros_like(BACKGROUND)
    assert look_alike(pixels, DOUBTFUL, PERSON, none, REACH).min() == 1
