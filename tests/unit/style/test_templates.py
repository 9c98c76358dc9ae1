"""Templates in numbers worked out by hand, and measures against sums done another way."""

from __future__ import annotations

import numpy as np
import pytest

from stylehead.face.landmarks import to_68
from stylehead.style.templates import (
    TARGETS,
    MouthRange,
    lip_thickness,
    mouth_range,
    shows_template,
    template_distance,
    template_measures,
)
from stylehead.types import TEMPLATES, Floats
from tests.stand_ins.mouths import filmed, mouth

ON_TARGET = {
    "none": {"gap": 0.0, "rank": 0.0, "lips": 0.03, "activity": 0.0, "speed": 0.0},
    "M": {"gap": 0.0, "rank": 0.0, "lips": -0.2, "activity": 0.0},
    "R": {"opening": 0.45, "width": 0.0},
    "O": {"opening": 1.0, "width": -1.25},
}


def at(template: str, **measured: float) -> dict[str, Floats]:
    """Return one frame's measures: on target but for those given."""
    return {name: np.array([value]) for name, value in (ON_TARGET[template] | measured).items()}


def test_each_paper_template_has_targets() -> None:
    assert tuple(TARGETS) == TEMPLATES
    for template in TEMPLATES:
        assert TARGETS[template].keys() == ON_TARGET[template].keys()
        assert template_distance(at(template), template) == [0.0]


@pytest.mark.parametrize(
    ("template", "measure", "value", "distance"),
    [
        ("none", "gap", 0.04, 1.0),
        ("none", "rank", 10.0, 2.0),
        ("none", "rank", 20.0, 8.0),
        ("none", "lips", 0.12, 1.0),
        ("none", "lips", -0.06, 1.0),
        ("none", "activity", 1.0, 1.0),
        ("none", "speed", 2.0, 2.0),
        ("M", "gap", 0.04, 1.0),
        ("M", "rank", 10.0, 2.0),
        ("M", "lips", -0.06, 2.0),
        ("M", "lips", 0.08, 8.0),
        ("M", "lips", -0.4, 0.0),  # thinner still is as good
        ("M", "activity", 2.0, 2.0),
        ("R", "opening", 0.65, 2.0),
        ("R", "opening", 0.05, 8.0),
        ("R", "width", 0.5, 2.0),
        ("R", "width", -1.0, 8.0),
        ("O", "opening", 0.65, 2.0),
        ("O", "opening", 0.3, 8.0),
        ("O", "opening", 1.5, 0.0),  # wider open still is as good
        ("O", "width", -0.5, 2.0),
        ("O", "width", 0.25, 8.0),
        ("O", "width", -3.0, 0.0),  # narrower still is as good
    ],
)
def test_a_miss_counts_by_its_tolerance_and_weight(
    template: str, measure: str, value: float, distance: float
) -> None:
    found = template_distance(at(template, **{measure: value}), template)
    np.testing.assert_allclose(found, [distance], atol=1e-9)


def test_misses_add_up() -> None:
    assert template_distance(at("O", opening=0.65, width=-0.5), "O") == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("template", "measure", "inside", "outside"),
    [
        ("none", "gap", 0.0399, 0.0401),
        ("none", "rank", 9.99, 10.01),
        ("none", "lips", -0.059, -0.061),
        ("none", "lips", 0.119, 0.121),
        ("M", "gap", 0.0399, 0.0401),
        ("M", "rank", 9.99, 10.01),
        ("M", "lips", -0.061, -0.059),
        ("R", "opening", 0.251, 0.249),
        ("R", "opening", 0.649, 0.651),
        ("R", "width", 0.499, 0.501),
        ("R", "width", -0.499, -0.501),
        ("O", "opening", 0.651, 0.649),
        ("O", "width", -0.501, -0.499),
    ],
)
def test_a_frame_shows_a_template_within_every_tolerance(
    template: str, measure: str, inside: float, outside: float
) -> None:
    assert shows_template(at(template, **{measure: inside}), template) == [True]
    assert shows_template(at(template, **{measure: outside}), template) == [False]


@pytest.mark.parametrize("measure", ["activity", "speed"])
def test_a_lively_frame_may_be_at_rest(measure: str) -> None:
    """Where a face never comes to rest, the calmest of its closed mouths does."""
    assert shows_template(at("none", **{measure: 3.0}), "none") == [True]


def test_every_frame_is_judged_by_itself() -> None:
    frames = {"opening": np.array([1.0, 0.65, 0.3]), "width": np.array([-1.25, -1.25, -0.5])}
    np.testing.assert_allclose(template_distance(frames, "O"), [0.0, 2.0, 10.0])
    np.testing.assert_array_equal(shows_template(frames, "O"), [True, True, False])


