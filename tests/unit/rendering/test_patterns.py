from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from stylehead.face.geometry import rotation_from_angles
from stylehead.media.image import read_image
from stylehead.models.mouth_generator import MouthGenerator, MouthGeneratorConfig
from stylehead.rendering.mesh_renderer import load_mouth_networks, prepare
from stylehead.rendering.mouth.completer import MouthCompleter
from stylehead.rendering.patterns import PATTERN, is_colourless, map_styles, save_patterns
from stylehead.rendering.portrait_mesh import build_portrait_mesh
from stylehead.types import TEMPLATES, StyleReference
from tests.stand_ins.faces import STILL, drawn_portrait, mean_face

CPU = torch.device("cpu")
MOUTHS = load_mouth_networks(CPU)
OPENINGS = {"none": 0.0, "M": 0.0, "R": 0.06, "O": 0.2}


def references(face=None, *, angles=(0.0, 0.0, 0.0)):
    """Return references of a person with this face (68, 3) who opens the mouth for R and O."""
    face = mean_face() if face is None else face
    found = []
    for template, gape in OPENINGS.items():
        landmarks = face.copy()
        landmarks[[65, 66, 67], 1] += gape
        landmarks[55:60, 1] += 0.9 * gape
        rotation = STILL if template == "none" else rotation_from_angles(np.array(angles))
        found.append(
            StyleReference(template, 0.0, 0.0, landmarks, rotation, np.zeros(52, np.float32))
        )
    return tuple(found)


def patterns_of(portrait, given, size=128):
    return prepare(portrait, given, MOUTHS, crop_size=size, device=CPU).patterns


def test_there_are_four_patterns_in_the_paper_s_order(astronaut):
    found = patterns_of(astronaut, references())
    assert tuple(one.template for one in found) == TEMPLATES
    assert {one.pixels.shape for one in found} == {(128, 128, 3)}


def test_the_none_pattern_is_the_portrait_at_rest(astronaut):
    scene = prepare(astronaut, references(), MOUTHS, crop_size=128, device=CPU)
    away = np.abs(scene.patterns[0].pixels.astype(int) - scene.picture)
    assert np.median(away) <= 2  # it may differ where the portrait is no neutral face


def test_patterns_open_the_mouth_as_their_references_do(astronaut):
    gaps = [
        one.vertices[14, 1] - one.vertices[13, 1] for one in patterns_of(astronaut, references())
    ]
    assert gaps[0] == pytest.approx(gaps[1])
    assert gaps[1] < gaps[2] < gaps[3]


def test_the_style_person_s_own_shape_does_not_come_along(astronaut):
    long = mean_face() * np.array([0.8, 1.3, 1.1], np.float32)
    one, other = patterns_of(astronaut, references()), patterns_of(astronaut, references(long))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a.vertices, b.vertices, atol=1e-3)


def test_patterns_turn_as_the_reference_does_relative_to_none(astronaut):
    still = patterns_of(astronaut, references())
    turned = patterns_of(astronaut, references(angles=(0.0, 12.0, 0.0)))
    nose = [one[3].vertices[1, 0] for one in (still, turned)]
    assert nose[1] > nose[0] + 1  # to the subject's left, the image's right
    np.testing.assert_allclose(still[0].vertices, turned[0].vertices)


def test_saved_patterns_are_pictures_of_512_pixels(astronaut, tmp_path):
    save_patterns(patterns_of(astronaut, references()), tmp_path / "patterns")
    names = sorted(path.name for path in (tmp_path / "patterns").iterdir())
    assert names == ["M.png", "O.png", "R.png", "none.png"]
    assert read_image(tmp_path / "patterns" / "O.png").shape == (PATTERN, PATTERN, 3)


def test_a_completer_paints_what_its_network_says(astronaut):
    """A network that covers all of the patch with green shows where its layer lands."""
    scene = prepare(astronaut, references(), MOUTHS, crop_size=256, device=CPU)
    net = MouthGenerator(MouthGeneratorConfig(patterns=0)).eval()
    with torch.no_grad():
        assert net.out.bias is not None
        net.out.bias[:4] = 20.0  # cover
        net.out.bias[8:12] = 1.0  # green
    crop = scene.picture.copy()
    pattern = scene.patterns[0]
    MouthCompleter(net, CPU).complete([crop], [pattern.vertices], [pattern.mouth])
    x, y = pattern.mouth.centre.round().astype(int)
    np.testing.assert_allclose(crop[y, x], [0, 255, 0], atol=2)
    np.testing.assert_array_equal(crop[:40], scene.picture[:40])


def test_a_grey_portrait_stays_grey(astronaut):
    grey = astronaut.pixels.mean(-1, keepdims=True).astype(np.uint8).repeat(3, -1)
    portrait = replace(astronaut, pixels=grey)
    for pattern in patterns_of(portrait, references()):
        assert np.ptp(pattern.pixels.astype(int), axis=-1).max() <= 1


def test_only_a_picture_without_colour_is_colourless(astronaut):
    assert not is_colourless(astronaut.pixels)
    assert is_colourless(astronaut.pixels[..., :1].repeat(3, -1))


# ---- the head of a pattern ------------------------------------------------------------------

SIZE = 128


@cache
def rig():
    return build_portrait_mesh(drawn_portrait(), size=SIZE)


class NoNetwork:
    """Stands in for the completer: patterns are judged by their meshes."""

    def complete(self, crops, vertices, places):
        pass


def turned(pitch, yaw, roll):
    return rotation_from_angles(np.array([pitch, yaw, roll], np.float32))


def meshes(*rotations):
    """Return the vertices of the patterns of somebody with four head poses and one face."""
    references = tuple(
        StyleReference(template, 0.0, 0.0, mean_face(), rotation, np.zeros(52, np.float32))
        for template, rotation in zip(TEMPLATES, rotations, strict=True)
    )
    blank = np.zeros((SIZE, SIZE, 3), np.uint8)
    found = map_styles(rig(), lambda _: blank.copy(), references, NoNetwork())
    return [pattern.vertices for pattern in found]


def test_a_none_frame_that_looks_aside_leaves_the_portrait_as_it_is():
    aside = turned(5, 15, -8)
    still = meshes(STILL, STILL, STILL, STILL)
    for one, other in zip(meshes(aside, aside, aside, aside), still, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_a_pattern_turns_the_head_from_the_style_persons_own_none_frame():
    """About two axes: the order of the turns, and which of them is undone, matter as well."""
    own, more = turned(10, 0, 0), turned(0, 14, 6)
    wanted = meshes(STILL, more, more, more)
    found = meshes(own, more @ own, more @ own, more @ own)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-2)
    assert wanted[1][1, 0] > wanted[0][1, 0] + 0.5  # the nose is to the image's right
