from dataclasses import replace

import numpy as np
import pytest

from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import FACE, to_68
from stylehead.rendering.mesh_renderer import prepare, render
from stylehead.rendering.skin.face_texture import SIZE, fade, skin
from stylehead.rendering.skin.folds import DARKER, LIGHTER, FoldModel, SkinShader, shade_skin
from tests.stand_ins.faces import STILL, drawn_portrait
from tests.unit.rendering.test_mesh_renderer import CPU, MOUTHS, REFERENCES, lively, scene

NOTHING = np.zeros((68, 3), np.float32)
GREY = 120


def model(change, landmark=19, axis=1):
    """Return a model in which one offset of one landmark makes a change (SIZE, SIZE)."""
    read = np.zeros((207, 1), np.float32)
    read[3 * landmark + axis] = 1
    return FoldModel(read, change[None].astype(np.float32))


def offset(amount, landmark=19, axis=1):
    offsets = NOTHING.copy()
    offsets[landmark, axis] = amount
    return offsets


def test_a_face_without_expression_is_not_shaded():
    where = scene(256)
    crop = where.picture.copy()
    assert where.skin is not None
    where.skin.shade(crop, where.mesh.source, NOTHING, STILL)
    assert np.abs(crop.astype(int) - where.picture).max() <= 2


def test_a_change_is_laid_where_the_face_is_and_nowhere_else():
    where = scene(256)
    crop = np.full((256, 256, 3), GREY, np.uint8)
    shade_skin(crop, where.mesh.source[:FACE], np.full((SIZE, SIZE), -0.2, np.float32), np.ones(3))
    nose = where.mesh.source[4, :2].round().astype(int)
    np.testing.assert_allclose(crop[nose[1], nose[0]], GREY * np.exp(-0.2), atol=1.5)
    low, high = where.mesh.source[:FACE, :2].min(0), where.mesh.source[:FACE, :2].max(0)
    outside = np.ones((256, 256), bool)
    outside[int(low[1]) - 2 : int(high[1]) + 3, int(low[0]) - 2 : int(high[0]) + 3] = False
    assert (crop[outside] == GREY).all()


def test_a_change_moves_with_the_skin():
    where = scene(256)
    change = np.zeros((SIZE, SIZE), np.float32)
    change[SIZE // 2 - 3 : SIZE // 2 + 4, SIZE // 2 - 3 : SIZE // 2 + 4] = -0.3
    middles = []
    for shift in (0, 20):
        crop = np.full((256, 256, 3), GREY, np.uint8)
        shade_skin(crop, where.mesh.source[:FACE] + np.float32([shift, 0, 0]), change)
        middles.append(np.argwhere(crop[..., 0] < GREY - 5).mean(0))
    np.testing.assert_allclose(middles[1] - middles[0], [0, 20], atol=0.7)


def test_the_portraits_own_expression_is_taken_off():
    """A portrait that frowns has its frown lines: a frown adds none, a neutral face takes them."""
    portrait = drawn_portrait(side=256, unit=0.12)
    mesh = prepare(portrait, REFERENCES, MOUTHS, crop_size=256, device=CPU).mesh
    neutral = mesh.neutral.copy()
    frowning = replace(mesh, neutral=neutral - [0, 0.1, 0])
    shown = (to_68(mesh.pose.undo(mesh.source[:FACE])) - to_68(frowning.neutral))[19, 1]
    shader = SkinShader(frowning, model(np.full((SIZE, SIZE), -1.0)))
    means = []
    for amount in (0.0, shown):
        crop = np.full((256, 256, 3), GREY, np.uint8)
        shader.shade(crop, mesh.source, offset(amount), STILL)
        x, y = mesh.source[4, :2].round().astype(int)
        means.append(int(crop[y, x, 0]))
    assert means[0] > GREY + 4
    assert means[1] == pytest.approx(GREY, abs=1)


def test_changes_are_bounded_however_strong_the_expression():
    much = model(np.ones((SIZE, SIZE)))
    assert much.change(np.array([50.0])).max() == pytest.approx(LIGHTER, abs=1e-3)
    assert much.change(np.array([-50.0])).min() == pytest.approx(-DARKER, abs=1e-3)
    assert much.change(np.array([0.01])).mean() == pytest.approx(0.01, rel=0.02)


def test_shadows_on_skin_are_redder_and_those_of_grey_pictures_grey():
    where = scene(256)
    for colourless in (False, True):
        crop = np.full((256, 256, 3), GREY, np.uint8)
        shader = SkinShader(where.mesh, model(np.full((SIZE, SIZE), -1.0)), colourless=colourless)
        shader.shade(crop, where.mesh.source, offset(0.3), STILL)
        x, y = where.mesh.source[4, :2].round().astype(int)
        red, green, blue = crop[y, x].astype(int)
        assert green < GREY - 15
        assert (red == green == blue) if colourless else (red > green >= blue)


def test_the_heads_turn_is_told_from_expression():
    shipped = FoldModel.embedded()
    turned = shipped.amounts(NOTHING, rotation_from_angles(np.array([10.0, 0, 0])))
    moved = shipped.amounts(offset(0.05), STILL)
    assert np.abs(turned).max() > 0.5
    assert np.abs(moved).max() > 0.05
    assert np.abs(turned @ moved) < 1e-3


def test_the_shipped_model_leaves_eyes_and_lips_alone_and_fades_at_edges():
    shipped = FoldModel.embedded()
    assert np.abs(shipped.write[:, skin() == 0]).max() < 1e-3
    edge = (fade() > 0) & (fade() < 0.4)
    assert np.abs(shipped.write[:, edge]).mean() < np.abs(shipped.write[:, fade() == 1]).mean()


def test_the_shipped_model_folds_cheeks_in_a_smile():
    """Lips that go out and up: between nose and cheek it gets darker than on the nose's bridge."""
    from stylehead.rendering.skin.face_texture import face_texture

    smile = NOTHING.copy()
    for corner, side in ((48, -1), (54, 1), (60, -1), (64, 1)):
        smile[corner] = [side * 0.06, -0.06, 0.02]
    shipped = FoldModel.embedded()
    change = shipped.change(shipped.amounts(smile, STILL))
    places = face_texture().places.round().astype(int)
    fold = np.mean([change[places[v, 1], places[v, 0]] for v in (206, 426, 216, 436)])
    bridge = np.mean([change[places[v, 1], places[v, 0]] for v in (6, 197, 195)])
    assert fold < bridge


def test_without_appearance_skin_is_only_moved():
    portrait = drawn_portrait(side=256, unit=0.12)
    with_, without = (
        prepare(portrait, REFERENCES, MOUTHS, crop_size=256, device=CPU, appearance=asked)
        for asked in (True, False)
    )
    assert without.skin is None
    motion = lively()
    one, other = (np.stack(list(render(where, motion))) for where in (with_, without))
    change = np.abs(one.astype(int) - other)
    assert change.max() > 3
    again = np.stack(list(render(replace(with_, skin=None), motion)))
    np.testing.assert_array_equal(again, other)
