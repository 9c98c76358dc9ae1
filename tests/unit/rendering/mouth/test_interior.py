"""The drawn inside of a mouth: light teeth above, dark or tongue below, lips around it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import INNER_LIPS, MESH_OF_68
from stylehead.rendering.mouth.crop import CROP_POINTS, CROP_SIZE, CROP_UNITS, mouth_middle
from stylehead.rendering.mouth.facial_map import facial_map
from stylehead.rendering.mouth.interior import FINE, LIGHT, mouth_interior, show_interior


def lips(opening: float, *, lifted: float = 0.0) -> np.ndarray:
    """The mean face in patch pixels, its upper lip lifted and its lower lip lowered."""
    mesh = FaceModel.embedded().mean
    points = (mesh - mouth_middle(mesh))[CROP_POINTS, :2] * (CROP_SIZE / CROP_UNITS) + (
        CROP_SIZE - 1
    ) / 2
    middle = np.median(points[68:, 1])
    points[79:88, 1] = middle + opening
    points[69:78, 1] = middle - lifted
    assert len(points) == len(MESH_OF_68) + len(INNER_LIPS)
    return points.astype(np.float32)


def drawn_of(points: np.ndarray, level: int) -> np.ndarray:
    warped = np.full((CROP_SIZE, CROP_SIZE, 3), level, np.uint8)
    return mouth_interior(points, warped, facial_map(points, CROP_SIZE))


def test_closed_lips_show_nothing():
    shut, wide = (drawn_of(lips(gap), 180)[..., 0].sum() for gap in (0.0, 20.0))
    assert shut < 0.1 * wide  # the line where they meet


def test_nothing_is_drawn_outside_the_lips():
    drawn = drawn_of(lips(24.0, lifted=3.0), 180)
    rows, columns = np.nonzero(drawn[..., 0])
    points = lips(24.0, lifted=3.0)[68:]
    assert rows.min() >= points[:, 1].min() - 2 and rows.max() <= points[:, 1].max() + 2
    assert columns.min() >= points[:, 0].min() - 2 and columns.max() <= points[:, 0].max() + 2
    assert (drawn[drawn[..., 0] == 0] == 0).all()


def test_teeth_are_light_above_and_the_dark_is_below_them():
    drawn = drawn_of(lips(24.0, lifted=4.0), 180).mean(-1)
    middle = (CROP_SIZE - 1) // 2
    column = drawn[:, middle - 4 : middle + 5].mean(1)
    inside = np.flatnonzero(drawn_of(lips(24.0, lifted=4.0), 180)[:, middle, 0])
    brightest = inside[np.argmax(column[inside])]
    assert brightest < middle + 4
    assert column[brightest + 8] < 0.75 * column[brightest]


@pytest.mark.parametrize("shift", [-6, 6])
def test_upper_teeth_stay_where_they_are_when_the_lower_lip_moves(shift: int):
    one, other = (drawn_of(lips(20.0 + by, lifted=4.0), 180) for by in (0, shift))
    middle = (CROP_SIZE - 1) // 2
    rows = slice(middle - 3, middle + 3)
    assert np.abs(one[rows, 50:78] - other[rows, 50:78]).max() < 0.02


@pytest.mark.parametrize(("dark", "light"), [(40, 120), (120, 220)])
def test_more_light_on_the_skin_is_more_light_inside(dark: int, light: int):
    one, other = (drawn_of(lips(20.0, lifted=3.0), level) for level in (dark, light))
    assert one[..., 1:].sum() < other[..., 1:].sum()


def test_teeth_are_lighter_than_dark_skin():
    assert drawn_of(lips(20.0, lifted=4.0), 50)[..., 1:].max() > 50 / 255


def test_a_drawn_inside_keeps_its_detail_and_takes_the_light_of_the_layer():
    size = 8 * FINE
    layer = torch.rand(1, 4, size, size)
    assert torch.equal(show_interior(layer.clone(), torch.zeros(1, 4, size, size)), layer)
    inside = slice(0, 4 * FINE)
    layer[:, :, :, inside] = 0.7
    layer[:, :1, :, inside] = 1.0
    drawn = torch.zeros(1, 4, size, size)
    pattern = torch.rand(1, 3, FINE, FINE)
    drawn[:, 1:, :, inside] = pattern.repeat(1, 1, 8, 4)
    drawn[:, :1, :, inside] = 1.0
    shown = show_interior(layer.clone(), drawn)
    assert torch.equal(shown[..., 4 * FINE :], layer[..., 4 * FINE :])
    wanted = pattern + LIGHT * (0.7 - pattern.mean((2, 3), keepdim=True))
    torch.testing.assert_close(shown[:, 1:, :, inside], wanted.repeat(1, 1, 8, 4))


def test_where_a_mouth_is_in_its_patch_does_not_change_its_light():
    layer, drawn = torch.rand(2, 4, 16 * FINE, 16 * FINE), torch.zeros(2, 4, 16 * FINE, 16 * FINE)
    drawn[:, :, 21:34, 9:23] = torch.rand(2, 4, 13, 14)
    alone = show_interior(layer.clone(), drawn)
    drawn[1, :, -1, -1] = 0.5  # so that all of the patch is looked at
    together = show_interior(layer.clone(), drawn)
    assert not torch.equal(alone, layer)
    torch.testing.assert_close(
        alone[:, :, : 8 * FINE, : 8 * FINE], together[:, :, : 8 * FINE, : 8 * FINE]
    )
