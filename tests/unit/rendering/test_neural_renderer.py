"""The neural renderers with made-up weights: noise for pictures, but the whole path."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction

import numpy as np
import pytest
import torch

from stylehead.rendering.mesh_renderer import compose, load_mouth_networks, prepare, render
from stylehead.rendering.neural_renderer import BATCH, neural_crops, prepare_neural
from stylehead.types import Motion
from tests.stand_ins.faces import make_style
from tests.stand_ins.networks import Mirror

CPU = torch.device("cpu")
REFERENCES = make_style().references
MOUTHS = load_mouth_networks(CPU)


def still_motion(frames: int) -> Motion:
    return Motion(
        np.zeros((frames, 68, 3), np.float32),
        np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1)),
        np.zeros((frames, 3), np.float32),
        np.zeros(frames, np.float32),
        Fraction(25),
        np.zeros((68, 3), np.float32),
    )


def render_neural(scene, motion):
    for crop in neural_crops(scene, motion):
        frame = scene.still.picture.copy()
        compose([scene.still], [crop], frame)
        yield frame


def test_the_network_sees_the_portrait_s_crop(astronaut):
    network = Mirror()
    scene = prepare_neural(astronaut, REFERENCES, network, MOUTHS, crop_size=128, device=CPU)
    assert network.encoded.shape == (1, 3, 256, 256)
    assert 0 <= float(network.encoded.min()) < float(network.encoded.max()) <= 1
    shown = (network.encoded[0].permute(1, 2, 0) * 255).round().numpy()
    np.testing.assert_allclose(shown, scene.driver.picture, atol=1)


@pytest.mark.parametrize("crop_size", [128, 512])
def test_crops_come_at_the_size_asked_for(astronaut, crop_size):
    scene = prepare_neural(astronaut, REFERENCES, Mirror(), MOUTHS, crop_size=crop_size, device=CPU)
    frames = list(render_neural(scene, still_motion(2)))
    assert [frame.shape for frame in frames] == [(crop_size, crop_size, 3)] * 2
    assert frames[0].dtype == np.uint8


def test_the_crop_is_pasted_where_it_was_and_the_rest_stays(astronaut):
    scene = prepare_neural(astronaut, REFERENCES, Mirror(), MOUTHS, crop_size=None, device=CPU)
    embedded = prepare(astronaut, REFERENCES, MOUTHS, crop_size=None, device=CPU)
    (frame,) = render_neural(scene, still_motion(1))
    (wanted,) = render(embedded, still_motion(1))
    assert frame.shape == astronaut.pixels.shape
    x, y = scene.still.mesh.corner.astype(int)
    outside = np.ones(frame.shape[:2], bool)
    outside[max(0, y) : y + scene.still.mesh.size, max(0, x) : x + scene.still.mesh.size] = False
    np.testing.assert_array_equal(frame[outside], astronaut.pixels[outside])
    # The driver has fewer pixels than the picture; blurred alike, the two agree.
    difference = np.abs(frame.astype(int) - wanted)
    assert difference[~outside].mean() < 4


def test_frames_go_through_in_batches_and_none_is_lost(astronaut, monkeypatch):
    monkeypatch.setitem(BATCH, "cpu", 3)
    network = Mirror()
    scene = prepare_neural(astronaut, REFERENCES, network, MOUTHS, crop_size=128, device=CPU)
    assert len(list(render_neural(scene, still_motion(7)))) == 7
    assert network.batches == [3, 3, 1]


def test_frames_are_made_when_they_are_asked_for(astronaut):
    network = Mirror()
    scene = prepare_neural(astronaut, REFERENCES, network, MOUTHS, crop_size=128, device=CPU)
    frames = render_neural(scene, still_motion(1000))
    assert isinstance(frames, Generator)
    next(frames)
    next(frames)
    frames.close()
    assert network.batches == [1, 1]
    assert not torch.is_inference_mode_enabled()
