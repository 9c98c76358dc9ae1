import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.models.pose_generator import FPS as POSES
from stylehead.models.pose_generator import PoseConfig, PoseGenerator
from stylehead.motion.head import (
    blended_head,
    habitual_pose,
    posture,
    sample_head,
    towards_singers,
    turned,
)
from stylehead.style.learn import span
from stylehead.style.mix import mix_styles
from stylehead.weights.networks import load_network
from stylehead.weights.store import resolve
from tests.stand_ins.faces import make_style, performed_motion


class Swing:
    """A pose generator that swings at the tempo it is asked for, less far than others do.

    Chance says where each axis is in its swing. Keeps what it was asked last.
    """

    def __init__(self, size=0.4):
        self.config, self.size = PoseConfig(), size

    def sample(self, heard, style, noise, *, temperature):
        self.heard, self.style, self.noise = heard, style, noise
        seconds = torch.arange(len(heard))[:, None] / POSES
        return self.size * math.sqrt(2) * torch.sin(seconds * style.exp() + 3 * noise[0, :6])


def babble(seconds):
    """Return log-mel rows of poses, each of them another."""
    poses = math.ceil(seconds * POSES)
    return np.linspace(0.1, 0.9, poses * 80, dtype=np.float32).reshape(poses, 80)


def sample(style, *, net=None, seconds=120.0, fps=30, gain=1.0, seed=0, prosody=None):
    prosody = babble(seconds) if prosody is None else prosody
    rng = np.random.default_rng(seed)
    frames = round(seconds * fps)
    path = sample_head(net or Swing(), prosody, frames, style, Fraction(fps), rng)
    return blended_head([path], mix_styles([(style, 1.0)], {}), Fraction(fps), gain, np.zeros(3))


def nodding(degrees=(3.0, 5.0, 2.0), **more):
    return make_style(performed_motion(60, degrees=degrees, **more))


def angles(style, **how):
    return angles_from_rotation(sample(style, **how)[0])


def tempo(curve, fps):
    return np.gradient(curve, 1 / fps).std() / curve.std()


@pytest.mark.parametrize("degrees", [(1.0, 4.0, 2.0), (4.0, 1.5, 1.0)])
def test_each_angle_ranges_as_in_the_style(degrees):
    style = nodding(degrees)
    found = [span(column) for column in angles(style).T]
    wanted = [span(column) for column in angles_from_rotation(style.motion.rotation).T]
    np.testing.assert_allclose(found, wanted, rtol=0.25)


def test_the_head_shifts_as_far_as_the_styles():
    style = nodding(shift=0.04)
    found = [span(column) for column in sample(style)[1].T]
    wanted = [span(column) for column in style.motion.translation.T]
    np.testing.assert_allclose(found, wanted, rtol=0.25)


@pytest.mark.parametrize("fps", [25, 60])
def test_the_tempo_is_the_styles(fps):
    slow, fast = nodding(hertz=0.2), nodding(hertz=0.5)
    for style, hertz in ((slow, 0.2), (fast, 0.5)):
        curves = angles(style, fps=fps)[fps:-fps].T
        assert np.mean([tempo(curve, fps) for curve in curves]) == pytest.approx(
            2 * np.pi * hertz, rel=0.3
        )


def test_a_wild_head_is_tamed():
    found = angles(nodding((30.0, 40.0, 30.0)))
    assert (np.ptp(found, axis=0) < [60, 60, 60]).all()
    assert np.abs(found).max() < 45


def test_a_gain_of_zero_keeps_the_head_still():
    rotation, translation = sample(nodding(), gain=0.0, seconds=5)
    np.testing.assert_allclose(rotation, np.tile(np.eye(3), (150, 1, 1)), atol=1e-7)
    assert np.abs(translation).max() == 0


def test_the_gain_scales_the_motion():
    one, two = (sample(nodding(), gain=gain, seconds=20)[1] for gain in (1.0, 2.0))
    np.testing.assert_allclose(two, 2 * one, atol=1e-6)


def test_a_style_with_a_still_head_gives_a_still_head():
    rotation, translation = sample(nodding((0.0, 0.0, 0.0), shift=0.0), seconds=10)
    assert np.abs(angles_from_rotation(rotation)).max() < 0.05
    assert np.abs(translation).max() < 1e-3


@pytest.mark.parametrize("seconds", [0.1, 0.7, 3.0, 30.0])
def test_the_head_starts_and_ends_at_rest(seconds):
    rotation, translation = sample(nodding(), seconds=seconds)
    for end in (0, -1):
        np.testing.assert_allclose(rotation[end], np.eye(3), atol=1e-6)
        np.testing.assert_allclose(translation[end], 0, atol=1e-7)


