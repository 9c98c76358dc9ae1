"""A sound has a pitch, or is a noise."""

import numpy as np
import pytest

from stylehead.speech.pitch import pitch_track, pitched_fraction
from stylehead.types import SPEECH_RATE

PLACES = np.arange(30) * SPEECH_RATE // 30
MIDDLE = np.array([2 * SPEECH_RATE])


def buzz(hertz, seconds=1.0):
    """Return a tone with eight overtones."""
    times = np.arange(round(seconds * SPEECH_RATE)) / SPEECH_RATE
    overtones = np.arange(1, 9)[:, None]
    return (0.05 * np.sin(2 * np.pi * hertz * overtones * times) / overtones).sum(
        0, dtype=np.float32
    )


def noise(seconds, seed=0):
    rng = np.random.default_rng(seed)
    return 0.1 * rng.standard_normal(round(seconds * SPEECH_RATE), np.float32)


@pytest.mark.parametrize("hertz", [70.0, 110.0, 220.0, 700.0])
def test_a_pitch_is_found(hertz):
    found = pitch_track(buzz(hertz), PLACES)
    assert np.nanmedian(found) == pytest.approx(hertz, rel=0.03)


def test_neither_silence_nor_noise_has_a_pitch():
    assert np.isnan(pitch_track(np.zeros(SPEECH_RATE, np.float32), PLACES)).all()
    assert np.isnan(pitch_track(noise(1.0), PLACES)).mean() > 0.9


def test_no_places_have_no_pitches():
    assert pitch_track(buzz(220), PLACES[:0]).shape == (0,)
    assert pitched_fraction(buzz(220)[:300], MIDDLE[:0], SPEECH_RATE).shape == (0,)


def test_a_fraction_of_the_time_has_a_pitch():
    half = np.concatenate([buzz(220, 6.0), noise(6.0)])
    places = np.array([2, 6, 10]) * SPEECH_RATE
    np.testing.assert_allclose(pitched_fraction(half, places, SPEECH_RATE), [1, 0.5, 0], atol=0.06)
