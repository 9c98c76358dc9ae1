from dataclasses import replace
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
import torch

from stylehead.rendering.mesh_renderer import BATCH, CHUNK, load_mouth_networks, prepare, render
from stylehead.types import Motion
from tests.stand_ins.faces import STILL, drawn_portrait, make_style, mean_face, performed_motion

CPU = torch.device("cpu")
REFERENCES = make_style().references
MOUTHS = load_mouth_networks(CPU)


def still(frames=3):
    return Motion(
        np.zeros((frames, 68, 3), np.float32),
        np.tile(STILL, (frames, 1, 1)),
        np.zeros((frames, 3), np.float32),
        np.zeros(frames, np.float32),
        Fraction(30),
        mean_face(),
    )


def scene(crop_size=None, *, portrait=None, side=400, unit=0.12, **how):
    portrait = portrait or drawn_portrait(side=side, unit=unit, **how)
    return prepare(portrait, REFERENCES, MOUTHS, crop_size=crop_size, device=CPU)


def lively(seconds=0.4):
    return performed_motion(seconds, degrees=(6, 8, 4), hertz=1.5, blinks=1, opening=0.2)


def counted(where):
    """Return the scene with a sampler that counts its calls."""
    calls = []

    def sample(displacement, out=None):
        calls.append(1)
        return where.sampler(displacement, out)

    return replace(where, sampler=sample), calls


def test_there_is_one_frame_for_each_frame_of_motion():
    frames = list(render(scene(128), lively()))
    assert len(frames) == 12
    assert {frame.shape for frame in frames} == {(128, 128, 3)}
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}


def test_without_a_crop_frames_have_the_size_of_the_picture():
    portrait = drawn_portrait(side=301, unit=0.12)
    frame = next(render(scene(portrait=portrait), lively()))
    assert frame.shape == (301, 301, 3)


def test_frames_are_made_when_they_are_asked_for():
    where, calls = counted(scene(128))
    frames = render(where, lively(seconds=100))
    assert calls == []
    next(frames)
    assert len(calls) == BATCH["cpu"]
    list(islice(frames, BATCH["cpu"]))
    assert len(calls) == 2 * BATCH["cpu"]


def test_frames_are_the_same_wherever_chunks_meet():
    motion = lively(seconds=(CHUNK + 6) / 30)
    rows = slice(CHUNK - 3, CHUNK + 3)
    part = motion.with_(
        landmarks=motion.landmarks[rows], rotation=motion.rotation[rows],
        translation=motion.translation[rows], blink=motion.blink[rows],
        gaze=motion.gaze[rows],
    )  # fmt: skip
    where = scene(96)
    whole = list(render(where, motion))[rows]
    for one, other in zip(render(where, part), whole, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_rendering_twice_gives_the_same_pictures():
    one, other = (list(render(scene(128), lively())) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_a_face_at_rest_looks_like_the_picture():
    portrait = drawn_portrait(side=400, unit=0.12)
    frame = next(render(scene(portrait=portrait), still()))
    change = np.abs(frame.astype(int) - portrait.pixels)
    assert change.mean() < 0.5
    assert np.percentile(change, 99) <= 3


def test_outside_the_crop_the_picture_is_untouched():
    where = scene()
    x, y = where.mesh.corner.astype(int)
    outside = np.ones(where.picture.shape[:2], bool)
    outside[max(0, y) : y + where.mesh.size, max(0, x) : x + where.mesh.size] = False
    assert outside.sum() > 1000
    for frame in render(where, lively()):
        np.testing.assert_array_equal(frame[outside], where.picture[outside])


def test_the_crop_fades_into_the_picture_without_a_seam():
    """Inside its border the moved crop equals the still picture to within a little."""
    where = scene()
    x, y = where.mesh.corner.astype(int)
    size = where.mesh.size
    for frame in render(where, lively()):
        rim = np.zeros(frame.shape[:2], bool)
        rim[y : y + size, x : x + size] = True
        rim[y + 2 : y + size - 2, x + 2 : x + size - 2] = False
        assert np.abs(frame[rim].astype(int) - where.picture[rim]).max() <= 4


def test_motion_moves_the_face(astronaut):
    where = prepare(astronaut, REFERENCES, MOUTHS, crop_size=128, device=CPU)
    rest, turned = still(1), still(1)
    turned.rotation[:] = performed_motion(1, degrees=(0, 12, 0)).rotation[8]
    one, other = next(render(where, rest)), next(render(where, turned))
    assert np.abs(one.astype(int) - other).mean() > 3


def test_an_opening_mouth_darkens(astronaut):
    where = prepare(astronaut, REFERENCES, MOUTHS, crop_size=256, device=CPU)
    opened = still(1)
    opened.landmarks[:, (65, 66, 67), 1] = 0.3
    opened.landmarks[:, 55:60, 1] = 0.28
    shut, gaping = next(render(where, still(1))), next(render(where, opened))
    lips = where.mesh.pose_vertices(
        np.zeros((478, 3), np.float32), STILL, np.zeros(3, np.float32), 0.0
    )[[13, 14], :2].mean(0)
    x, y = np.round(lips).astype(int)
    below = np.s_[y + 2 : y + 12, x - 6 : x + 6]
    assert gaping[below].mean() < shut[below].mean() - 15


def test_rendering_leaves_portrait_and_motion_alone(astronaut):
    motion = lively()
    before = astronaut.pixels.copy(), astronaut.face.mesh.copy(), motion.landmarks.copy()
    list(render(prepare(astronaut, REFERENCES, MOUTHS, crop_size=96, device=CPU), motion))
    np.testing.assert_array_equal(astronaut.pixels, before[0])
    np.testing.assert_array_equal(astronaut.face.mesh, before[1])
    np.testing.assert_array_equal(motion.landmarks, before[2])


def test_each_frame_is_a_picture_of_its_own():
    where = scene()
    frames = list(render(where, lively()))
    frames[0][:] = 0
    assert frames[1].mean() > 50
    assert where.picture.mean() > 50


@pytest.mark.parametrize("place", [(0.1, 0.15), (0.95, 0.5), (0.5, 0.98)])
def test_a_face_cut_by_the_edge_of_the_picture_can_be_rendered(place):
    portrait = drawn_portrait(side=240, unit=0.2, place=place)
    for size in (None, 128):
        where = prepare(portrait, REFERENCES, MOUTHS, crop_size=size, device=CPU)
        frame = list(render(where, lively(0.1)))[-1]
        assert frame.shape[:2] == ((240, 240) if size is None else (128, 128))


@pytest.mark.parametrize("shape", [(180, 400), (400, 180), (97, 103)])
def test_pictures_of_any_shape_can_be_rendered(shape):
    portrait = drawn_portrait(side=400, unit=0.12)
    mesh = portrait.face.mesh + np.array([shape[1] / 2 - 200, shape[0] / 2 - 180, 0], np.float32)
    small = replace(
        portrait,
        pixels=np.ascontiguousarray(portrait.pixels[: shape[0], : shape[1]]),
        face=replace(portrait.face, mesh=mesh),
    )
    where = prepare(small, REFERENCES, MOUTHS, crop_size=None, device=CPU)
    frame = next(render(where, lively(0.1)))
    assert frame.shape == (*shape, 3)
