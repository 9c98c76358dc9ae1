import math

import numpy as np
import pytest
import soundfile
import torch

from stylehead.errors import DataError
from stylehead.media.audio import loudness, piece_energies
from stylehead.speech.mel import LOUDNESS
from stylehead.training.data.audio import (
    FULL_SCALE,
    GAP,
    GRID,
    Corpora,
    Mixing,
    disturb,
    from_corpus,
    load_corpus,
    prepare_sounds,
    to_corpus,
    windows,
)
from stylehead.types import SPEECH_RATE
from tests.stand_ins.faces import RememberingReporter, syllables, wave

NOTHING = np.zeros(0, np.int16)
UNDISTURBED = Mixing(noise=0, music=0, reverberation=0, hiss=0, gain=0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def level(samples):
    return torch.as_tensor(samples).square().mean(-1).sqrt()


def noise_tape(seed=1, seconds=3.0):
    noise = np.random.default_rng(seed).normal(size=round(seconds * SPEECH_RATE))
    return (3000 * noise).clip(-32768, 32767).astype(np.int16)


def voices(count=4, seconds=1.0):
    return torch.tensor(syllables(seconds)).expand(count, -1).clone()


# ---- the tape -------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 319, 320, 321, 16_000])
def test_a_recording_lies_on_the_tape_between_silences(length):
    samples = syllables(1.0)[:length]
    corpus = to_corpus(samples)
    assert corpus.dtype == np.int16
    assert len(corpus) % GRID == 0
    assert length + GAP <= len(corpus) < length + GAP + GRID
    back = from_corpus(corpus).numpy()
    np.testing.assert_allclose(back[GAP // 2 : GAP // 2 + length], samples, atol=1e-4)
    assert (back[: GAP // 2] == 0).all()
    assert (back[GAP // 2 + length :] == 0).all()


def test_louder_sounds_than_the_tape_holds_are_clipped():
    corpus = to_corpus(np.array([100.0, -100.0], np.float32))
    assert (corpus.max(), corpus.min()) == (32767, -32768)
    assert from_corpus(corpus).abs().max() == pytest.approx(4.0, rel=1e-3)


# ---- a folder -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "recordings"
    (path / "more").mkdir(parents=True)
    soundfile.write(path / "b.wav", 0.2 * syllables(0.5), SPEECH_RATE)
    stereo = np.stack([syllables(1.0), syllables(1.0)], 1)
    soundfile.write(path / "more" / "a.FLAC", stereo, SPEECH_RATE, format="FLAC")
    (path / "notes.txt").write_text("no sound")
    return path


def test_all_recordings_of_a_folder_make_one_tape(folder, tmp_path):
    target = tmp_path / "sounds" / "voice_own.npz"
    assert prepare_sounds(folder, target) == 2
    with np.load(target) as arrays:
        corpus = arrays["samples"]
    first, second = (len(to_corpus(syllables(seconds))) for seconds in (0.5, 1.0))
    assert len(corpus) == first + second
    np.testing.assert_array_equal(load_corpus(target.parent, "voice"), corpus)
    assert [path.name for path in target.parent.iterdir()] == ["voice_own.npz"]


def test_every_recording_is_brought_to_the_same_loudness(folder, tmp_path):
    prepare_sounds(folder, tmp_path / "voice.npz")
    corpus = from_corpus(load_corpus(tmp_path, "voice")).numpy()
    for start, length in ((GAP // 2, 8000), (len(to_corpus(syllables(0.5))) + GAP // 2, 16_000)):
        part = corpus[start : start + length]
        assert loudness(piece_energies(part)) == pytest.approx(LOUDNESS, rel=0.02)


def test_what_cannot_be_heard_is_left_out_and_said(folder, tmp_path):
    soundfile.write(folder / "silent.wav", np.zeros(8000), SPEECH_RATE)
    soundfile.write(folder / "short.wav", syllables(0.05), SPEECH_RATE)
    (folder / "broken.mp3").write_bytes(bytes(range(256)))
    listener = RememberingReporter()
    assert prepare_sounds(folder, tmp_path / "voice.npz", reporter=listener) == 2
    assert listener.total == 5
    assert len(listener.said) == 3
    for name in ("silent.wav", "short.wav", "broken.mp3"):
        assert any(name in line for line in listener.said)


def test_a_folder_without_sound_is_an_error_with_a_remedy(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError) as caught:
            prepare_sounds(place, tmp_path / "voice.npz")
        assert caught.value.remedy
    assert not (tmp_path / "voice.npz").exists()


def test_tapes_of_a_role_are_joined_in_name_order(tmp_path):
    for name, value in (("noise_b", 2), ("noise_a", 1), ("voice_a", 3)):
        np.savez(tmp_path / f"{name}.npz", samples=np.full(2, value, np.int16))
    assert load_corpus(tmp_path, "noise").tolist() == [1, 1, 2, 2]
    assert load_corpus(tmp_path, "music").shape == (0,)
    assert load_corpus(tmp_path, "music").dtype == np.int16


def test_windows_are_cut_where_they_were_asked_for():
    corpus = to_corpus(syllables(1.0))
    cut = windows(corpus, torch.tensor([0, 700, 4000]), 500)
    for row, start in zip(cut, (0, 700, 4000), strict=True):
        assert torch.equal(row, from_corpus(corpus)[start : start + 500])


# ---- other sounds ---------------------------------------------------------------------------


def test_without_anything_to_mix_in_voices_stay_as_they_are():
    voice = voices()
    corpora = Corpora(NOTHING, noise_tape(), noise_tape())
    assert torch.equal(disturb(voice, corpora, UNDISTURBED, generator()), voice)


def test_disturbed_voices_are_others_of_the_same_length():
    voice = voices(16)
    before = voice.clone()
    always = Mixing(noise=1, music=1, reverberation=1, hiss=1)
    corpora = Corpora(NOTHING, noise_tape(1), noise_tape(2))
    found = disturb(voice, corpora, always, generator())
    assert found.shape == voice.shape
    assert torch.isfinite(found).all()
    assert (found != voice).any(1).all()
    assert torch.equal(voice, before)


def test_the_same_seed_disturbs_the_same_way():
    corpora = Corpora(NOTHING, noise_tape(1), noise_tape(2))
    one, same, other = (disturb(voices(), corpora, Mixing(), generator(s)) for s in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("what", ["noise", "music"])
@pytest.mark.parametrize("decibels", [0.0, 10.0, 25.0])
def test_what_is_mixed_in_has_the_asked_level_under_a_voice(what, decibels):
    how = Mixing(**{**vars_of(UNDISTURBED), what: 1.0}, least=decibels, most=decibels)
    corpora = Corpora(
        NOTHING, *((noise_tape(), NOTHING) if what == "noise" else (NOTHING, noise_tape()))
    )
    added = disturb(voices(), corpora, how, generator()) - voices()
    wanted = LOUDNESS * 10 ** (-decibels / 20)
    torch.testing.assert_close(level(added), torch.full((4,), wanted), rtol=1e-3, atol=0)


def vars_of(how):
    return {
        name: getattr(how, name) for name in ("noise", "music", "reverberation", "hiss", "gain")
    }


def test_levels_are_spread_between_the_least_and_the_most():
    how = Mixing(**{**vars_of(UNDISTURBED), "noise": 1.0}, least=5.0, most=15.0)
    voice = voices(200, seconds=0.1)
    added = disturb(voice, Corpora(NOTHING, noise_tape(), NOTHING), how, generator()) - voice
    decibels = 20 * torch.log10(LOUDNESS / level(added))
    assert 4.99 < decibels.min() < 6
    assert 14 < decibels.max() < 15.01


def test_a_pause_does_not_raise_the_noise():
    how = Mixing(**{**vars_of(UNDISTURBED), "noise": 1.0}, least=10.0, most=10.0)
    found = disturb(torch.zeros(2, 8000), Corpora(NOTHING, noise_tape(), NOTHING), how, generator())
    wanted = torch.full((2,), LOUDNESS * 10**-0.5)
    torch.testing.assert_close(level(found), wanted, rtol=1e-3, atol=0)


def test_hiss_is_quieter_than_noise_by_ten_decibels():
    how = Mixing(**{**vars_of(UNDISTURBED), "hiss": 1.0}, least=0.0, most=0.0)
    voice = voices(100)
    decibels = 20 * torch.log10(
        LOUDNESS / level(disturb(voice, Corpora(*[NOTHING] * 3), how, generator()) - voice)
    )
    assert decibels.min() > 9.9
    assert decibels.max() < 25.1


def test_hiss_falls_by_at_most_six_decibels_an_octave():
    how = Mixing(**{**vars_of(UNDISTURBED), "hiss": 1.0})
    found = disturb(torch.zeros(60, 16_000), Corpora(*[NOTHING] * 3), how, generator())
    power = torch.fft.rfft(found).abs().square()
    octaves = [power[:, low : 2 * low].mean(1) for low in (250, 500, 1000, 2000)]
    slope = 10 * torch.log10(octaves[0] / octaves[-1]) / 3
    assert slope.min() > -0.5
    assert slope.max() < 6.5
    assert slope.max() - slope.min() > 4


def test_gain_changes_the_level_alone():
    voice = voices(100, seconds=0.1)
    how = Mixing(**{**vars_of(UNDISTURBED), "gain": 6.0})
    found = disturb(voice, Corpora(*[NOTHING] * 3), how, generator())
    factor = level(found) / level(voice)
    torch.testing.assert_close(found, voice * factor[:, None], rtol=1e-4, atol=1e-6)
    assert 10 ** (-6 / 20) <= factor.min() < 0.6
    assert 1.8 < factor.max() <= 10 ** (6 / 20)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_as_many_voices_are_disturbed_as_asked(share):
    voice = voices(300, seconds=0.1)
    how = Mixing(**{**vars_of(UNDISTURBED), "noise": share})
    found = disturb(voice, Corpora(NOTHING, noise_tape(), NOTHING), how, generator())
    assert float((found != voice).any(1).float().mean()) == pytest.approx(share, abs=0.08)


def test_a_tape_too_short_is_not_mixed_in():
    how = Mixing(**{**vars_of(UNDISTURBED), "noise": 1.0})
    voice = voices()
    assert torch.equal(
        disturb(voice, Corpora(NOTHING, noise_tape(seconds=0.5), NOTHING), how, generator()), voice
    )


# ---- rooms ----------------------------------------------------------------------------------


def in_rooms(voice):
    how = Mixing(**{**vars_of(UNDISTURBED), "reverberation": 1.0})
    return disturb(voice, Corpora(*[NOTHING] * 3), how, generator())


def test_in_a_room_the_direct_sound_comes_first():
    click = torch.zeros(5, 20_000)
    click[:, 3000] = 1
    found = in_rooms(click)
    assert found[:, :3000].abs().max() < 1e-5
    torch.testing.assert_close(found[:, 3000], torch.ones(5), rtol=0, atol=1e-5)
    assert found[:, 3001 : 3000 + 64].abs().max() < 1e-5  # 4 ms until the first wall answers
    assert (found[:, 3064:].abs() > 1e-3).any(1).all()


def test_rooms_decay_and_are_quieter_than_the_voice():
    click = torch.zeros(20, 20_000)
    click[:, 0] = 1
    after = in_rooms(click)[:, 1:].square()
    assert (after.sum(1).sqrt() < 0.61).all()
    assert (after.sum(1).sqrt() > 0.09).all()
    assert (after[:, 9000:].sum(1) < 0.1 * after[:, :3000].sum(1)).all()


def test_the_end_of_a_voice_does_not_come_round_to_its_beginning():
    voice = torch.zeros(3, 9000)
    voice[:, 8000:] = torch.from_numpy(wave(np.arange(1000) / SPEECH_RATE, 500)).float()
    assert in_rooms(voice)[:, :8000].abs().max() < 1e-5


def test_constants_fit_one_another():
    assert GRID * 50 == SPEECH_RATE
    assert GAP % GRID == 0
    assert math.isclose(FULL_SCALE * 4, 32767)
