from fractions import Fraction

import numpy as np
import pytest

from stylehead.geometry import angles_from_rotation
from stylehead.head_motion import sample_head
from stylehead.style import span
from tests.unit.synthetic import make_style, performed_motion


def sample(style, *, seconds=120.0, fps=30, gain=1.0, seed=0, voice=None, stress=None):
    frames = round(seconds * fps)
    voice = np.ones(frames, np.float32) if voice is None else voice
    stress = np.zeros(frames, np.float32) if stress is None else stress
    rng = np.random.default_rng(seed)
    return sample_head(voice, stress, style, Fraction(fps), gain, rng)


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


def test_stress_nods():
    stress = np.zeros(600, np.float32)
    stress[300:310] = 1
    change = angles(nodding(), seconds=20, stress=stress) - angles(nodding(), seconds=20)
    assert change[305, 0] > 0.3  # + looks down
    assert change[305, 0] > 3 * abs(change[150, 0])


def test_pauses_are_calmer():
    voice = np.ones(120 * 30, np.float32)
    voice[60 * 30 :] = 0
    speed = np.abs(np.diff(angles(nodding(), voice=voice), axis=0)).mean(1)
    assert speed[63 * 30 : -60].mean() < 0.75 * speed[60 : 57 * 30].mean()


def test_angles_that_go_together_in_the_style_go_together():
    motion = performed_motion(60)
    from stylehead.geometry import rotation_from_angles

    swing = np.sqrt(2) * np.sin(2 * np.pi * 0.4 * np.arange(len(motion)) / 30)
    turned = rotation_from_angles(np.column_stack([2 * swing, 4 * swing, -2 * swing]))
    curve = angles(make_style(motion.with_(rotation=turned)), seconds=200)
    linked = np.corrcoef(curve.T)
    assert linked[0, 1] > 0.5
    assert linked[1, 2] < -0.5


def test_a_seed_is_a_performance():
    one, again, other = (angles(nodding(), seconds=5, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.5


def test_every_frame_has_a_rotation_and_a_place():
    rotation, translation = sample(nodding(), seconds=2, fps=25)
    assert rotation.shape == (50, 3, 3)
    assert translation.shape == (50, 3)
    assert rotation.dtype == translation.dtype == np.float32
