from dataclasses import replace

import cv2
import numpy as np
import pytest

from stylehead.face.landmarks import EYES, FACE
from stylehead.rendering.eyes.completer import EyeCompleter
from stylehead.rendering.eyes.eyeball import eyeball, opening, opening_mask
from stylehead.rendering.eyes.lids import LidModel, shut_lid
from stylehead.rendering.portrait_mesh import build_portrait_mesh
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.warp import Sampler, crop_of
from stylehead.types import Face
from tests.stand_ins.faces import drawn_portrait

SIZE = 400
NOTHING = np.zeros((478, 3), np.float32)
STILL, NOWHERE = np.eye(3, dtype=np.float32), np.zeros(3, np.float32)
SKIN, LASH, WHITE, IRIS, LIGHT = (
    (200, 150, 120), (60, 40, 30), (235, 235, 235), (60, 90, 40), (255, 255, 255)
)  # fmt: skip


def portrait_with_eyes(skin=SKIN, iris=IRIS, lash=LASH):
    """Return a portrait of one skin colour, with eyes drawn where its mesh has them."""
    drawn = drawn_portrait(side=SIZE, unit=0.3)
    pixels = np.full_like(drawn.pixels, skin)
    mesh = drawn.face.mesh.copy()
    for number, eye in enumerate(EYES):
        outline = opening(mesh, number, rim=0.0).round().astype(np.int32)
        width = float(np.ptp(outline[:, 0]))
        middle = mesh[eye[0][1:-1], :2].mean(0) / 2 + mesh[eye[1][1:-1], :2].mean(0) / 2
        rows = FACE + 5 * number + np.arange(5)
        around = np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]]) * 0.2 * width
        mesh[rows, :2] = middle + around
        opened = np.zeros(pixels.shape[:2], np.uint8)
        cv2.fillPoly(opened, [outline], 1)
        ball = np.full_like(pixels, WHITE)
        cv2.circle(ball, middle.round().astype(int).tolist(), round(0.2 * width), iris, -1)
        spot = (middle + np.array([0, 0.04 * width])).round().astype(int).tolist()
        cv2.circle(ball, spot, 2, LIGHT, -1)
        pixels[opened > 0] = ball[opened > 0]
        upper = mesh[eye[0], :2].round().astype(np.int32)
        cv2.polylines(pixels, [upper], False, lash, 2)
    return replace(drawn, pixels=pixels, face=Face(mesh, drawn.face.expression))


class Prepared:
    """A portrait, its mesh and what completes its eyes."""

    def __init__(self, portrait):
        self.mesh = build_portrait_mesh(portrait, size=SIZE)
        self.crop = crop_of(portrait.pixels, self.mesh)
        self.eyes = EyeCompleter(self.crop, self.mesh, portrait, LidModel.embedded())
        self.sampler = Sampler(self.crop)

    def posed(self, blink=0.0, gaze=(0.0, 0.0)):
        gaze = np.array(gaze, np.float32)
        return self.mesh.pose_vertices(NOTHING, STILL, NOWHERE, blink, gaze)

    def warped(self, vertices):
        return self.sampler(
            displacement_map(self.mesh.triangles, vertices, self.mesh.source, size=SIZE, cells=SIZE)
        )

    def made(self, **how):
        vertices = self.posed(**how)
        crop = self.warped(vertices)
        self.eyes.complete(crop, vertices)
        return crop


@pytest.fixture(scope="module")
def face():
    return Prepared(portrait_with_eyes())


def inside(prepared, rim=0.0):
    """Return the pixels of the right eye's opening in the still."""
    outline = opening(prepared.mesh.source, 0, rim)
    return opening_mask(outline, (SIZE, SIZE)) > 0.9


def iris_middle(crop, area):
    dark = area & (crop.astype(int).sum(-1) < 300)
    return np.argwhere(dark).mean(0)[::-1]


def test_open_eyes_that_look_straight_are_the_pictures_own(face):
    area = inside(face, rim=0.15)
    made, warped = face.made(), face.warped(face.posed())
    change, of_warp = (np.abs(crop.astype(int) - face.crop)[area].mean() for crop in (made, warped))
    assert change < 1
    assert change < of_warp + 0.2


def test_outside_the_eyes_nothing_changes(face):
    vertices = face.posed(blink=0.7, gaze=(5, 2))
    warped = face.warped(vertices)
    made = warped.copy()
    face.eyes.complete(made, vertices)
    near = np.zeros((SIZE, SIZE), bool)
    for eye in EYES:
        low, high = (
            getattr(vertices[np.concatenate(eye), :2], which)(0) for which in ("min", "max")
        )
        x0, y0, x1, y1 = (int(value) for value in (*(low - 4), *(high + 5)))
        side = max(x1 - x0, y1 - y0)
        near[y0 : y0 + side, x0 : x0 + side] = True
    assert (made != warped).any()
    np.testing.assert_array_equal(made[~near], warped[~near])


def test_a_shut_eye_shows_skin_where_the_eyeball_was(face):
    area = inside(face, rim=0.3)
    shut = face.made(blink=1.0)[area].astype(int)
    still = face.crop[area].astype(int)
    # No white, no iris: about the skin's own colour, within its shading.
    assert np.abs(shut - SKIN).mean() < 0.5 * np.abs(still - SKIN).mean()
    assert (shut[:, 2] < 200).all()


