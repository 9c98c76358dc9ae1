"""The mouth generator at run time: whatever size its file describes, it completes frames."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import Similarity
from stylehead.face.landmarks import INNER_LIPS, INNER_LOWER, INNER_UPPER
from stylehead.models.mouth_generator import MouthGenerator, MouthGeneratorConfig
from stylehead.rendering.mesh_renderer import load_mouth_networks, prepare
from stylehead.rendering.mouth.completer import MouthCompleter
from stylehead.rendering.mouth.crop import CROP_SIZE, CROP_UNITS, MouthCrop, mouth_middle
from stylehead.rendering.patterns import show_patterns
from stylehead.training.config import read_config
from stylehead.training.loop import save_weights
from stylehead.training.mouth_generator import PictureTraining
from stylehead.weights.networks import load_mouth_generator
from stylehead.weights.store import resolve
from tests.stand_ins.faces import STILL, gape, make_style

CPU = torch.device("cpu")
PAPER = read_config("style_generator_paper", PictureTraining).widths


def published(folder: Path, widths: tuple[int, ...]) -> Path:
    """Write an untrained style-aware generator of these widths, as training does."""
    net = MouthGenerator(MouthGeneratorConfig(widths=widths))
    with torch.no_grad():
        for value in net.parameters():
            value += 0.02 * torch.randn(value.shape)
        assert net.out.bias is not None
        net.out.bias[8:12] = 1.0  # green shows where it paints
    path = folder / "generator.safetensors"
    save_weights(path, net.state_dict(), {"config": json.dumps(asdict(net.config))})
    return path


def test_the_recipe_of_the_paper_has_the_paper_s_widths():
    assert PAPER == (64, 128, 256, 512, 512, 512, 512)
    with torch.device("meta"):
        net = MouthGenerator(MouthGeneratorConfig(widths=PAPER))
    assert sum(part.numel() for part in net.parameters()) > 30e6


@pytest.mark.parametrize("widths", [tuple(width // 32 for width in PAPER), (4, 6)])
def test_a_frame_is_completed_by_a_generator_of_any_size(astronaut, tmp_path, widths):
    net = load_mouth_generator(published(tmp_path, widths))
    assert net.config.widths == list(widths)
    references = make_style().references
    scene = prepare(astronaut, references, load_mouth_networks(CPU), crop_size=256, device=CPU)
    completer = MouthCompleter(net, CPU)
    show_patterns(scene.patterns, completer)
    wide = next(pattern for pattern in scene.patterns if pattern.template == "O")
    frame = scene.picture.copy()
    completer.complete([frame], [wide.vertices], [wide.mouth])
    x, y = wide.vertices[INNER_LIPS, :2].mean(0).round().astype(int)
    assert (frame[y, x] != scene.picture[y, x]).any()
    np.testing.assert_array_equal(frame[:40], scene.picture[:40])


# ---- the drawn inside of a mouth ------------------------------------------------------------

SKIN = (200, 160, 140)
SCALE = CROP_SIZE / CROP_UNITS  # one pixel of the crop is one of the mouth crop
SIDE = 160


def untrained():
    return MouthGenerator(MouthGeneratorConfig(patterns=0)).eval()


def shipped():
    return load_mouth_generator(resolve("style_mapping"), CPU)


def open_mouth(gap):
    """Return a mesh in crop pixels whose lips are parted by gap, and its mouth crop."""
    model = FaceModel.embedded()
    mesh = model.mean + model.mesh_offsets(gape(gap)[None])[0]
    middle = mouth_middle(model.mean)
    pose = Similarity(SCALE, STILL, SIDE / 2 - SCALE * middle)
    return pose.apply(mesh), MouthCrop.of(pose, middle)


def completed(net, gap):
    """Return the light of a completed crop (S, S) in [0, 1], and its mesh."""
    vertices, place = open_mouth(gap)
    crop = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    MouthCompleter(net, CPU).complete([crop], [vertices], [place])
    return crop.mean(-1) / 255, vertices


def inside(light, vertices):
    """Return the light along the middle of the open mouth, from lip to lip."""
    top, bottom = vertices[INNER_UPPER, 1].max(), vertices[INNER_LOWER, 1].min()
    assert bottom - top > 8
    column = round(float(vertices[INNER_UPPER, 0].mean()))
    rows = slice(int(np.ceil(top)) + 1, int(bottom) - 1)
    return light[rows, column - 5 : column + 6].mean(1)


@pytest.mark.parametrize("net", [untrained, shipped])
def test_an_open_mouth_shows_light_teeth_over_the_dark(net):
    """An untrained network paints no light at all: what is seen then is the drawing alone."""
    column = inside(*completed(net(), 0.22))
    brightest = int(column.argmax())
    assert brightest < len(column) / 2
    assert column[brightest] > 1.35 * column[brightest:].min()


def test_teeth_have_gaps_and_edges_that_no_smooth_network_paints():
    light, vertices = completed(untrained(), 0.22)
    column = round(float(vertices[INNER_UPPER, 0].mean()))
    top = int(vertices[INNER_UPPER, 1].max())
    across = light[top + 3, column - 20 : column + 21]
    assert np.abs(np.diff(across, 2)).max() > 0.01


def test_closed_lips_keep_their_own_pixels():
    light, vertices = completed(untrained(), 0.0)
    row = round(float(vertices[INNER_UPPER, 1].max())) - 6
    column = round(float(vertices[INNER_UPPER, 0].mean()))
    # Uncovered: what an untrained network lays over it, a twentieth of black, is all.
    assert light[row, column] == pytest.approx(np.mean(SKIN) / 255, rel=0.08)


def test_each_mouth_of_a_batch_gets_its_own_drawing():
    net, gaps = untrained(), (0.14, 0.26)
    alone = [completed(net, gap)[0] for gap in gaps]
    crops = [np.full((SIDE, SIDE, 3), SKIN, np.uint8) for _ in gaps]
    vertices, places = zip(*(open_mouth(gap) for gap in gaps), strict=True)
    MouthCompleter(net, CPU).complete(crops, vertices, places)
    assert np.abs(alone[0] - alone[1]).max() > 0.2
    for crop, one in zip(crops, alone, strict=True):
        np.testing.assert_allclose(crop.mean(-1) / 255, one, atol=0.01)
