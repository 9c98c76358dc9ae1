import math

import numpy as np
import pytest
import torch
from torch import nn

from stylehead.models.voice_filter import VoiceFilter, VoiceFilterConfig
from stylehead.speech.mel import mel_filters, overlapping_windows
from stylehead.speech.separation import N_FFT, SPAN, Voice, VoiceSeparator, log_bands, music_level
from stylehead.types import SPEECH_RATE
from tests.stand_ins.faces import syllables, wave

TINY = VoiceFilterConfig(width=6, layers=1)
CENTRES = mel_filters(N_FFT, 80, SPAN).argmax(1) * SPEECH_RATE / N_FFT


class Gate:
    """A net that lets the same bands through all the time, and hears a voice where it is loud."""

    config = VoiceFilterConfig()
    activity = nn.Linear(1, 1)

    def __init__(self, mask=1.0):
        self.mask = torch.as_tensor(mask).float().expand(80)

    def eval(self):
        return self

    def __call__(self, mel):
        loud = mel.unflatten(1, (-1, 2)).mean((2, 3))
        return torch.where(loud > 0.2, 9.0, -9.0), self.mask.expand(len(mel), mel.shape[1], 80)


def separate(net, samples, block=SPEECH_RATE):
    blocks = (samples[i : i + block] for i in range(0, len(samples), block))
    return list(VoiceSeparator(net).filtered(blocks))


def voice(net, samples, **how):
    return np.concatenate([part.samples for part in separate(net, samples, **how)])


def tone(hertz, seconds=3.0):
    return 0.1 * wave(np.arange(round(seconds * SPEECH_RATE)) / SPEECH_RATE, hertz).astype("f")


def rms(samples):
    return float(np.sqrt(np.square(samples).mean()))


# ---- windows --------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
@pytest.mark.parametrize("length", [1, 10, 11, 30, 57, 173])
def test_windows_lie_at_fixed_places_whatever_the_blocks(length, block):
    samples = np.arange(1, length + 1, dtype=np.float32)
    blocks = [samples[i : i + block] for i in range(0, length, block)]
    found = list(overlapping_windows(blocks, body=10, before=3, after=5))
    padded = np.concatenate([np.zeros(3), samples, np.zeros(30)]).astype(np.float32)
    assert len(found) == math.ceil(length / 10)
    for number, (window, count) in enumerate(found):
        np.testing.assert_array_equal(window, padded[10 * number : 10 * number + 18])
        assert count == min(10, length - 10 * number)


def test_bodies_side_by_side_are_the_stream():
    samples = np.random.default_rng(0).normal(size=263).astype(np.float32)
    found = overlapping_windows([samples[:100], samples[100:]], body=20, before=7, after=40)
    np.testing.assert_array_equal(np.concatenate([w[7 : 7 + n] for w, n in found]), samples)


def test_an_empty_stream_has_no_window():
    assert list(overlapping_windows([], body=10, before=3, after=5)) == []
    assert list(overlapping_windows([np.zeros(0, np.float32)], body=10, before=3, after=5)) == []


def test_windows_come_as_soon_as_they_are_full():
    asked = []

    def blocks():
        for number in range(4):
            asked.append(number)
            yield np.zeros(10, np.float32)

    stream = overlapping_windows(blocks(), body=10, before=3, after=5)
    next(stream)
    assert asked == [0, 1]


# ---- the voice ------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1600, 15_999, 500_000])
@pytest.mark.parametrize("seconds", [0.1, 1.2345, 10.0, 11.5, 21.0])
def test_what_is_all_voice_stays_as_it_is(seconds, block):
    samples = syllables(21.0)[: round(seconds * SPEECH_RATE)]
    found = voice(Gate(), samples, block=block)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, samples, atol=1e-4)


@pytest.mark.parametrize("length", [1, 159, 161, 159_999, 160_001])
def test_odd_lengths_come_back_whole(length):
    samples = syllables(11.0)[:length]
    np.testing.assert_allclose(voice(Gate(), samples), samples, atol=1e-4)


def test_no_sound_has_no_voice():
    assert separate(Gate(), np.zeros(0, np.float32)) == []


def test_what_is_no_voice_becomes_silence():
    assert np.abs(voice(Gate(0.0), syllables(2.0))).max() == 0


@pytest.mark.parametrize(("share", "kept"), [(0.95, 1.0), (0.02, 0.0), (0.475, 0.5)])
def test_bands_nearly_whole_are_kept_and_bands_nearly_gone_are_left_out(share, kept):
    samples = syllables(1.0)
    np.testing.assert_allclose(voice(Gate(share), samples), kept * samples, atol=1e-4)


def test_a_clean_voice_keeps_the_bands_that_the_net_would_take():
    """A tone in a band that is left out, 20 and 3 dB under one in a band that is kept."""
    net, middle = Gate(CENTRES < 1000), slice(16_000, -16_000)
    high = tone(3000)
    for amplitude, wanted in ((10.0, 1.0), (1.4, 0.0)):
        found = voice(net, amplitude * tone(500) + high)[middle]
        rest = found - amplitude * tone(500)[middle]
        assert rms(rest) == pytest.approx(wanted * rms(high), abs=0.05 * rms(high) * amplitude)


def test_a_second_among_others_is_judged_by_itself():
    """Noise follows a clean voice: only where the noise is, what is no voice goes."""
    net = Gate(CENTRES < 1000)
    clean, among = 3 * tone(500) + 0.3 * tone(3000), 3 * tone(500) + 3 * tone(3000)
    found = voice(net, np.concatenate([clean, among]))
    first, last = slice(16_000, 32_000), slice(64_000, 80_000)
    np.testing.assert_allclose(found[first], clean[first], atol=0.02)
    only = np.concatenate([tone(500)] * 2)
    assert rms(found[last] - 3 * only[last]) < 0.1 * rms(3 * only[last])


