from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn

from stylehead.media.audio import open_audio
from stylehead.models.voice_filter import VoiceFilter, VoiceFilterConfig
from stylehead.speech import spleeter
from stylehead.speech.separation import MARGIN, Voice, VoiceSeparator
from stylehead.speech.spleeter import (
    RATE,
    STRIDE,
    Look,
    SpleeterSeparator,
    bridged,
    voice_activity,
)
from tests.stand_ins import media
from tests.stand_ins.faces import RememberingReporter

BINS_1K = round(1000 / RATE * 4096)


class Band(nn.Module):
    """A U-Net's stand-in that takes the bins on one side of 1 kHz for its stem."""

    def __init__(self, low: bool) -> None:
        super().__init__()
        self.register_parameter("place", nn.Parameter(torch.zeros(1)))
        inside = torch.arange(1024) < BINS_1K
        self.mask = (inside if low else ~inside).float()

    def forward(self, magnitude: torch.Tensor) -> torch.Tensor:
        assert magnitude.shape == (1, 2, 512, 1024)
        return magnitude * self.mask


@pytest.fixture
def separator() -> SpleeterSeparator:
    """Whoever sings below 1 kHz is the voice."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built_in = VoiceSeparator(VoiceFilter(VoiceFilterConfig(width=6, layers=1)))
    return SpleeterSeparator(Band(low=True), Band(low=False), built_in)


def duet(seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """A low tone on the left that comes and goes, and a high one on both sides: (N, 2) each."""
    times = np.arange(round(seconds * RATE)) / RATE
    low = 0.2 * np.sin(2 * np.pi * 300 * times) * (0.5 + 0.5 * np.sin(2 * np.pi * 0.5 * times))
    high = 0.1 * np.sin(2 * np.pi * 3000 * times)
    return (
        np.stack([low, 0 * low], 1).astype(np.float32),
        np.stack([high, high], 1).astype(np.float32),
    )


def pieces(samples: np.ndarray, block: int):
    return (samples[i : i + block] for i in range(0, len(samples), block))


# ---- the stems ------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.2, 9.9, 10.2, 20.3, 25.0])
def test_stems_are_as_long_as_the_song_and_add_up_to_it(separator, seconds):
    low, high = duet(seconds)
    stems = np.concatenate(list(separator._stems(pieces(low + high, 4096))))
    assert stems.shape == low.shape
    np.testing.assert_allclose(stems.sum(1), (low + high).mean(1), atol=1e-6)
    middle = slice(3000, -3000)  # without the splash of the ends
    np.testing.assert_allclose(stems[middle, 0], low.mean(1)[middle], atol=3e-3)
    np.testing.assert_allclose(stems[middle, 1], high.mean(1)[middle], atol=3e-3)


@pytest.mark.parametrize("length", [1, STRIDE - 1, STRIDE, STRIDE + 1, 2 * STRIDE - 16_000])
def test_no_sample_is_lost_where_windows_meet(separator, length):
    samples = np.ones((length, 2), np.float32)
    stems = np.concatenate(list(separator._stems(pieces(samples, 50_000))))
    np.testing.assert_allclose(stems.sum(1), 1, atol=1e-5)
    assert len(stems) == length


@pytest.mark.parametrize("block", [777, 44_100, 10**6])
def test_blocks_do_not_matter(separator, block):
    low, high = duet(21.0)
    whole = np.concatenate(list(separator._stems([low + high])))
    cut = np.concatenate(list(separator._stems(pieces(low + high, block))))
    np.testing.assert_array_equal(cut, whole)


def test_windows_pass_over_into_each_other_without_a_step(separator, monkeypatch):
    """Each window turns the voice down by another amount: nowhere does it jump."""
    split, gains = separator._split, iter((1.0, 0.5, 0.8))

    def turned_down(filled):
        stems, count = split(filled)
        return stems * next(gains), count

    monkeypatch.setattr(separator, "_split", turned_down)
    steady = np.full((2 * STRIDE + 5000, 2), 0.5, np.float32)
    stems = np.concatenate(list(separator._stems([steady]))).sum(1)
    assert np.abs(np.diff(stems)).max() < 1e-4
    assert stems[STRIDE // 2] == pytest.approx(0.5, abs=1e-4)
    assert stems[STRIDE] == pytest.approx(0.375, abs=1e-4)
    assert stems[3 * STRIDE // 2] == pytest.approx(0.25, abs=1e-4)


def test_memory_does_not_grow_with_the_song(separator):
    def peak(blocks: int) -> int:
        tracemalloc.start()
        for _ in separator._stems(np.zeros((RATE, 2), np.float32) for _ in range(blocks)):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(45) < 1.1 * peak(23)


# ---- the voice ------------------------------------------------------------------------------


def test_the_voice_comes_back_at_16_khz_beside_its_mix(separator, tmp_path):
    low, high = duet(11.0)
    path = media.save_sound(tmp_path / "duet.wav", low + high, RATE, subtype="FLOAT")
    sound = open_audio(path)
    parts = list(separator.separate(sound))
    assert [len(part.samples) for part in parts] == [160_000, 16_000]
    assert [len(part.activity) for part in parts] == [600, 60]
    voice, mix = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("samples", "mix")
    )
    gain = np.float32(0.1 / sound.loudness)
    recorded = gain * np.concatenate(list(sound.blocks()))
    middle = slice(1600, -1600)
    np.testing.assert_allclose(mix[middle], recorded[middle], atol=5e-3)
    times = np.arange(len(voice)) / 16_000
    wanted = gain * 0.1 * np.sin(2 * np.pi * 300 * times)
    wanted *= 0.5 + 0.5 * np.sin(2 * np.pi * 0.5 * times)
    np.testing.assert_allclose(voice[middle], wanted[middle], atol=5e-3)


# ---- the look -------------------------------------------------------------------------------


def played(tmp_path, *parts: tuple[float, float, float]):
    """A recording of parts: seconds, how loud the voice is and how loud the music."""
    cut = [(low * voice + high * music) for s, voice, music in parts for low, high in [duet(s)]]
    samples = np.concatenate(cut)
    return open_audio(media.save_sound(tmp_path / "song.wav", samples, RATE, subtype="FLOAT"))


@pytest.mark.parametrize(("music", "decibels"), [(1.0, 4.3), (0.1, -15.7), (0.0, -60.0)])
def test_a_look_tells_how_loud_the_music_is(separator, tmp_path, music, decibels):
    found = separator.look(played(tmp_path, (4.0, 1.0, music))).music
    assert found == pytest.approx(decibels, abs=1) if music else found < decibels


def test_one_window_of_three_is_looked_at_and_the_last(separator, tmp_path, monkeypatch):
    split, runs = separator._split, []
    monkeypatch.setattr(separator, "_split", lambda window: runs.append(1) or split(window))
    sound = played(tmp_path, (55.0, 0.2, 0.2))
    reporter = RememberingReporter()
    assert separator.look(sound, reporter) == separator.look(sound)
    assert len(runs) == reporter.total == 3  # of six: the 1st, 4th and 6th


def test_a_last_window_of_one_sample_is_looked_past(separator, tmp_path):
    path = tmp_path / "song.wav"
    low, high = duet((STRIDE + 1) / RATE)
    media.save_sound(path, (low + high)[: STRIDE + 1], rate=RATE)
    assert np.isfinite(separator.look(open_audio(path)).music)


def test_the_voice_is_measured_where_it_is_loud(separator, tmp_path):
    rare = separator.look(played(tmp_path, (7.0, 0.0, 1.0), (3.0, 1.0, 0.1)))
    assert rare.music > 0
    assert rare.voice == pytest.approx(0, abs=0.3)
    none = separator.look(played(tmp_path, (10.0, 0.02, 1.0)))
    assert none.voice < -25


def test_a_quiet_voice_is_believed_where_the_loud_parts_have_one(separator, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        spleeter, "voice_activity", lambda *given: asked.append(given[3]) or given[2]
    )
    sound = played(tmp_path, (1.0, 1.0, 1.0))
    for voice, uncertain in ((-30, -10), (-12, -10), (-10, -12), (-8, -14), (-1, -14)):
        monkeypatch.setattr(separator, "look", lambda _, voice=voice: Look(0.0, voice))
        list(separator.separate(sound))
        assert asked.pop() == pytest.approx(uncertain)


# ---- activity -------------------------------------------------------------------------------


def window(decibels: float, *, frames: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A voice so many dB under its mix, which the voice filter is not sure of."""
    times = np.arange(12 * 16_000) / 16_000
    parts = np.arange(1, 8)[:, None]
    tone = (np.sin(2 * np.pi * 220 * parts * times) / parts).sum(0)
    mix = (0.1 * tone).astype(np.float32)
    return mix * np.float32(10 ** (decibels / 20)), mix, np.zeros(frames, np.float32)


