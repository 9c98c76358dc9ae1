"""Turns stay within what a portrait allows, smoothly, and the relief within what it shows."""

import numpy as np
import pytest

from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.face.landmarks import FACE, OVAL
from stylehead.rendering.still.relief import FAR, SINES, STEEPEST, Relief, ease_relief
from stylehead.rendering.still.turns import FURTHEST, MOST, TurnLimits
from tests.stand_ins.faces import STILL, mean_mesh

FRONTAL = TurnLimits.of(STILL)


def turned(pitch, yaw, roll=0.0):
    return rotation_from_angles(np.array([pitch, yaw, roll]))


@pytest.mark.parametrize("angles", [(0, 0, 0), (9, -8, 20), (-12, 15, -30)])
def test_small_turns_are_left_as_they_are(angles):
    rotation = turned(*angles)
    assert FRONTAL.within(rotation) is rotation


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("side", [-1, 1])
def test_twenty_degrees_of_a_frontal_portrait_are_turned(axis, side):
    angles = np.zeros(3)
    angles[axis] = 20 * side
    seen = angles_from_rotation(FRONTAL.within(rotation_from_angles(angles)))
    assert 19 < side * seen[axis] <= 20


def test_turns_come_up_against_the_limit_smoothly_and_never_pass_it():
    asked = np.arange(-60, 60.5, 0.5)
    got = np.array([angles_from_rotation(FRONTAL.within(turned(0, yaw)))[1] for yaw in asked])
    steps = np.diff(got)
    assert (steps > 0).all() and (steps < 0.51).all()
    assert np.abs(np.diff(steps)).max() < 0.03
    assert np.abs(got).max() < MOST[1]


def test_roll_is_free():
    seen = angles_from_rotation(FRONTAL.within(turned(0, 40, 30)))
    assert seen[2] == pytest.approx(30, abs=0.01)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_three_quarter_portrait_turns_less_and_least_away_from_the_camera(side):
    limits = TurnLimits.of(turned(0, 32 * side))
    away, back = (limits.high, limits.low) if side > 0 else (limits.low, limits.high)
    assert abs(away[1]) < abs(back[1]) < MOST[1]
    assert 32 + abs(away[1]) == pytest.approx(FURTHEST[1], abs=0.01)
    assert abs(limits.low[0]) == pytest.approx(MOST[0], abs=0.5)


def slopes(mesh):
    apart = np.linalg.norm(mesh[:FACE, None, :2] - mesh[None, :FACE, :2], axis=-1)
    deeper = mesh[:FACE, None, 2] - mesh[None, :FACE, 2]
    return deeper / np.maximum(apart, 1e-3)


def test_the_outline_is_eased_and_the_middle_keeps_its_relief():
    mesh = mean_mesh() * np.float32(100)
    eased = ease_relief(mesh)
    assert slopes(mesh)[OVAL].max() > 2 * STEEPEST
    assert slopes(eased)[OVAL].max() < 1.05 * STEEPEST
    np.testing.assert_array_equal(eased[:, :2], mesh[:, :2])
    middle = [1, 4, 6, 13, 14, 168, 195]  # nose and lips
    np.testing.assert_allclose(eased[middle], mesh[middle], atol=1e-3)
    assert (eased[:FACE, 2] <= mesh[:FACE, 2] + 1e-3).all()


def shown(mesh, sine):
    """The mesh with the relief that a turn of this sine shows."""
    deeper = ease_relief(mesh)
    deeper[:FACE, 2] += Relief.of(mesh).depth(sine)
    return deeper


def test_small_turns_show_most_of_the_relief_that_far_ones_lose():
    mesh = mean_mesh() * np.float32(100)
    lost = mesh[OVAL, 2] - ease_relief(mesh)[OVAL, 2]
    still_lost = mesh[OVAL, 2] - shown(mesh, 0.05)[OVAL, 2]
    assert lost.max() > 5
    assert still_lost.min() + 1e-3 >= 0
    assert still_lost.mean() < 0.2 * lost.mean()


@pytest.mark.parametrize("sine", [0.02, 0.05, 0.1, 0.2, 0.3])
def test_no_turn_stretches_more_than_the_farthest_does(sine):
    mesh = mean_mesh() * np.float32(100)
    assert slopes(shown(mesh, sine))[OVAL].max() * sine < 1.05 * STEEPEST * FAR


def test_what_relief_moves_grows_with_the_turn_and_is_smooth():
    mesh = mean_mesh() * np.float32(100)
    eased, relief = ease_relief(mesh)[:FACE, 2], Relief.of(mesh)
    sines = np.linspace(0, 0.45, 400)
    moved = np.stack([sine * (eased + relief.depth(sine)) for sine in sines])
    outline = np.diff(moved[:, OVAL] - moved[:, [4]], axis=0)
    assert outline.min() > 0
    assert outline.max() < 4 * np.median(outline)
    assert not relief.depth(FAR).any()
    assert not relief.depth(1.0).any()
    np.testing.assert_array_equal(relief.depth(0), relief.depth(SINES[0]))
