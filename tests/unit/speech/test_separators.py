from __future__ import annotations

import numpy as np
import pytest
import torch

from stylehead.errors import WeightsError
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


@pytest.fixture
def nowhere(monkeypatch):
    """Count how often Spleeter is asked for; it is never there."""
    asked = []

    def fail(name, **_):
        asked.append(name)
        raise WeightsError("Nobody answers.", remedy="Wait.")

    monkeypatch.setattr(separators, "load_state", fail)
    return asked


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
    fresh = list(Separators(Separate.BUILT_IN, CPU).choose(spoken).separate(spoken))
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


def test_a_clean_voice_is_left_to_the_built_in_filter_and_nobody_is_asked(spoken, nowhere):
    reporter = RememberingReporter()
    chosen = Separators(Separate.AUTO, CPU).choose(spoken, reporter)
    assert isinstance(chosen, VoiceSeparator)
    assert nowhere == []
    assert (reporter.said, reporter.total) == ([], 1)


def test_without_spleeter_music_is_left_to_the_filter_with_one_note(band, nowhere):
    reporter = RememberingReporter()
    separator = Separators(Separate.AUTO, CPU)
    assert isinstance(separator.choose(band, reporter), VoiceSeparator)
    assert "Spleeter cannot be had: Nobody answers." in reporter.said[-1]
    assert "stylehead weights get --profile separation" in reporter.said[-1]
    separator.choose(band, reporter)
    assert nowhere == ["spleeter_voice"], "asked once, and not for the second file"


def test_a_named_separator_is_used_or_missing_but_never_replaced(spoken, band, nowhere):
    assert isinstance(Separators(Separate.BUILT_IN, CPU).choose(band), VoiceSeparator)
    assert isinstance(Separators(Separate.OFF, CPU).choose(band), NoSeparator)
    with pytest.raises(WeightsError, match="Nobody answers"):
        Separators(Separate.SPLEETER, CPU).choose(spoken)


def test_spleeter_is_loaded_once_and_serves_music(band, spoken, monkeypatch):
    loaded = []

    def load(name, device, reporter):
        loaded.append(name)
        return torch.nn.Linear(1, 1)

    monkeypatch.setattr(separators, "_load_unet", load)
    separator = Separators(Separate.AUTO, CPU)
    reporter = RememberingReporter()
    first, second = separator.choose(band, reporter), separator.choose(band, reporter)
    assert first is second
    assert first.name == "spleeter"
    assert loaded == ["spleeter_voice", "spleeter_music"]
    assert ["Spleeter is to separate" in said for said in reporter.said] == [True, True]
    assert separator.choose(spoken).name == "built-in"


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
