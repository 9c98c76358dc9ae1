import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from stylehead.errors import DataError, StyleheadError
from stylehead.face.landmarks import REGIONS
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.speech.av_offset import AvOffset
from stylehead.speech.encoders import LogMelEncoder
from stylehead.training import av_sync, motion_recipe, pseudo_labels
from stylehead.training.av_sync import LARGEST_LAG, align_speakers, cross_measure, measure_sync
from stylehead.training.data.audio import Corpora, to_corpus
from stylehead.training.data.clips import PEOPLE, Clip, save_clip
from stylehead.training.data.speakers import (
    AlignedFeatures,
    EncodedSpeaker,
    Speaker,
    encode_speakers,
    load_speakers,
)
from stylehead.training.motion_generator import (
    MotionTraining,
    _batch,
    evaluate,
    fit,
    gaps,
    motion_loss,
    predict,
    principal,
)
from stylehead.training.motion_recipe import train_motion
from stylehead.training.pseudo_labels import Teacher, pseudo_label
from stylehead.types import SPEECH_RATE
from stylehead.weights.networks import load_network
from tests.stand_ins.faces import (
    Interrupting,
    Parrot,
    RememberingReporter,
    face_track,
    gape,
    mean_mesh,
    shut_lids,
    syllables,
    without_face,
)

TINY = MotionConfig(
    "log-mel", LogMelEncoder.width, hidden=8, layers=2, components=3, delay=2, dropout=0.1
)
QUICK = MotionTraining(steps=252, batch=2, window=16, learning_rate=5e-3)
SPREAD = np.full((68, 3), 0.02, np.float32)


def speaker(name="one", person="Ann", *, frames=240, lag=0, seed=0, renditions=1):
    """Somebody whose mouth opens with the loudness of the features, `lag` frames after it."""
    rng = np.random.default_rng(seed)
    beat = np.convolve(rng.normal(size=frames + 120), np.hanning(14), "same")
    beat = (0.4 + 0.2 * beat / beat.std()).clip(0, 1)
    heard, seen = beat[60 : 60 + frames], beat[60 - lag : 60 - lag + frames]
    features = np.tile(heard[:, None] * np.linspace(1, 0.6, 80), 2)
    offsets = (seen[:, None, None] * gape(0.2)).astype(np.float32)
    aligned = AlignedFeatures(
        torch.tensor(features, dtype=torch.float16), torch.from_numpy(offsets)
    )
    return EncodedSpeaker(
        Speaker(name, person, np.zeros(0, np.float32), offsets), [aligned] * renditions
    )


def clean(one):
    """Return the take of a speaker that nothing disturbs."""
    return one.renditions[0]


