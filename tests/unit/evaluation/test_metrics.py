from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylehead.evaluation.metrics import (
    FRAME_METRICS,
    WINDOWS,
    Mode,
    area_distance,
    landmark_distance,
    lmd,
    mouth_area,
    style_distance,
    velocity_distance,
)
from stylehead.types import Floats

WIDTH = 240.0  # pixels of the made face


def face() -> Floats:
    """A face 240 pixels wide with a square inner mouth of 10 x 10 pixels."""
    rng = np.random.default_rng(3)
    points = rng.uniform([60, 60], [180, 200], (68, 2))
    points[0], points[16] = [0, 100], [WIDTH, 100]
    points[8, 1] = 240
    points[20, 1] = 40
    square = [[100, 180], [105, 180], [110, 180], [110, 185], [110, 190], [105, 190], [100, 190]]
    points[60:68] = [*square, [100, 185]]
    return points


def still(frames: int = 4) -> Floats:
    return np.repeat(face()[None], frames, 0)


def speech(frames: int = 60, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    points = np.repeat(face()[None], frames, 0)
    points[:, 56:59, 1] += rng.uniform(0, 12, (frames, 1))
    points[:, 65:68, 1] += rng.uniform(0, 12, (frames, 1))
    return points + rng.normal(0, 0.5, points.shape)


@pytest.mark.parametrize("name", FRAME_METRICS)
def test_a_clip_is_at_no_distance_from_itself(name: str) -> None:
    assert FRAME_METRICS[name](speech(), speech()) == 0


@pytest.mark.parametrize("name", FRAME_METRICS)
def test_moving_the_whole_face_changes_nothing(name: str) -> None:
    moved = speech() + np.array([7.0, -3.0])
    assert FRAME_METRICS[name](speech(), moved) == pytest.approx(0, abs=1e-9)


def test_doubling_changes_only_what_is_counted_in_pixels() -> None:
    double = 2 * still()
    assert landmark_distance(still(), double) == pytest.approx(0, abs=1e-12)
    assert velocity_distance(still(), double) == pytest.approx(0, abs=1e-12)
    assert area_distance(still(), double) == pytest.approx(0, abs=1e-9)
    assert lmd(still(), double) > 1


def test_one_point_moved_in_one_of_three_frames_by_hand() -> None:
    # 20 pixels, 68 points, 3 frames, a face 240 pixels wide.
    moved = still(3)
    moved[0, 57, 1] += 20
    if moved[0, 57, 1] > 240:
        moved[0, 57, 1] -= 40
    assert landmark_distance(still(3), moved) == pytest.approx(100 * 20 / WIDTH / 68 / 3)
    assert velocity_distance(still(3), moved) == pytest.approx(100 * 20 / WIDTH / 68 / 2)
    assert lmd(still(3), moved) == pytest.approx((19 + 19) / 20 / 3)


def test_mouth_area_of_a_square_by_hand() -> None:
    assert mouth_area(still(1)) == pytest.approx(100 / WIDTH**2)


def test_a_mouth_that_never_opens_has_no_area_distance() -> None:
    shut = still()
    shut[:, 60:68, 1] = 180
    assert np.isnan(area_distance(shut, still()))


def test_the_authors_running_mean_is_not_the_least_window() -> None:
    # Their script never clears its list: an exact fit is averaged with the window before it.
    moved = still(3)
    moved[0, 57, 1] -= 20
    whole = 100 * 20 / WIDTH / 68
    assert style_distance(still(3), moved, [(2, 1)]).sld == pytest.approx(0, abs=1e-12)
    authors = style_distance(still(3), moved, [(2, 1)], mode=Mode.AUTHORS)
    assert authors.sld == pytest.approx(whole / 4)


CASES = json.loads((Path(__file__).parents[2] / "golden/metric_cases.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_reference_cases_are_reproduced(case: dict[str, Any]) -> None:
    # Made with the authors' own functions, run unmodified on these arrays.
    reference, result = np.array(case["reference"], float), np.array(case["generated"], float)
    frame = case["frame_metrics"]
    near = {"abs": 1e-9, "rel": 1e-9}
    assert landmark_distance(reference, result) == pytest.approx(frame["D_L_percent"], **near)
    assert velocity_distance(reference, result) == pytest.approx(frame["D_V_percent"], **near)
    assert lmd(reference, result) == pytest.approx(frame["LMD_pixels"], **near)
    area = frame["D_A_percent_inner_facewidth_units"]
    assert area_distance(reference, result) == pytest.approx(area, **near)
    for window in case["windowed"]:
        pairs = [(window["length"], window["stride"])]
        authors = style_distance(reference, result, pairs, mode=Mode.AUTHORS)
        wanted = window["authors_code"]
        assert authors.sld == pytest.approx(wanted["sld"], **near)
        assert authors.slv == pytest.approx(wanted["slv"], **near)
        assert authors.smd == pytest.approx(wanted["smd"], **near)
        paper = style_distance(reference, result, pairs, area_of_window=True)
        wanted = window["paper_eq10"]
        assert paper.sld == pytest.approx(wanted["SLD"], **near)
        assert paper.slv == pytest.approx(wanted["SLV"], **near)
        assert paper.smd == pytest.approx(wanted["SMD_area"], **near)


def slow(reference: Floats, result: Floats, length: int, stride: int, mode: Mode) -> float:
    """SLD by the letter: loops over windows and frames."""

    def ratio(points: Floats) -> Floats:
        return (points - points.min(0)) / np.ptp(points[:, 0])

    found = []
    for start in range(0, len(reference) - length + 1, stride):
        kept: list[float] = []
        best = np.inf
        for other in range(0, len(result) - length + 1, stride):
            if mode is Mode.PAPER:
                kept = []
            for step in range(length):
                a, b = ratio(reference[start + step]), ratio(result[other + step])
                kept.append(float(np.linalg.norm(a - b, axis=-1).mean()))
            best = min(best, float(np.mean(kept)))
        found.append(best)
    return 100 * float(np.mean(found))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(("length", "stride"), [(10, 1), (10, 7), (25, 3), (30, 19)])
def test_fast_windows_equal_slow_ones(mode: Mode, length: int, stride: int) -> None:
    a, b = speech(40), speech(34, seed=5)
    fast = style_distance(a, b, [(length, stride)], mode=mode).sld
    assert fast == pytest.approx(slow(a, b, length, stride, mode), rel=1e-9)


def test_videos_may_differ_in_length_and_too_long_windows_are_left_out() -> None:
    short = style_distance(speech(60), speech(12), [(10, 1), (30, 1)])
    assert short == style_distance(speech(60), speech(12), [(10, 1)])
    assert np.isnan(style_distance(speech(60), speech(8), [(10, 1)]).sld)


def test_all_window_pairs_of_a_ten_second_clip_are_used() -> None:
    assert len(WINDOWS) == 1729
    assert np.isfinite(style_distance(speech(300), speech(300, seed=1)).sld)
