import math

import numpy as np
import pytest
import torch

from stylehead.motion.beat import librosa_alone
from stylehead.speech.mel import MEL_RANGE, log_mel, mel_chunks, mel_filters, overlapping_windows
from stylehead.types import SPEECH_RATE
from tests.stand_ins.faces import syllables, wave

FILTERS = torch.from_numpy(mel_filters())
ROWS = 120  # a second
WINDOW = 266  # samples: a sixtieth of a second
FLOOR = 1e-5


def streamed(samples, *, block=SPEECH_RATE, frames=600, gain=1.0):
    blocks = [samples[i : i + block] for i in range(0, len(samples), block)]
    return torch.cat(list(mel_chunks(blocks, FILTERS, gain=gain, frames=frames)))


def by_hand(samples, row):
    """One log-mel row, written out."""
    start = math.floor(row * SPEECH_RATE / ROWS)
    piece = np.zeros(WINDOW)
    heard = samples[start : start + WINDOW]
    piece[: len(heard)] = heard
    hann = np.array([0.5 - 0.5 * math.cos(2 * math.pi * k / (WINDOW - 1)) for k in range(WINDOW)])
    magnitude = np.abs(np.fft.rfft(piece * hann, 512))
    bands = [max(float(band @ magnitude), FLOOR) for band in FILTERS.numpy().astype(float)]
    return [(math.log(band) - math.log(FLOOR)) / -math.log(FLOOR) for band in bands]


def test_rows_are_what_a_slow_loop_gives():
    samples = syllables(0.5)
    rows = streamed(samples)
    slow = [by_hand(samples, row) for row in range(len(rows))]
    np.testing.assert_allclose(rows, slow, atol=2e-5)


@pytest.mark.parametrize("samples", [1, 133, 134, 266, 267, 16_000, 16_001, 31_999, 37_777])
def test_there_are_two_rows_for_every_started_frame(samples):
    rows = streamed(np.ones(samples, np.float32))
    assert rows.shape == (2 * math.ceil(samples * 60 / SPEECH_RATE), 80)


def test_no_sound_gives_no_rows():
    assert list(mel_chunks([], FILTERS, gain=1.0, frames=600)) == []


@pytest.mark.parametrize("block", [37, 160, 1024, 15_999, 100_000])
def test_rows_do_not_depend_on_where_blocks_split(block):
    samples = syllables(3.3)
    torch.testing.assert_close(streamed(samples, block=block), streamed(samples), rtol=0, atol=0)


@pytest.mark.parametrize("frames", [5, 7, 60, 10_000])
def test_rows_do_not_depend_on_the_chunk(frames):
    samples = syllables(2.1)
    whole = streamed(samples, frames=100)
    torch.testing.assert_close(streamed(samples, frames=frames), whole, rtol=0, atol=1e-5)


def test_streamed_rows_equal_those_of_the_whole_file():
    samples = syllables(2.5).copy()
    rows = log_mel(torch.from_numpy(samples), FILTERS)
    assert len(rows) >= 2 * 60 * 2.5 - 3  # only rows that would pass the end are left out
    torch.testing.assert_close(streamed(samples, frames=30)[: len(rows)], rows, rtol=0, atol=1e-5)


def test_every_chunk_but_the_last_has_the_asked_for_frames():
    chunks = mel_chunks([syllables(1.0)], FILTERS, gain=1.0, frames=25)
    assert [len(chunk) for chunk in chunks] == [50, 50, 20]


def test_rows_do_not_drift_within_a_minute():
    samples = np.zeros(61 * SPEECH_RATE, np.float32)
    clicks = np.array([round(second * SPEECH_RATE) + 77 for second in (0.5, 10.0, 30.25, 60.0)])
    samples[clicks] = 1
    heard = streamed(samples).amax(1).numpy() > 0.2
    assert len(heard) == 61 * ROWS
    starts = np.floor(np.arange(len(heard)) * SPEECH_RATE / ROWS)[:, None]
    inside = (starts + 8 < clicks) & (clicks < starts + WINDOW - 8)  # the window fades to zero
    np.testing.assert_array_equal(heard, inside.any(1))


