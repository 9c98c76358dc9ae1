import numpy as np
import pytest
import torch

from stylehead.face.landmarks import REGIONS
from stylehead.media.audio import loudness, piece_energies
from stylehead.speech.encoders import LogMelEncoder
from stylehead.speech.mel import LOUDNESS
from stylehead.training.data import speakers
from stylehead.training.data.audio import Corpora
from stylehead.training.data.clips import Clip
from stylehead.training.data.speakers import (
    TEMPI,
    AlignedFeatures,
    Speaker,
    encode_speakers,
    load_speakers,
)
from stylehead.types import SPEECH_RATE
from tests.stand_ins.faces import face_track, gape, mean_mesh, shut_lids, syllables, without_face

NOTHING = np.zeros(0, np.int16)
SILENCE = Corpora(NOTHING, NOTHING, NOTHING)
GAPE = ([65, 66, 67], [63, 62, 61])


class Level:
    """A speech encoder whose one feature is how loud each frame is."""

    width = 1

    def encode(self, blocks):
        samples = np.concatenate(list(blocks))
        frames = -(-len(samples) * 60 // SPEECH_RATE)
        padded = np.pad(samples, (0, 400))
        starts = np.arange(frames) * SPEECH_RATE // 60
        level = np.square(padded[starts[:, None] + np.arange(267)]).mean(1) ** 0.5
        yield torch.from_numpy(level.astype(np.float32))[:, None]


def clip(number=1, *, seconds=3.0, samples=None, seen=1.0, size=1.0, fps=30, start=0.0):
    """Somebody whose mouth opens with each of the four syllables a second."""
    times = start + np.arange(round(fps * seconds)) / fps
    beat = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * times)
    heads = np.repeat(mean_mesh()[None], len(times), 0)
    heads[:, [13, 14, 17], 1] += size * np.array([0, 0.12, 0.1]) * beat[:, None]
    heads = shut_lids(heads, 0 * times)
    scores = np.zeros((len(times), 52), np.float32)
    scores[:, 25] = beat
    track = face_track(heads, expression=scores, seconds=times)
    track = without_face(track, slice(round(seen * len(times)), None))
    if samples is None:
        samples = (0.3 * 32767 * syllables(seconds + start)).astype(np.int16)
    return Clip(f"{number}.mp4", f"person {number}", track, samples)


def opening(offsets):
    lower, upper = GAPE
    return np.asarray(offsets)[:, lower, 1].mean(1) - np.asarray(offsets)[:, upper, 1].mean(1)


def swing(offsets):
    return opening(offsets).std()


def together(one, other):
    return np.corrcoef(np.ravel(one), np.ravel(other))[0, 1]


# ---- speakers -------------------------------------------------------------------------------


def test_speakers_have_sound_and_motion_at_sixty_a_second():
    found, spread = load_speakers([clip(1), clip(2)])
    assert [one.name for one in found] == ["1.mp4", "2.mp4"]
    assert [one.person for one in found] == ["person 1", "person 2"]
    assert spread.shape == (68, 3)
    assert spread.dtype == np.float32
    assert (spread > 0).all()
    for one in found:
        assert len(one.offsets) == pytest.approx(60 * 3, abs=4)
        assert len(one.samples) * 60 // SPEECH_RATE >= len(one.offsets)
        assert loudness(piece_energies(one.samples)) == pytest.approx(LOUDNESS, rel=1e-3)
        assert one.weight == 1


@pytest.mark.parametrize("fps", [25, 30])
@pytest.mark.parametrize("start", [0.0, 0.6])
def test_mouth_and_sound_are_in_step_whatever_the_rate_and_the_start(fps, start):
    (one,), _ = load_speakers([clip(fps=fps, start=start)])
    (level,) = Level().encode([one.samples])
    level = level[: len(one.offsets), 0].numpy()
    level = np.convolve(level, np.hanning(9), "same")
    scores = [
        together(opening(one.offsets)[20:-20], level[20 + lag : len(level) - 20 + lag])
        for lag in range(-4, 5)
    ]
    assert abs(int(np.argmax(scores)) - 4) <= 1
    assert max(scores) > 0.9


def test_clips_that_teach_nothing_are_left_out():
    useless = [
        clip(1, samples=NOTHING),
        clip(2, samples=clip().samples[: 2 * SPEECH_RATE - 1]),
        clip(3, samples=np.zeros(48_000, np.int16)),
        clip(4, seen=0.8),
        clip(5, seconds=0.9, samples=clip().samples),
    ]
    found, _ = load_speakers([*useless, clip(6), clip(7, seen=0.95)])
    assert [one.name for one in found] == ["6.mp4", "7.mp4"]


def test_motion_stops_where_the_sound_does():
    (one,), _ = load_speakers([clip(samples=clip().samples[: int(2.5 * SPEECH_RATE)])])
    assert len(one.offsets) == 150


def test_people_who_move_more_and_less_are_made_alike():
    (small, large), pooled = load_speakers([clip(1, size=0.7), clip(2, size=1.4)])
    assert swing(large.offsets) == pytest.approx(swing(small.offsets), rel=0.1)
    (alone,), own = load_speakers([clip(2, size=1.4)])
    assert pooled[66, 1] < own[66, 1]
    assert swing(alone.offsets) > 1.1 * swing(large.offsets)


