import csv
import json

import numpy as np
import pytest
import torch

from stylehead.errors import DataError
from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.models.pose_generator import AXES, FPS, STATE, PoseConfig, PoseGenerator
from stylehead.speech.mel import mel_filters
from stylehead.training import pose_generator
from stylehead.training.data.clips import PEOPLE, Clip, save_clip
from stylehead.training.pose_generator import (
    MIRROR,
    PosedClip,
    PoseTraining,
    evaluate_pose,
    posed,
    train_pose,
)
from stylehead.weights.networks import load_network
from tests.stand_ins.faces import Interrupting, face_track, mean_mesh, syllables, wave, without_face

FILTERS = torch.from_numpy(mel_filters())
SMALL = PoseConfig(width=4, skip=4, layers=1, blocks=1)
QUICK = PoseTraining(steps=2, batch=2, window=8)
RATES = np.array([0.4, 0.6, 0.9])  # Hz of pitch, yaw and roll


def clip(person="Ann", *, seconds=5.0, samples=None, seen=1.0, start=0.0, side=1.0):
    times = start + np.arange(round(30 * seconds)) / 30
    angles = 8 * wave(times[:, None], RATES) * [1, side, side]
    place = 0.1 * wave(times[:, None], RATES[::-1], 1.0) * [side, 1, 1]
    heads = np.repeat(mean_mesh()[None], len(times), 0)
    distance_ratio = 200 * (1 + 0.05 * wave(times, RATES[1]))
    track = face_track(heads, angles=angles, place=place, scale=distance_ratio, seconds=times)
    track = without_face(track, slice(round(seen * len(times)), None))
    if samples is None:
        samples = (0.3 * 32767 * syllables(seconds + start, pauses=((0, 1.0),))).astype(np.int16)
    return Clip(f"{person}.mp4", person, track, samples)


def made(count=80, *, seed=0, person="Ann"):
    """A pose that follows what is heard `ahead` poses later."""
    generator = torch.Generator().manual_seed(seed)
    heard = torch.rand(count, 80, generator=generator)
    states = torch.randn(count, STATE, generator=generator)
    return PosedClip(person, states, heard, torch.zeros(AXES))


def usable(clip) -> PosedClip:
    found = posed(clip, FILTERS)
    assert found
    return found


# ---- clips ----------------------------------------------------------------------------------


def test_a_clips_poses_are_in_units_of_their_own_spread():
    one = usable(clip())
    assert one.person == "Ann"
    assert one.states.shape == (pytest.approx(5 * FPS, abs=1), STATE)
    axes = one.states[:, :AXES]
    torch.testing.assert_close(axes.mean(0), torch.zeros(AXES), rtol=0, atol=1e-4)
    torch.testing.assert_close(axes.std(0, correction=0), torch.ones(AXES), rtol=0, atol=1e-3)


def test_steps_are_those_since_the_pose_before():
    states = usable(clip()).states
    axes, steps = states[:, :AXES], states[:, AXES:]
    assert steps[0].abs().max() == 0
    torch.testing.assert_close(steps[1:], axes[1:] - axes[:-1], rtol=0, atol=1e-5)


def test_angles_are_those_of_the_head():
    axes = usable(clip()).states[:, :3].numpy()
    times = np.arange(len(axes)) / FPS
    for column, hertz in zip(axes.T, RATES, strict=True):
        assert np.corrcoef(column, wave(times, hertz))[0, 1] > 0.99


def test_the_style_is_the_tempo_of_each_axis():
    style = usable(clip(seconds=10.0)).style
    assert style.shape == (AXES,)
    np.testing.assert_allclose(style[:3].exp(), 2 * np.pi * RATES, rtol=0.1)


def test_a_pose_is_heard_with_what_sounds_meanwhile():
    heard = usable(clip()).heard
    loud = heard.mean(1).numpy()
    assert (loud[: FPS - 1] < 0.05).all()  # the clip begins with a second of silence
    assert (loud[FPS + 1 : -1] > 0.1).all()


def test_sound_is_counted_from_the_first_picture():
    loud = usable(clip(start=0.6)).heard.mean(1).numpy()
    assert (loud[: round(0.4 * FPS) - 1] < 0.05).all()
    assert (loud[round(0.4 * FPS) + 1 : -1] > 0.1).all()


@pytest.mark.parametrize("samples", [np.zeros(0, np.int16), np.zeros(80_000, np.int16)])
def test_a_clip_without_sound_is_heard_as_silence(samples):
    one = usable(clip(samples=samples))
    assert one.heard.shape == (len(one.states), 80)
    assert one.heard.abs().max() == 0


@pytest.mark.parametrize("how", [{"seconds": 2.9}, {"seen": 0.85}])
def test_short_and_faceless_clips_are_not_learned_from(how):
    assert posed(clip(**how), FILTERS) is None


def test_the_mirror_turns_yaw_roll_and_the_shift_to_the_side():
    flip = np.diag([-1.0, 1, 1])
    angles = np.array([[10.0, -7, 4]])
    turned = angles_from_rotation(flip @ rotation_from_angles(angles) @ flip)
    np.testing.assert_allclose(turned, angles * MIRROR[:3].numpy(), atol=1e-4)
    assert MIRROR.tolist() == [1, -1, -1, -1, 1, 1] * 2


