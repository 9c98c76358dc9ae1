"""A person cut out of a picture and laid back."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import OVAL
from stylehead.rendering.mesh_renderer import load_mouth_networks, move, prepare, render
from stylehead.rendering.still.cut import cut_layer, in_front
from stylehead.rendering.warp import Sampler
from tests.stand_ins.faces import make_style, performed_motion

SIZE = 256
NOTHING, NOWHERE = np.zeros((478, 3), np.float32), np.zeros(3, np.float32)


@pytest.fixture(scope="module")
def scene(astronaut):
    return scene_of(astronaut)


def scene_of(portrait):
    cpu = torch.device("cpu")
    references = make_style().references
    return prepare(portrait, references, load_mouth_networks(cpu), crop_size=SIZE, device=cpu)


def posed(scene, pitch, yaw):
    rotation = rotation_from_angles(np.array([pitch, yaw, 0.0]))
    return scene.mesh.pose_vertices(NOTHING, rotation, NOWHERE, 0.0)


def outline(scene):
    return scene.mesh.source[OVAL, :2]


def test_laid_back_unmoved_the_picture_is_as_it_was(scene):
    crop = scene.picture
    layer = cut_layer(crop, scene.mesh.matte, outline(scene))
    difference = np.abs(layer.over(layer.pixels).astype(int) - crop)
    assert difference.mean() < 0.1
    assert np.percentile(difference, 99.5) <= 2


def test_hair_that_the_matte_misses_goes_with_the_person():
    """It is laid back unmoved, and leaves no outline where they have been."""
    far = np.hypot(*(np.indices((400, 400)) - 200))
    picture = np.full((400, 400, 3), 150, np.uint8)
    picture[far < 100] = (90, 60, 40)
    picture[np.abs(far - 101.5) < 0.5] = (70, 50, 40)
    picture[np.abs(far - 102.5) < 0.5] = 230
    matte = np.where(far < 100, 255, 0).astype(np.uint8)
    layer = cut_layer(picture, matte, np.array([[180, 180], [220, 180], [200, 230]], np.float32))
    assert np.abs(layer.over(layer.pixels).astype(int) - picture).max() <= 2
    assert np.abs(layer.plate[far > 100].astype(int) - 150).max() <= 6
    assert not layer.pixels[far > 110].any()


def background(scene, vertices):
    """Return where nobody is, neither in the still nor when the person has moved."""
    taken = np.where(scene.layer.pixels.any(-1, keepdims=True), np.uint8(255), np.uint8(0))
    black = np.concatenate([np.repeat(0 * taken, 3, -1), taken], -1)
    layer = replace(scene.layer, pixels=black, plate=np.full_like(scene.picture, 255))
    alone = replace(scene, layer=layer, sampler=Sampler(black))
    gone = move(alone, vertices)[..., 0]
    # Two pixels more: cubic samples reach that far.
    person = cv2.dilate((gone < 255).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return (taken[..., 0] == 0) & ~person


@pytest.mark.parametrize("turn", [(0, 15), (0, -15), (15, 0), (-15, 0)])
def test_where_nobody_is_the_background_stays_bit_by_bit(scene, turn):
    vertices = posed(scene, *turn)
    outside = background(scene, vertices)
    assert outside.mean() > 0.1
    np.testing.assert_array_equal(move(scene, vertices)[outside], scene.picture[outside])


def test_the_background_moves_where_it_cannot_be_told_from_the_person(astronaut, scene):
    whole = scene_of(replace(astronaut, matte=None))
    assert whole.layer is None
    outside = background(scene, posed(scene, 0, 15))
    moved = move(whole, posed(whole, 0, 15)).astype(int)
    assert np.abs(moved - whole.picture)[outside].mean() > 1


def with_microphone(portrait):
    """Return a portrait with a red bar before the mouth, which its matte leaves out."""
    x, y = portrait.face.mesh[17, :2].astype(int)
    bar = np.s_[y - 12 : y + 60, x - 9 : x + 9]
    pixels, matte = portrait.pixels.copy(), portrait.matte.copy()
    pixels[bar] = (200, 20, 20)
    matte[bar] = 0
    return replace(portrait, pixels=pixels, matte=matte)


def test_what_is_in_front_of_the_face_is_held_still(astronaut, scene):
    assert scene.layer.front is None
    assert not in_front(scene.mesh.matte, outline(scene)).any()
    held = scene_of(with_microphone(astronaut))
    assert held.layer is not None
    front = held.layer.front
    assert front is not None
    inside = front[..., 3] > 254
    assert inside.sum() > 200
    motion = performed_motion(0.2, degrees=(6, 12, 4), hertz=2.0, opening=0.2)
    for frame in render(held, motion):
        assert np.abs(frame[inside].astype(int) - held.picture[inside]).max() <= 1
    # Behind it is the face, not the thing again.
    behind = held.layer.pixels[inside].astype(int)
    assert (behind[:, 3] == 255).all()
    assert (behind[:, 0] - behind[:, 1]).mean() < 90
