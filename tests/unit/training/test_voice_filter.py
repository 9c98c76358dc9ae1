import csv
import json

import numpy as np
import pytest
import torch

from stylehead.errors import MediaError
from stylehead.models.voice_filter import VoiceFilter, VoiceFilterConfig
from stylehead.speech.mel import LOUDNESS, mel_filters
from stylehead.speech.separation import N_FFT, SPAN
from stylehead.training import voice_filter
from stylehead.training.data.audio import to_corpus
from stylehead.training.voice_filter import (
    BRIDGED,
    VoiceFilterTraining,
    activity_of,
    train_voice_filter,
    voice_losses,
)
from stylehead.weights.networks import load_network
from tests.stand_ins.faces import Interrupting, syllables

FILTERS = torch.from_numpy(mel_filters(N_FFT, 80, SPAN))
STEP = 320  # samples
QUICK = VoiceFilterTraining(clean=("one", "two"), steps=2, batch=2, seconds=0.5)
SMALL = VoiceFilterConfig(width=4, layers=1)


class Knowing:
    """A net that gives the answers it was made with."""

    def __init__(self, logits, mask):
        self.logits, self.mask = logits, mask

    def __call__(self, mel):
        self.heard = mel
        return self.logits, torch.as_tensor(self.mask).float().expand_as(mel)


def speech(steps, *silent):
    """Noise at LOUDNESS, (1, N), with silence in some steps."""
    noise = LOUDNESS * torch.randn(1, steps * STEP, generator=torch.Generator().manual_seed(0))
    for first, last in silent:
        noise[:, first * STEP : last * STEP] = 0
    return noise


def losses(net, voice, heard):
    return {name: float(value) for name, value in voice_losses(net, voice, heard, FILTERS).items()}


# ---- when somebody speaks -------------------------------------------------------------------


def test_speech_is_active_and_silence_is_not():
    found = activity_of(speech(40, (0, 10), (25, 40)), 40)
    assert found.shape == (1, 40)
    assert found[0].tolist() == [0] * 10 + [1] * 15 + [0] * 15


@pytest.mark.parametrize(("gap", "bridged"), [(1, True), (BRIDGED - 1, True), (BRIDGED, False)])
def test_short_gaps_are_bridged(gap, bridged):
    found = activity_of(speech(50, (20, 20 + gap)), 50)[0]
    assert (found[20 : 20 + gap] == float(bridged)).all()
    assert (found[:20] == 1).all()
    assert (found[20 + gap :] == 1).all()


def test_activity_is_as_long_as_asked():
    assert activity_of(speech(20), 33)[0].tolist() == [1] * 20 + [0] * 13
    assert activity_of(speech(20), 15).shape == (1, 15)


@pytest.mark.parametrize(("decibels", "heard"), [(-29, 1), (-35, 0)])
def test_what_is_far_below_a_voice_is_silence(decibels, heard):
    assert (activity_of(speech(30) * 10 ** (decibels / 20), 30) == heard).all()


# ---- losses ---------------------------------------------------------------------------------


def test_a_perfect_answer_costs_nearly_nothing():
    voice = speech(40, (15, 40))
    logits = 20 * (2 * activity_of(voice, 40) - 1)
    found = losses(Knowing(logits, 1.0), voice, voice)
    assert found["activity"] < 1e-6
    assert found["mask"] < 1e-4
    assert found["hits"] == 1
    assert found["false"] == 0


def test_a_wrong_answer_is_counted_as_such():
    voice = speech(40, (20, 40))
    found = losses(Knowing(-20 * (2 * activity_of(voice, 40) - 1), 1.0), voice, voice)
    assert found["activity"] == pytest.approx(20, rel=1e-3)
    assert found["hits"] == 0
    assert found["false"] == 1


def test_half_the_answers_are_half_right():
    voice = speech(40, (20, 40))
    logits = torch.where(torch.arange(40)[None] % 2 == 0, 1.0, -1.0)
    found = losses(Knowing(logits, 1.0), voice, voice)
    assert found["hits"] == found["false"] == 0.5