@pytest.mark.parametrize(
    ("decibels", "wanted"), [(0, 1.0), (-8, 0.7), (-10, 0.5), (-12, 0.3), (-20, 0.0)]
)
def test_a_voice_is_believed_by_its_level_in_the_mix(decibels, wanted):
    alone, mix, unsure = window(decibels)
    np.testing.assert_allclose(voice_activity(alone, mix, unsure), wanted, atol=0.01)


def test_a_voice_that_sounds_like_one_is_believed_6_db_earlier():
    alone, mix, unsure = window(-14)
    np.testing.assert_allclose(voice_activity(alone, mix, unsure), 0.1, atol=0.01)
    np.testing.assert_allclose(voice_activity(alone, mix, unsure + 1), 0.7, atol=0.01)


def parts(active: list[bool], split: int = 600) -> list[Voice]:
    """Voices of 10 s whose activity is that of tenths of a second."""
    activity = np.repeat(np.array(active, np.float32), 6)
    silent = np.zeros(0, np.float32)
    return [
        Voice(silent, activity[at : at + split], silent) for at in range(0, len(activity), split)
    ]


@pytest.mark.parametrize("begin", [40, 95, 99, 100, 150])
@pytest.mark.parametrize(("tenths", "closed"), [(7, True), (14, True), (16, False)])
def test_a_drop_between_two_voices_is_bridged_wherever_windows_meet(begin, tenths, closed):
    active = [not begin <= at < begin + tenths for at in range(205)]
    given = parts(active)
    found = list(bridged(iter(given)))
    assert [len(part.activity) for part in found] == [600, 600, 30]
    joined = np.concatenate([part.activity for part in found])
    wanted = np.ones(1230) if closed else np.concatenate([part.activity for part in given])
    np.testing.assert_array_equal(joined, wanted)


