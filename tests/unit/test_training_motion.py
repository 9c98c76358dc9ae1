import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from stylehead.errors import StyleheadError
from stylehead.landmarks import REGIONS
from stylehead.media import SPEECH_RATE
from stylehead.models.load import load_motion_generator
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.training import motion as training
from stylehead.training.data import Clip
from stylehead.training.motion import (
    LARGEST_LAG,
    MotionTraining,
    Speaker,
    align_speakers,
    evaluate,
    fit,
    gaps,
    load_speakers,
    measure_sync,
    motion_loss,
    predict,
    principal,
    synchronise,
    train_motion,
)
from tests.unit.synthetic import (
    Parrot,
    face_track,
    gape,
    mean_mesh,
    shut_lids,
    syllables,
    without_face,
)

TINY = MotionConfig(hidden=8, layers=2, components=3, delay=2)
QUICK = MotionTraining(steps=252, batch=2, window=16, learning_rate=5e-3)
SPREAD = np.full((68, 3), 0.02, np.float32)


class Quiet:
    def start(self, stage, total):
        pass

    def advance(self):
        pass

    def say(self, message):
        pass


def speaker(name="one", person="Ann", *, frames=240, lag=0, seed=0):
    """Somebody whose mouth opens with the loudness of the rows, `lag` frames after it."""
    rng = np.random.default_rng(seed)
    beat = np.convolve(rng.normal(size=frames + 120), np.hanning(14), "same")
    beat = (0.4 + 0.2 * beat / beat.std()).clip(0, 1)
    heard, seen = beat[60 : 60 + frames], beat[60 - lag : 60 - lag + frames]
    rows = np.repeat(heard, 2)[:, None] * np.linspace(1, 0.6, 80)
    offsets = seen[:, None, None] * gape(0.2)
    return Speaker(
        name, person, torch.tensor(rows, dtype=torch.float32), torch.tensor(offsets).float()
    )


def train(how=QUICK, *, folder=None, reporter=None, held=True):
    speakers = [speaker(seed=1), speaker("two", "Bea", seed=2)]
    return fit(
        speakers,
        [speaker("three", "Cem", seed=3)] if held else [],
        SPREAD,
        TINY,
        how,
        reporter=reporter or Quiet(),
        folder=folder,
    )


def states_equal(one, other):
    a, b = one.state_dict(), other.state_dict()
    return all(torch.equal(a[key], b[key]) for key in a)


# ---- the pieces -----------------------------------------------------------------------------


def test_gaps_are_how_much_further_the_lips_are_apart():
    offsets = torch.zeros(2, 68, 3)
    offsets[0, 66, 1], offsets[0, 62, 1] = 0.3, -0.1
    assert gaps(offsets).shape == (2, 3)
    torch.testing.assert_close(gaps(offsets)[0], torch.tensor([0.0, 0.4, 0.0]))


def test_a_perfect_prediction_costs_nothing():
    target = torch.randn(2, 9, 68, 3)
    assert motion_loss(target, target, torch.ones(68, 3), QUICK) == 0


def test_an_error_at_the_lips_costs_more_than_one_at_the_nose():
    target, spread = torch.zeros(1, 9, 68, 3), torch.ones(68, 3)
    costs = {}
    for name in ("mouth", "nose"):
        wrong = target.clone()
        wrong[:, :, REGIONS[name][1], 0] = 1
        costs[name] = float(motion_loss(wrong, target, spread, QUICK))
    assert costs["mouth"] > 2 * costs["nose"] > 0


def test_trembling_costs_more_than_an_offset():
    target = torch.zeros(1, 10, 68, 3)
    offset, trembling = target + 0.1, target + 0.1
    trembling[:, ::2] *= -1
    spread = torch.ones(68, 3)
    assert motion_loss(trembling, target, spread, QUICK) > 2 * motion_loss(
        offset, target, spread, QUICK
    )
    still = replace(QUICK, velocity=0.0)
    plain = motion_loss(trembling, target, spread, still)
    assert plain == pytest.approx(float(motion_loss(offset, target, spread, still)), rel=1e-4)


def test_principal_offsets_span_the_speakers_motion():
    parts = principal([speaker(seed=1), speaker(seed=2)], 3)
    assert parts.shape == (3, 204)
    wanted = torch.from_numpy(gape(0.2)).flatten()
    along = torch.nn.functional.cosine_similarity(parts[0], wanted, dim=0)
    assert abs(float(along)) > 0.999
    assert parts[1].norm() < 0.01 * parts[0].norm()