def test_the_mask_is_judged_by_what_it_lets_through():
    voice = speech(40)
    noisy = voice + 0.5 * speech(40).flip(1)
    unsure = torch.zeros(1, 40)
    all_of_it, nothing = (losses(Knowing(unsure, m), voice, noisy)["mask"] for m in (1.0, 0.0))
    assert nothing > all_of_it > 0.01
    quieter = losses(Knowing(unsure, 0.5), 0.5 * voice, voice)
    assert quieter["mask"] < 1e-4  # half the magnitude is exactly the voice


def test_letting_nothing_through_is_right_without_a_voice():
    noise, sure = speech(40), torch.full((1, 40), -20.0)
    nothing, little, all_of_it = (
        losses(Knowing(sure, mask), torch.zeros_like(noise), noise) for mask in (0.0, 0.1, 1.0)
    )
    assert nothing["mask"] < little["mask"] < all_of_it["mask"]
    assert nothing["activity"] < 1e-6
    assert nothing["hits"] == 0


def test_the_net_hears_the_mixture():
    net = Knowing(torch.zeros(1, 40), 1.0)
    losses(net, torch.zeros(1, 40 * STEP), speech(40))
    assert net.heard.shape == (1, 80, 80)
    assert net.heard.mean() > 0.3


# ---- training -------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data" / "sounds"
    folder.mkdir(parents=True)
    noise = (3000 * np.random.default_rng(0).normal(size=32_000)).astype(np.int16)
    corpus = to_corpus(syllables(3.0))
    for name, samples in (
        ("voice_one", corpus),
        ("voice_two", corpus[:16_000]),
        ("voice_other", np.zeros(2, np.int16)),
        ("noise_a", noise),
        ("music_a", noise[::-1]),
    ):
        np.savez(folder / f"{name}.npz", samples=samples)
    return tmp_path / "data"


@pytest.fixture
def small(monkeypatch):
    """Train a net of four numbers."""
    monkeypatch.setattr(voice_filter, "VoiceFilterConfig", lambda: SMALL)


def train(data, folder, how=QUICK, reporter=None):
    folder.mkdir(exist_ok=True)
    more = {} if reporter is None else {"reporter": reporter}
    path = folder / "voice.safetensors"
    return path, train_voice_filter(data, folder / "run", path, how, **more)


@pytest.mark.usefixtures("small")
def test_two_steps_write_a_file_that_is_read_back(data, tmp_path):
    path, metrics = train(data, tmp_path)
    net = load_network(VoiceFilter, path)
    assert net.config == SMALL
    assert not net.training
    logits, _ = net(torch.rand(1, 10, 80))
    assert torch.isfinite(logits).all()
    assert json.loads(metrics["training"])["clean"] == ["one", "two"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("small")
def test_a_resumed_training_ends_as_an_unbroken_one(data, tmp_path):
    how = VoiceFilterTraining(clean=("one", "two"), steps=52, batch=1, seconds=0.2)
    unbroken, _ = train(data, tmp_path / "one", how)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "two", how, Interrupting(51))
    listener = Interrupting(1000)
    resumed, _ = train(data, tmp_path / "two", how, listener)
    assert listener.left == 1000 - 2
    one, other = (load_network(VoiceFilter, path).state_dict() for path in (unbroken, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("missing", ["voice_one", "noise_a", "music_a"])
def test_every_role_is_needed(data, tmp_path, missing):
    (data / "sounds" / f"{missing}.npz").unlink()
    how = VoiceFilterTraining(clean=("one",), steps=1)
    with pytest.raises(MediaError, match="lacks") as caught:
        train(data, tmp_path, how)
    assert "prepare" in caught.value.remedy


@pytest.mark.usefixtures("small")
def test_the_log_holds_the_mean_loss(data, tmp_path, monkeypatch):
    seen = []

    def listen(*given):
        found = voice_losses(*given)
        seen.append(float(found["mask"].detach()))
        return found

    monkeypatch.setattr(voice_filter, "voice_losses", listen)
    train(data, tmp_path)
    with (tmp_path / "run" / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["mask"]) == pytest.approx(np.mean(seen), rel=1e-5)


@pytest.mark.usefixtures("small")
def test_a_tape_may_be_shorter_than_a_window(data, tmp_path):
    np.savez(data / "sounds" / "voice_two.npz", samples=np.full(3200, 1000, np.int16))
    path, _ = train(
        data, tmp_path, VoiceFilterTraining(clean=("one", "two"), steps=2, batch=8, seconds=1.0)
    )
    assert path.exists()
