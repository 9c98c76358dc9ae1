"""Shut eyes and covered mouths of a portrait are said."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stylehead.face.landmarks import EYES
from stylehead.tracking.covered import mouth_is_covered, notes_on
from stylehead.tracking.portrait import find_portrait
from stylehead.types import Face, Pixels
from tests.stand_ins import media

MASK = (197, 50, 123, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397)
MASK += (288, 361, 352, 280)
"""Mesh vertices around nose, cheeks and chin."""


@pytest.fixture(scope="module")
def bare(home: object) -> tuple[Pixels, Face]:
    del home  # the model file is there
    pixels = media.portrait()
    return pixels, find_portrait(pixels, name="bare").face


def masked(pixels: Pixels, face: Face, colour: tuple[int, int, int]) -> Pixels:
    """Return a picture with a mask over mouth and chin, in light and shade."""
    outline = face.mesh[list(MASK), :2].round().astype(np.int32)
    shape = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillPoly(shape, [outline], 1)
    shade = 0.75 + 0.25 * np.sin(np.arange(pixels.shape[0]) / 4)[:, None, None]
    mask = (np.array(colour) * shade).clip(0, 255) * np.ones(pixels.shape)
    return np.where(shape[..., None] > 0, mask, pixels).astype(np.uint8)


@pytest.mark.parametrize(
    "colour", [(150, 190, 220), (240, 240, 240), (60, 60, 66), (110, 190, 130), (200, 140, 170)]
)
def test_a_masked_mouth_is_noted(bare: tuple[Pixels, Face], colour: tuple[int, int, int]) -> None:
    pixels, face = bare
    picture = masked(pixels, face, colour)
    found = find_portrait(picture, name="me.jpg")
    assert any("mouth in me.jpg seems to be covered" in note for note in found.notes)


@pytest.mark.parametrize("change", ["none", "dark", "warm", "grey", "small"])
def test_a_bare_mouth_is_not(bare: tuple[Pixels, Face], change: str) -> None:
    pixels, face = bare
    if change == "dark":
        pixels = (pixels * 0.4).astype(np.uint8)
    elif change == "warm":
        pixels = (pixels * np.array([1.0, 0.85, 0.6])).astype(np.uint8)
    elif change == "grey":
        pixels = np.repeat(pixels.mean(2, keepdims=True), 3, 2).astype(np.uint8)
    elif change == "small":
        pixels = media.resized(pixels, (256, 256))
        face = replace(face, mesh=face.mesh / 2)
    assert not mouth_is_covered(pixels, face)
    assert notes_on(pixels, face, "me.jpg") == ()


@pytest.mark.parametrize(
    ("which", "said"), [((0, 1), "The eyes in me.jpg are shut"), ((1,), "An eye in me.jpg is shut")]
)
def test_shut_eyes_are_noted(bare: tuple[Pixels, Face], which: tuple[int, ...], said: str) -> None:
    pixels, face = bare
    mesh = face.mesh.copy()
    for eye in (EYES[number] for number in which):
        mesh[eye[0][1:-1]] = mesh[eye[1][1:-1]]
    (note,) = notes_on(pixels, replace(face, mesh=mesh), "me.jpg")
    assert note.startswith(said)