def test_before_the_first_and_after_the_last_voice_nothing_is_bridged():
    active = [False] * 8 + [True] * 60 + [False] * 8
    (given,) = parts(active)
    (found,) = bridged([given])
    np.testing.assert_array_equal(found.activity, given.activity)
    assert list(bridged([])) == []


def test_a_short_remainder_of_an_instrument_is_no_voice():
    alone, mix, unsure = window(0)
    burst = np.zeros_like(alone)
    place = slice(MARGIN + 5 * 16_000, MARGIN + 5 * 16_000 + 1600)  # a tenth of a second
    burst[place] = alone[place]
    assert voice_activity(burst, mix, unsure).max() < 0.25  # at 0.3 lips begin to move
    assert voice_activity(alone, mix, unsure).min() == 1


def test_a_noise_is_no_voice_however_loud_unless_the_filter_says_so():
    noise = np.random.default_rng(0).normal(0, 0.1, 12 * 16_000).astype(np.float32)
    unsure = np.zeros(600, np.float32)
    assert voice_activity(noise, noise, unsure).max() < 0.1
    np.testing.assert_allclose(voice_activity(noise, noise, unsure + 0.8), 0.8, atol=0.01)


def test_silence_is_no_voice():
    silent = np.zeros(12 * 16_000, np.float32)
    assert voice_activity(silent, silent, np.ones(600, np.float32)).max() == 0
