import numpy as np
import pytest

from stylehead.face.landmarks import (
    MESH_OF_68,
    MOUTH_PAIRS,
    POLYLINES,
    REGIONS,
    RIGID,
    brow_height,
    eye_aspect,
    interocular,
    mirror_68,
    mouth_opening,
    mouth_width,
    to_68,
)
from tests.stand_ins.faces import mean_face, mean_mesh

LENGTHS = [mouth_opening, mouth_width, brow_height, interocular]


def face(**places):
    """Return 68 points at the origin but for the named ones, e.g. p61=(0, -1)."""
    out = np.zeros((68, 3))
    for name, place in places.items():
        out[int(name[1:]), : len(place)] = place
    return out


def test_every_point_is_in_exactly_one_region():
    members = [point for region in REGIONS.values() for point in region]
    assert sorted(members) == list(range(68))


def test_every_point_has_a_mesh_vertex_of_its_own():
    assert len(set(MESH_OF_68.tolist())) == 68
    assert MESH_OF_68.max() < 468


def test_polylines_draw_every_point_once():
    drawn = [point for line, _ in POLYLINES for point in line]
    assert sorted(drawn) == list(range(68))


def test_to_68_picks_the_named_vertices_of_any_stack():
    meshes = np.random.default_rng(0).normal(size=(2, 5, 478, 2))
    picked = to_68(meshes)
    assert picked.shape == (2, 5, 68, 2)
    np.testing.assert_array_equal(picked[1, 3, 30], meshes[1, 3, MESH_OF_68[30]])


def test_mirror_is_an_involution():
    order = mirror_68()
    np.testing.assert_array_equal(order[order], np.arange(68))
    assert (order != np.arange(68)).sum() == 68 - 10  # ten points lie on the middle line


def test_mirror_keeps_each_point_in_its_region():
    region = {point: name for name, points in REGIONS.items() for point in points}
    assert all(region[a] == region[b] for a, b in enumerate(mirror_68()))


def test_the_mirrored_mean_face_is_the_mean_face():
    flipped = mean_face()[mirror_68()] * np.array([-1, 1, 1])
    np.testing.assert_allclose(flipped, mean_face(), atol=0.02)


def test_opening_is_the_mean_of_three_gaps():
    points = face(p61=(0, -1), p67=(0, 1), p62=(0, -2), p66=(0, 2), p63=(0, -1), p65=(0, 2))
    assert mouth_opening(points) == pytest.approx((2 + 4 + 3) / 3)


def test_a_shut_mouth_has_no_opening():
    points = np.random.default_rng(0).normal(size=(68, 3))
    for upper, lower in MOUTH_PAIRS:
        points[lower] = points[upper]
    assert mouth_opening(points) == 0


def test_width_is_the_distance_of_the_corners():
    assert mouth_width(face(p48=(-3, 0), p54=(1, 3))) == pytest.approx(5)


def test_eye_aspect_is_gap_over_width_averaged_over_both_eyes():
    points = face(
        p36=(-6, 0), p39=(-2, 0), p37=(-5, -1), p41=(-5, 1), p38=(-3, -1), p40=(-3, 1),
        p42=(2, 0), p45=(6, 0), p43=(3, -0.5), p47=(3, 0.5), p44=(5, -0.5), p46=(5, 0.5),
    )  # fmt: skip
    assert eye_aspect(points) == pytest.approx((2 / 4 + 1 / 4) / 2)


def test_raised_brows_are_higher():
    raised = mean_face().copy()
    raised[17:27, 1] -= 0.1
    assert brow_height(raised) - brow_height(mean_face()) == pytest.approx(0.1, abs=1e-5)


def test_the_mean_face_defines_head_space():
    np.testing.assert_allclose(mean_face()[list(RIGID)].mean(0), 0, atol=1e-3)
    assert interocular(mean_face()) == pytest.approx(1, abs=1e-3)


def test_the_mean_face_is_upright_and_looks_at_the_camera():
    points = mean_face()
    assert points[8, 1] > points[57, 1] > points[51, 1] > points[30, 1] > points[19, 1]  # y down
    assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
    assert points[30, 2] < points[[0, 16], 2].min()  # the nose is nearest
    assert len(mean_mesh()) == 478


@pytest.mark.parametrize("measure", LENGTHS)
def test_lengths_grow_with_the_face_and_ignore_its_place(measure):
    moved = 3 * mean_face() + np.array([50, -20, 9])
    assert measure(moved) == pytest.approx(3 * measure(mean_face()), rel=1e-4)


def test_eye_aspect_ignores_size_and_place():
    moved = 3 * mean_face() + np.array([50, -20, 9])
    assert eye_aspect(moved) == pytest.approx(eye_aspect(mean_face()), rel=1e-4)


@pytest.mark.parametrize("measure", [*LENGTHS, eye_aspect])
def test_measures_take_stacks_of_faces(measure):
    stack = np.stack([mean_face(), 2 * mean_face()])
    np.testing.assert_allclose(measure(stack), [measure(face) for face in stack], rtol=1e-5)
