"""Triangles of a whole batch agree with those that are drawn one after the other."""

import numpy as np
import pytest
import torch

from stylehead.rendering.batched.rasterize import Boxes, rasterize
from stylehead.rendering.rasterize import displacement_map

CELLS = 48


def draw(triangles, target, source):
    """Return the displacements (B, C, C, 2) of a batch, and what is covered."""
    boxes = Boxes.of(triangles, target, CELLS)
    here, corners = torch.from_numpy(target), torch.from_numpy(triangles)
    shown = rasterize(corners, here, boxes, CELLS)
    moved = shown.mean(torch.from_numpy(source[:, :2]) - here[..., :2], corners)
    return moved.permute(0, 2, 3, 1).numpy(), shown.covered.numpy()


def crossing(seed, frames=3, vertices=30):
    """Return triangles at random depths that hide each other and reach out of the picture."""
    random = np.random.default_rng(seed)
    triangles = random.permuted(np.tile(np.arange(vertices), (40, 1)), axis=1)[:, :3]
    target = random.uniform(-12, CELLS + 12, (frames, vertices, 3)).astype(np.float32)
    return triangles, target, random.uniform(0, CELLS, (vertices, 3)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_is_what_its_frames_are_alone(seed):
    triangles, target, source = crossing(seed)
    moved, _ = draw(triangles, target, source)
    for found, vertices in zip(moved, target, strict=True):
        wanted = displacement_map(triangles, vertices, source, size=CELLS, cells=CELLS)
        apart = np.abs(found - wanted).max(-1) > 0.01
        # Single and double precision may differ about cells on the edge between two triangles.
        assert apart.mean() < 0.003


def test_of_triangles_equally_near_the_first_is_shown():
    corners = [[2, 2, 5], [40, 2, 5], [2, 40, 5]]
    target = np.array([corners + corners], np.float32)
    source = np.concatenate([target[0, :3], target[0, 3:] + [7, 0, 0]]).astype(np.float32)
    for first, wanted in ((0, 0.0), (3, 7.0)):
        order = np.array([[first, first + 1, first + 2], [3 - first, 4 - first, 5 - first]])
        moved, covered = draw(order, target, source)
        np.testing.assert_allclose(moved[covered][:, 0], wanted, atol=1e-4)


def test_depths_below_zero_are_nearer():
    near, far = ([[2, 2, z], [40, 2, z], [2, 40, z]] for z in (-3, -1))
    target = np.array([far + near], np.float32)
    source = np.concatenate([target[0, :3], target[0, 3:] + [7, 0, 0]]).astype(np.float32)
    moved, covered = draw(np.array([[0, 1, 2], [3, 4, 5]]), target, source)
    np.testing.assert_allclose(moved[covered][:, 0], 7, atol=1e-4)


def test_flat_triangles_and_those_outside_show_nothing():
    target = np.array([[[2, 2, 0], [20, 2, 0], [40, 2, 0], [-9, -9, 0], [-5, -9, 0], [-9, -5, 0]]])
    moved, covered = draw(
        np.array([[0, 1, 2], [3, 4, 5]]), target.astype(np.float32), target[0].astype(np.float32)
    )
    assert not covered.any()
    assert not moved.any()
    assert np.isfinite(moved).all()
