from __future__ import annotations

import numpy as np
import pytest

from stylehead.errors import MediaError
from stylehead.media.audio import at_speech_rate, open_audio, open_stem
from tests.stand_ins import media

RATE = 44_100


def joined(blocks):
    return np.concatenate(list(blocks))


def sine(seconds, rate, hertz=440.0):
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype("f")


@pytest.fixture
def stereo(tmp_path):
    """2.5 s at 48 kHz: 440 Hz on the left, 880 Hz on the right."""
    both = np.stack([sine(2.5, 48_000), sine(2.5, 48_000, 880.0)], 1)
    return media.save_sound(tmp_path / "stereo.wav", both, 48_000, subtype="FLOAT")


# ---- rates and channels ---------------------------------------------------------------------


def test_left_and_right_come_at_the_rate_asked_for(stereo):
    found = joined(open_audio(stereo).blocks(RATE, 2))
    assert found.shape == (round(2.5 * RATE), 2)
    middle = slice(1000, -1000)
    for channel, hertz in enumerate((440.0, 880.0)):
        wanted = sine(2.5, RATE, hertz)
        np.testing.assert_allclose(found[middle, channel], wanted[middle], atol=2e-3)


def test_mono_is_the_mean_of_the_channels_at_any_rate(stereo):
    sound = open_audio(stereo)
    left_and_right = joined(sound.blocks(RATE, 2))
    np.testing.assert_allclose(joined(sound.blocks(RATE)), left_and_right.mean(1), atol=1e-6)
    assert joined(sound.blocks()).shape == (40_000,)


def test_one_channel_sounds_on_both_sides(tmp_path):
    path = media.save_sound(tmp_path / "mono.wav", sine(1.0, 16_000))
    found = joined(open_audio(path).blocks(16_000, 2))
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    np.testing.assert_allclose(found[:, 0], sine(1.0, 16_000), atol=1e-4)


@pytest.mark.parametrize(("start", "duration"), [(0.0, None), (0.3, None), (0.7, 1.1)])
def test_a_part_is_the_same_part_at_every_rate(stereo, start, duration):
    sound = open_audio(stereo, start=start, duration=duration)
    assert sound.seconds == pytest.approx(duration or 2.5 - start)
    for rate in (8000, 16_000, RATE):
        assert len(joined(sound.blocks(rate))) == round(sound.seconds * rate)
    high = joined(sound.blocks(RATE, 2))[:, 0]
    wanted = sine(2.5, RATE)[round(start * RATE) :][: len(high)]
    np.testing.assert_allclose(high[200:-200], wanted[200:-200], atol=2e-3)


# ---- back to the rate of speech -------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 1000, 44_099, 10**6])
def test_a_stream_at_another_rate_keeps_its_length_and_both_columns(block):
    samples = np.stack([sine(1.37, RATE), sine(1.37, RATE, 880.0)], 1)
    if block == 1:
        samples = samples[:300]
    pieces = (samples[i : i + block] for i in range(0, len(samples), block))
    found = joined(at_speech_rate(pieces, RATE))
    assert found.shape == (round(len(samples) * 16_000 / RATE), 2)
    assert found.dtype == np.float32
    whole = joined(at_speech_rate([samples], RATE))
    np.testing.assert_array_equal(found, whole)
    if block > 1:
        for column, hertz in enumerate((440.0, 880.0)):
            wanted = sine(1.37, 16_000, hertz)
            np.testing.assert_allclose(found[99:-99, column], wanted[99:-99], atol=2e-3)


def test_a_stream_of_nothing_is_nothing():
    assert not list(at_speech_rate([], RATE))


# ---- stems ----------------------------------------------------------------------------------


@pytest.fixture
def song(tmp_path):
    return open_audio(media.save_sound(tmp_path / "song.wav", 0.1 * media.bursts(4.0)))


@pytest.fixture
def stem(tmp_path):
    """Return a function that writes a voice of some seconds and returns its path and samples."""

    def save(seconds):
        samples = media.bursts(seconds, seed=3)
        return media.save_sound(tmp_path / "stem.wav", samples, subtype="FLOAT"), samples

    return save


@pytest.mark.parametrize("seconds", [3.6, 4.0, 4.4])
def test_a_stem_about_as_long_is_made_as_long(song, stem, seconds):
    path, samples = stem(seconds)
    fitted = open_stem(path, song)
    wanted = np.zeros(64_000, np.float32)
    count = min(64_000, len(samples))
    wanted[:count] = samples[:count]
    assert fitted.seconds == song.seconds
    np.testing.assert_array_equal(joined(fitted.blocks()), wanted)
    assert joined(fitted.blocks(RATE, 2)).shape == (4 * RATE, 2)


@pytest.mark.parametrize(("seconds", "words"), [(3.4, "0.5 s shorter"), (9.0, "0.5 s longer")])
def test_a_stem_of_another_length_is_refused(song, stem, seconds, words):
    path, _ = stem(seconds)
    with pytest.raises(MediaError, match=words) as caught:
        open_stem(path, song)
    if "longer" in words:
        assert open_stem(path, song, cut=True).seconds == song.seconds
    assert "--vocals-offset" in caught.value.remedy


@pytest.mark.parametrize("offset", [1.5, 0.0, -1.25])
def test_an_offset_puts_the_stem_in_its_place_whatever_its_length(song, stem, offset):
    path, samples = stem(2.0)
    found = joined(open_stem(path, song, offset).blocks())
    wanted = np.zeros(64_000, np.float32)
    ahead, skipped = round(max(offset, 0) * 16_000), round(max(-offset, 0) * 16_000)
    heard = samples[skipped:]
    wanted[ahead : ahead + len(heard)] = heard
    np.testing.assert_array_equal(found, wanted)


def test_a_part_of_the_song_has_the_same_part_of_the_stem(tmp_path, stem):
    path, samples = stem(4.0)
    song_file = media.save_sound(tmp_path / "song.wav", media.bursts(4.0))
    song = open_audio(song_file, start=1.0, duration=1.5)
    fitted = open_stem(path, song, cut=True)
    np.testing.assert_array_equal(joined(fitted.blocks()), samples[16_000:40_000])
    assert fitted.loudness == open_audio(path, start=1.0, duration=1.5).loudness
    late = joined(open_stem(path, song, 2.0, cut=True).blocks())
    assert not late[:16_000].any()
    np.testing.assert_array_equal(late[16_000:], samples[:8000])


def test_a_stem_that_never_meets_the_song_is_refused(song, stem):
    path, _ = stem(2.0)
    with pytest.raises(MediaError, match="only after the recording has ended"):
        open_stem(path, song, 5.0)
    with pytest.raises(MediaError, match=r"only 0\.00 s of sound"):
        open_stem(path, song, -3.0)
