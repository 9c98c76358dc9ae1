"""The mark: small, the same however work is shared out, and found again."""

from __future__ import annotations

import math
from fractions import Fraction

import cv2
import numpy as np
import pytest

from stylehead.provenance.detect import ENOUGH, SURE, TRIES, Found, look_for_mark
from stylehead.provenance.mark import CHANGES, Mark, cells
from stylehead.types import Frame

SIDE = 256
AREA = np.s_[56:224, 56:224]
FPS = Fraction(30)


def talking(count: int, channels: int = 3, side: int = SIDE) -> list[np.ndarray]:
    """Frames of which a soft texture moves about, as a head does."""
    noise = np.random.default_rng(1).normal(0, 1, (side, side, channels)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 5).reshape(side, side, channels)
    still = (128 + 20 * soft / soft.std()).clip(0, 255).astype(np.uint8)
    shifts = [round(4 * np.sin(number / 9)) for number in range(count)]
    return [np.ascontiguousarray(np.roll(still, shift, (0, 1))[AREA]) for shift in shifts]


def marked(parts: list[np.ndarray], fps: Fraction = FPS) -> list[np.ndarray]:
    picture = np.zeros((SIDE, SIDE, parts[0].shape[2]), np.uint8)
    mark = Mark.of(picture, AREA, fps)
    return [mark.on(part, number) for number, part in enumerate(parts)]


def found(parts: list[np.ndarray], fps: Fraction = FPS, size: int = SIDE) -> Found:
    def whole(part: np.ndarray) -> np.ndarray:
        frame = np.full((SIDE, SIDE, 3), 90, np.uint8)
        frame[AREA] = part
        return np.asarray(cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA), np.uint8)

    frames = (Frame(whole(part), float(number / fps)) for number, part in enumerate(parts))
    return look_for_mark(frames)


def test_the_key_is_the_same_for_ever():
    """Videos that were made before are to be found by later versions."""
    assert "".join("-+"[int(sign > 0)] for sign in cells(64)[0, :16]) == "+-+++-++--------"
    assert "".join("-+"[int(sign > 0)] for sign in cells(128)[5, :16]) == "++-----++-+-++--"
    assert abs(int(cells(128).sum())) < 4 * 128


def test_what_is_enough_is_the_strength_that_hardly_any_unmarked_video_reaches():
    assert math.isclose(2 * TRIES * math.exp(-(ENOUGH**2) / 2), SURE)
    assert round(ENOUGH, 2) == 5.88  # as docs/provenance.md says


def test_it_is_found_in_moving_pictures_and_not_in_others():
    parts = talking(90)
    assert found(marked(parts)).there
    assert found(marked(parts)).strength > 10
    assert not found(parts).there
    assert not found(parts[:5]).there


@pytest.mark.parametrize(("fps", "size"), [(FPS, 128), (Fraction(24000, 1001), SIDE), (10, SIDE)])
def test_it_is_found_at_half_the_size_and_at_other_rates(fps, size):
    parts = marked(talking(round(4 * fps)), Fraction(fps))
    assert found(parts, Fraction(fps), size).there


def test_it_is_found_when_the_beginning_is_missing():
    assert found(marked(talking(120))[37:]).there


def test_a_step_or_two_are_added_and_as_much_is_taken_away():
    parts = talking(60)
    change = np.stack(marked(parts)).astype(int) - np.stack(parts)
    assert abs(change).max() == 2
    assert 10 * np.log10(255**2 / (change**2).mean()) > 44
    assert (change == change[..., :1]).all()  # brightness, not colour
    held = int(FPS / CHANGES)
    assert (change[:held] == change[0]).all()
    assert (change[held : 2 * held] == -change[0]).all()


def test_where_most_of_the_frame_moves_a_single_step_is_enough():
    for rows, most in ((127, 2), (128, 1)):
        mark = Mark.of(np.zeros((SIDE, SIDE, 3), np.uint8), np.s_[:rows, :], FPS)
        assert mark.plus.max() == mark.minus.max() == most


def test_a_frames_mark_depends_on_its_number_alone():
    parts = talking(80)
    mark = Mark.of(np.zeros((SIDE, SIDE, 3), np.uint8), AREA, FPS)
    backwards = [mark.on(parts[number], number) for number in reversed(range(80))][::-1]
    assert all(map(np.array_equal, backwards, marked(parts)))


def test_black_and_white_stay_within_bounds():
    for level in (0, 255):
        part = np.full((168, 168, 3), level, np.uint8)
        change = abs(marked([part])[0].astype(int) - level)
        assert change.max() == 2


def test_transparency_stays_and_what_is_not_seen_is_not_marked():
    part = talking(1, channels=4)[0]
    part[:60, :, 3], part[60:, :, 3] = 0, 200
    (made,) = marked([part])
    assert (made[..., 3] == part[..., 3]).all()
    assert (made[:60] == part[:60]).all()
    assert (made[60:, :, :3] != part[60:, :, :3]).any()


def test_odd_sizes_and_smaller_parts_are_marked():
    mark = Mark.of(np.zeros((101, 77, 3), np.uint8), np.s_[10:101, 6:77], FPS)
    assert mark.on(np.zeros((90, 70, 3), np.uint8), 0).shape == (90, 70, 3)


def test_larger_frames_have_smaller_cells():
    small, large = (
        Mark.of(np.zeros((side, side, 3), np.uint8), np.s_[:side, :side], FPS).plus[::2, ::2, 0]
        for side in (768, 1536)
    )
    assert large.shape == (768, 768)
    borders = [int((np.diff(one.astype(int), axis=1) != 0).any(0).sum()) for one in (small, large)]
    assert borders == [63, 127]
