import csv
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from stylehead.errors import ConfigError, DataError
from stylehead.media.audio import loudness, piece_energies
from stylehead.models.audio_encoder import AudioEncoder, AudioEncoderConfig
from stylehead.speech.mel import LOUDNESS
from stylehead.training import audio_encoder
from stylehead.training.audio_encoder import (
    CHANGED,
    SPEEDS,
    EncoderTraining,
    encoder_losses,
    load_voice,
    teach,
    train_encoder,
    with_changed_speeds,
)
from stylehead.training.data.audio import FULL_SCALE, GRID, from_corpus, load_corpus, to_corpus
from stylehead.training.data.clips import PEOPLE, Clip, save_clip
from stylehead.types import SPEECH_RATE
from stylehead.weights.networks import load_network
from tests.stand_ins.faces import Interrupting, face_track, mean_mesh, syllables, wave

CONFIG = AudioEncoderConfig(mels=4, width=4, layers=1, ahead=3, teacher=4, lookahead=6)
QUICK = EncoderTraining(distil=False, steps=2, batch=1, seconds=0.6)


class Knowing:
    """A net that gives the hidden states it was made with, whatever it hears."""

    def __init__(self, hidden, config=CONFIG, *, student=True):
        self.hidden, self.config = hidden, config
        self.postnet = nn.Identity()
        self.student = nn.Identity() if student else None

    def __call__(self, rows, state=None):
        self.heard = rows
        return self.hidden, []


def losses(net, clean, target, rows=None):
    found = encoder_losses(net, clean if rows is None else rows, clean, target)
    return {name: float(value) for name, value in found.items()}


