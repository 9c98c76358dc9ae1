"""Recordings that other programs write: many channels, several tracks, holes, inverted sides."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from stylehead.media.audio import loudness, open_audio, piece_energies
from stylehead.media.muxer import write_video
from stylehead.media.segment import EncoderPicture, SegmentEncoder
from stylehead.media.sound_stream import SoundFormat, aac_layout
from tests.stand_ins import media

RATE = 16_000


def joined(blocks):
    return np.concatenate(list(blocks))


def waves(channels, seconds=0.8, rate=RATE):
    """Return (N, C) samples: a tone of its own in each channel."""
    times = np.arange(round(seconds * rate)) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * (200 + 60 * c) * times) for c in range(channels)], 1)


def encoded(path, samples, rate, layout, codec):
    """Write samples (N, C) with named places for the channels."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        packed = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def timed(path, tracks, *, default=None):
    """Write tracks [(seconds, samples), ...] at the times they name, one of them the default."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in tracks]
        for number, stream in enumerate(streams):
            stream.disposition = Disposition.default if number == default else Disposition(0)
        for stream, track in zip(streams, tracks, strict=True):
            for seconds, samples in track:
                whole = (samples * 32767).round().astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
                frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
                frame.pts = round(seconds * RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


# ---- channels -------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [7, 8, 10, 16, 24])
def test_sound_of_many_channels_is_their_mean(tmp_path, channels):
    samples = waves(channels)
    path = media.save_sound(tmp_path / "many.wav", samples, subtype="FLOAT")
    sound = open_audio(path)
    assert sound.channels == channels
    np.testing.assert_allclose(joined(sound.blocks()), samples.mean(1), atol=1e-5)
    both = joined(sound.blocks(RATE, 2))
    np.testing.assert_allclose(both, np.repeat(samples.mean(1)[:, None], 2, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("codec", "suffix", "rate"),
    [("flac", ".flac", RATE), ("aac", ".m4a", 48_000), ("libopus", ".opus", 48_000)],
)
def test_eight_planes_of_any_codec_are_read(tmp_path, codec, suffix, rate):
    tone = np.repeat(waves(1, rate=rate), 8, 1)
    path = encoded(tmp_path / f"surround{suffix}", tone, rate, "7.1", codec)
    found = joined(open_audio(path).blocks(rate))
    middle = slice(rate // 4, rate // 2)
    assert abs(media.lag(tone[middle, 0], found[middle], rate)[0]) < 0.002
    # Encoders keep no highs in the low-frequency channel.
    assert np.std(found[middle]) == pytest.approx(np.std(tone[middle, 0]), rel=0.2)


@pytest.mark.parametrize(
    ("layout", "channels", "wanted"),
    [
        ("mono", 1, "mono"),
        ("stereo", 2, "stereo"),
        ("2.1", 3, "5.1"),
        ("3.0", 3, "3.0"),
        ("quad", 4, "5.0"),
        ("quad(side)", 4, "5.0"),
        ("5.0(side)", 5, "5.0"),
        ("5.1", 6, "5.1"),
        ("5.1(side)", 6, "5.1"),
        ("7.0", 7, "7.1"),
        ("7.1", 8, "7.1"),
        ("octagonal", 8, "stereo"),
        ("1 channels", 1, "mono"),
        ("2 channels", 2, "stereo"),
        ("6 channels", 6, "5.1"),
        ("8 channels", 8, "7.1"),
        ("10 channels", 10, "mono"),
    ],
)
def test_aac_gets_a_layout_it_has_a_name_for(layout, channels, wanted):
    assert aac_layout(SoundFormat(RATE, channels, layout)) == wanted


@pytest.mark.parametrize(
    ("layout", "order"), [("5.1(side)", range(6)), ("quad", (0, 1, None, 2, 3)), ("7.1", range(8))]
)
def test_every_channel_is_heard_in_its_place_in_the_video(tmp_path, layout, order):
    samples = waves(av.AudioLayout(layout).nb_channels, rate=48_000)
    path = encoded(tmp_path / "in.flac", samples, 48_000, layout, "flac")
    sound = open_audio(path)
    encoder = SegmentEncoder(32, 32, Fraction(10))
    for _ in range(8):
        encoder.add(EncoderPicture(np.zeros((32, 32, 3), np.uint8)))
    result = tmp_path / "out.mp4"
    write_video(
        result, [encoder.finish()], size=(32, 32), fps=Fraction(10), sound=sound, metadata={}
    )
    with av.open(str(result)) as container:
        wanted = aac_layout(SoundFormat(48_000, samples.shape[1], layout))
        assert container.streams.audio[0].codec_context.layout.name == wanted
        resampler = av.AudioResampler("flt", wanted, 48_000)
        frames = [one for frame in container.decode(audio=0) for one in resampler.resample(frame)]
    found = np.concatenate([one.to_ndarray().reshape(-1, len(order)) for one in frames])
    for place, channel in enumerate(order):
        heard = found[9600:19_200, place]
        if channel is None:
            assert np.abs(heard).max() < 1e-3
        elif place != 3 or layout == "quad":  # not the low-frequency channel
            spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
            assert np.argmax(spectrum) * 5 == pytest.approx(200 + 60 * channel, abs=5)


# ---- one voice out of several channels ------------------------------------------------------


@pytest.mark.parametrize("scales", [(1, -1), (1, -0.95), (-0.4, 1), (1, 1, -1, -1), (1, -1, 0, 0)])
def test_an_inverted_channel_does_not_cancel_the_voice(tmp_path, scales):
    voice = media.bursts(1.0)
    samples = voice[:, None] * 0.5 * np.array(scales, np.float32)
    sound = open_audio(media.save_sound(tmp_path / "inverted.wav", samples, subtype="FLOAT"))
    heard = joined(sound.blocks())
    sign = np.sign(heard @ voice)
    wanted = voice * 0.5 * np.abs(scales).mean()
    np.testing.assert_allclose(sign * heard, wanted, atol=1e-5)
    assert sound.loudness == pytest.approx(loudness(piece_energies(wanted)), rel=1e-4)


@pytest.mark.parametrize("side", [0.0, 0.3, 0.9])
def test_the_wide_sound_of_a_mix_keeps_its_plain_mean(tmp_path, side):
    middle, wide = media.bursts(1.0), media.bursts(1.0, seed=5)
    samples = np.stack([middle + side * wide, middle - side * wide], 1) * np.float32(0.4)
    sound = open_audio(media.save_sound(tmp_path / "wide.wav", samples, subtype="FLOAT"))
    assert sound.signs is None
    np.testing.assert_allclose(joined(sound.blocks()), samples.mean(1), atol=1e-5)


# ---- tracks and time stamps -----------------------------------------------------------------


@pytest.mark.parametrize("default", [0, 1, None])
def test_of_several_tracks_the_default_one_is_heard(tmp_path, default):
    tones = [media.tone(1.0, pitch=200.0), media.tone(1.0, pitch=300.0)]
    path = timed(tmp_path / "tracks.mka", [[(0, tone)] for tone in tones], default=default)
    found = joined(open_audio(path).blocks())
    np.testing.assert_allclose(found, tones[default or 0], atol=1e-3)


@pytest.mark.parametrize("hole", [0.06, 0.5, 2.25])
def test_a_hole_in_the_time_stamps_is_silence(tmp_path, hole):
    voice = media.bursts(1.5)
    pieces = [
        (start + (hole if start >= 0.7 else 0), voice[round(start * RATE) :][:1600])
        for start in np.arange(0, 1.5, 0.1).round(1)
    ]
    path = timed(tmp_path / "hole.mkv", [pieces])
    sound = open_audio(path)
    assert sound.seconds == pytest.approx(1.5 + hole, abs=0.002)
    found = joined(sound.blocks())
    np.testing.assert_allclose(found[: 7 * 1600], voice[: 7 * 1600], atol=1e-3)
    assert not found[7 * 1600 : round((0.698 + hole) * RATE)].any()
    late = found[-8 * 1600 :]
    assert np.abs(media.lag(voice[7 * 1600 :], late)[0]) <= 0.001
    assert joined(sound.blocks(8000, 2)).shape == (round(sound.seconds * 8000), 2)


def test_time_stamps_that_tremble_change_nothing(tmp_path):
    voice = media.bursts(1.5)
    steps = np.arange(0, 1.5, 0.1).round(1)
    trembling = np.random.default_rng(1).uniform(0, 0.02, len(steps))
    pieces = [
        (start + shift, voice[round(start * RATE) :][:1600])
        for start, shift in zip(steps, trembling, strict=True)
    ]
    path = timed(tmp_path / "tremble.mkv", [pieces])
    np.testing.assert_allclose(joined(open_audio(path).blocks()), voice, atol=1e-3)


# ---- loudness -------------------------------------------------------------------------------


@pytest.mark.parametrize("silence", [0.0, 5.0, 120.0])
def test_a_sentence_is_as_loud_in_a_long_silence_as_alone(silence):
    voice = 0.05 * media.bursts(2.0)
    alone = loudness(piece_energies(voice))
    around = np.zeros(round(silence * RATE), np.float32)
    found = loudness(piece_energies(np.concatenate([around, voice, around])))
    assert 20 * np.log10(found / alone) == pytest.approx(0, abs=2.0)


def test_noise_around_a_sentence_does_not_make_it_quiet():
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 10 ** (-72 / 20), 90 * RATE).astype(np.float32)
    voice = 0.05 * media.bursts(2.0)
    noise[40 * RATE : 42 * RATE] += voice
    found = loudness(piece_energies(noise))
    assert 20 * np.log10(found / loudness(piece_energies(voice))) == pytest.approx(0, abs=2.0)


def test_a_click_is_not_taken_for_all_that_is_loud():
    clicked = 0.05 * media.bursts(3.0)
    clicked[8000:8100] = 0.9
    around = np.zeros(60 * RATE, np.float32)
    found = loudness(piece_energies(np.concatenate([around, clicked, around])))
    alone = loudness(piece_energies(clicked))
    assert 20 * np.log10(found / alone) == pytest.approx(0, abs=3.0)


@pytest.mark.parametrize(("peak", "silent"), [(-61.0, True), (-59.0, False)])
def test_silent_is_what_has_nothing_above_60_db(tmp_path, peak, silent):
    samples = np.zeros(20 * RATE, np.float32)
    samples[RATE : RATE + 3200] = media.tone(0.2) * np.sqrt(8) * 10 ** (peak / 20)
    sound = open_audio(media.save_sound(tmp_path / "rare.wav", samples, subtype="FLOAT"))
    assert sound.silent == silent
    assert sound.loudness == pytest.approx(10 ** (peak / 20), rel=0.05)