def test_the_head_leaves_its_rest_gently():
    curve = angles(nodding(), seconds=30, fps=60)
    usual = np.abs(np.diff(curve, axis=0)).mean(0)
    assert (np.abs(np.diff(curve[:6], axis=0)).max(0) < 3 * usual).all()


def test_there_is_no_jump():
    curve = angles(nodding(), fps=60)
    assert (np.abs(np.diff(curve, axis=0)).max(0) < 0.1 * np.ptp(curve, axis=0)).all()


@pytest.mark.parametrize("size", [0.1, 1.0, 3.0])
def test_how_far_the_net_moves_does_not_matter(size):
    style = nodding()
    one, other = (sample(style, net=Swing(each), seconds=20)[1] for each in (0.3, size))
    reached = [np.percentile(np.abs(each), 90, axis=0) for each in (one, other)]
    np.testing.assert_allclose(reached[0], reached[1], rtol=0.25)


def test_a_short_motion_is_not_blown_up_to_the_styles_range():
    """In two seconds the net hardly moved, and two seconds say little about how far it would."""
    moved = sample(nodding(shift=0.04), net=Swing(0.01), seconds=2)[1]
    assert np.abs(moved).max() < 0.04 / 20


# ---- what the net is asked ------------------------------------------------------------------


def test_each_pose_hears_what_comes_after_it():
    net, prosody = Swing(), babble(3.0)
    sample(nodding(), net=net, seconds=3.0, prosody=prosody)
    lead = len(net.heard) - len(prosody) - 1
    ahead = net.config.ahead
    np.testing.assert_array_equal(net.heard[lead : -ahead - 1], prosody[ahead:])
    assert (net.heard[-ahead - 1 :] == torch.from_numpy(prosody[-1])).all()
    assert (net.heard[: lead - ahead] == torch.from_numpy(prosody[0])).all()


def test_poses_are_drawn_for_a_while_before_the_first_that_is_shown():
    net = Swing()
    sample(nodding(), net=net, seconds=3.0)
    assert len(net.heard) == len(net.noise) == 3 * POSES + 1 + 4 * POSES


def test_the_net_is_told_the_logarithm_of_the_styles_tempo():
    net = Swing()
    sample(nodding(hertz=0.4), net=net, seconds=3.0)
    np.testing.assert_allclose(net.style, np.log(2 * np.pi * 0.4), atol=0.05)


def test_the_shipped_pose_generator_is_quicker_in_a_quicker_style():
    net = load_network(PoseGenerator, resolve("pose"))
    curves = [angles(nodding(hertz=hertz), net=net)[30:-30].T for hertz in (0.2, 0.8)]
    slow, fast = ([tempo(curve, 30) for curve in each] for each in curves)
    assert np.mean(fast) > 1.5 * np.mean(slow)


@pytest.mark.parametrize("hertz", [0.15, 0.2, 0.3])
def test_the_shipped_pose_generator_is_slowed_to_a_slow_style(hertz):
    net = load_network(PoseGenerator, resolve("pose"))
    found = [tempo(curve, 30) for curve in angles(nodding(hertz=hertz), net=net)[30:-30].T]
    np.testing.assert_allclose(found, 2 * np.pi * hertz, rtol=0.25)


def test_the_shipped_pose_generator_ranges_as_the_style_does():
    net, style = load_network(PoseGenerator, resolve("pose")), nodding((2.0, 4.0, 1.5))
    found = [span(column) for column in angles(style, net=net).T]
    wanted = [span(column) for column in angles_from_rotation(style.motion.rotation).T]
    np.testing.assert_allclose(found, wanted, rtol=0.25)


# ---- chance ---------------------------------------------------------------------------------


