"""Frames made in batches on a device are those of the processor, and nothing is asked back."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stylehead.options import Renderer
from stylehead.rendering.batched import scene as batched
from stylehead.rendering.batched.scene import frames_at_once
from stylehead.rendering.renderer import load_renderer
from tests.stand_ins.faces import drawn_portrait, make_style, performed_motion
from tests.unit.rendering.test_together import lively as phased
from tests.unit.rendering.test_together import pair

CPU = torch.device("cpu")
EMBEDDED = load_renderer(Renderer.EMBEDDED, CPU)
BATCHED = replace(EMBEDDED, batched=True)
REFERENCES = make_style().references


def lively(frames=3, **how):
    """Return a motion with turns, an opening mouth, blinks and gaze."""
    motion = performed_motion(1.0, degrees=(8, 14, 8), hertz=1.5, blinks=2, opening=0.2, **how)
    rows = np.linspace(0, len(motion) - 1, frames).astype(int)
    turns = np.linspace(-8, 8, 2 * frames, dtype=np.float32).reshape(frames, 2)
    blink = np.linspace(0, 1, frames, dtype=np.float32)
    return replace(motion[rows], gaze=turns, blink=blink)


def frames(renderer, portraits, motions, **how):
    how.setdefault("crop_size", None)
    scene = renderer.prepare(portraits, [REFERENCES] * len(portraits), **how)
    return np.stack([frame.copy() for frame in scene.draw(motions)])


def apart(portraits, motions, **how):
    one, other = (frames(each, portraits, motions, **how) for each in (EMBEDDED, BATCHED))
    assert one.shape == other.shape
    assert other.dtype == np.uint8
    still = EMBEDDED.prepare(
        portraits, [REFERENCES] * len(portraits), crop_size=how.get("crop_size")
    )
    assert np.abs(one.astype(int)[..., :3] - still.picture[still.area]).max() > 20, "it moves"
    return np.abs(one.astype(int) - other)


def assert_agree(difference):
    assert difference.mean() < 0.1
    assert np.percentile(difference, 99.9) <= 4


@pytest.mark.parametrize("how", [{}, {"crop_size": 192, "appearance": False}])
def test_a_photograph_is_the_same(astronaut, how):
    assert_agree(apart([astronaut], [lively()], **how))


def test_a_person_alone_is_the_same(astronaut):
    assert astronaut.matte is not None
    assert_agree(apart([astronaut], [lively()], crop_size=192, cut_out=True))


def test_hair_that_the_picture_cuts_is_the_same(astronaut):
    over = 60
    face = replace(astronaut.face, mesh=astronaut.face.mesh - np.array([0, over, 0], np.float32))
    assert astronaut.matte is not None
    cut = replace(
        astronaut, pixels=astronaut.pixels[over:], matte=astronaut.matte[over:], face=face
    )
    assert_agree(apart([cut], [lively()], crop_size=192))


def test_a_head_at_the_edge_is_the_same():
    portrait = drawn_portrait(side=300, unit=0.16, place=(0.88, 0.8))
    assert_agree(apart([portrait], [lively()]))


def test_two_faces_are_the_same():
    assert_agree(apart(pair(gap=4.0), [phased(0)[[0, 7]], phased(4)[[0, 7]]]))


def test_a_grey_portrait_is_painted_in_greys(astronaut):
    grey = astronaut.pixels.mean(-1, keepdims=True).repeat(3, -1).astype(np.uint8)
    made = frames(BATCHED, [replace(astronaut, pixels=grey)], [lively()], crop_size=192)
    assert np.ptp(made.astype(int), axis=-1).max() <= 1


def test_frames_do_not_depend_on_how_many_are_made_at_once(astronaut, monkeypatch):
    whole = frames(BATCHED, [astronaut], [lively(3)], crop_size=192)
    monkeypatch.setattr(batched, "frames_at_once", lambda _: 2)
    parts = frames(BATCHED, [astronaut], [lively(3)], crop_size=192)
    assert np.abs(whole.astype(int) - parts).max() <= 1
    np.testing.assert_array_equal(parts, frames(BATCHED, [astronaut], [lively(3)], crop_size=192))


def test_larger_crops_are_made_fewer_at_once():
    assert [frames_at_once(size) for size in (256, 512, 1024, 2048, 4096)] == [16, 16, 4, 1, 1]


def test_nothing_is_asked_back_before_the_frames_are_made(astronaut, monkeypatch):
    scene = BATCHED.prepare([astronaut], [REFERENCES], crop_size=192)
    motion, asked = lively(), []
    for name in ("cpu", "numpy", "tolist", "item", "__bool__", "__int__", "__float__", "nonzero"):
        own = getattr(torch.Tensor, name)

        def noted(tensor, *given, _own=own, _name=name, **named):
            asked.append(_name)
            return _own(tensor, *given, **named)

        monkeypatch.setattr(torch.Tensor, name, noted)
    list(scene.draw([motion]))
    assert asked == ["numpy"]  # the finished frames
