from __future__ import annotations

import numpy as np
import pytest
import torch

from stylehead.media.audio import open_audio
from stylehead.options import Separate
from stylehead.speech import separation, separators
from stylehead.speech.separation import NoSeparator, Voice, VoiceSeparator
from stylehead.speech.separators import Separators, music_level
from tests.stand_ins import media
from tests.stand_ins.faces import RememberingReporter

CPU = torch.device("cpu")


def stretch(seconds: float, voice: float, rest: float, active: bool = True) -> Voice:
    count = round(seconds * 16_000)
    alone = np.full(count, voice, np.float32)
    activity = np.full(round(seconds * 60), float(active), np.float32)
    return Voice(alone, activity, alone + np.float32(rest))


@pytest.fixture
def spoken(tmp_path):
    return open_audio(media.VOICE, duration=3.0)


@pytest.fixture
def band(tmp_path):
    """A steady chord under nothing."""
    chord = sum(media.tone(3.0, pitch=pitch) for pitch in (220.0, 277.2, 329.6)) / 3
    return open_audio(media.save_sound(tmp_path / "band.wav", chord))


# ---- how loud the music is ------------------------------------------------------------------


@pytest.mark.parametrize(("rest", "decibels"), [(0.1, 0.0), (0.01, -20.0), (1.0, 20.0)])
def test_music_is_measured_against_the_voice(rest, decibels):
    stretches = [stretch(2.0, 0.1, rest), stretch(1.5, 0.1, rest)]
    assert music_level(stretches) == pytest.approx(decibels, abs=0.01)


def test_music_may_be_measured_only_where_there_is_a_voice():
    stretches = [stretch(2.0, 0.1, 0.01), stretch(2.0, 0.0, 0.1, active=False)]
    assert music_level(stretches, while_active=True) == pytest.approx(-20, abs=0.01)
    assert music_level(stretches) == pytest.approx(0, abs=0.1)


def test_silence_has_a_level():
    assert music_level([stretch(1.0, 0.0, 0.0)]) == pytest.approx(0)


# ---- the choice -----------------------------------------------------------------------------


def test_the_filter_runs_once_over_a_recording_it_looked_for_music_in(spoken, monkeypatch):
    runs = []
    whole = VoiceSeparator.filtered
    monkeypatch.setattr(
        VoiceSeparator, "filtered", lambda self, blocks: runs.append(1) or whole(self, blocks)
    )
    found = list(Separators(Separate.AUTO, CPU).choose(spoken).separate(spoken))
    assert len(runs) == 1
    fresh = list(Separators(Separate.FILTER, CPU).choose(spoken).separate(spoken))
    for voice, again in zip(found, fresh, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(voice, again, strict=True))


def test_a_long_recording_is_not_remembered(spoken, monkeypatch):
    monkeypatch.setattr(separation, "LONGEST_REMEMBERED", 2.0)
    runs = []
    whole = VoiceSeparator.filtered
    monkeypatch.setattr(
        VoiceSeparator, "filtered", lambda self, blocks: runs.append(1) or whole(self, blocks)
    )
    list(Separators(Separate.AUTO, CPU).choose(spoken).separate(spoken))
    assert len(runs) == 2, "once to look for music, once to separate"


def test_a_clean_voice_is_left_to_the_filter_and_spleeter_is_not_loaded(spoken, monkeypatch):
    monkeypatch.setattr(separators, "load_spleeter", None)
    reporter = RememberingReporter()
    assert isinstance(Separators(Separate.AUTO, CPU).choose(spoken, reporter), VoiceSeparator)
    assert (reporter.said, reporter.total) == ([], 1)


def test_a_named_separator_is_used_whatever_sounds(spoken, band):
    assert Separators(Separate.FILTER, CPU).choose(band).name == "filter"
    assert isinstance(Separators(Separate.OFF, CPU).choose(band), NoSeparator)
    assert Separators(Separate.SPLEETER, CPU).choose(spoken).name == "spleeter"


def test_spleeter_is_loaded_once_and_serves_music(band, spoken):
    separator = Separators(Separate.AUTO, CPU)
    reporter = RememberingReporter()
    first, second = separator.choose(band, reporter), separator.choose(band, reporter)
    assert first is second
    assert first.name == "spleeter"
    assert ["Spleeter separates" in said for said in reporter.said] == [True, True]
    assert separator.choose(spoken).name == "filter"


# ---- off ------------------------------------------------------------------------------------


def test_off_takes_all_of_a_recording_for_a_voice(tmp_path):
    noise = media.bursts(10.51)
    sound = open_audio(media.save_sound(tmp_path / "noise.wav", noise, subtype="FLOAT"))
    separator = Separators(Separate.OFF, CPU).choose(sound)
    parts = list(separator.separate(sound))
    assert [len(part.samples) for part in parts] == [160_000, 8160]
    assert [len(part.activity) for part in parts] == [600, 31]
    whole = np.concatenate([part.for_encoder for part in parts])
    np.testing.assert_allclose(whole, noise * (0.1 / sound.loudness), rtol=1e-5)
    assert all((part.activity == 1).all() for part in parts)
    assert separator.files == ()
