"""Options read what users write."""

from __future__ import annotations

from fractions import Fraction

import pytest

from stylehead.options import FrameRate
from stylehead.options.shared import frame_rate


@pytest.mark.parametrize(
    ("said", "rate"),
    [
        ("25", Fraction(25)),
        (30, Fraction(30)),
        ("12.5", Fraction(25, 2)),
        (Fraction(50), Fraction(50)),
        ("29.97", Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("24000/1001", Fraction(24000, 1001)),
        ("29.9", Fraction(299, 10)),
    ],
)
def test_television_s_rates_are_meant_exactly(said, rate):
    assert frame_rate(said) == FrameRate(fps=said).rate == rate


@pytest.mark.parametrize(
    "said", ["fast", "9", "60.1", "nan", "inf", "1/0", "", "-25", "25/", "1e999999999", "9" * 5000]
)
def test_what_is_no_rate_is_refused(said):
    with pytest.raises(ValueError, match=r"is neither a number|is not from 10 to 60"):
        frame_rate(said)
