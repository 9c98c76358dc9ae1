import math

import numpy as np
import pytest
import torch
from torch import nn

from stylehead.models.audio_encoder import AudioEncoder, AudioEncoderConfig
from stylehead.models.manifold import Manifold
from stylehead.models.whisper import WhisperEncoder
from stylehead.speech.encoders import (
    ApcEncoder,
    LogMelEncoder,
    ProjectedEncoder,
    WhisperSpeechEncoder,
)
from stylehead.types import SPEECH_RATE
from tests.stand_ins.faces import syllables

CUTS = (799, 15_999, 100_000)
LENGTHS = (0.1, 0.51, 1.0, 3.337, 9.99, 10.0, 10.01, 19.95, 20.02, 25.0)  # seconds


def log_mel():
    return LogMelEncoder()


def apc():
    torch.manual_seed(3)
    return ApcEncoder(AudioEncoder(AudioEncoderConfig(width=6, layers=2)))


def whisper_encoder(layers=1):
    torch.manual_seed(4)
    net = WhisperEncoder()
    net.layers = net.layers[:layers]
    return WhisperSpeechEncoder(net)


def cut(samples, block):
    return [samples[start : start + block] for start in range(0, len(samples), block)]


def heard(encoder, samples, block=SPEECH_RATE):
    return torch.cat(list(encoder.encode(cut(samples, block))))


# ---- all of them ----------------------------------------------------------------------------


@pytest.mark.parametrize("block", CUTS)
@pytest.mark.parametrize(("make", "tolerance"), [(log_mel, 0), (apc, 1e-5), (whisper_encoder, 0)])
def test_features_do_not_depend_on_where_blocks_split(make, tolerance, block):
    encoder, samples = make(), syllables(11.3)
    features = heard(encoder, samples, block)
    torch.testing.assert_close(features, heard(encoder, samples), rtol=0, atol=tolerance)
    assert features.std() > 0


@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize("make", [log_mel, apc, lambda: whisper_encoder(layers=0)])
def test_every_started_frame_is_heard(make, seconds):
    encoder = make()
    samples = syllables(25.0)[: round(seconds * SPEECH_RATE)]
    features = heard(encoder, samples)
    assert features.shape == (math.ceil(len(samples) * 60 / SPEECH_RATE), encoder.width)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("extra", [-1, 1])
@pytest.mark.parametrize("make", [log_mel, apc, lambda: whisper_encoder(layers=0)])
def test_a_single_sample_may_start_a_frame(make, extra):
    samples = syllables(11.0)[: 10 * SPEECH_RATE + extra]
    assert len(heard(make(), samples)) == 600 + (extra > 0)


@pytest.mark.parametrize("make", [log_mel, apc, whisper_encoder])
def test_no_sound_gives_no_features(make):
    assert list(make().encode([])) == []


@pytest.mark.parametrize(("make", "margin"), [(log_mel, 0), (apc, 0), (whisper_encoder, 2)])
@pytest.mark.parametrize("seconds", [4.321, 9.8])
def test_silence_after_the_end_leaves_what_was_heard(make, margin, seconds):
    encoder = make()
    samples = syllables(10.0)[: round(seconds * SPEECH_RATE)]
    longer = np.concatenate([samples, np.zeros(2 * SPEECH_RATE, np.float32)])
    before = heard(encoder, samples)
    kept = len(before) - margin  # between the last two of Whisper's own features
    torch.testing.assert_close(heard(encoder, longer)[:kept], before[:kept], rtol=0, atol=1e-5)


# ---- log-mel and the encoder ----------------------------------------------------------------


