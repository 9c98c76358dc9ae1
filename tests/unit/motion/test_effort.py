"""Raised voices are told from usual ones by their spectrum, and open the mouth wider."""

from fractions import Fraction

import numpy as np
import pytest

from stylehead.face.landmarks import REGIONS, mouth_opening
from stylehead.motion.styling import (
    ABOVE,
    BELOW,
    FARTHEST_RAISED,
    RAISED,
    WIDER,
    raised_voice,
    widen,
)
from stylehead.speech.mel import mel_filters
from stylehead.types import MEL_ROWS_PER_FRAME, MOTION_FPS, SPEECH_RATE
from tests.stand_ins.faces import gape, mean_face

FPS = Fraction(30)
NEUTRAL = mean_face()
FRAMES = 600


def prosody(raised, seconds=20.0, level=0.4):
    """Return rows whose bands above 500 Hz are so much stronger than from where a voice is raised.

    `raised` is a number, or one for each row.
    """
    rows = np.full((round(seconds * 15), 80), level, np.float32)
    rows[:, ABOVE] += np.float32(RAISED) + np.asarray(raised, np.float32).reshape(-1, 1)
    return rows


def test_the_bands_are_those_of_the_log_mel():
    filters = mel_filters()
    hertz = filters @ np.arange(filters.shape[1]) / filters.sum(1)
    hertz *= SPEECH_RATE / 2 / (filters.shape[1] - 1)
    assert hertz[BELOW].max() < 500 < hertz[ABOVE].min()
    assert hertz[ABOVE].max() < 1500 < hertz[ABOVE.stop]
    assert MOTION_FPS * MEL_ROWS_PER_FRAME % 15 == 0


@pytest.mark.parametrize("level", [0.2, 0.6])
def test_a_voice_is_raised_by_its_spectrum_at_any_level(level):
    found = raised_voice(prosody(0.05, level=level), FPS, FRAMES)
    assert found.shape == (FRAMES,)
    np.testing.assert_allclose(found, 0.05, atol=1e-5)


@pytest.mark.parametrize("soft", [-0.01, -0.1, -0.3])
def test_usual_and_soft_voices_are_not_raised(soft):
    assert not raised_voice(prosody(soft), FPS, FRAMES).any()


def test_a_scream_is_not_followed_farther():
    assert raised_voice(prosody(0.5), FPS, FRAMES).max() == pytest.approx(FARTHEST_RAISED)


def test_a_shout_between_calm_words_counts_where_it_is():
    calm_then_loud = np.where(np.arange(300) < 150, -0.1, 0.1)
    found = raised_voice(prosody(calm_then_loud), FPS, FRAMES)
    assert not found[:180].any()
    np.testing.assert_allclose(found[480:], 0.1, atol=1e-3)


def test_what_is_soft_does_not_hide_what_is_loud():
    rows = prosody(0.1)
    rows[::2] = prosody(-0.2, level=0.1)[::2]
    np.testing.assert_allclose(raised_voice(rows, FPS, FRAMES)[60:-60], 0.1, atol=0.01)


def moving():
    wave = 0.5 - 0.5 * np.cos(np.arange(FRAMES) / 3)
    return wave.astype(np.float32)[:, None, None] * gape(0.2)


def opening(landmarks):
    return mouth_opening(landmarks + NEUTRAL) - mouth_opening(NEUTRAL)


@pytest.mark.parametrize("amount", [0.5, 1.0, 2.0])
def test_a_raised_voice_opens_the_mouth_wider(amount):
    voice, raised = np.ones(FRAMES), np.full(FRAMES, 0.1, np.float32)
    wider = opening(widen(moving(), NEUTRAL, voice, raised, amount))
    np.testing.assert_allclose(wider, np.exp(amount * WIDER * 0.1) * opening(moving()), atol=0.01)


def test_only_the_lower_face_opens_wider_and_only_where_it_is_raised():
    raised = np.where(np.arange(FRAMES) < 300, 0, 0.1).astype(np.float32)
    before, after = moving(), widen(moving(), NEUTRAL, np.ones(FRAMES), raised, 1.0)
    np.testing.assert_array_equal(after[:300], before[:300])
    upper = [*REGIONS["brows"], *REGIONS["eyes"]]
    np.testing.assert_array_equal(after[:, upper], before[:, upper])
    assert opening(after)[300:].max() > 1.2 * opening(before).max()


def test_without_effort_or_a_voice_nothing_changes():
    raised = np.full(FRAMES, 0.1, np.float32)
    for voice, strength, amount in ((1, raised, 0.0), (1, 0 * raised, 1.0), (0, raised, 1.0)):
        same = widen(moving(), NEUTRAL, np.full(FRAMES, voice), strength, amount)
        np.testing.assert_array_equal(same, moving())