@pytest.mark.parametrize("delay", [0, 5])
def test_prediction_takes_the_delay_off(delay):
    one = speaker()
    predicted = predict(Parrot(delay=delay), one)
    assert predicted.shape == one.offsets.shape
    opening, known = gaps(predicted).mean(-1), gaps(one.offsets).mean(-1)
    assert torch.corrcoef(torch.stack([opening, known]))[0, 1] > 0.999


# ---- sync -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [-9, -1, 0, 4, 12])
def test_the_lag_of_a_shifted_clip_is_measured(lag):
    score, found = measure_sync(Parrot(), speaker(lag=lag))
    assert found == lag
    assert score > 0.95


@pytest.fixture
def known_net(monkeypatch):
    monkeypatch.setattr(training, "fit", lambda *_, **__: Parrot())


@pytest.mark.usefixtures("known_net")
def test_clips_are_shifted_into_sync():
    speakers = [
        speaker(f"clip {lag}", f"person {lag}", lag=lag, seed=20 + lag) for lag in (-6, 0, 3, 11)
    ]
    measured = synchronise(speakers, SPREAD, TINY, QUICK)
    aligned = align_speakers(speakers, measured)
    assert {name: lag for name, (_, lag) in measured.items()} == {
        f"clip {lag}": lag for lag in (-6, 0, 3, 11)
    }
    assert len(aligned) == 4
    for one in aligned:
        assert len(one.rows) == 2 * len(one.offsets)
        assert measure_sync(Parrot(), one)[1] == 0


@pytest.mark.usefixtures("known_net")
def test_clips_without_clear_sync_are_dropped():
    good = speaker("good", "Ann", frames=3000)
    late = speaker("late", "Cem", frames=3000, lag=LARGEST_LAG + 20, seed=5)
    strange = speaker("strange", "Bea", frames=3000, seed=8)
    strange = replace(strange, offsets=speaker(frames=3000, seed=9).offsets)
    speakers = [good, strange, late]
    measured = synchronise(speakers, SPREAD, TINY, QUICK)
    aligned = align_speakers(speakers, measured)
    assert [one.name for one in aligned] == ["good"]
    assert set(measured) == {"good", "strange", "late"}


def test_nobody_is_judged_by_a_net_that_knows_them(monkeypatch):
    taught, judged = [], []

    class Judge(Parrot):
        def __init__(self, people):
            super().__init__()
            self.people = people

    def remember(speakers, *_, **__):
        taught.append({one.person for one in speakers})
        return Judge(taught[-1])

    def measure(net, one):
        judged.append(one.person)
        assert one.person not in net.people
        return 0.9, 0

    monkeypatch.setattr(training, "fit", remember)
    monkeypatch.setattr(training, "measure_sync", measure)
    people = [speaker(f"clip {i}", f"person {i % 4}", seed=i) for i in range(6)]
    synchronise(people, SPREAD, TINY, QUICK)
    assert set(judged) == {f"person {i}" for i in range(4)}
    assert all(taught)


# ---- training -------------------------------------------------------------------------------


def test_a_few_steps_give_a_net_ready_for_use():
    net = train(replace(QUICK, steps=2))
    assert isinstance(net, MotionGenerator)
    assert not net.training
    assert net.config == TINY
    assert net.filters.max() > 0
    np.testing.assert_array_equal(net.spread, SPREAD)
    assert torch.isfinite(predict(net, speaker())).all()


def test_the_same_seed_gives_the_same_net():
    few = replace(QUICK, steps=3)
    assert states_equal(train(few), train(few))
    assert not states_equal(train(few), train(replace(few, seed=1)))


