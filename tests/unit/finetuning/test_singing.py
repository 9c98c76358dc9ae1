"""Song is told from speech by held notes, and by music that plays behind the voice all along."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from stylehead.finetuning.singing import Singing, hear, held_notes, pitch_track, steady_sounds
from stylehead.types import SPEECH_RATE
from tests.stand_ins.faces import EveryVoice, Recording, predictor, syllables

RATE = 30.0


def voice(pitch):
    """Return a buzz whose pitch in Hz is given at each sample."""
    phase = 2 * np.pi * np.cumsum(pitch) / SPEECH_RATE
    harmonics = np.arange(1, 9)[:, None]
    return (0.05 * np.sin(harmonics * phase) / harmonics).sum(0).astype(np.float32)


def babble(seconds):
    """Return noise whose colour changes four times a second: a voice without any note."""
    rng = np.random.default_rng(3)
    white = 0.05 * rng.standard_normal(round(seconds * SPEECH_RATE), np.float32)
    dark = uniform_filter1d(white, 24) * 4
    bright = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * np.arange(len(white)) / SPEECH_RATE)
    return (bright * white + (1 - bright) * dark).astype(np.float32)


@pytest.mark.parametrize("hertz", [110.0, 220.0, 700.0])
def test_a_pitch_is_found(hertz):
    found = pitch_track(voice(np.full(SPEECH_RATE, hertz)), 30, RATE)
    assert np.nanmedian(found) == pytest.approx(hertz, rel=0.03)


def test_silence_has_no_pitch():
    assert np.isnan(pitch_track(np.zeros(SPEECH_RATE, np.float32), 30, RATE)).all()


def test_a_note_is_held_from_its_first_value_to_its_last():
    pitch = np.concatenate([np.linspace(100, 200, 20), np.full(15, 200.0), [np.nan] * 5])
    held = held_notes(pitch, 12)
    assert held[20:35].all()
    assert not held[:15].any() and not held[35:].any()
    assert not held_notes(pitch[:5], 12).any()


def test_a_spectrum_that_stays_is_a_note_whatever_its_vibrato():
    rng = np.random.default_rng(1)
    moving, still = rng.uniform(0, 1, (20, 80)), np.full((10, 80), 0.6)
    rows = np.concatenate([moving, still, moving]).astype(np.float32)
    held = steady_sounds(rows, np.ones(50, bool))
    assert held[21:29].all() and not held[:19].any() and not held[31:].any()
    assert not steady_sounds(rows, np.zeros(50, bool)).any()


class OverMusic(EveryVoice):
    """Takes half of what sounds for music."""

    def separate(self, sound):
        for part in super().separate(sound):
            yield part._replace(samples=part.samples / 2)


@pytest.mark.parametrize(
    ("samples", "separator", "sung"),
    [
        (syllables(6.0), EveryVoice(), True),  # on one pitch
        (babble(6.0), EveryVoice(), False),
        (babble(6.0), OverMusic(), True),
    ],
)
def test_song_is_told_from_speech(samples, separator, sung):
    heard = hear(Recording(samples), predictor(voice=separator).listener)
    assert heard.singing.sung == sung
    assert heard.speech.seconds == pytest.approx(6)


def test_one_steady_vowel_makes_no_song():
    assert not Singing(held=0.5, seconds=0.7, music=0.3).sung
    assert Singing(held=0.5, seconds=1.2, music=0.3).sung
