import numpy as np
import pytest

from stylehead.speech.av_offset import measure_offset


def curve(frames=300, seed=0):
    rng = np.random.default_rng(seed)
    return np.convolve(rng.normal(size=frames + 60), np.hanning(9), "same")[30 : 30 + frames]


@pytest.mark.parametrize("frames", [-12, -1, 0, 4, 12])
def test_the_offset_is_how_much_later_the_picture_is(frames):
    sound = curve()
    offset = measure_offset(sound, np.roll(sound, frames), reach=15)
    assert offset.frames == frames
    assert offset.correlation == pytest.approx(1, abs=1e-6)


def test_an_offset_out_of_reach_is_not_found():
    sound = curve()
    assert measure_offset(sound, np.roll(sound, 20), reach=15).correlation < 0.8


def test_curves_may_differ_in_length_scale_and_level():
    sound = curve()
    offset = measure_offset(sound, 3 * np.roll(sound, 5)[:250] - 7, reach=15)
    assert offset.frames == 5
    assert offset.correlation == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("still", [np.zeros(300), np.full(300, 0.7)])
def test_a_curve_that_does_not_move_has_no_correlation(still):
    for pair in ((curve(), still), (still, curve())):
        assert np.isnan(measure_offset(*pair, reach=15).correlation)


def test_curves_too_short_to_compare_have_no_correlation():
    assert np.isnan(measure_offset(curve(9), curve(9), reach=3).correlation)
