"""Mouths that a clip does not show."""

from __future__ import annotations

import numpy as np
import pytest

from stylehead.face.landmarks import POLYLINES, mouth_opening, mouth_width, to_68
from stylehead.style.missing import missing_landmarks
from stylehead.style.templates import lip_thickness, mouth_range
from stylehead.types import TEMPLATES, Floats
from tests.stand_ins.mouths import filmed, mouth

COUNT = 200
TIMES = np.arange(COUNT) / 25
ALL = np.ones(COUNT, bool)


def spoken(low: float = 0.0, high: float = 0.15) -> Floats:
    """A mouth that opens from low to high; its width goes with other things."""
    gape = low + (high - low) * (0.5 + 0.5 * np.sin(2 * np.pi * 1.3 * TIMES))
    wide = 0.05 * np.sin(2 * np.pi * 0.4 * TIMES) + 0.1 * gape
    return mouth(gape, wide, 0.004 * np.sin(2 * np.pi * 0.9 * TIMES))


def made(template: str, offsets: Floats, found: Floats = ALL) -> Floats:
    _, performance = filmed(offsets)
    return missing_landmarks(template, performance, found, mouth_range(performance, found))


@pytest.mark.parametrize("high", [0.1, 0.3])
def test_o_is_as_open_as_the_clip_and_narrow(high: float) -> None:
    usual = mouth_range(filmed(spoken(high=high))[1], ALL)
    o = made("O", spoken(high=high))
    assert mouth_opening(o) == pytest.approx(usual.wide, rel=4e-3)
    assert mouth_width(o) == pytest.approx(usual.width - 1.25 * usual.width_spread, rel=1e-3)


def test_r_is_half_open_and_of_the_usual_width() -> None:
    usual = mouth_range(filmed(spoken())[1], ALL)
    r = made("R", spoken())
    assert mouth_opening(r) == pytest.approx(
        usual.shut + 0.45 * (usual.wide - usual.shut), rel=0.02
    )
    assert mouth_width(r) == pytest.approx(usual.width, rel=0.01)


@pytest.mark.parametrize("low", [0.0, 0.1, 0.2])
def test_none_closes_a_mouth_that_is_always_open(low: float) -> None:
    """At most a fiftieth of the distance of the eyes: less where the clip itself closes more."""
    offsets = spoken(low=low, high=low + 0.15)
    usual = mouth_range(filmed(offsets)[1], ALL)
    none = made("none", offsets)
    assert mouth_opening(none) == pytest.approx(min(usual.shut, 0.02), abs=1e-4)
    assert mouth_width(none) == pytest.approx(usual.rest_width, rel=0.01)
    assert lip_thickness(none) == pytest.approx(1.03 * usual.rest_lips, rel=0.08)


def test_m_is_none_with_thinner_lips() -> None:
    usual = mouth_range(filmed(spoken())[1], ALL)
    m = made("M", spoken())
    assert mouth_opening(m) == pytest.approx(min(usual.shut, 0.02), abs=1e-4)
    assert lip_thickness(m) < 0.9 * usual.rest_lips
    assert lip_thickness(m) < lip_thickness(made("none", spoken()))


def test_templates_that_were_made_are_in_order_too() -> None:
    """None < R < O in opening, and O narrower than R, whatever the clip does."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        smooth = [np.convolve(rng.normal(size=COUNT), np.ones(6) / 6, "same") for _ in range(3)]
        offsets = mouth(0.1 * np.abs(smooth[0]), 0.1 * smooth[1], 0.01 * smooth[2])
        made_of = {name: made(name, offsets) for name in TEMPLATES}
        gaps = [float(mouth_opening(made_of[name])) for name in ("none", "R", "O")]
        assert gaps == sorted(gaps)
        assert len(set(gaps)) == 3
        assert mouth_width(made_of["O"]) < mouth_width(made_of["R"])


def test_brows_and_eyes_are_the_neutral_ones() -> None:
    offsets = spoken()
    offsets[:, 17:27, 1] = 0.3 * offsets[:, 66:67, 1]  # brows that go with the mouth
    o = made("O", offsets)
    neutral = to_68(filmed(offsets)[1].neutral)
    np.testing.assert_allclose(o[17:27], neutral[17:27], atol=1e-6)
    np.testing.assert_allclose(o[36:48], neutral[36:48], atol=1e-6)


def test_what_the_clip_does_not_tell_is_that_of_a_plain_mouth() -> None:
    """The mouth widens as it opens, always: nothing says what a narrow and open one looks like."""
    gape = 0.1 * (1 + np.sin(2 * np.pi * 1.7 * TIMES))
    usual = mouth_range(filmed(mouth(gape, 0.5 * gape))[1], ALL)
    o = made("O", mouth(gape, 0.5 * gape))
    assert mouth_opening(o) == pytest.approx(usual.wide, rel=0.03)
    assert mouth_width(o) == pytest.approx(usual.width - 1.25 * usual.width_spread, rel=0.02)


def test_frames_without_a_face_teach_nothing() -> None:
    offsets = spoken()
    found = np.arange(COUNT) < 150
    wild = offsets.copy()
    wild[~found, 48:68] += 0.5
    np.testing.assert_allclose(made("O", wild, found), made("O", offsets, found), atol=1e-5)


def test_landmarks_go_as_they_go_in_the_clip() -> None:
    """The chin sinks by 0.8 of the opening, and the lower lip by all of it."""
    o, r = made("O", spoken()), made("R", spoken())
    opened = float(mouth_opening(o) - mouth_opening(r))
    assert o[8, 1] - r[8, 1] == pytest.approx(0.8 * opened, rel=0.1)
    assert o[66, 1] - r[66, 1] == pytest.approx(opened, rel=0.1)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_shortest_and_stillest_clips_give_faces(template: str, count: int) -> None:
    _, performance = filmed(np.zeros((count, 68, 3), np.float32))
    found = np.ones(count, bool)
    landmarks = missing_landmarks(template, performance, found, mouth_range(performance, found))
    assert landmarks.shape == (68, 3)
    assert landmarks.dtype == np.float32
    neutral = to_68(performance.neutral)
    for group, _ in POLYLINES:
        assert np.abs(landmarks[list(group)] - neutral[list(group)]).max() < 0.03
