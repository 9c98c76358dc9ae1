import numpy as np
import pytest

from stylehead.face.geometry import (
    Similarity,
    align,
    angles_from_rotation,
    mean_rotation,
    nearest_rotation,
    rotation_from_angles,
    smoothstep,
)

NOSE = np.array([0.0, 0.0, -1.0])
RIGHT = np.array([1.0, 0.0, 0.0])


def points(count=40, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3))


def turn(pitch=0.0, yaw=0.0, roll=0.0):
    return rotation_from_angles(np.array([pitch, yaw, roll]))


def test_positive_pitch_moves_the_nose_down():
    nose = NOSE @ turn(pitch=30)
    np.testing.assert_allclose(nose, [0, 0.5, -np.cos(np.pi / 6)], atol=1e-6)


def test_positive_yaw_moves_the_nose_to_image_right():
    nose = NOSE @ turn(yaw=30)
    np.testing.assert_allclose(nose, [0.5, 0, -np.cos(np.pi / 6)], atol=1e-6)


def test_positive_roll_is_clockwise_in_the_picture():
    np.testing.assert_allclose(RIGHT @ turn(roll=90), [0, 1, 0], atol=1e-6)


def test_no_angle_is_no_turn():
    np.testing.assert_array_equal(turn(), np.eye(3))


def test_angles_and_rotations_go_round():
    angles = np.random.default_rng(1).uniform(-85, 85, (200, 3))
    there = rotation_from_angles(angles)
    assert there.shape == (200, 3, 3)
    np.testing.assert_allclose(angles_from_rotation(there), angles, atol=2e-3)


def test_rotations_are_rotations():
    turned = rotation_from_angles(np.random.default_rng(2).uniform(-180, 180, (50, 3)))
    products = turned @ np.swapaxes(turned, 1, 2)
    np.testing.assert_allclose(products, np.tile(np.eye(3), (50, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(turned), 1, atol=1e-6)


def test_a_similarity_undoes_itself():
    move = Similarity(3.5, turn(10, -20, 30), np.array([4, -5, 6], np.float32))
    np.testing.assert_allclose(move.undo(move.apply(points())), points(), atol=1e-5)


def test_align_recovers_a_known_similarity():
    known = Similarity(2.5, turn(12, -25, 7), np.array([100.0, -40.0, 3.0]))
    found = align(points(), known.apply(points()))
    assert found.scale == pytest.approx(2.5, rel=1e-6)
    np.testing.assert_allclose(found.rotation, known.rotation, atol=1e-6)
    np.testing.assert_allclose(found.translation, known.translation, atol=1e-4)


def test_align_survives_noise():
    known = Similarity(2.0, turn(5, 15, -10), np.array([1.0, 2.0, 3.0]))
    target = known.apply(points(200)) + 0.02 * points(200, seed=3)
    found = align(points(200), target)
    assert found.scale == pytest.approx(2.0, rel=0.01)
    np.testing.assert_allclose(angles_from_rotation(found.rotation), [5, 15, -10], atol=0.5)


def test_align_of_a_mirror_image_is_still_a_rotation():
    found = align(points(), points() * np.array([-1, 1, 1]))
    assert np.linalg.det(found.rotation) == pytest.approx(1, abs=1e-5)
    assert found.scale > 0


def test_align_works_on_flat_points():
    flat = points() * np.array([1, 1, 0])
    known = Similarity(1.5, turn(roll=40), np.array([7.0, 8.0, 0.0]))
    found = align(flat, known.apply(flat))
    assert np.linalg.det(found.rotation) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(found.apply(flat), known.apply(flat), atol=1e-4)


def test_mean_rotation_lies_between():
    both = np.stack([turn(yaw=-30, pitch=8), turn(yaw=30, pitch=8)])
    mean = angles_from_rotation(mean_rotation(both))
    assert mean[1] == pytest.approx(0, abs=1e-3)
    assert 7 < mean[0] < 10


def test_mean_rotation_of_one_is_itself_and_always_a_rotation():
    np.testing.assert_allclose(mean_rotation(turn(3, 4, 5)[None]), turn(3, 4, 5), atol=1e-6)
    wild = rotation_from_angles(np.random.default_rng(4).uniform(-180, 180, (7, 3)))
    assert np.linalg.det(mean_rotation(wild)) == pytest.approx(1, abs=1e-5)


def test_the_nearest_rotation_of_a_scaled_one_is_that_rotation():
    turns = rotation_from_angles(np.random.default_rng(5).uniform(-60, 60, (4, 5, 3)))
    scales = np.linspace(0.5, 2.0, 5, dtype=np.float32)[:, None, None]
    np.testing.assert_allclose(nearest_rotation(scales * turns), turns, atol=1e-6)


def test_the_nearest_rotation_of_a_mirror_image_is_no_mirror_image():
    mirrors = np.stack([np.diag([1.0, 1.0, -1.0]), turn(10, 20, 30) * [-1, 1, 1]])
    rotations = nearest_rotation(mirrors)
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-6)
    products = rotations @ np.swapaxes(rotations, -1, -2)
    np.testing.assert_allclose(products, np.tile(np.eye(3), (2, 1, 1)), atol=1e-6)


def test_a_smooth_step_is_level_at_both_ends():
    x = np.linspace(0, 1, 101)
    step = smoothstep(x)
    np.testing.assert_allclose(step[[0, 50, 100]], [0, 0.5, 1])
    slopes = np.diff(step)
    assert (slopes > 0).all()
    assert slopes[[0, -1]].max() < 0.001
