import numpy as np
import pytest

from stylehead.face.articulation import LOWER, Articulation, parted, told_apart
from stylehead.face.landmarks import REGIONS
from tests.stand_ins.faces import gape

UPPER_LIP, CORNERS = [50, 51, 52, 61, 62, 63], (48, 54)


def widening():
    """Return offsets (68, 3) that widen the mouth by 1 and draw its corners up by a quarter."""
    way = np.zeros((68, 3), np.float32)
    way[CORNERS, 0] = -0.5, 0.5
    way[CORNERS, 1] = -0.25
    return way


OPENING = gape(1.0) / parted(gape(1.0))


def speaking(*, frames=200, wider=0.05, manner=0.0):
    """Return offsets of a mouth that opens, widens a fifth as far and, besides, on its own."""
    rng = np.random.default_rng(3)
    opened, alone, aside = rng.random((3, frames))
    opened *= 0.3
    width = 0.2 * opened + wider * alone
    offsets = opened[:, None, None] * OPENING + width[:, None, None] * widening()
    offsets[:, list(REGIONS["mouth"]), 0] += manner * aside[:, None]
    return offsets.astype(np.float32)


def rebuilt(found: Articulation):
    return np.einsum("tk,kpc->tpc", found.gestures, found.ways) + found.manner


def test_what_is_told_apart_adds_up_to_the_whole():
    offsets = speaking(manner=0.1)
    away = offsets - rebuilt(told_apart(offsets))
    np.testing.assert_allclose(away, np.broadcast_to(away.mean(0), away.shape), atol=1e-6)


def test_ways_are_how_far_points_go_as_the_mouth_opens_and_widens():
    ways = told_apart(speaking()).ways
    np.testing.assert_allclose(ways[0], OPENING + 0.2 * widening(), atol=0.01)
    np.testing.assert_allclose(ways[1], widening(), atol=0.01)


def test_the_manner_is_the_rest_and_opens_and_widens_nothing():
    assert np.abs(told_apart(speaking()).manner).max() < 1e-3
    manner = told_apart(speaking(manner=0.1)).manner
    assert manner[:, 51, 0].std() == pytest.approx(0.1 / np.sqrt(12), rel=0.1)
    assert np.abs(parted(manner)).max() < 1e-6
    assert np.abs(manner[:, 54, 0] - manner[:, 48, 0]).max() < 1e-3
    others = [point for point in range(68) if point not in LOWER]
    assert (manner[:, others] == 0).all()


def test_a_mouth_that_does_not_widen_on_its_own_has_no_way_to():
    ways = told_apart(speaking(wider=1e-5)).ways
    np.testing.assert_allclose(ways[0], OPENING + 0.2 * widening(), atol=0.01)
    assert np.abs(ways[1]).max() < 0.01


def test_without_a_frame_there_is_no_way():
    found = told_apart(np.zeros((0, 68, 3), np.float32))
    assert (found.ways == 0).all()
    assert found.manner.shape == (0, 68, 3)


def test_lips_that_are_pressed_are_parted_by_less_than_nothing():
    assert parted(0.1 * OPENING) == pytest.approx(0.1, rel=1e-5)
    assert parted(-0.1 * OPENING) == pytest.approx(-0.1, rel=1e-5)