def spelled(hidden):
    """Return what hidden states tell: the rows `ahead` later, teacher features of rows before."""
    clean = torch.zeros_like(hidden)
    clean[:, CONFIG.ahead :] = hidden[:, : -CONFIG.ahead]
    late = hidden[:, CONFIG.lookahead :: 2]
    target = torch.zeros(len(hidden), hidden.shape[1] // 2, hidden.shape[2])
    target[:, : late.shape[1]] = late
    return clean, target


# ---- losses ---------------------------------------------------------------------------------


def test_a_perfect_prediction_costs_nothing():
    hidden = torch.rand(2, 30, 4)
    clean, target = spelled(hidden)
    found = losses(Knowing(hidden), clean, target)
    assert found == {"apc": 0, "teacher": 0}


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_row_is_foretold_as_far_ahead_as_the_config_says(off):
    hidden, clean = torch.zeros(1, 30, 4), torch.zeros(1, 30, 4)
    clean[0, 15] = 1
    hidden[0, 15 - CONFIG.ahead + off] = 1
    found = losses(Knowing(hidden, student=False), clean, torch.zeros(()))
    assert found["apc"] == pytest.approx(2 / 27 if off else 0)


@pytest.mark.parametrize("off", [-2, -1, 0, 2])
def test_a_feature_is_asked_for_as_late_as_the_config_says(off):
    hidden, target = torch.zeros(1, 40, 4), torch.zeros(1, 20, 4)
    target[0, 7] = 1  # the frame of rows 14 and 15
    hidden[0, 14 + CONFIG.lookahead + off] = 1
    found = losses(Knowing(hidden), torch.zeros(1, 40, 4), target)
    asked = (40 - CONFIG.lookahead) // 2
    wrong = {0: 0, -1: 1}.get(off, 2)  # a row between two frames is asked for nothing
    assert found["teacher"] == pytest.approx(wrong / asked)


def test_predictive_coding_is_the_mean_distance():
    hidden = torch.zeros(1, 30, 4)
    hidden[..., 1] = 0.5
    found = losses(Knowing(hidden), torch.full((1, 30, 4), 0.25), torch.zeros(1, 15, 4))
    assert found["apc"] == 0.25
    assert found["teacher"] == pytest.approx(0.25 / 4)


def test_without_a_teacher_there_is_predictive_coding_alone():
    hidden = torch.rand(1, 30, 4)
    found = losses(Knowing(hidden, student=False), torch.zeros(1, 30, 4), torch.zeros(()))
    assert found["apc"] > 0
    assert found["teacher"] == 0


def test_the_net_hears_the_disturbed_rows_and_foretells_the_clean_ones():
    net = Knowing(torch.zeros(1, 30, 4), student=False)
    rows, clean = torch.full((1, 30, 4), 0.75), torch.full((1, 30, 4), 0.25)
    found = losses(net, clean, torch.zeros(()), rows=rows)
    assert (net.heard == 0.5).all()  # in [-1, 1]
    assert found["apc"] == 0.25


def test_every_part_of_a_real_net_learns_from_the_losses():
    torch.manual_seed(0)
    net = AudioEncoder(CONFIG)
    clean, rows = torch.rand(2, 2, 30, 4)
    found = encoder_losses(net, clean, rows, torch.rand(2, 15, 4))
    torch.stack(list(found.values())).sum().backward()
    grads = [value.grad for value in net.parameters()]
    assert all(grad is not None and grad.abs().max() > 0 for grad in grads)


# ---- the tape at other speeds ---------------------------------------------------------------


def tone_tape(seconds, hertz=400):
    return (4000 * wave(np.arange(seconds * SPEECH_RATE) / SPEECH_RATE, hertz)).astype(np.int16)


def test_the_tape_is_followed_by_itself_at_other_speeds():
    corpus = tone_tape(70)
    found = with_changed_speeds(corpus, seed=0)
    np.testing.assert_array_equal(found[: len(corpus)], corpus)
    assert found.dtype == np.int16
    assert len(found) % GRID == 0
    assert 0.85 * len(corpus) < len(found) - len(corpus) < 1.15 * len(corpus)


def test_pitch_and_tempo_change_together():
    ratios = {up / down for up, down in SPEEDS}
    for seed in range(6):
        changed = with_changed_speeds(tone_tape(20), seed)[CHANGED:].astype(float)
        slower = len(changed) / CHANGED
        hertz = np.abs(np.fft.rfft(changed)).argmax() * SPEECH_RATE / len(changed)
        assert min(abs(slower - ratio) for ratio in ratios) < 2e-3
        assert hertz * slower == pytest.approx(400, rel=5e-3)
        assert np.abs(changed[1000:-1000]).max() == pytest.approx(4000, rel=0.02)


def test_the_same_seed_chooses_the_same_speeds():
    corpus = tone_tape(100)
    one, same, other = (with_changed_speeds(corpus, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert len(one) != len(other) or (one != other).any()


# ---- the teacher ----------------------------------------------------------------------------


class Teacher:
    """Gives the number of the sample that a feature begins at, scaled down."""

    width = 2
    pieces = 0

    def __init__(self, _net=None):
        pass

    def at_50_hz(self, blocks):
        Teacher.pieces += 1
        samples = np.concatenate(list(blocks))
        heard = torch.from_numpy(samples[::GRID] * FULL_SCALE)
        yield heard[:, None].expand(-1, 2)


@pytest.fixture
def teacher(monkeypatch):
    Teacher.pieces = 0
    monkeypatch.setattr(audio_encoder, "WhisperSpeechEncoder", Teacher)
    monkeypatch.setattr(audio_encoder, "load_whisper", lambda _: None)
    monkeypatch.setattr(audio_encoder, "resolve", lambda *_, **__: None)
    return Teacher


def counting_tape(seconds):
    return np.repeat(1 + np.arange(seconds * 50) % 1000, GRID).astype(np.int16)


def test_the_teacher_hears_the_whole_tape(tmp_path, teacher):
    corpus = counting_tape(310)
    features = teach(corpus, tmp_path / "teacher.npy")
    assert features.dtype == np.float16
    np.testing.assert_array_equal(features, np.repeat(corpus[::GRID], 2).reshape(-1, 2))
    assert teacher.pieces == 2


def test_the_teacher_is_asked_once(tmp_path, teacher):
    corpus = counting_tape(10)
    first = np.array(teach(corpus, tmp_path / "teacher.npy"))
    np.testing.assert_array_equal(teach(corpus, tmp_path / "teacher.npy"), first)
    assert teacher.pieces == 1
    assert len(teach(counting_tape(12), tmp_path / "teacher.npy")) == 600  # another tape
    assert teacher.pieces == 2


def test_an_interrupted_teacher_is_asked_again(tmp_path, teacher):
    corpus = counting_tape(310)
    with pytest.raises(KeyboardInterrupt):
        teach(corpus, tmp_path / "teacher.npy", reporter=Interrupting(1))
    features = teach(corpus, tmp_path / "teacher.npy")
    np.testing.assert_array_equal(features[:, 0], corpus[::GRID])


# ---- the data -------------------------------------------------------------------------------


def clip(name, person, samples):
    track = face_track(np.repeat(mean_mesh()[None], 3, 0))
    return Clip(name, person, track, (32767 * samples).astype(np.int16))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "sounds").mkdir()
    (folder / "clips").mkdir()
    corpus = to_corpus(np.tile(syllables(8.0), 8))
    np.savez(folder / "sounds" / "voice_one.npz", samples=corpus)
    noise = np.random.default_rng(0).normal(size=48_000)
    np.savez(folder / "sounds" / "noise_one.npz", samples=(3000 * noise).astype(np.int16))
    clips = {
        "a": ("Ann", 0.2 * syllables(2.0)),
        "b": (sorted(PEOPLE)[0], syllables(2.0)),
        "c": ("Cem", np.zeros(32_000, np.float32)),
        "d": ("Dia", np.zeros(0, np.float32)),
    }
    for name, (person, samples) in clips.items():
        save_clip(folder / "clips" / f"{name}.npz", clip(name, person, samples))
    return folder


def test_voices_are_the_tape_and_the_clips_own_sound(data):
    corpus = load_voice(data)
    prepared = load_corpus(data / "sounds", "voice")
    np.testing.assert_array_equal(corpus[: len(prepared)], prepared)
    more = from_corpus(corpus[len(prepared) :]).numpy()
    assert len(more) == len(to_corpus(syllables(2.0)))  # Ann alone: held out, silent, none
    loud = loudness(piece_energies(more))
    assert loud == pytest.approx(LOUDNESS, rel=0.1)


def test_less_than_a_minute_of_voice_is_an_error_with_a_remedy(data, tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "sounds").mkdir()
    save_clip(tmp_path / "clips" / "a.npz", clip("a", "Ann", syllables(2.0)))
    with pytest.raises(DataError, match="minute") as caught:
        load_voice(tmp_path)
    assert "prepare" in caught.value.remedy


# ---- training -------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Train a net whose features are six numbers."""

    def config(teacher=0):
        return AudioEncoderConfig(width=6, layers=1, teacher=teacher)

    monkeypatch.setattr(audio_encoder, "AudioEncoderConfig", config)


def train(data, folder, how=QUICK, reporter=None):
    path = folder / "encoder.safetensors"
    more = {} if reporter is None else {"reporter": reporter}
    metrics = train_encoder(data, folder / "run", path, how, **more)
    return path, metrics


def test_two_steps_write_a_file_that_is_read_back(data, tmp_path):
    path, metrics = train(data, tmp_path)
    net = load_network(AudioEncoder, path)
    assert net.config == AudioEncoderConfig()
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == metrics
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    assert json.loads(metrics["training"])["steps"] == 2
    assert metrics["minutes"] == "2"  # as it is, and at other speeds
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("small")
def test_a_distilled_net_learns_from_the_teacher(data, tmp_path, teacher):
    how = EncoderTraining(distil=True, steps=3, batch=2, seconds=0.8)
    path, _ = train(data, tmp_path, how)
    net = load_network(AudioEncoder, path)
    assert net.config.teacher == teacher.width
    assert net.student is not None
    assert net.student.weight.shape == (2, 6)
    with (tmp_path / "run" / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["encoder/teacher"]) > 0


@pytest.mark.usefixtures("small")
def test_a_resumed_training_ends_as_an_unbroken_one(data, tmp_path):
    how = EncoderTraining(distil=False, steps=53, batch=1, seconds=0.6)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    unbroken, _ = train(data, tmp_path / "one", how)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "two", how, Interrupting(52))
    assert not (tmp_path / "two" / "encoder.safetensors").exists()
    listener = Interrupting(1000)
    resumed, _ = train(data, tmp_path / "two", how, listener)
    assert listener.left == 1000 - 3  # it went on from the checkpoint at 50
    one, other = (load_file(path) for path in (unbroken, resumed))
    assert set(one) == set(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.usefixtures("small")
def test_training_leaves_chance_as_it_was(data, tmp_path):
    before = torch.get_rng_state()
    train(data, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.usefixtures("small")
def test_another_run_in_the_same_folder_is_refused(data, tmp_path):
    train(data, tmp_path)
    with pytest.raises(ConfigError, match="other settings"):
        train(data, tmp_path, EncoderTraining(distil=False, steps=3))


@pytest.mark.usefixtures("small")
def test_the_log_holds_the_mean_loss(data, tmp_path, monkeypatch):
    seen = []

    def listen(*given):
        found = encoder_losses(*given)
        seen.append(float(found["apc"].detach()))
        return found

    monkeypatch.setattr(audio_encoder, "encoder_losses", listen)
    train(data, tmp_path)
    with (tmp_path / "run" / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["encoder/apc"]) == pytest.approx(np.mean(seen), rel=1e-5)


@pytest.mark.usefixtures("small")
def test_ten_steps_are_as_good_as_nine(data, tmp_path):
    path, _ = train(data, tmp_path, EncoderTraining(distil=False, steps=10, batch=1, seconds=0.6))
    assert path.exists()
