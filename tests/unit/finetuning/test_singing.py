"""Song is told from speech by held notes, and by music that plays behind the voice all along."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from stylehead.finetuning.singing import Singing, hear, steady_pitch
from stylehead.types import SPEECH_RATE
from tests.stand_ins.faces import EveryVoice, Recording, predictor, syllables


def babble(seconds):
    """Return noise whose colour changes four times a second: a voice without any note."""
    rng = np.random.default_rng(3)
    white = 0.05 * rng.standard_normal(round(seconds * SPEECH_RATE), np.float32)
    dark = uniform_filter1d(white, 24) * 4
    bright = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * np.arange(len(white)) / SPEECH_RATE)
    return (bright * white + (1 - bright) * dark).astype(np.float32)


def test_a_note_is_held_from_its_first_value_to_its_last():
    pitch = np.concatenate([np.linspace(100, 200, 20), np.full(15, 200.0), [np.nan] * 5])
    held = steady_pitch(pitch, 12)
    assert held[20:35].all()
    assert not held[:15].any() and not held[35:].any()
    assert not steady_pitch(pitch[:5], 12).any()


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


class Once(EveryVoice):
    """Counts how often it separates."""

    runs = 0

    def separate(self, sound):
        self.runs += 1
        yield from super().separate(sound)


def test_a_recording_is_separated_once():
    once = Once()
    hear(Recording(syllables(6.0)), predictor(voice=once).listener)
    assert once.runs == 1


def test_one_steady_vowel_makes_no_song():
    assert not Singing(held=0.5, seconds=0.7, music=0.3).sung
    assert Singing(held=0.5, seconds=1.2, music=0.3).sung
