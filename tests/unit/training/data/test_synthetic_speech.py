import itertools
import shutil

import numpy as np
import pytest
import soundfile
import torch

from stylehead.errors import DataError
from stylehead.media.audio import loudness, open_audio, piece_energies
from stylehead.speech.mel import LOUDNESS
from stylehead.training.data.synthetic_speech import (
    RAMP,
    SENTENCES,
    VOICES,
    Phone,
    close_lips,
    closed_lips,
    frame_count,
    read_phones,
    read_voice,
    synthesise,
)
from stylehead.types import SPEECH_RATE
from tests.stand_ins.faces import syllables

TOLD = "pau:0.200 m:0.285 aa:0.419 m:0.525 p:0.643 aa:0.822 p:0.910 t:1.012 pau:1.212 \n"
FLITE = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


def at(shut, second):
    return shut[round(second * 60)]


# ---- phones ---------------------------------------------------------------------------------


def test_phones_follow_one_another():
    phones = read_phones(TOLD)
    assert [phone.name for phone in phones] == ["pau", "m", "aa", "m", "p", "aa", "p", "t", "pau"]
    assert phones[0] == Phone("pau", 0.0, 0.2)
    assert phones[3] == Phone("m", 0.419, 0.525)
    for one, after in itertools.pairwise(phones):
        assert one.end == after.start


def test_no_words_are_no_phones():
    assert read_phones("") == []


# ---- lips -----------------------------------------------------------------------------------


def test_lips_are_shut_through_an_m():
    shut = closed_lips([Phone("aa", 0, 0.5), Phone("m", 0.5, 0.8), Phone("aa", 0.8, 2)], 120)
    times = np.arange(120) / 60
    assert shut.shape == (120,)
    assert (shut[(times >= 0.5) & (times <= 0.8)] == 1).all()
    assert (shut[(times < 0.5 - RAMP) | (times > 0.8 + RAMP)] == 0).all()
    assert (np.diff(shut[:35]) >= 0).all()
    assert ((shut > 0) & (shut < 1)).sum() >= 4  # they come together, and part again


@pytest.mark.parametrize("name", ["p", "b"])
def test_a_stops_lips_part_before_its_end(name):
    shut = closed_lips([Phone("aa", 0, 0.5), Phone(name, 0.5, 1.0)], 120)
    assert at(shut, 0.5) == at(shut, 0.75) == 1
    assert at(shut, 0.9) == 0


@pytest.mark.parametrize("name", ["aa", "n", "f", "pau", "w"])
def test_other_sounds_leave_the_lips_alone(name):
    assert (closed_lips([Phone(name, 0.2, 0.9)], 60) == 0).all()


def test_neighbouring_closures_stay_closed_and_never_pass_one():
    shut = closed_lips([Phone("m", 0.2, 0.3), Phone("p", 0.3, 0.5)], 60)
    assert (shut[12:25] == 1).all()
    assert shut.max() == 1


def test_frames_beyond_the_phones_are_open():
    assert (closed_lips(read_phones(TOLD), 300)[80:] == 0).all()


def test_shut_lips_have_the_height_of_the_neutral_face():
    offsets = torch.randn(3, 68, 3)
    closed = close_lips(offsets, np.array([0.0, 0.25, 1.0], np.float32))
    lips = slice(48, 68)
    assert torch.equal(closed[0], offsets[0])
    torch.testing.assert_close(closed[1, lips, 1], 0.75 * offsets[1, lips, 1])
    assert closed[2, lips, 1].abs().max() == 0
    for axis in (0, 2):
        assert torch.equal(closed[..., axis], offsets[..., axis])
    assert torch.equal(closed[:, :48], offsets[:, :48])


def test_the_motion_given_is_not_changed():
    offsets = torch.randn(2, 68, 3)
    before = offsets.clone()
    close_lips(offsets, np.ones(2, np.float32))
    assert torch.equal(offsets, before)


# ---- voices ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "frames"), [(0, 0), (266, 0), (267, 1), (16_000, 60)])
def test_only_whole_frames_count(length, frames):
    assert frame_count(np.zeros(length, np.float32)) == frames


def test_a_voice_is_read_at_the_usual_loudness(tmp_path):
    path = tmp_path / "voice.wav"
    soundfile.write(path, np.repeat(0.3 * syllables(2.0), 2), 2 * SPEECH_RATE)
    samples = read_voice(path)
    assert len(samples) == pytest.approx(2 * SPEECH_RATE, abs=100)
    assert loudness(piece_energies(samples)) == pytest.approx(LOUDNESS, rel=1e-3)


def test_sentences_are_full_of_bilabials():
    assert len(set(SENTENCES)) == len(SENTENCES)
    assert all(sum(text.lower().count(letter) for letter in "pbm") >= 3 for text in SENTENCES)


@FLITE
@pytest.mark.parametrize("voice", VOICES)
def test_a_spoken_sentence_lasts_as_long_as_its_phones(tmp_path, voice):
    path = tmp_path / "said.wav"
    phones = synthesise("Mom popped.", voice, path)
    assert [phone.name for phone in phones].count("m") == 2
    seconds = open_audio(path).seconds  # a voice may leave out half of the last pause
    assert phones[-2].end < seconds < phones[-1].end + 0.01


@FLITE
def test_a_stretched_sentence_is_slower(tmp_path):
    quick, slow = (
        synthesise("Mom.", "kal16", tmp_path / f"{stretch}.wav", stretch=stretch)[-1].end
        for stretch in (0.8, 1.6)
    )
    assert slow > 1.5 * quick


@FLITE
def test_an_m_is_quieter_than_the_vowel_beside_it(tmp_path):
    path = tmp_path / "said.wav"
    phones = synthesise("Mom.", "kal16", path)
    samples = read_voice(path)
    level = {
        phone.name: np.square(
            samples[round(phone.start * SPEECH_RATE) : round(phone.end * SPEECH_RATE)]
        ).mean()
        for phone in phones[1:3]
    }
    assert level["m"] < 0.5 * level["aa"]


def test_without_the_synthesiser_one_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(DataError, match="flite") as caught:
        synthesise("Mom.", "kal16", tmp_path / "said.wav")
    assert "flite" in caught.value.remedy