def test_silence_is_zero():
    assert streamed(np.zeros(SPEECH_RATE, np.float32)).abs().max() < 1e-6


@pytest.mark.parametrize("hertz", [300, 1000, 3000, 6000])
def test_a_full_scale_tone_is_near_one_in_its_own_band(hertz):
    tone = wave(np.arange(SPEECH_RATE) / SPEECH_RATE, hertz).astype(np.float32)
    row = streamed(tone)[60].numpy()
    centres = FILTERS.argmax(1).numpy() * SPEECH_RATE / 512
    loudest = int(row.argmax())
    assert abs(loudest - int(np.abs(centres - hertz).argmin())) <= 1
    assert 0.9 < row[loudest] < 1.15
    far = np.abs(centres / hertz - 1) > 0.5
    assert row[far].max() < row[loudest] - 0.3


def test_gain_is_applied_to_the_sound():
    samples = syllables(0.5)
    louder = streamed(samples, gain=4.0)
    torch.testing.assert_close(louder, streamed(4 * samples), rtol=0, atol=1e-6)


def test_filters_cover_speech_and_nothing_else():
    bank = mel_filters()
    hertz = np.arange(257) * SPEECH_RATE / 512
    assert bank.shape == (80, 257)
    assert (bank >= 0).all()
    assert (bank.max(1) > 0).all()
    assert bank[:, (hertz < 90) | (hertz > 7600)].max() == 0


@pytest.mark.parametrize(
    ("n_fft", "bands", "span"),
    [
        (512, 80, MEL_RANGE),
        (400, 80, (0.0, 8000.0)),
        (512, 80, (50.0, 8000.0)),
        (1024, 40, MEL_RANGE),
    ],
    ids=["ours", "whisper", "voice", "other"],
)
def test_filters_are_librosas(n_fft, bands, span):
    low, high = span
    with librosa_alone() as librosa:
        wanted = librosa.filters.mel(sr=SPEECH_RATE, n_fft=n_fft, n_mels=bands, fmin=low, fmax=high)
    np.testing.assert_allclose(mel_filters(n_fft, bands, span), wanted, rtol=0, atol=1e-7)


# ---- overlapping windows --------------------------------------------------------------------


def cut(samples, *, block=1000, body=70, before=20, after=30):
    blocks = [samples[i : i + block] for i in range(0, len(samples), block)]
    return list(overlapping_windows(blocks, body=body, before=before, after=after))


@pytest.mark.parametrize("count", [1, 69, 70, 71, 99, 100, 101, 120, 140, 350])
def test_bodies_of_windows_are_the_stream(count):
    samples = np.arange(1, count + 1, dtype=np.float32)
    found = [window[20 : 20 + filled] for window, filled in cut(samples)]
    np.testing.assert_array_equal(np.concatenate(found), samples)


@pytest.mark.parametrize("count", [1, 70, 100, 345])
def test_a_window_holds_what_is_around_its_body_or_silence(count):
    samples = np.arange(1, count + 1, dtype=np.float32)
    padded = np.concatenate([np.zeros(20), samples, np.zeros(200)])
    for number, (window, _) in enumerate(cut(samples)):
        np.testing.assert_array_equal(window, padded[70 * number :][:120])


@pytest.mark.parametrize("block", [1, 7, 70, 121])
def test_windows_do_not_depend_on_where_blocks_split(block):
    samples = np.arange(1, 345, dtype=np.float32)
    one, other = cut(samples), cut(samples, block=block)
    assert [filled for _, filled in one] == [filled for _, filled in other]
    for (a, _), (b, _) in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_sound_gives_no_windows():
    assert cut(np.zeros(0, np.float32)) == []