def test_training_leaves_global_chance_as_it_was():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train(replace(QUICK, steps=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_net_learns_what_the_sound_tells():
    held, how = [speaker("three", "Cem", seed=3)], replace(QUICK, steps=150)
    before, after = (train(replace(how, steps=steps)) for steps in (1, 150))
    assert evaluate(after, held, how)["loss"] < 0.7 * evaluate(before, held, how)["loss"]
    assert evaluate(after, held, how)["opening_r"] > 0.6


class Interrupting(Quiet):
    """Stops the training, as a user would, after so many steps."""

    def __init__(self, after):
        self.left = after

    def advance(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_a_resumed_training_ends_as_an_unbroken_one(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    unbroken = train(folder=tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        train(folder=tmp_path / "two", reporter=Interrupting(251))
    said = []
    listener = Quiet()
    listener.say = said.append
    resumed = train(folder=tmp_path / "two", reporter=listener)
    assert any("250" in line for line in said)  # it went on from the checkpoint
    assert states_equal(unbroken, resumed)


def test_a_finished_training_is_not_done_again(tmp_path):
    few = replace(QUICK, steps=2)
    first = train(few, folder=tmp_path)
    again = train(few, folder=tmp_path, reporter=Interrupting(1))
    assert states_equal(first, again)


def test_a_training_that_is_asked_to_go_on_longer_does_or_says_why_not(tmp_path):
    train(replace(QUICK, steps=2), folder=tmp_path)
    try:
        net = train(replace(QUICK, steps=4), folder=tmp_path)
    except StyleheadError as refusal:
        assert refusal.remedy
    else:
        assert torch.isfinite(predict(net, speaker())).all()


def test_progress_is_logged_as_a_table(tmp_path):
    train(replace(QUICK, steps=2), folder=tmp_path)
    with (tmp_path / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["step"] == "2"
    assert float(row["loss"]) > 0
    assert not list(tmp_path.glob(".*"))


# ---- clips ----------------------------------------------------------------------------------


def clip(number, *, seconds=3.0, samples=None, seen=1.0):
    times = np.arange(round(30 * seconds)) / 30
    beat = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * times)
    heads = np.repeat(mean_mesh()[None], len(times), 0)
    heads[:, [13, 14, 17], 1] += np.array([0, 0.12, 0.1]) * beat[:, None]
    heads = shut_lids(heads, 0 * times)
    scores = np.zeros((len(times), 52), np.float32)
    scores[:, 25] = beat
    track = face_track(heads, expression=scores)
    track = without_face(track, slice(round(seen * len(times)), None))
    if samples is None:
        samples = (32767 * syllables(seconds)).astype(np.int16)
    return Clip(f"{number}.mp4", f"person {number}", track, samples)


def test_speakers_have_two_rows_for_each_frame():
    net = Parrot()
    speakers, spread = load_speakers([clip(1), clip(2)], net.filters)
    assert [one.person for one in speakers] == ["person 1", "person 2"]
    for one in speakers:
        assert len(one.rows) == 2 * len(one.offsets)
        assert one.rows.shape[1] == 80
        assert len(one.offsets) == pytest.approx(60 * 3, abs=4)
    assert spread.shape == (68, 3)
    assert (spread > 0).all()


def test_mouth_and_sound_of_a_clip_are_in_step():
    (one,), _ = load_speakers([clip(1)], Parrot().filters)
    _, lag = measure_sync(Parrot(), one)
    assert abs((lag + 7) % 15 - 7) <= 1  # four syllables a second: 15 frames later is the next one


def test_people_are_brought_to_the_same_range():
    loud, calm = clip(1), clip(2)
    rest = mean_mesh()
    calm.track.mesh[:] = 200 * (rest + 0.5 * ((calm.track.mesh - [320, 240, 0]) / 200 - rest)) + [
        320,
        240,
        0,
    ]
    (one, other), _ = load_speakers([loud, calm], Parrot().filters)
    spreads = [gaps(each.offsets).std() for each in (one, other)]
    assert spreads[1] == pytest.approx(float(spreads[0]), rel=0.15)


def test_clips_that_teach_nothing_are_left_out():
    silent = np.zeros(3 * SPEECH_RATE, np.int16)
    useless = [
        clip(2, samples=silent), clip(3, samples=silent[:0]), clip(4, seen=0.5),
        clip(5, samples=(32767 * syllables(1.0)).astype(np.int16)),
    ]  # fmt: skip
    speakers, _ = load_speakers([clip(1), *useless], Parrot().filters)
    assert [one.name for one in speakers] == ["1.mp4"]


def test_training_writes_a_file_that_the_product_loads(tmp_path):
    clips = [clip(number) for number in range(5)]
    folder, path = tmp_path / "run", tmp_path / "motion.safetensors"
    folder.mkdir()
    measured = {f"{number}.mp4": (0.9, 0) for number in range(4)} | {"4.mp4": (0.1, 0)}
    (folder / "sync.json").write_text(json.dumps(measured))
    how = MotionTraining(steps=1, batch=2, window=40)
    metrics = train_motion(clips, folder, path, how)
    net = load_motion_generator(path, torch.device("cpu"))
    assert metrics["dropped_for_sync"] == "1"
    assert metrics["held_out_people"] == "1"
    assert metrics["people"] == "3"
    assert (net.spread > 0).all()
    assert (net.predicted_spread > 0).all()
    torch.testing.assert_close(net.filters, Parrot().filters, rtol=0, atol=0)
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == metrics
    assert json.loads(metrics["training"])["steps"] == 1
