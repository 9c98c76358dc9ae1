import numpy as np
import pytest

from stylehead.rendering.rasterize import displacement_map

SQUARE = np.array([[0, 1, 2], [1, 3, 2]])


def square(low=-1.0, high=64.0, depth=0.0):
    corners = [[low, low], [high, low], [low, high], [high, high]]
    return np.column_stack([np.array(corners), np.full(4, depth)]).astype(np.float32)


def draw(triangles, target, source, *, size=64, cells=64):
    return displacement_map(triangles, target, source, size=size, cells=cells)


def test_identity_moves_nothing():
    found = draw(SQUARE, square(), square())
    assert found.shape == (64, 64, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 0, atol=1e-5)


def test_a_shifted_face_takes_its_pixels_from_where_it_was():
    moved = square() + np.array([5, -3, 0], np.float32)
    found = draw(SQUARE, moved, square())[:60, 8:]
    np.testing.assert_allclose(found, np.broadcast_to([-5, 3], found.shape), atol=1e-4)


def test_a_stretch_grows_with_the_distance():
    found = draw(SQUARE, 2 * square(0, 32), square(0, 32))
    rows, columns = np.mgrid[:64, :64]
    np.testing.assert_allclose(found[..., 0], -columns / 2, atol=1e-3)
    np.testing.assert_allclose(found[..., 1], -rows / 2, atol=1e-3)


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearest_triangle_wins_whatever_the_order(order):
    near, far = square(16, 48, depth=1.0), square(0, 63, depth=9.0)
    target = np.concatenate([near, far])
    source = target + np.repeat([[7, 0, 0], [0, 2, 0]], 4, axis=0).astype(np.float32)
    triangles = np.concatenate([SQUARE, SQUARE + 4])[::order]
    found = draw(triangles, target, source)
    np.testing.assert_allclose(found[32, 32], [7, 0], atol=1e-4)
    np.testing.assert_allclose(found[5, 5], [0, 2], atol=1e-4)


def test_cells_that_no_triangle_covers_stay_put():
    found = draw(SQUARE, square(20, 30), square(20, 30) + 4)
    assert np.abs(found[25, 25]).max() > 3
    found[19:32, 19:32] = 0
    assert (found == 0).all()


def test_an_empty_triangle_draws_nothing():
    line = np.array([[0, 0, 0], [30, 30, 0], [60, 60, 0]], np.float32)
    assert (draw(np.array([[0, 1, 2]]), line, line + 3) == 0).all()


def test_triangles_outside_the_picture_are_cut_off():
    found = draw(SQUARE, square(-500, 500), square(-500, 500) + 2)
    np.testing.assert_allclose(found, 2, atol=1e-3)


def test_neighbouring_triangles_leave_no_gap():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.linspace(-1, 64, 12), np.linspace(-1, 64, 12)), -1)
    points = grid.reshape(-1, 2) + rng.uniform(-1.5, 1.5, (144, 2))
    points[:12, 1], points[-12:, 1] = -2, 66
    points[::12, 0], points[11::12, 0] = -2, 66
    target = np.column_stack([points, np.zeros(144)]).astype(np.float32)
    corner = np.array([12 * row + column for row in range(11) for column in range(11)])
    upper = np.column_stack([corner, corner + 1, corner + 12])
    lower = np.column_stack([corner + 1, corner + 13, corner + 12])
    found = draw(np.concatenate([upper, lower]), target, target + np.float32(3))
    np.testing.assert_allclose(found, 3, atol=1e-3)


@pytest.mark.parametrize("cells", [16, 32, 128])
def test_a_coarser_map_has_the_same_displacements_at_its_cell_centres(cells):
    found = draw(SQUARE, 2 * square(-8, 40), square(-8, 40), cells=cells)
    centres = (np.arange(cells) + 0.5) * 64 / cells - 0.5
    np.testing.assert_allclose(found[3, :, 0], -centres / 2, atol=1e-3)
    np.testing.assert_allclose(found[:, 3, 1], -centres / 2, atol=1e-3)


def test_drawing_leaves_its_input_alone():
    target, source = square(), square() + 1
    before = target.copy(), source.copy()
    draw(SQUARE, target, source)
    np.testing.assert_array_equal(target, before[0])
    np.testing.assert_array_equal(source, before[1])
