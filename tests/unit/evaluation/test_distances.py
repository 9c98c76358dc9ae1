from fractions import Fraction

import numpy as np
import pytest

from stylehead.evaluation.distances import (
    FACE,
    REGIONS,
    energy_distance,
    frechet_distance,
    motion_distance,
    movement_of,
    region_signals,
)
from stylehead.face.landmarks import REGIONS as POINTS
from stylehead.face.landmarks import mouth_width
from stylehead.motion.finishing import at_rate
from tests.stand_ins.faces import mean_face, performed_motion

MOTION = performed_motion(20.0)


def apart(result, reference=MOTION, distance=frechet_distance):
    return motion_distance(movement_of(reference), movement_of(result), distance)


def scaled(size):
    return MOTION.with_(landmarks=np.float32(size) * MOTION.landmarks)


def test_a_motion_is_not_apart_from_itself_and_little_from_its_other_half():
    assert apart(MOTION).of() < 1e-3
    other_half = apart(MOTION[:300], MOTION[300:]).of()
    assert other_half < 0.2 * apart(scaled(0.3)).of(*FACE)


@pytest.mark.parametrize("distance", [frechet_distance, energy_distance])
def test_small_motion_is_not_rewarded(distance):
    smaller = [apart(scaled(size), distance=distance).of(*FACE) for size in (1.0, 0.7, 0.4, 0.1)]
    assert smaller == sorted(smaller)
    larger = [apart(scaled(size), distance=distance).of(*FACE) for size in (1.0, 1.5, 2.5)]
    assert larger == sorted(larger)


def test_haste_shows_in_the_velocities_alone():
    quick = at_rate(MOTION.with_(fps=Fraction(90)), Fraction(30))
    found = apart(quick)
    for region in ("mouth", "brows", "head"):
        assert found.speed[region] > 5 * found.place[region]


def test_the_rate_of_a_motion_does_not_matter():
    assert apart(at_rate(MOTION, Fraction(60))).of() < 0.05 * apart(scaled(0.3)).of()


def test_another_posture_is_no_distance():
    shift = np.zeros((68, 3), np.float32)
    shift[POINTS["brows"], 1] = 0.05
    assert apart(MOTION.with_(landmarks=MOTION.landmarks + shift)).of("brows") < 1e-3


@pytest.mark.parametrize(("points", "region"), [("brows", "brows"), ("mouth", "mouth")])
def test_a_region_is_asked_for_its_own_points(points, region):
    landmarks = MOTION.landmarks.copy()
    landmarks[:, POINTS[points]] *= 2
    found = apart(MOTION.with_(landmarks=landmarks))
    others = [found.of(one) for one in REGIONS if one != region]
    assert found.of(region) > 0.05
    assert max(others) < 1e-3


def test_heads_and_blinks_count():
    still = np.repeat(np.eye(3, dtype=np.float32)[None], len(MOTION), 0)
    assert apart(MOTION.with_(rotation=still)).of("head") > 0.2
    assert apart(MOTION.with_(translation=0 * MOTION.translation)).of("head") > 0.05
    assert apart(MOTION.with_(blink=0 * MOTION.blink)).of("eyes") > 0.05


def test_signals_are_measures_of_the_face():
    signals = region_signals(MOTION)
    width = mouth_width(MOTION.landmarks + mean_face())
    np.testing.assert_allclose(signals["mouth"][:, 1], width, atol=1e-5)
    assert {name: value.shape[1] for name, value in signals.items()} == {
        "mouth": 8,
        "brows": 4,
        "eyes": 3,
        "head": 6,
    }


def test_all_regions_are_the_mean_of_each():
    found = apart(scaled(0.5))
    each = [(found.place[region] + found.speed[region]) / 2 for region in REGIONS]
    assert found.of() == pytest.approx(np.mean(each))
    assert found.of("mouth") == pytest.approx(each[0])


def test_two_steps_are_needed():
    with pytest.raises(ValueError, match="6 frames are too few"):
        movement_of(MOTION[:6])
    movement_of(MOTION[:8])


# ---- the distances themselves ---------------------------------------------------------------


def gaussian(mean, spread, seed, count=20000):
    return np.asarray(mean) + np.asarray(spread) * np.random.default_rng(seed).standard_normal(
        (count, len(mean))
    )


def test_frechet_distance_of_gaussians_is_that_of_means_and_spreads():
    a, b = gaussian([0, 0], [1, 2], 0), gaussian([3, 0], [1, 4], 1)
    assert frechet_distance(a, b) == pytest.approx(np.sqrt(9 + 4), rel=0.03)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b))
    turned = a @ np.array([[0, 1], [-1, 0]])
    assert frechet_distance(a, turned) == pytest.approx(np.sqrt(2), rel=0.05)


def test_energy_distance_is_its_definition_and_sees_more_than_two_moments():
    a, b = gaussian([0], [1], 0, 40), gaussian([1], [1], 1, 30)

    def mean(x, y):
        return np.mean([abs(float(u[0] - v[0])) for u in x for v in y])

    wanted = np.sqrt(2 * mean(a, b) - mean(a, a) - mean(b, b))
    assert energy_distance(a, b) == pytest.approx(wanted)
    two = np.sign(gaussian([0], [1], 2, 200))
    one = gaussian([0], [1], 3, 200)
    one = (one - one.mean()) / one.std()
    two = (two - two.mean()) / two.std()
    assert frechet_distance(one, two) < 1e-2  # the same mean and spread
    assert energy_distance(one, two) > 0.2


def test_a_long_sample_is_thinned_evenly():
    a, b = gaussian([0], [1], 0, 5000), gaussian([0.5], [1], 1, 5000)
    assert energy_distance(a, b) == pytest.approx(energy_distance(a[::25], b[::25]))
