from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch

from stylehead.media.audio import open_audio
from stylehead.options import Separate
from stylehead.speech.separation import NoSeparator
from stylehead.speech.separators import Separators
from stylehead.speech.spleeter import Look, SpleeterSeparator
from tests.stand_ins import media
from tests.stand_ins.faces import RememberingReporter

CPU = torch.device("cpu")


@pytest.fixture
def spoken(tmp_path):
    return open_audio(media.VOICE, duration=3.0)


@pytest.fixture
def band(tmp_path):
    """A steady chord under nothing."""
    chord = sum(media.tone(3.0, pitch=pitch) for pitch in (220.0, 277.2, 329.6)) / 3
    return open_audio(media.save_sound(tmp_path / "band.wav", chord))


# ---- the choice -----------------------------------------------------------------------------


@pytest.mark.parametrize(("music", "name"), [(-17.9, "spleeter"), (-18.1, "filter")])
def test_spleeter_serves_where_a_look_finds_music(spoken, monkeypatch, music, name):
    monkeypatch.setattr(SpleeterSeparator, "look", lambda *_: Look(music, -1.0))
    reporter = RememberingReporter()
    assert Separators(Separate.AUTO, CPU).choose(spoken, reporter).name == name
    assert len(reporter.said) == (name == "spleeter")


def test_the_user_sees_that_music_is_looked_for(spoken):
    reporter = RememberingReporter()
    assert Separators(Separate.AUTO, CPU).choose(spoken, reporter).name == "filter"
    assert (reporter.said, reporter.total) == ([], 1)


def test_a_named_separator_is_used_whatever_sounds(spoken, band):
    assert Separators(Separate.FILTER, CPU).choose(band).name == "filter"
    assert isinstance(Separators(Separate.OFF, CPU).choose(band), NoSeparator)
    assert Separators(Separate.SPLEETER, CPU).choose(spoken).name == "spleeter"


def test_spleeter_serves_music_and_is_let_go(band, spoken):
    separator = Separators(Separate.AUTO, CPU)
    reporter = RememberingReporter()
    first = separator.choose(band, reporter)
    assert first.name == "spleeter"
    assert ["Spleeter separates" in said for said in reporter.said] == [True]
    there = weakref.ref(first)
    del first
    assert separator.choose(spoken).name == "filter"
    gc.collect()
    assert there() is None


def test_a_recording_is_looked_at_once(band, monkeypatch):
    runs = []
    split = SpleeterSeparator._split
    monkeypatch.setattr(SpleeterSeparator, "_split", lambda *given: runs.append(1) or split(*given))
    separator = Separators(Separate.AUTO, CPU)
    list(separator.choose(band).separate(band))
    separator.choose(band)
    assert len(runs) == 2, "once to look, once to separate"


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