def test_shut_lids_have_the_hue_of_the_skin(face):
    shut = face.made(blink=1.0)[inside(face, rim=0.3)].astype(float).mean(0)
    np.testing.assert_allclose(shut / shut.sum(), np.array(SKIN) / sum(SKIN), atol=0.03)


def test_lids_of_a_grey_picture_are_grey():
    grey = Prepared(portrait_with_eyes((150,) * 3, (60,) * 3, (40,) * 3))
    shut = grey.made(blink=1.0)[inside(grey, rim=0.3)].astype(int)
    assert np.ptp(shut, axis=1).max() <= 2


def test_a_half_shut_eye_is_not_squeezed(face):
    """What the lid does not cover looks as in the still, where the warp presses it together."""
    vertices = face.posed(blink=0.5)
    left = opening_mask(opening(vertices, 0, 0.25), (SIZE, SIZE)) > 0.9
    left &= inside(face, rim=0.25)
    errors = [
        np.abs(crop[left].astype(int) - face.crop[left]).mean()
        for crop in (face.made(blink=0.5), face.warped(vertices))
    ]
    assert left.sum() > 50
    assert errors[0] < 0.6 * errors[1]


def test_the_lash_line_comes_down_with_the_lid(face):
    shut = face.made(blink=1.0).astype(int).sum(-1)
    vertices = face.posed(blink=1.0)
    x, y = vertices[EYES[0][0][4], :2].round().astype(int)
    above = shut[y - 14 : y - 8, x].mean()
    assert shut[y - 3 : y + 3, x].min() < 0.8 * above


def test_the_lash_line_is_redder_than_skin(face):
    """As in film; in the hue of skin it would be olive."""
    shut, vertices = face.made(blink=1.0).astype(float), face.posed(blink=1.0)
    skin = np.log(SKIN[0] / SKIN[2])
    for vertex in EYES[0][0][3:6]:
        x, y = vertices[vertex, :2].round().astype(int)
        red, _, blue = shut[y - 6 : y + 3, x].T
        assert np.log(red / blue).max() > 1.3 * skin


@pytest.mark.parametrize("gaze", [(8.0, 0.0), (-8.0, 0.0)])
def test_gaze_moves_the_iris_and_leaves_its_size(face, gaze):
    area = inside(face, rim=0.15)
    still, moved = face.made(), face.made(gaze=gaze)
    shift = face.posed(gaze=gaze)[-11, :2] - face.posed()[-11, :2]
    found = iris_middle(moved, area) - iris_middle(still, area)
    np.testing.assert_allclose(found, shift, atol=1.0)
    dark = [(area & (crop.astype(int).sum(-1) < 300)).sum() for crop in (still, moved)]
    assert dark[1] == pytest.approx(dark[0], rel=0.15)


def test_the_catchlight_stays_and_moves_half_as_far(face):
    area = inside(face, rim=0.15)
    middles = []
    for gaze in ((0.0, 0.0), (8.0, 0.0)):
        crop, iris = face.made(gaze=gaze), face.posed(gaze=gaze)[-11, :2]
        columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
        near = area & (np.hypot(columns - iris[0], rows - iris[1]) < 5)
        bright = np.argwhere(near & (crop.min(-1) > 180))
        assert len(bright) >= 4
        middles.append(bright.mean(0)[1])
    shift = face.posed(gaze=(8.0, 0.0))[-11, 0] - face.posed()[-11, 0]
    assert middles[1] - middles[0] == pytest.approx(shift / 2, abs=1.0)


def test_eyes_that_are_shut_in_the_picture_stay_as_they_are():
    portrait = portrait_with_eyes()
    mesh = portrait.face.mesh.copy()
    for upper, lower, *_ in EYES:
        mesh[upper[1:-1]] = mesh[lower[1:-1]] - [0, 0.5, 0]
    prepared = Prepared(replace(portrait, face=Face(mesh, portrait.face.expression)))
    assert prepared.mesh.shut == (True, True)
    for how in ({"blink": 1.0}, {"gaze": (8.0, 0.0)}):
        np.testing.assert_array_equal(prepared.made(**how), prepared.warped(prepared.posed(**how)))


def test_without_white_there_is_no_eyeball_to_move():
    portrait = portrait_with_eyes()
    mesh = portrait.face.mesh
    mesh[FACE + 1 : FACE + 5, :2] = mesh[FACE, :2] + 3 * (
        mesh[FACE + 1 : FACE + 5, :2] - mesh[FACE, :2]
    )
    prepared = build_portrait_mesh(portrait, size=SIZE)
    irises = prepared.in_crop(mesh)[FACE:]
    crop = crop_of(portrait.pixels, prepared)
    assert eyeball(crop, prepared.source, irises, 0) is None
    assert eyeball(crop, prepared.source, irises, 1) is not None


def test_a_lid_is_as_bright_as_the_skin_it_belongs_to():
    """Told against the cheek: twice the light gives about twice the lid."""
    middles = []
    for factor in (1, 0.5):
        skin = tuple(int(value * factor) for value in SKIN)
        portrait = portrait_with_eyes(skin)
        mesh = build_portrait_mesh(portrait, size=SIZE)
        lid = shut_lid(crop_of(portrait.pixels, mesh), mesh.source, 0, LidModel.embedded())
        covered = lid.layer[..., 0] > 0.9
        middles.append(np.median(lid.layer[covered][:, 1:].mean(-1)))
    assert middles[1] == pytest.approx(middles[0] / 2, rel=0.3)
