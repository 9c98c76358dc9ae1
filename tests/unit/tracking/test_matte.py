"""The person is told from the background, by the segmenter or by what the user gives."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stylehead.errors import FaceError
from stylehead.face.landmarks import OVAL
from stylehead.tracking import matte as matte_module
from stylehead.tracking.matte import GivenMatte, find_matte, whole_matte
from stylehead.types import Floats, Pixels, Portrait
from tests.stand_ins import segmenters

SIDE = 512


def head(mesh: Floats, shape: tuple[int, ...], size: float) -> Pixels:
    """Draw a face's outline, enlarged, as a matte."""
    oval = mesh[OVAL, :2]
    drawn = np.zeros(shape[:2], np.uint8)
    outline = oval.mean(0) + size * (oval - oval.mean(0))
    cv2.fillConvexPoly(drawn, outline.round().astype(np.int32), 255)
    return drawn


@pytest.fixture
def mesh(astronaut: Portrait) -> Floats:
    """A face so large in the picture of the astronaut that all of that is looked at."""
    mesh = astronaut.face.mesh.copy()
    oval = mesh[OVAL, :2]
    scale = SIDE / 2.5 / np.ptp(oval, axis=0).max()
    mesh[:, :2] = (mesh[:, :2] - oval.mean(0)) * scale + SIDE / 2
    return mesh


def test_a_photograph_has_its_person_cut_out(astronaut: Portrait) -> None:
    matte = astronaut.matte
    assert matte is not None
    assert matte.shape == astronaut.pixels.shape[:2]
    x, y = astronaut.face.mesh[4, :2].astype(int)
    assert matte[y, x] == 255
    assert (matte[:40, :40] == 0).all()
    assert 0.1 < (matte > 127).mean() < 0.8


def test_hair_keeps_its_cover_between_none_and_all(
    monkeypatch: pytest.MonkeyPatch, mesh: Floats
) -> None:
    """A dark disc with a soft edge on a light wall: the cover found is the one drawn."""
    rows, columns = np.indices((SIDE, SIDE))
    far = np.hypot(rows - SIDE / 2, columns - SIDE / 2)
    cover = ((150 - far) / 8 + 0.5).clip(0, 1)
    pixels = (230 - 190 * cover[..., None] * np.ones(3)).astype(np.uint8)
    coarse = cv2.GaussianBlur((far < 153).astype(np.float32), (0, 0), 3)
    segmenters.answer(monkeypatch, matte_module, np.asarray(coarse, np.float32))
    found, notes = find_matte(pixels, mesh, "me")
    assert found is not None and notes == ()
    band = (cover > 0.05) & (cover < 0.95)
    assert np.abs(found / 255 - cover)[band].mean() < 0.12
    assert (found[far > 175] == 0).all() and (found[far < 130] == 255).all()


@pytest.mark.parametrize("sure", [0.5, 0.0])
def test_a_person_who_cannot_be_told_is_said_and_has_no_matte(
    monkeypatch: pytest.MonkeyPatch, astronaut: Portrait, sure: float
) -> None:
    segmenters.answer(monkeypatch, matte_module, sure)
    matte, notes = find_matte(astronaut.pixels, astronaut.face.mesh, "me.jpg")
    assert matte is None
    assert "me.jpg cannot be told from the background" in notes[0]


def test_without_a_background_there_is_nothing_to_say(
    monkeypatch: pytest.MonkeyPatch, astronaut: Portrait
) -> None:
    segmenters.answer(monkeypatch, matte_module, 1.0)
    assert find_matte(astronaut.pixels, astronaut.face.mesh, "me.jpg") == (None, ())


def test_others_who_do_not_touch_the_person_are_background(
    monkeypatch: pytest.MonkeyPatch, astronaut: Portrait, mesh: Floats
) -> None:
    pixels = astronaut.pixels
    coarse = head(mesh, pixels.shape, 1.3).astype(np.float32) / 255
    coarse[:60, :60] = 1
    segmenters.answer(monkeypatch, matte_module, coarse)
    matte, _ = find_matte(pixels, mesh, "me")
    assert matte is not None and not matte[:50, :50].any()


@pytest.mark.parametrize("path", ["matte.png", None])
def test_a_given_matte_is_taken_as_it_is(astronaut: Portrait, path: str | None) -> None:
    pixels, mesh = astronaut.pixels, astronaut.face.mesh
    given = head(mesh, pixels.shape, 1.2)
    matte, notes = find_matte(pixels, mesh, "me", GivenMatte(given, path))
    assert matte is not None and notes == ()
    np.testing.assert_array_equal(matte, given)


def test_a_given_matte_without_the_face_is_refused(astronaut: Portrait) -> None:
    pixels, mesh = astronaut.pixels, astronaut.face.mesh
    given = GivenMatte(255 - head(mesh, pixels.shape, 1.2), "inverted.png")
    with pytest.raises(FaceError, match=r"inverted\.png leaves out the face of me"):
        find_matte(pixels, mesh, "me", given)


def test_rounded_corners_are_no_matte(astronaut: Portrait) -> None:
    """Transparency that does not end at the person says nothing about them."""
    corners = np.full(astronaut.pixels.shape[:2], 255, np.uint8)
    corners[:40, :40] = 0
    pixels, mesh = astronaut.pixels, astronaut.face.mesh
    matte, _ = find_matte(pixels, mesh, "me", GivenMatte(corners))
    assert matte is not None and (matte < 255).mean() > 0.2


def test_a_bar_behind_the_head_is_not_cut_out_with_it(
    monkeypatch: pytest.MonkeyPatch, mesh: Floats
) -> None:
    """Dark as hair: the segmenter's edge alone does not tell them apart, what goes on does."""
    rows, columns = np.indices((SIDE, SIDE))
    far = np.hypot(rows - SIDE / 2, columns - SIDE / 2)
    pixels = np.full((SIDE, SIDE, 3), 210, np.uint8)
    pixels[np.abs(rows - 200) < 8] = (30, 40, 90)
    pixels[far < 150] = (90, 60, 40)
    segmenters.answer(monkeypatch, matte_module, (far < 151).astype(np.float32))
    found, _ = find_matte(pixels, mesh, "me")
    assert found is not None
    assert found[(np.abs(rows - 200) < 6) & (far > 154)].max() < 30
    assert found[far < 146].min() > 225


def test_what_only_passes_for_a_person_at_the_edge_of_a_picture_is_not_cut_out(
    monkeypatch: pytest.MonkeyPatch, astronaut: Portrait
) -> None:
    """A second view, in which the picture goes on, does not show it so."""
    wide = astronaut.pixels.shape[1]
    matte = astronaut.matte
    assert matte is not None

    def views(pixels: Pixels) -> Floats:
        pad = (pixels.shape[1] - wide) // 2
        seen = np.pad(matte / np.float32(255), pad)
        if pad == 0:
            seen[-60:, :40] = 0.7
        return seen

    segmenters.answer(monkeypatch, matte_module, views)
    found = whole_matte([astronaut], "astronaut", None)
    assert found[-40:, :20].max() == 0
    inside = cv2.erode(matte, np.ones((15, 15), np.uint8)) == 255
    assert (found[inside] > 250).mean() > 0.99


def test_the_flag_beside_the_built_in_portrait_is_not_cut_out(astronaut: Portrait) -> None:
    found = whole_matte([astronaut], "astronaut", None)
    assert found[400:480, :14].mean() < 40
    assert found[200:300, 60:330].mean() > 200, "the suit is"
    assert found[400:480, 330:450].mean() > 245, "and the helmet is"
