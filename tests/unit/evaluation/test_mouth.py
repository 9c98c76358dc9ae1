from __future__ import annotations

import numpy as np
import pytest

from stylehead.evaluation.mouth import excess_opening, opening_correlation, silence_leak

OPENING = np.array([0.10, 0.14, 0.30, 0.11])
NEVER = np.zeros(4, bool)


def test_a_leak_is_the_fraction_of_silent_frames_with_the_mouth_open() -> None:
    silent = np.array([True, True, False, True])
    assert silence_leak(OPENING, silent, shut=0.1) == pytest.approx(1 / 3)
    assert silence_leak(OPENING, silent) == 1
    assert np.isnan(silence_leak(OPENING, NEVER))


def test_excess_opening_is_counted_in_voiced_frames_alone() -> None:
    voiced = np.array([False, True, True, False])
    assert excess_opening(OPENING, voiced, reference=0.1) == pytest.approx(0.12)
    assert excess_opening(OPENING, voiced, reference=OPENING - 0.02) == pytest.approx(0.02)
    assert np.isnan(excess_opening(OPENING, NEVER, reference=0.0))


def test_openings_that_move_alike_correlate_and_a_still_mouth_has_no_correlation() -> None:
    assert opening_correlation(OPENING, 3 * OPENING + 1) == pytest.approx(1)
    assert opening_correlation(OPENING, -OPENING) == pytest.approx(-1)
    assert np.isnan(opening_correlation(OPENING, np.full(4, 0.2)))
