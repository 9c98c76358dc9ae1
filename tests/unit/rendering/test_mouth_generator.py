"""The mouth generator at run time: whatever size its file describes, it completes frames."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from stylehead.face.landmarks import INNER_LIPS
from stylehead.models.mouth_generator import MouthGenerator, MouthGeneratorConfig
from stylehead.rendering.mesh_renderer import load_mouth_networks, prepare
from stylehead.rendering.mouth_generator import MouthCompleter
from stylehead.training.config import read_config
from stylehead.training.loop import save_weights
from stylehead.training.mouth_generator import PictureTraining
from stylehead.weights.networks import load_mouth_generator
from tests.stand_ins.faces import make_style

CPU = torch.device("cpu")
PAPER = read_config("style_generator_paper", PictureTraining).widths


def published(folder: Path, widths: tuple[int, ...]) -> Path:
    """Write an untrained style-aware generator of these widths, as training does."""
    net = MouthGenerator(MouthGeneratorConfig(widths=widths))
    with torch.no_grad():
        for value in net.parameters():
            value += 0.02 * torch.randn(value.shape)
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
    completer.encode_patterns([pattern.patch() for pattern in scene.patterns])
    wide = next(pattern for pattern in scene.patterns if pattern.template == "O")
    frame = scene.picture.copy()
    completer.complete([frame], [wide.vertices], [wide.mouth])
    x, y = wide.vertices[INNER_LIPS, :2].mean(0).round().astype(int)
    assert (frame[y, x] != scene.picture[y, x]).any()
    np.testing.assert_array_equal(frame[:40], scene.picture[:40])