def test_two_rows_lie_side_by_side():
    assert LogMelEncoder.width == 160
    row = heard(LogMelEncoder(), syllables(0.5))[10]
    assert (row[:80] != row[80:]).any()
    first, _ = row.view(2, 80)
    shifted = heard(LogMelEncoder(), syllables(0.5)[SPEECH_RATE // 6 :])[0]  # ten frames later
    torch.testing.assert_close(shifted[:80], first, rtol=0, atol=0.02)


def test_the_encoder_does_not_hear_what_comes_later():
    samples = syllables(3.0)
    changed = samples.copy()
    changed[2 * SPEECH_RATE :] *= -0.3
    encoder = apc()
    before, after = heard(encoder, samples), heard(encoder, changed)
    known = 2 * 60 - 2  # a row's window is two rows long
    torch.testing.assert_close(after[:known], before[:known], rtol=0, atol=1e-6)
    assert (after[120:] != before[120:]).any()


def test_the_encoder_remembers_beyond_a_chunk():
    samples = syllables(11.0)
    encoder = apc()
    alone = heard(encoder, samples[10 * SPEECH_RATE :])
    assert not torch.allclose(heard(encoder, samples)[600:], alone, atol=1e-3)


def test_a_projected_encoder_projects_each_frame():
    base = torch.randn(30, 12)
    manifold = Manifold(base, base.mean(0), base.std(0), 0.7, neighbours=4)
    plain = heard(apc(), syllables(1.0))
    projected = heard(ProjectedEncoder(apc(), manifold), syllables(1.0))
    torch.testing.assert_close(projected, manifold.project(plain), rtol=0, atol=1e-5)
    assert not torch.allclose(projected, plain, atol=1e-3)


# ---- Whisper --------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.7, 10.03, 21.0])
def test_whisper_at_60_hz_lies_on_straight_lines_between_its_own_features(seconds):
    encoder, samples = whisper_encoder(layers=0), syllables(21.0)[: round(seconds * SPEECH_RATE)]
    own = torch.cat(list(encoder.at_50_hz(cut(samples, 4000)))).numpy()
    assert len(own) == math.ceil(len(samples) * 50 / SPEECH_RATE)
    found = heard(encoder, samples).numpy()
    times = np.arange(len(found)) / 60
    for column in range(0, encoder.width, 29):
        wanted = np.interp(times, np.arange(len(own)) / 50, own[:, column])
        np.testing.assert_allclose(found[:, column], wanted, atol=2e-3 * own.std())


class Level(nn.Module):
    """Gives the level of every second mel row, where Whisper's features have their middles."""

    embed_positions = nn.Embedding(1, 1)

    def forward(self, mel):
        return mel.mean(1)[:, ::2, None].expand(-1, -1, 384)


@pytest.mark.parametrize("second", [0.0, 0.5, 9.98, 10.0, 13.3, 20.48])
def test_whispers_features_lie_around_their_time(second):
    samples = np.zeros(22 * SPEECH_RATE, np.float32)
    samples[round(second * SPEECH_RATE)] = 1
    level = torch.cat(list(WhisperSpeechEncoder(Level()).at_50_hz([samples])))[:, 0]
    assert (level > level.min()).nonzero().flatten().tolist() == [round(50 * second)]


@pytest.mark.parametrize("second", [0.5, 9.99, 10.01, 13.3, 20.5])
def test_whisper_hears_a_click_when_it_sounds(second):
    samples = np.zeros(22 * SPEECH_RATE, np.float32)
    samples[round(second * SPEECH_RATE)] = 1
    level = heard(WhisperSpeechEncoder(Level()), samples)[:, 0]
    loud = (level > level.min()).nonzero().flatten() / 60
    assert (loud - second).abs().max() < 0.031
    assert loud.mean() == pytest.approx(second, abs=0.012)


def test_windows_overlap_so_far_that_their_seams_are_not_heard():
    """The convolutions' reach, a few features, lies inside the margin."""
    encoder, samples = whisper_encoder(layers=0), syllables(12.0)
    encoder._net.embed_positions.weight.data.zero_()  # the same place is elsewhere in each window
    seam = torch.cat(list(encoder.at_50_hz([samples])))
    later = torch.cat(list(encoder.at_50_hz([samples[SPEECH_RATE:]])))  # its seam is at 11 s
    torch.testing.assert_close(seam[52:590], later[2:540], rtol=0, atol=1e-4)


def test_places_between_features_stay_exact_for_hours():
    encoder = whisper_encoder(layers=0)
    encoder.width = 1

    def in_turn(blocks):
        """Whisper's features alternate between 0 and 1."""
        for _ in blocks:
            yield torch.arange(500)[:, None] % 2 * 1.0

    encoder.at_50_hz = in_turn
    block = np.zeros(10 * SPEECH_RATE, np.float32)
    features = torch.cat(list(encoder.encode(block for _ in range(540))))[:, 0].double()  # 1.5 h
    places = torch.arange(len(features) - 6) * 5 % 12  # sixths of a feature: up, and down again
    wanted = 1 - (places / 6 - 1).abs()
    torch.testing.assert_close(features[:-6], wanted.double(), rtol=0, atol=1e-4)