def test_the_tolerance_itself_is_within() -> None:
    assert shows_template(at("none", gap=0.04), "none") == [True]
    assert shows_template(at("none", rank=10.0), "none") == [True]


# ---- measures -------------------------------------------------------------------------------


def restless(count: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    offsets = np.zeros((count, 68, 3), np.float32)
    moves = [8, *range(48, 68)]
    offsets[:, moves] = 0.02 * rng.standard_normal((count, len(moves), 3))
    offsets[:, 65:68, 1] += 0.1
    return offsets


def far(points: Floats, one: int, other: int) -> Floats:
    return np.sqrt(np.square(points[:, one] - points[:, other]).sum(-1))


@pytest.mark.parametrize("seed", range(3))
def test_measures_are_those_of_their_definition(seed: int) -> None:
    seconds = np.cumsum(np.random.default_rng(seed).uniform(0.03, 0.3, 50))
    _, performance = filmed(restless(50, seed), seconds=seconds)
    found = np.arange(50) % 5 > 0  # ten frames without a face count for nothing
    usual = mouth_range(performance, found)
    measured = template_measures(performance, found, usual)
    points, neutral = to_68(performance.mesh), to_68(performance.neutral)[None]
    gap = (far(points, 61, 67) + far(points, 62, 66) + far(points, 63, 65)) / 3
    width = far(points, 48, 54)
    shut, wide = np.percentile(gap[found], [2, 98])
    middle = np.median(width[found])
    spread = 1.4826 * np.median(np.abs(width[found] - middle))
    rest_gap = (far(neutral, 61, 67) + far(neutral, 62, 66) + far(neutral, 63, 65)) / 3
    rest_lips = far(neutral, 51, 57) - rest_gap
    away = np.sqrt(np.square(points - neutral).sum(-1)).mean(1)
    velocity = np.gradient(points[:, 48:], seconds, axis=0)
    speed = np.sqrt(np.square(velocity).sum(-1)).mean(1)
    expected = {
        "gap": gap,
        "opening": (gap - shut) / (wide - shut),
        "rank": (gap[:, None] > gap[found]).sum(1) / 39 * 100,
        "width": (width - middle) / spread,
        "lips": (far(points, 51, 57) - gap) / rest_lips - 1,
        "activity": away / np.median(away[found]),
        "speed": speed / np.median(speed[found]),
    }
    assert measured.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(measured[name], values, rtol=2e-3, atol=2e-4, err_msg=name)


def test_the_range_is_that_of_the_clip() -> None:
    wide = np.linspace(-0.1, 0.1, 101)
    _, performance = filmed(mouth(np.linspace(0.0, 0.2, 101), wide))
    usual = mouth_range(performance, np.ones(101, bool))
    neutral = to_68(performance.neutral)
    assert usual.shut == pytest.approx(0.016 + 0.004, abs=3e-3)
    assert usual.wide == pytest.approx(0.016 + 0.196, abs=3e-3)
    assert usual.width == pytest.approx(usual.rest_width, abs=1e-3)
    assert usual.width_spread == pytest.approx(1.4826 * 0.05, rel=0.02)
    assert usual.rest_lips == pytest.approx(lip_thickness(neutral))


def test_a_still_mouth_has_measures() -> None:
    _, performance = filmed(np.zeros((5, 68, 3), np.float32))
    found = np.ones(5, bool)
    measured = template_measures(performance, found, mouth_range(performance, found))
    for name, values in measured.items():
        assert np.isfinite(values).all(), name
        if name != "gap":
            np.testing.assert_allclose(values, 0, atol=1e-3)


def test_one_frame_has_measures() -> None:
    _, performance = filmed(np.zeros((1, 68, 3), np.float32))
    found = np.ones(1, bool)
    measured = template_measures(performance, found, mouth_range(performance, found))
    assert all(values.shape == (1,) for values in measured.values())
    assert measured["speed"] == [0.0]


def test_two_frames_have_ranks_and_a_speed() -> None:
    _, performance = filmed(mouth(np.array([0.0, 0.1]), np.zeros(2)))
    found = np.ones(2, bool)
    measured = template_measures(performance, found, mouth_range(performance, found))
    np.testing.assert_array_equal(measured["rank"], [0, 100])
    np.testing.assert_allclose(measured["speed"], [1, 1], rtol=1e-3)


def test_noise_of_the_width_is_no_spread() -> None:
    usual = mouth_range(filmed(np.zeros((9, 68, 3), np.float32))[1], np.ones(9, bool))
    assert isinstance(usual, MouthRange)
    assert usual.width_spread == 0.01