@pytest.mark.parametrize("low", [300, 2000])
def test_a_band_keeps_a_tone_inside_and_removes_one_outside(low):
    net = Gate((low < CENTRES) & (2 * low > CENTRES))
    inside, outside = tone(1.4 * low), tone(4 * low if low < 1000 else 0.5 * low)
    middle = slice(4000, -4000)  # without the splash of the ends
    assert rms(voice(net, inside)[middle]) == pytest.approx(rms(inside), rel=0.02)
    assert rms(voice(net, outside)[middle]) < 0.01 * rms(outside)
    both = voice(net, inside + outside)[middle]
    np.testing.assert_allclose(both, inside[middle], atol=0.02 * inside.max())


def test_the_lowest_and_the_highest_sounds_go_with_their_neighbours():
    low, high = tone(15), tone(7990)
    middle = slice(4000, -4000)
    net = Gate(CENTRES < 1000)
    assert rms(voice(net, low)[middle]) == pytest.approx(rms(low), rel=0.02)
    assert rms(voice(net, high)[middle]) < 0.01 * rms(high)


# ---- activity -------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.1, 1.2345, 10.0, 10.01, 23.0])
def test_each_stretch_has_activity_for_every_started_frame(seconds):
    samples = syllables(23.0)[: round(seconds * SPEECH_RATE)]
    parts = separate(Gate(), samples)
    assert len(parts) == math.ceil(len(samples) / 160_000)
    for part in parts:
        assert part.activity.shape == (math.ceil(len(part.samples) * 60 / SPEECH_RATE),)
    assert all(len(part.samples) == 160_000 for part in parts[:-1])


def test_activity_is_the_nets_and_in_time():
    voiced = ((1.0, 2.0), (9.7, 10.4), (12.3, 13.0))
    times = np.arange(14 * SPEECH_RATE) / SPEECH_RATE
    inside = np.logical_or.reduce([(a <= times) & (times < b) for a, b in voiced])
    noise = np.random.default_rng(1).normal(size=len(times))
    found = np.concatenate(
        [part.activity for part in separate(Gate(), (0.1 * noise * inside).astype(np.float32))]
    )
    middles = (np.arange(len(found)) + 0.5) / 60
    edge = np.min([np.abs(middles - each) for each in np.ravel(voiced)], axis=0)
    wanted = inside[(middles * SPEECH_RATE).astype(int)]
    np.testing.assert_array_equal((found > 0.5)[edge > 0.03], wanted[edge > 0.03])
    assert set(np.unique(found.round(3))) == {0.0, 1.0}


def test_a_real_nets_voice_does_not_depend_on_blocks():
    torch.manual_seed(1)
    net, samples = VoiceFilter(TINY), syllables(12.0)
    whole, pieces = separate(net, samples, 200_000), separate(net, samples, 999)
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        np.testing.assert_array_equal(one.activity, other.activity)
        assert ((one.activity > 0) & (one.activity < 1)).all()


# ---- the net --------------------------------------------------------------------------------


def test_two_rows_make_a_step():
    logits, mask = VoiceFilter(TINY)(torch.rand(3, 50, 80))
    assert logits.shape == (3, 25)
    assert mask.shape == (3, 50, 80)
    assert ((mask > 0) & (mask < 1)).all()


def test_the_net_hears_what_comes_before_and_after():
    torch.manual_seed(1)
    net, mel = VoiceFilter(TINY), torch.rand(1, 40, 80)
    logits = net(mel)[0]
    for row in (0, 39):
        changed = mel.clone()
        changed[:, row] = 0
        assert (net(changed)[0] != logits)[0, 8:12].any()


def test_the_mask_has_its_rows_in_order():
    net = VoiceFilter(TINY)
    net.mask.weight.data.zero_()
    net.mask.bias.data = torch.linspace(-3, 3, 160)
    _, mask = net(torch.rand(1, 6, 80))
    wanted = torch.sigmoid(torch.linspace(-3, 3, 160)).view(2, 80).repeat(3, 1)
    torch.testing.assert_close(mask[0], wanted)


def test_bands_of_silence_are_zero_and_a_decade_is_a_fifth():
    filters = torch.from_numpy(mel_filters(N_FFT, 80, SPAN))
    rows = log_bands(torch.tensor([0.0, 1.0, 10.0]).expand(257, 3) * 1e-2, filters)
    assert rows.shape == (3, 80)
    assert rows[0].abs().max() < 1e-6
    torch.testing.assert_close(rows[2] - rows[1], torch.full((80,), 0.2), rtol=0, atol=1e-5)


# ---- how loud the music is ------------------------------------------------------------------


def stretch(seconds: float, voice: float, rest: float, active: bool = True) -> Voice:
    count = round(seconds * 16_000)
    alone = np.full(count, voice, np.float32)
    activity = np.full(round(seconds * 60), float(active), np.float32)
    return Voice(alone, activity, alone + np.float32(rest))


@pytest.mark.parametrize(("rest", "decibels"), [(0.1, 0.0), (0.01, -20.0), (1.0, 20.0)])
def test_music_is_measured_against_the_voice(rest, decibels):
    stretches = [stretch(2.0, 0.1, rest), stretch(1.5, 0.1, rest)]
    assert music_level(stretches) == pytest.approx(decibels, abs=0.01)


def test_music_counts_where_there_is_a_voice():
    stretches = [stretch(2.0, 0.1, 0.01), stretch(2.0, 0.0, 0.1, active=False)]
    assert music_level(stretches) == pytest.approx(-20, abs=0.01)


def test_silence_has_a_level():
    assert music_level([stretch(1.0, 0.0, 0.0)]) == pytest.approx(0)