def test_a_seed_is_a_performance():
    one, again, other = (angles(nodding(), seconds=5, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.5


def test_every_frame_has_a_rotation_and_a_place():
    rotation, translation = sample(nodding(), seconds=2, fps=25)
    assert rotation.shape == (50, 3, 3)
    assert translation.shape == (50, 3)
    assert rotation.dtype == translation.dtype == np.float32


# ---- looking at those who sing --------------------------------------------------------------

PLACES = np.array([[100, 100], [300, 100], [300, 300]], np.float32)
SIZES = np.full(3, 100, np.float32)


def looks(*voices, fps=20):
    """Return where three faces look (3, T, 2) whose voices are strings, 1 where they sing."""
    curves = np.array([[float(one) for one in voice] for voice in voices], np.float32)
    return towards_singers(curves.repeat(10, 1), PLACES, SIZES, Fraction(fps))


def test_who_is_silent_looks_to_who_sings():
    ways = looks("0" * 12, "1" * 12, "0" * 12)[:, 100]
    assert ways[0, 0] > 0.5
    assert abs(ways[0, 1]) < 1e-6, "they are on one height"
    assert ways[2, 1] < -0.5
    np.testing.assert_allclose(ways[1], 0, atol=1e-6)


def test_between_two_who_sing_one_looks_into_their_middle():
    ways = looks("1" * 12, "0" * 12, "1" * 12)[:, 100]
    assert ways[1, 0] < -0.2
    assert ways[1, 1] > 0.2
    np.testing.assert_allclose(ways[[0, 2]], 0, atol=1e-3)


def test_nobody_looks_anywhere_when_nobody_sings_or_all_do():
    assert not looks("0" * 9, "0" * 9, "0" * 9).any()
    assert np.abs(looks("1" * 12, "1" * 12, "1" * 12)[:, 60:]).max() < 1e-3


def test_heads_turn_a_little_after_the_voice_and_do_not_follow_each_pause():
    look = looks("0" * 24, "000001101101110000000000", "0" * 24)[0, :, 0]
    assert look[:40].max() < 0.02, "not before"
    singing = look[85:130]
    assert np.ptp(singing) < 0.1 * singing.max(), "half a second is no end of a song"
    assert look[-1] < 0.02
    assert np.abs(np.diff(look)).max() < 0.1


def test_a_head_turns_as_far_as_it_is_told_and_ends_where_it_began():
    motion = performed_motion(4.0)
    aim = np.ones((len(motion), 2), np.float32)
    moved = turned(motion, aim, 1.0)
    turn = angles_from_rotation(moved.rotation) - angles_from_rotation(motion.rotation)
    middle = len(motion) // 2
    assert 3 < turn[middle, 1] < 10, "to the right of the picture"
    assert 1 < turn[middle, 0] < 6, "and down"
    np.testing.assert_allclose(turn[[0, -1]], 0, atol=1e-4)
    assert (moved.gaze[middle] > motion.gaze[middle] + 0.5).all(), "the eyes go further"
    assert np.abs(moved.gaze).max() <= 9
    np.testing.assert_array_equal(moved.landmarks, motion.landmarks)
    np.testing.assert_allclose(turned(motion, aim, 0.0).rotation, motion.rotation, atol=1e-6)


# ---- posture --------------------------------------------------------------------------------


def tilted(*degrees):
    """Return a style whose person holds the head at pitch, yaw and roll in the picture."""
    style = nodding()
    pose = rotation_from_angles(np.array(degrees))
    rows = [int(np.argmin(np.abs(style.times - one.seconds))) for one in style.references]
    references = tuple(
        replace(one, rotation=style.motion.rotation[row] @ pose)
        for one, row in zip(style.references, rows, strict=True)
    )
    return replace(style, references=references)


def held(style, amount=1.0, own=(0.0, 0.0, 0.0)):
    return posture(mix_styles([(style, 1.0)], {}), amount, np.array(own))


def test_a_habitual_pose_is_read_off_the_references():
    np.testing.assert_allclose(habitual_pose(tilted(2.0, -3.0, 4.0)), [2, -3, 4], atol=0.1)


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
def test_a_head_is_held_as_far_as_asked(amount):
    wanted = amount * np.array([2.0, -3.0, 4.0])
    np.testing.assert_allclose(held(tilted(2.0, -3.0, 4.0), amount), wanted, atol=0.1)


def test_no_posture_is_beyond_what_a_picture_shows():
    assert (np.abs(held(tilted(30.0, -40.0, 25.0))) <= [5.0, 5.0, 7.0]).all()


def test_a_picture_that_is_tilted_that_way_already_is_tilted_no_further():
    style = tilted(0.0, 0.0, 6.0)
    assert held(style, own=(0, 0, 9.0))[2] == pytest.approx(0, abs=0.1)
    assert held(style, own=(0, 0, 4.0))[2] == pytest.approx(3, abs=0.1)
    assert held(style, own=(0, 0, -9.0))[2] == pytest.approx(6, abs=0.1)


def test_the_head_is_held_in_the_middle_and_comes_back():
    mix = mix_styles([(nodding(), 1.0)], {})
    path = np.zeros((300, 6))
    rotation, _ = blended_head([path], mix, Fraction(30), 1.0, np.array([0, 0, 6.0]))
    roll = angles_from_rotation(rotation)[:, 2]
    assert roll[0] == roll[-1] == 0
    np.testing.assert_allclose(roll[60:-60], 6, atol=1e-3)
    assert np.abs(np.diff(roll)).max() < 0.3


def test_a_mix_holds_the_head_between_its_styles():
    one, other = tilted(0.0, 0.0, 6.0), tilted(0.0, 0.0, -2.0)
    mix = mix_styles([(one, 0.5), (other, 0.5)], {})
    assert posture(mix, 1.0, np.zeros(3))[2] == pytest.approx(2, abs=0.1)