def test_a_mirrored_clip_has_mirrored_states():
    one, other = (usable(clip(side=side)).states for side in (1, -1))
    torch.testing.assert_close(other, one * MIRROR, rtol=0, atol=0.05)


# ---- measuring ------------------------------------------------------------------------------


class Guess:
    """A net that expects what it hears: the first 12 bands are the state."""

    config = PoseConfig(ahead=4)

    def eval(self):
        return self

    def __call__(self, states, heard, style):
        return heard[..., :STATE], torch.full_like(states, 2.0)


def foretold(seed):
    """A clip in which each pose is heard `ahead` poses after itself."""
    one = made(seed=seed)
    heard = one.heard.clone()
    heard[4:, :STATE] = one.states[:-4]
    return PosedClip(one.person, one.states, heard, one.style)


def test_a_net_that_listens_is_better_than_one_that_hears_somebody_else():
    found = evaluate_pose(Guess(), [foretold(1), foretold(2)])
    assert set(found) == {"held_out", "shuffled_audio", "static_head"}
    assert found["held_out"] < found["shuffled_audio"]


def test_each_pose_hears_as_far_ahead_as_the_config_says():
    states = torch.randn(200, STATE)
    heard = torch.zeros(200, 80)
    heard[4:, :STATE] = states[:-4]
    heard[:4] = 0
    one = PosedClip("Ann", states, heard, torch.zeros(AXES))
    exact = 0.5 * np.log(2 * np.pi) - 2.0
    tail = (states[-4:] - states[-5]).square().sum() * np.exp(4) / 2 / (199 * STATE)
    assert evaluate_pose(Guess(), [one])["held_out"] == pytest.approx(exact + float(tail), rel=1e-3)


def test_a_head_at_rest_costs_as_little_as_the_floor_allows():
    one = made()
    still = PosedClip("Ann", torch.zeros(60, STATE), one.heard[:60], one.style)
    wanted = 0.5 * np.log(2 * np.pi) + np.log(0.03)
    assert evaluate_pose(Guess(), [still])["static_head"] == pytest.approx(wanted, rel=1e-4)


def test_nothing_held_out_measures_nothing():
    assert evaluate_pose(Guess(), []) == {}


# ---- training -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "clips").mkdir()
    for person in ("Ann", sorted(PEOPLE)[0]):
        save_clip(folder / "clips" / f"{person}.npz", clip(person, seconds=3.5))
    save_clip(folder / "clips" / "short.npz", clip("Cem", seconds=1.0))
    return folder


@pytest.fixture
def small(monkeypatch):
    """Train a net of four numbers."""
    monkeypatch.setattr(pose_generator, "PoseConfig", lambda: SMALL)


def train(data, folder, how=QUICK, reporter=None):
    folder.mkdir(exist_ok=True)
    more = {} if reporter is None else {"reporter": reporter}
    path = folder / "pose.safetensors"
    return path, train_pose(data, folder / "run", path, how, **more)


@pytest.mark.usefixtures("small")
def test_two_steps_write_a_file_that_is_read_back(data, tmp_path):
    path, metrics = train(data, tmp_path)
    net = load_network(PoseGenerator, path)
    assert net.config == SMALL
    assert isinstance(net, PoseGenerator)
    assert (metrics["clips"], metrics["people"]) == ("1", "1")
    assert json.loads(metrics["training"])["steps"] == 2
    assert float(metrics["held_out"]) > 0
    with (tmp_path / "run" / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["step"] == "2"


@pytest.mark.usefixtures("small")
def test_a_resumed_training_ends_as_an_unbroken_one(data, tmp_path):
    how, clips = PoseTraining(steps=252, batch=1, window=4), 3
    unbroken, _ = train(data, tmp_path / "one", how)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "two", how, Interrupting(clips + 251))
    listener = Interrupting(1000)
    resumed, _ = train(data, tmp_path / "two", how, listener)
    assert listener.left == 1000 - clips - 2
    one, other = (load_network(PoseGenerator, path).state_dict() for path in (unbroken, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_clips_too_short_to_learn_from_are_an_error_with_a_remedy(tmp_path):
    (tmp_path / "clips").mkdir()
    save_clip(tmp_path / "clips" / "short.npz", clip("Cem", seconds=1.0))
    with pytest.raises(DataError) as caught:
        train(tmp_path, tmp_path)
    assert caught.value.remedy


@pytest.mark.usefixtures("small")
def test_the_net_learns_a_steady_nod(tmp_path):
    (tmp_path / "clips").mkdir()
    save_clip(tmp_path / "clips" / "a.npz", clip(seconds=6.0))
    known = [usable(clip(seconds=6.0))]
    train(tmp_path, tmp_path, PoseTraining(steps=2, batch=4, window=20))
    before = evaluate_pose(load_network(PoseGenerator, tmp_path / "pose.safetensors"), known)[
        "held_out"
    ]
    longer = PoseTraining(steps=80, batch=4, window=20, learning_rate=0.02)
    path, _ = train(tmp_path, tmp_path / "longer", longer)
    assert evaluate_pose(load_network(PoseGenerator, path), known)["held_out"] < before - 0.2
