"""Several faces of one picture: they neither freeze nor drag each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stylehead.rendering.mesh_renderer import (
    compose,
    load_mouth_networks,
    prepare,
    render,
    render_crops,
)
from stylehead.rendering.portrait_mesh import build_portrait_mesh, nearness
from stylehead.rendering.renderer import LoadedRenderer
from stylehead.types import Portrait
from tests.stand_ins.faces import drawn_portrait, make_style, performed_motion
from tests.stand_ins.networks import Mirror
from tests.unit.rendering.test_mesh_renderer import still

CPU = torch.device("cpu")
REFERENCES = make_style().references
MOUTHS = load_mouth_networks(CPU)
SIDE = 420


def pair(gap: float) -> list[Portrait]:
    """Two faces of one picture, `gap` interocular distances apart, on a ground full of detail."""
    noise = np.random.default_rng(0).integers(60, 200, (SIDE // 6, SIDE // 6, 3))
    ground = noise.repeat(6, 0).repeat(6, 1).astype(np.uint8)
    unit = 0.1
    places = [(0.5 - gap * unit / 2, 0.45), (0.5 + gap * unit / 2, 0.45)]
    faces = [drawn_portrait(side=SIDE, unit=unit, place=place) for place in places]
    return [replace(face, pixels=ground, number=n, count=2) for n, face in enumerate(faces, 1)]


def scenes(portraits):
    return [
        prepare(
            portrait, REFERENCES, MOUTHS, crop_size=None, device=CPU,
            neighbours=[other.face.mesh for other in portraits if other is not portrait],
        )
        for portrait in portraits
    ]  # fmt: skip


def lively(phase: int):
    motion = performed_motion(1.0, degrees=(6, 8, 4), hertz=1.5, blinks=1, opening=0.2)
    return motion[(np.arange(12) + phase) % len(motion)]


def together(prepared, motions):
    crops = (render_crops(scene, motion) for scene, motion in zip(prepared, motions, strict=True))
    frames = []
    for moved in zip(*crops, strict=True):
        frames.append(prepared[0].picture.copy())
        compose(prepared, moved, frames[-1])
    return np.stack(frames)


def face_box(portrait):
    low, high = portrait.face.mesh[:, :2].min(0), portrait.face.mesh[:, :2].max(0)
    (left, top), (right, bottom) = low.astype(int), high.astype(int)
    return np.s_[:, top:bottom, left:right]


@pytest.mark.parametrize("gap", [2.1, 3.2])
def test_faces_whose_squares_overlap_lose_no_motion(gap):
    portraits = pair(gap)
    prepared = scenes(portraits)
    shared = prepared[0].mesh.size - gap * 0.1 * SIDE
    assert shared > 0.1 * prepared[0].mesh.size, "the squares do overlap"
    motions = [lively(0), lively(9)]
    found = together(prepared, motions).astype(float)
    for portrait, motion in zip(portraits, motions, strict=True):
        (alone,) = scenes([portrait])
        wanted = np.stack(list(render(alone, motion))).astype(float)
        box = face_box(portrait)
        change = [frames[box] - frames[box].mean(0) for frames in (found, wanted)]
        assert np.corrcoef(change[0].ravel(), change[1].ravel())[0, 1] > 0.95


def test_a_face_does_not_drag_its_neighbour():
    portraits = pair(2.6)
    prepared = scenes(portraits)
    quiet = still(12)
    with_one = together(prepared, [lively(0), quiet])
    without = together(prepared, [quiet, quiet])
    box = face_box(portraits[1])
    assert np.abs(with_one[box].astype(int) - without[box]).max() <= 1
    own = face_box(portraits[0])
    assert np.abs(with_one[own].astype(int) - without[own]).mean() > 5


def test_nothing_changes_outside_the_squares_and_nothing_tears_between_them():
    portraits = pair(3.0)
    prepared = scenes(portraits)
    frames = together(prepared, [lively(0), lively(9)]).astype(int)
    outside = np.ones((SIDE, SIDE), bool)
    for scene in prepared:
        x, y = scene.mesh.corner.astype(int)
        outside[max(0, y) : y + scene.mesh.size, max(0, x) : x + scene.mesh.size] = False
    picture = prepared[0].picture
    assert outside.any()
    np.testing.assert_array_equal(
        frames[:, outside], np.broadcast_to(picture[outside], frames[:, outside].shape)
    )
    middle = SIDE // 2
    seam = np.abs(frames - picture)[:, :, middle - 1 : middle + 1].mean()
    inside = np.mean([np.abs(frames - picture)[face_box(one)].mean() for one in portraits])
    assert seam < 0.2 * inside, "half-way, both nearly leave the picture as it is"


def test_a_face_alone_is_pasted_as_ever():
    (portrait,) = pair(0.0)[:1]
    one, other = (
        scenes([portrait])[0],
        prepare(portrait, REFERENCES, MOUTHS, crop_size=None, device=CPU),
    )
    for frame, wanted in zip(render(one, lively(0)), render(other, lively(0)), strict=True):
        np.testing.assert_array_equal(frame, wanted)


def test_several_faces_cost_their_crops_and_one_picture():
    prepared = scenes(pair(3.0))
    assert prepared[0].picture is prepared[1].picture
    quiet = [still(1), still(1)]
    frame = together(prepared, quiet)[0]
    frame[:] = 0
    assert prepared[0].picture.mean() > 50


def test_nearness_is_half_midway_and_counts_in_sizes_of_the_faces():
    one, other = (face.face.mesh for face in pair(4.0))
    middle = (one[:, :2].mean(0) + other[:, :2].mean(0)) / 2
    centres = np.stack([one[:, :2].mean(0), middle, other[:, :2].mean(0)])
    near = nearness(centres, one, [other])
    assert near[0] > 0.95
    assert near[1] == pytest.approx(0.5, abs=0.02)
    assert near[2] < 0.05
    np.testing.assert_allclose(near + nearness(centres, other, [one]), 1, atol=1e-5)
    np.testing.assert_array_equal(nearness(centres, one, []), 1)
    larger = (one - one.mean(0)) * 2 + one.mean(0)
    assert nearness(centres, larger, [other])[1] > 0.6


def test_a_neighbour_pins_only_what_is_around_a_face():
    portrait, neighbour = pair(2.6)
    alone = build_portrait_mesh(portrait, size=None)
    pinned = build_portrait_mesh(portrait, size=None, neighbours=[neighbour.face.mesh])
    assert (pinned.rigidity <= alone.rigidity).all()
    np.testing.assert_array_equal(pinned.rigidity[:468], 1)
    assert (pinned.rigidity < alone.rigidity).sum() > 10


class Painter(Mirror):
    """A network that fills each face's whole crop with a colour of its own."""

    def __init__(self, *colours):
        super().__init__()
        self.left = list(colours)

    def encode_source(self, picture):
        return super().encode_source(torch.full_like(picture, self.left.pop(0)))

    def drive(self, source, driving):
        return torch.full_like(driving, float(source[0].mean()))


def test_what_a_network_makes_up_ends_half_way_to_the_neighbour():
    portraits = pair(2.6)
    renderer = LoadedRenderer(
        name="painter", weights=(), mouths=MOUTHS, trial_frames=0, device=CPU,
        network=Painter(0.0, 1.0),
    )  # fmt: skip
    scene = renderer.prepare(portraits, [REFERENCES] * 2, crop_size=None)
    frame = scene.picture.copy()
    (frame[scene.area],) = scene.draw([still(1), still(1)])
    assert [len(patterns) for patterns in scene.patterns] == [4, 4]
    assert scene.estimate([still(30), still(30)]).startswith(f"30 frames of {SIDE} x {SIDE}")
    dark, bright = (frame[face_box(portrait)[1:]] for portrait in portraits)
    assert np.median(dark) == 0
    assert np.median(bright) == 255
    assert (dark > 127).mean() < 0.05
    assert (bright < 127).mean() < 0.05
