"""What is taken from a style's clip for its four patterns, and what W weighs in them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.performance import Performance
from stylehead.rendering.patterns import map_styles
from stylehead.rendering.portrait_mesh import build_portrait_mesh
from stylehead.style.references import retrieve
from stylehead.training.data.region_weights import region_weights
from stylehead.types import TEMPLATES, StyleReference
from tests.stand_ins.faces import STILL, drawn_portrait, face_track, mean_face, mean_mesh

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


# ---- the weights of the regions -------------------------------------------------------------

SIDE = 512
POINTS = (SIDE / 4 * mean_face()[:, :2] + SIDE / 2).astype(np.float32)  # a face 128 between eyes
WEIGHTS = region_weights(POINTS, SIDE)


def middle(*rows):
    return POINTS[list(rows)].mean(0)


@pytest.mark.parametrize(
    ("weight", "place"),
    [
        pytest.param(5, middle(62, 66), id="between the lips"),
        pytest.param(5, middle(50, 51, 52), id="upper lip"),
        pytest.param(5, middle(56, 57, 58), id="lower lip"),
        pytest.param(3, middle(*range(36, 42)), id="right eye"),
        pytest.param(3, middle(*range(42, 48)), id="left eye"),
        pytest.param(1, middle(30), id="nose"),
        pytest.param(1, middle(2, 31), id="right cheek"),
        pytest.param(1, middle(14, 35), id="left cheek"),
        pytest.param(1, middle(8, 57), id="chin"),
        pytest.param(1, middle(19, 37), id="under the brow"),
        pytest.param(0, middle(8) - [0, -12], id="neck"),
        pytest.param(0, middle(0) - [12, 0], id="ear"),
        pytest.param(0, middle(19, 24) - [0, 40], id="hair"),
        pytest.param(0, np.array([3, 3]), id="background"),
    ],
)
def test_w_is_the_papers_five_three_one_and_nothing_elsewhere(weight, place):
    column, row = np.round(place).astype(int)
    assert WEIGHTS[row, column] == weight


def test_w_has_no_other_values():
    assert np.unique(WEIGHTS).tolist() == [0, 1, 3, 5]


# ---- the O template -------------------------------------------------------------------------

FPS, FRAMES = 25, 500
BAIT, WIDEST = slice(200, 208), slice(400, 406)


def clip():
    """Return a clip whose best-looking O is hardly open: round lips and a low jaw at the bait.

    Frames that are wide open lie around the clip, with spread corners and a jaw that stays; in the
    widest of all, lips are a little rounder than in the other wide ones.
    """
    times = np.arange(FRAMES) / FPS
    gape = 0.05 + 0.02 * np.sin(2 * np.pi * 1.7 * times)
    wide = 0.02 * np.sin(2 * np.pi * 1.1 * times)
    jaw = 0.3 * gape
    for start in range(10, FRAMES, 8):  # an eighth of all frames is open wide
        gape[start], wide[start] = 0.14, 0.3
    gape[BAIT], wide[BAIT], jaw[BAIT] = 0.1, -0.16, 0.1
    gape[WIDEST], wide[WIDEST] = 0.16, 0.27
    offsets = np.zeros((FRAMES, 68, 3), np.float32)
    offsets[:, (65, 66, 67), 1] = gape[:, None]
    offsets[:, 55:60, 1] = gape[:, None]
    offsets[:, 8, 1] = jaw
    for left, right in ((48, 54), (60, 64)):
        offsets[:, left, 0], offsets[:, right, 0] = -wide / 2, wide / 2
    mesh = (mean_mesh() + FaceModel.embedded().mesh_offsets(offsets)).astype(np.float32)
    nothing = np.zeros((FRAMES, 3), np.float32)
    still = rotation_from_angles(nothing)
    track = face_track(mesh, fps=FPS)
    return track, Performance(
        mesh=mesh,
        neutral=mean_mesh(),
        rotation=still,
        translation=nothing,
        blink=nothing[:, 0],
        seconds=times,
    )


def test_o_is_among_the_widest_tenth_whatever_else_looks_round():
    found = retrieve(*clip())
    o = round(found.references[TEMPLATES.index("O")].seconds * FPS)
    assert np.percentile(found.opening, 75) < found.opening[BAIT].min()
    assert found.opening[BAIT].max() < np.percentile(found.opening, 90) <= found.opening[o]


def test_the_widest_frames_of_all_may_be_o():
    o = round(retrieve(*clip()).references[TEMPLATES.index("O")].seconds * FPS)
    assert WIDEST.start <= o < WIDEST.stop