def train(config=QUICK, *, run=None, reporter=None, held=True):
    speakers = [speaker(seed=1), speaker("two", "Bea", seed=2)]
    return fit(
        speakers,
        [speaker("three", "Cem", seed=3)] if held else [],
        SPREAD,
        TINY,
        config,
        reporter=reporter or RememberingReporter(),
        run=run,
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


def test_a_mouth_that_is_elsewhere_costs_no_distance_but_one_of_another_shape_does():
    target, spread = torch.zeros(1, 9, 68, 3), torch.ones(68, 3)
    distance = replace(QUICK, squares=0.0, mouth=1.0)
    moved, rounded = target.clone(), target.clone()
    moved[..., list(REGIONS["mouth"]), :2] += 0.5
    rounded[..., 48, 0], rounded[..., 54, 0] = 0.5, -0.5
    assert motion_loss(moved, target, spread, distance) == pytest.approx(0, abs=1e-6)
    assert motion_loss(rounded, target, spread, distance) == pytest.approx(0.05, rel=0.05)


def test_one_clip_unlike_all_others_weighs_less_by_distance_than_by_squares():
    target, spread = torch.zeros(1, 9, 68, 3), torch.ones(68, 3)
    usual, unlike = target.clone(), target.clone()
    usual[..., 57, 1], unlike[..., 57, 1] = 0.3, 3.0
    ratios = [
        float(motion_loss(unlike, target, spread, how) / motion_loss(usual, target, spread, how))
        for how in (replace(QUICK, squares=0.0), replace(QUICK, mouth=0.0))
    ]
    assert ratios == pytest.approx([10, 100], rel=0.05)


def test_a_perfect_mouth_has_a_slope_that_is_a_number():
    predicted, target = torch.zeros(1, 9, 68, 3, requires_grad=True), torch.zeros(1, 9, 68, 3)
    motion_loss(predicted, target, torch.ones(68, 3), QUICK).backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()


def test_principal_offsets_span_the_speakers_motion():
    parts = principal([clean(speaker(seed=1)), clean(speaker(seed=2))], 3)
    assert parts.shape == (3, 204)
    wanted = torch.from_numpy(gape(0.2)).flatten()
    along = torch.nn.functional.cosine_similarity(parts[0], wanted, dim=0)
    assert abs(float(along)) > 0.999
    assert parts[1].norm() < 0.01 * parts[0].norm()


@pytest.mark.parametrize("delay", [0, 5])
def test_prediction_takes_the_delay_off(delay):
    one = clean(speaker())
    predicted = predict(Parrot(delay=delay), one)
    assert predicted.shape == one.offsets.shape
    opening, known = gaps(predicted).mean(-1), gaps(one.offsets).mean(-1)
    assert torch.corrcoef(torch.stack([opening, known]))[0, 1] > 0.999


# ---- sync -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [-9, -1, 0, 4, 12])
def test_the_lag_of_a_shifted_clip_is_measured(lag):
    score, found = measure_sync(Parrot(), clean(speaker(lag=lag)))
    assert found == lag
    assert score > 0.95


@pytest.fixture
def known_net(monkeypatch):
    monkeypatch.setattr(av_sync, "fit", lambda *_, **__: Parrot())


@pytest.mark.usefixtures("known_net")
def test_clips_are_shifted_into_sync():
    speakers = [
        speaker(f"clip {lag}", f"person {lag}", lag=lag, seed=20 + lag, renditions=3)
        for lag in (-6, 0, 3, 11)
    ]
    measured = cross_measure(speakers, SPREAD, TINY, QUICK)
    aligned = align_speakers(speakers, measured)
    assert {name: lag for name, (_, lag) in measured.items()} == {
        f"clip {lag}": lag for lag in (-6, 0, 3, 11)
    }
    assert len(aligned) == 4
    for one in aligned:
        for take in one.renditions:
            assert len(take.features) == len(take.offsets)
            assert measure_sync(Parrot(), take)[1] == 0


def test_a_take_that_was_stretched_is_shifted_by_as_much_more():
    slow = clean(speaker(frames=360, lag=15))
    stretched = EncodedSpeaker(speaker().speaker, [clean(speaker(lag=10)), slow])
    (aligned,) = align_speakers([stretched], {"one": AvOffset(0.9, 10)})
    assert [measure_sync(Parrot(), take)[1] for take in aligned.renditions] == [0, 0]


@pytest.mark.usefixtures("known_net")
def test_clips_without_clear_sync_are_dropped():
    good = speaker("good", "Ann", frames=3000)
    late = speaker("late", "Cem", frames=3000, lag=LARGEST_LAG + 20, seed=5)
    strange = speaker("strange", "Bea", frames=3000, seed=8)
    other = clean(speaker(frames=3000, seed=9))
    strange = replace(strange, renditions=[replace(clean(strange), offsets=other.offsets)])
    speakers = [good, strange, late]
    measured = cross_measure(speakers, SPREAD, TINY, QUICK)
    aligned = align_speakers(speakers, measured)
    assert [one.speaker.name for one in aligned] == ["good"]
    assert set(measured) == {"good", "strange", "late"}


def test_nobody_is_judged_by_a_net_that_knows_them(monkeypatch):
    taught, judged = [], []

    class Judge(Parrot):
        def __init__(self, people):
            super().__init__()
            self.people = people

    def remember(speakers, *_, **__):
        taught.append({one.speaker.person for one in speakers})
        return Judge(taught[-1])

    people = [speaker(f"clip {i}", f"person {i % 4}", seed=i) for i in range(6)]
    person_of = {id(clean(one)): one.speaker.person for one in people}

    def measure(net, take):
        judged.append(person_of[id(take)])
        assert judged[-1] not in net.people
        return AvOffset(0.9, 0)

    monkeypatch.setattr(av_sync, "fit", remember)
    monkeypatch.setattr(av_sync, "measure_sync", measure)
    cross_measure(people, SPREAD, TINY, QUICK)
    assert set(judged) == {f"person {i}" for i in range(4)}
    assert all(taught)


# ---- training -------------------------------------------------------------------------------


def test_a_few_steps_give_a_net_ready_for_use():
    net = train(replace(QUICK, steps=2))
    assert isinstance(net, MotionGenerator)
    assert not net.training
    assert net.config == TINY
    heard = torch.cat([clean(speaker(seed=seed)).features[::7] for seed in (1, 2)]).float()
    torch.testing.assert_close(net.mean, heard.mean(0), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(net.spread, SPREAD)
    assert torch.isfinite(predict(net, clean(speaker()))).all()


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


def test_a_resumed_training_ends_as_an_unbroken_one(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    unbroken = train(run=tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        train(run=tmp_path / "two", reporter=Interrupting(251))
    listener = RememberingReporter()
    resumed = train(run=tmp_path / "two", reporter=listener)
    assert any("step 200" in line for line in listener.said)  # it went on from the checkpoint
    assert states_equal(unbroken, resumed)


def test_a_finished_training_is_not_done_again(tmp_path):
    few = replace(QUICK, steps=2)
    first = train(few, run=tmp_path)
    again = train(few, run=tmp_path, reporter=Interrupting(1))
    assert states_equal(first, again)


def test_a_training_that_is_asked_to_go_on_longer_does_or_says_why_not(tmp_path):
    train(replace(QUICK, steps=2), run=tmp_path)
    try:
        net = train(replace(QUICK, steps=4), run=tmp_path)
    except StyleheadError as refusal:
        assert refusal.remedy
    else:
        assert torch.isfinite(predict(net, clean(speaker()))).all()


def test_disturbed_takes_are_learned_from_too():
    people = [speaker(seed=seed) for seed in (1, 2)]
    deaf = AlignedFeatures(torch.zeros_like(clean(people[0]).features), clean(people[0]).offsets)
    mixed = [replace(one, renditions=[*one.renditions, deaf]) for one in people]
    few = replace(QUICK, steps=3)
    assert not states_equal(*(fit(each, [], SPREAD, TINY, few) for each in (people, mixed)))


def test_a_clip_of_little_weight_is_seldom_learned_from():
    known = speaker(seed=1)
    light = speaker("two", "Bea", seed=2)
    light = replace(light, speaker=replace(light.speaker, weight=0.01))
    few = replace(QUICK, steps=1, batch=2000, window=1)
    generator = torch.Generator().manual_seed(0)
    light.renditions[0] = AlignedFeatures(
        torch.ones_like(clean(light).features), clean(light).offsets
    )
    features, _ = _batch([known, light], TINY, few, generator)
    share = (features == 1).flatten(1).all(1).float().mean()
    assert share == pytest.approx(0.01 / 1.01, abs=0.007)


def test_progress_is_logged_as_a_table(tmp_path):
    train(replace(QUICK, steps=2), run=tmp_path)
    with (tmp_path / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["step"] == "2"
    assert float(row["loss"]) > 0
    assert not list(tmp_path.glob(".*"))


# ---- clips ----------------------------------------------------------------------------------


def clip(number, *, person=None, seconds=3.0, samples=None, seen=1.0):
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
    return Clip(f"{number}.mp4", person or f"person {number}", track, samples)


NOTHING = np.zeros(0, np.int16)
SILENCE = Corpora(NOTHING, NOTHING, NOTHING)


def heard(speakers, **how):
    return encode_speakers(speakers, LogMelEncoder(), SILENCE, **how)


def test_speakers_have_features_for_each_frame():
    speakers, spread = load_speakers([clip(1), clip(2)])
    assert [one.person for one in speakers] == ["person 1", "person 2"]
    for one in heard(speakers, tempi=()):
        (take,) = one.renditions
        assert len(take.features) == len(take.offsets)
        assert take.features.shape[1] == LogMelEncoder.width
        assert len(take.offsets) == pytest.approx(60 * 3, abs=4)
    assert spread.shape == (68, 3)
    assert (spread > 0).all()


def test_mouth_and_sound_of_a_clip_are_in_step_in_every_take():
    speakers, _ = load_speakers([clip(1)])
    (one,) = heard(speakers)
    assert len(one.renditions) == 4
    for take in one.renditions:
        _, lag = measure_sync(Parrot(), take)
        # Four syllables a second: 15 frames later is the next one.
        period = round(15 * len(take.offsets) / len(clean(one).offsets))
        assert abs((lag + period // 2) % period - period // 2) <= 1


def test_people_are_brought_to_the_same_range():
    loud, calm = clip(1), clip(2)
    rest = mean_mesh()
    calm.track.mesh[:] = 200 * (rest + 0.5 * ((calm.track.mesh - [320, 240, 0]) / 200 - rest)) + [
        320,
        240,
        0,
    ]
    (one, other), _ = load_speakers([loud, calm])
    spreads = [gaps(torch.from_numpy(each.offsets)).std() for each in (one, other)]
    assert spreads[1] == pytest.approx(float(spreads[0]), rel=0.15)


def test_clips_that_teach_nothing_are_left_out():
    silent = np.zeros(3 * SPEECH_RATE, np.int16)
    useless = [
        clip(2, samples=silent), clip(3, samples=silent[:0]), clip(4, seen=0.5),
        clip(5, samples=(32767 * syllables(1.0)).astype(np.int16)),
    ]  # fmt: skip
    speakers, _ = load_speakers([clip(1), *useless])
    assert [one.name for one in speakers] == ["1.mp4"]


# ---- what no camera saw ---------------------------------------------------------------------


def test_a_voice_moves_as_a_generator_imagines_it():
    samples = syllables(2.0)
    offsets = pseudo_label(samples, Teacher((Parrot(),), LogMelEncoder()))
    features = torch.cat(list(LogMelEncoder().encode([samples])))
    wanted = features.mean(1).numpy()[:, None, None] * gape(0.2)
    np.testing.assert_allclose(offsets, wanted, atol=1e-5)


def test_several_generators_imagine_their_mean():
    one, other = Parrot(), MotionGenerator(replace(TINY, delay=0)).eval()
    moved = [pseudo_label(syllables(2.0), Teacher((net,), LogMelEncoder())) for net in (one, other)]
    both = pseudo_label(syllables(2.0), Teacher((one, other), LogMelEncoder()))
    assert np.abs(moved[0] - moved[1]).max() > 1e-3
    np.testing.assert_allclose(both, (moved[0] + moved[1]) / 2, atol=1e-6)


def test_lips_are_shut_where_they_are_known_to_be():
    shut = np.zeros(120, np.float32)
    shut[40:60] = 1
    teacher = Teacher((Parrot(),), LogMelEncoder())
    opening = gaps(torch.from_numpy(pseudo_label(syllables(2.0), teacher, shut))).mean(1)
    free = gaps(torch.from_numpy(pseudo_label(syllables(2.0), teacher))).mean(1)
    assert opening[40:60].abs().max() < 1e-6 < free[40:60].max()
    torch.testing.assert_close(opening[:40], free[:40])


# ---- the whole ------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Fill a folder as `prepare` does: five clips, one of a held-out person, and a voice."""
    for module in (motion_recipe, pseudo_labels):
        monkeypatch.setattr(module, "PIECE", 2)
    folder = tmp_path / "data"
    (folder / "clips").mkdir(parents=True)
    held = min(PEOPLE)
    for number in range(5):
        one = clip(number, person=held if number == 3 else None)
        save_clip(folder / "clips" / f"{one.name}.npz", one)
    (folder / "sounds").mkdir()
    corpus = to_corpus(syllables(6.0))
    np.savez(folder / "sounds" / "voice_one.npz", samples=corpus, ends=[len(corpus)])
    av_sync = {f"{number}.mp4": (0.9, 0) for number in range(4)} | {"4.mp4": (0.1, 0)}
    (folder / "sync.json").write_text(json.dumps(av_sync))
    return folder


ONCE = MotionTraining(steps=1, batch=2, window=40, synthetic_speech=0.0)


def learn(data, path, config=ONCE, **more):
    return train_motion(
        data,
        path.parent / "run",
        path,
        config,
        encoder_name="log-mel",
        encoder=LogMelEncoder(),
        **more,
    )


def test_training_writes_a_file_that_the_product_loads(data, tmp_path):
    path = tmp_path / "motion.safetensors"
    metrics = learn(data, path)
    net = load_network(MotionGenerator, path, torch.device("cpu"))
    assert metrics["dropped_for_sync"] == "1"
    assert metrics["held_out_people"] == "1"
    assert metrics["people"] == "3"
    assert (net.config.encoder, net.config.features) == ("log-mel", LogMelEncoder.width)
    assert (net.spread > 0).all()
    assert (net.predicted_spread > 0).all()
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == metrics
    assert json.loads(metrics["training"])["steps"] == 1


def test_lags_are_measured_once_for_a_folder(data, tmp_path, monkeypatch):
    (data / "sync.json").unlink()
    monkeypatch.setattr(motion_recipe, "cross_measure", lambda encoded, *_, **__: {
        one.speaker.name: AvOffset(0.9, 2) for one in encoded
    })  # fmt: skip
    learn(data, tmp_path / "one.safetensors")
    monkeypatch.setattr(motion_recipe, "cross_measure", None)
    learn(data, tmp_path / "two.safetensors")
    assert json.loads((data / "sync.json").read_text())["0.mp4"] == [0.9, 2]


@pytest.fixture
def taught(monkeypatch):
    """Train on nothing; returns, for each net that was trained, whom it learned from."""
    lessons = []

    def remember(speakers, *_, **__):
        lessons.append([one.speaker.name for one in speakers])
        return MotionGenerator(replace(TINY, delay=0)).eval()

    def speak(folder, teacher, weight):
        (sentence,), _ = load_speakers([clip(9)])
        names = " and ".join(type(net).__name__ for net in teacher.nets)
        return [replace(sentence, name=f"spoken for {names}", weight=weight)]

    monkeypatch.setattr(motion_recipe, "fit", remember)
    monkeypatch.setattr(motion_recipe, "synthetic_speakers", speak)
    return lessons


FILMED = ["0.mp4", "1.mp4", "2.mp4"]


def test_without_a_teacher_the_first_nets_imagine_for_the_last(data, tmp_path, taught):
    learn(data, tmp_path / "x.safetensors", replace(ONCE, synthetic_speech=0.3, teachers=2))
    last = [*FILMED, "spoken for MotionGenerator and MotionGenerator"]
    assert taught == [FILMED, FILMED, last]


def test_a_teacher_imagines_for_the_only_net(data, tmp_path, taught):
    how = replace(ONCE, synthetic_speech=0.3, pseudo_labels=0.3, pseudo_label_pieces=2)
    learn(data, tmp_path / "x.safetensors", how, teacher=Teacher((Parrot(),), LogMelEncoder()))
    ((*filmed, synthetic, first, second),) = taught
    assert filmed == FILMED
    assert synthetic == "spoken for Parrot"
    assert first == "corpus 0"
    assert second.startswith("corpus ")


def test_held_out_people_are_never_learned_from(data, tmp_path, taught):
    learn(data, tmp_path / "x.safetensors", ONCE)
    assert taught == [FILMED]  # the fourth one is held out, the fifth has no sync


def test_clips_of_one_person_are_too_few(data, tmp_path):
    for number in (0, 1):
        (data / "clips" / f"{number}.mp4.npz").unlink()
    with pytest.raises(DataError, match="fewer than two people") as caught:
        learn(data, tmp_path / "x.safetensors")
    assert caught.value.remedy


def test_without_a_voice_tape_training_says_what_to_prepare(data, tmp_path):
    (data / "sounds" / "voice_one.npz").unlink()
    with pytest.raises(StyleheadError) as caught:
        learn(data, tmp_path / "x.safetensors")
    assert caught.value.remedy


def test_another_encoders_run_is_not_gone_on_with(tmp_path):
    few = replace(QUICK, steps=2)
    train(few, run=tmp_path)
    other = replace(TINY, encoder="another")
    with pytest.raises(StyleheadError) as caught:
        fit([speaker(seed=1)], [], SPREAD, other, few, run=tmp_path)
    assert caught.value.remedy