def test_a_given_spread_is_used_and_returned():
    _, spread = load_speakers([clip()])
    (one,), same = load_speakers([clip()])
    (other,), given = load_speakers([clip()], spread=2 * spread)
    np.testing.assert_array_equal(same, spread)
    np.testing.assert_array_equal(given, 2 * spread)
    assert swing(other.offsets) == pytest.approx(2 * swing(one.offsets), rel=0.01)


def test_nobody_is_blown_up_more_than_three_times():
    _, spread = load_speakers([clip()])
    (one,), _ = load_speakers([clip()])
    (other,), _ = load_speakers([clip()], spread=50 * spread)
    assert swing(other.offsets) == pytest.approx(3 * swing(one.offsets), rel=0.05)


def test_silence_is_zero_for_lips_and_the_mean_for_brows():
    (one,), _ = load_speakers([clip()])
    assert np.abs(one.offsets.mean(0)[list(REGIONS["brows"])]).max() < 1e-4
    shut = opening(one.offsets)
    assert shut.min() > -0.1 * np.ptp(shut)
    assert shut.mean() > 0.2 * np.ptp(shut)


def test_speakers_weigh_what_was_asked():
    (one,), _ = load_speakers([clip()], weight=0.25)
    assert one.weight == 0.25


def test_no_speakers_are_an_empty_list():
    found, _ = load_speakers([clip(samples=NOTHING)])
    assert found == []


# ---- takes ----------------------------------------------------------------------------------


def take(frames=30):
    numbers = torch.arange(frames)
    return AlignedFeatures(
        numbers[:, None].half(), numbers[:, None, None].expand(-1, 68, 3).float()
    )


@pytest.mark.parametrize("lag", [-7, -1, 0, 1, 7])
def test_a_shifted_takes_picture_comes_earlier(lag):
    found = take().shifted(lag)
    assert len(found.features) == len(found.offsets) == 30 - abs(lag)
    torch.testing.assert_close(
        found.offsets[:, 0, 0], found.features[:, 0].float() + lag, rtol=0, atol=0
    )


def test_there_and_back_leaves_the_middle():
    found = take().shifted(4).shifted(-4)
    assert (found.features[:, 0] == found.offsets[:, 0, 0]).all()
    assert len(found.features) == 22


# ---- hearing --------------------------------------------------------------------------------


def speaker(seconds=2.0):
    """Somebody whose mouth opens as it gets louder."""
    samples = syllables(seconds).copy()
    (level,) = Level().encode([samples])
    smooth = np.convolve(level[:, 0], np.hanning(9) / 4, "same")
    offsets = smooth[:, None, None] * gape(10.0)
    return Speaker("one", "Ann", samples, offsets.astype(np.float32))


def test_a_speaker_is_heard_as_recorded_first():
    one = speaker()
    (heard,) = encode_speakers([one], LogMelEncoder(), SILENCE)
    assert heard.speaker is one
    first = heard.renditions[0]
    assert first.features.dtype == torch.float16
    wanted = torch.cat(list(LogMelEncoder().encode([one.samples])))
    torch.testing.assert_close(first.features, wanted.half(), rtol=0, atol=0)
    np.testing.assert_array_equal(first.offsets, one.offsets)


def test_disturbed_takes_follow_and_are_stretched():
    (heard,) = encode_speakers([speaker()], LogMelEncoder(), SILENCE)
    lengths = [len(one.features) for one in heard.renditions]
    assert lengths == [120, *[120 * up // down for up, down in TEMPI]]
    assert all(len(one.features) == len(one.offsets) for one in heard.renditions)
    assert not torch.equal(heard.renditions[1].features, heard.renditions[0].features)


def test_without_tempi_there_is_one_take():
    (heard,) = encode_speakers([speaker()], LogMelEncoder(), SILENCE, tempi=())
    assert len(heard.renditions) == 1


def test_sound_and_motion_are_stretched_together(monkeypatch):
    monkeypatch.setattr(speakers, "disturb", lambda voice, *_: voice)
    (heard,) = encode_speakers([speaker()], Level(), SILENCE)
    for one in heard.renditions:
        level = np.convolve(one.features[:, 0].float(), np.hanning(9), "same")
        assert together(level[5:-5], opening(one.offsets)[5:-5]) > 0.98


def test_the_same_seed_hears_the_same():
    one, same, other = (
        encode_speakers([speaker()], Level(), SILENCE, seed=seed)[0].renditions
        for seed in (1, 1, 2)
    )
    for a, b in zip(one, same, strict=True):
        assert torch.equal(a.features, b.features)
    assert any(not torch.equal(a.features, b.features) for a, b in zip(one, other, strict=True))


def test_a_take_ends_with_the_shorter_of_sound_and_motion():
    one = speaker()
    (heard,) = encode_speakers(
        [Speaker("short", "Ann", one.samples[: SPEECH_RATE + 1], one.offsets)], Level(), SILENCE
    )
    assert len(heard.renditions[0].features) == len(heard.renditions[0].offsets) == 61
