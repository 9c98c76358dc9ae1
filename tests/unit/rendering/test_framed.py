"""Scenes in other frames, before other backgrounds, and transparent."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stylehead.face.landmarks import to_68
from stylehead.rendering.framed import before, frame_around, framed, scaled, straight
from stylehead.rendering.mesh_renderer import load_mouth_networks
from stylehead.rendering.renderer import LoadedRenderer, Scene
from stylehead.tracking.matte import whole_matte
from tests.stand_ins.faces import drawn_portrait, make_style, performed_motion

CPU = torch.device("cpu")
MOST = 3840


def scene_of(picture, area, parts):
    return Scene(
        picture=picture, area=area, draw=lambda motions: iter(parts), patterns=[], batch=2,
        parallel=True, trial_frames=0, device=CPU,
    )  # fmt: skip


def shown(scene):
    """Return the frames of a scene as they are written."""
    top, left = (side.start for side in scene.area)
    for area in scene.draw([performed_motion(0.1)]):
        frame = scene.picture.copy()
        frame[top : top + area.shape[0], left : left + area.shape[1]] = area
        yield frame


@pytest.mark.parametrize(
    ("ratio", "size"),
    [(9 / 16, None), (16 / 9, None), (1.0, None), (9 / 16, (1080, 1920)), (4.0, (640, 160))],
)
def test_eyes_are_high_and_a_size_is_exact(astronaut, ratio, size):
    frame = frame_around([astronaut], ratio, size, MOST)
    if size:
        assert (frame.width, frame.height) == size
    assert frame.width / frame.height == pytest.approx(ratio, rel=0.02)
    mesh = scaled(astronaut, frame.scale).face.mesh
    eyes = to_68(mesh)[36:48]
    assert 0.29 < (eyes[:, 1].mean() - frame.top) / frame.height < 0.46
    inside = mesh[:, :2] - [frame.left, frame.top]
    assert (inside > 0).all() and (inside < [frame.width, frame.height]).all()
    assert frame.left % 2 == frame.top % 2 == 0


def test_a_frame_has_room_for_all_faces(astronaut):
    mesh = np.add(astronaut.face.mesh, [180, 40, 0]).astype(np.float32)
    other = replace(astronaut.face, mesh=mesh)
    both = [astronaut, replace(astronaut, face=other)]
    frame = frame_around(both, 0.5, None, MOST)
    for portrait in both:
        inside = portrait.face.mesh[:, :2] * frame.scale - [frame.left, frame.top]
        assert (inside > 0).all() and (inside < [frame.width, frame.height]).all()


@pytest.mark.parametrize("beyond", ["blur", "edge", np.array([1, 2, 3], np.uint8)])
@pytest.mark.parametrize("corner", [(-20, -30), (6, 10), (-8, 30), (40, -6)])
def test_a_frame_is_the_same_part_of_every_picture(astronaut, beyond, corner):
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 255, (60, 80, 3), np.uint8)
    area = np.s_[10:40, 20:70]
    parts = list(generator.integers(0, 255, (3, 30, 50, 3), np.uint8))
    frame = frame_around([astronaut], 1.0, (64, 64), MOST)
    frame = replace(frame, top=corner[0], left=corner[1], scale=1.0)
    scene = scene_of(picture, area, parts)
    found = list(shown(framed(scene, frame, beyond)))
    for whole, part in zip(shown(scene), found, strict=True):
        assert part.shape == (64, 64, 3)
        rows, columns = ((np.arange(64)[:, None] + start) for start in corner)
        inside = ((rows >= 0) & (rows < 60)) & ((columns >= 0) & (columns < 80)).T
        wanted = whole[rows.clip(0, 59), columns.clip(0, 79).T]
        np.testing.assert_array_equal(part[inside], wanted[inside])
        if isinstance(beyond, str) and beyond == "edge":
            still = picture[rows.clip(0, 59), columns.clip(0, 79).T]
            np.testing.assert_array_equal(part[~inside], still[~inside])
        if not isinstance(beyond, str):
            assert (part[~inside] == beyond).all()


def test_straight_colours_laid_over_anything_are_those_that_were_multiplied():
    generator = np.random.default_rng(1)
    cover = np.linspace(0, 255, 64).round().astype(np.uint8)[None].repeat(16, 0)
    colour = generator.integers(0, 255, (16, 64, 3)) * 0 + [180, 90, 40]
    alone = np.concatenate([colour * (cover[..., None] / 255), cover[..., None]], -1)
    alone = (alone + 0.5).astype(np.uint8)
    behind = generator.integers(0, 255, (16, 64, 3), np.uint8)
    scene = scene_of(alone, np.s_[0:16, 0:64], [alone])
    (made,) = shown(straight(scene))
    (laid,) = shown(before(scene, behind))
    share = made[..., 3:] / 255
    assert np.abs(made[..., :3] * share + behind * (1 - share) - laid).max() <= 3
    np.testing.assert_array_equal(made[..., 3], cover)
    assert np.abs(made[..., :3].astype(int) - [180, 90, 40])[cover > 0].mean() < 4


@pytest.fixture(scope="module")
def loaded():
    return LoadedRenderer(
        name="embedded", weights=(), mouths=load_mouth_networks(CPU), trial_frames=0, device=CPU
    )


@pytest.mark.parametrize("size", [160, None])
def test_before_its_own_background_the_person_is_as_in_the_opaque_picture(astronaut, loaded, size):
    matte = whole_matte([astronaut], "astronaut", None)
    portrait = replace(astronaut, matte=matte)
    references = [make_style().references]
    motion = performed_motion(0.5, degrees=(6, 8, 4), hertz=2, opening=0.2)[np.array([1, 9])]
    opaque, alone = (
        loaded.prepare([portrait], references, crop_size=size, cut_out=cut) for cut in (False, True)
    )
    assert alone.picture.shape[2] == 4
    plates = []
    for scene in (opaque, alone):
        plates.append([area.copy() for area in scene.draw([motion])])
    for whole, cut in zip(*plates, strict=True):
        cover = cut[..., 3]
        assert 0.2 < (cover == 255).mean() < 0.9
        sure = cover == 255
        assert np.abs(whole[sure].astype(int) - cut[sure][:, :3]).max() <= 2
        assert (cut[..., :3] <= cover[..., None].astype(int) + 1).all()


def test_the_head_is_cut_out_where_it_has_moved_to(astronaut, loaded):
    """The matte's edge goes with the pixels: a turn to one side, then to the other."""
    portrait = replace(astronaut, matte=whole_matte([astronaut], "astronaut", None))
    scene = loaded.prepare([portrait], [make_style().references], crop_size=None, cut_out=True)
    motion = performed_motion(1, hertz=1)
    shifts = np.zeros_like(motion.translation)
    shifts[:, 0] = 0.2
    still, moved = (
        next(iter(scene.draw([motion[:1].with_(translation=shifts[:1] * way)])))[..., 3].copy()
        for way in (-1, 1)
    )
    top = slice(20, 100)  # rows of the head
    places = [(one[top] * np.arange(one.shape[1])).sum() / one[top].sum() for one in (still, moved)]
    mesh = astronaut.face.mesh
    unit = float(np.linalg.norm(to_68(mesh)[36, :2] - to_68(mesh)[45, :2]))
    assert places[1] - places[0] == pytest.approx(0.4 * unit, abs=0.1 * unit)


def test_what_cannot_be_cut_out_is_refused():
    from stylehead.errors import FaceError

    portrait = drawn_portrait(side=161, unit=0.12)
    assert portrait.matte is None
    with pytest.raises(FaceError, match="cannot be cut out"):
        whole_matte([portrait], "drawn", None)
