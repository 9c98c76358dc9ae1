"""Scores of references, and the limits of what may become one, against sums done another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import to_68
from stylehead.face.performance import Performance
from stylehead.style.references import EXTREME, TARGETS, Retrieval, retrieve
from stylehead.types import FaceTrack, Floats
from tests.stand_ins.faces import face_track, mean_mesh, without_face


def filmed(
    offsets: Floats, *, seconds: Floats | None = None, angles: Floats | None = None, **track: Any
) -> tuple[FaceTrack, Performance]:
    """Return the track and the performance of offsets (T, 68, 3), 25 frames a second."""
    count = len(offsets)
    seconds = np.arange(count) / 25 if seconds is None else seconds
    angles = np.zeros((count, 3)) if angles is None else angles
    mesh = (mean_mesh() + FaceModel.embedded().mesh_offsets(offsets)).astype(np.float32)
    performance = Performance(
        mesh=mesh,
        neutral=mean_mesh(),
        rotation=rotation_from_angles(angles),
        translation=np.zeros((count, 3), np.float32),
        blink=np.zeros(count, np.float32),
        seconds=seconds,
    )
    return face_track(mesh, angles=angles, seconds=seconds, **track), performance


def restless(count: int, seed: int = 0, size: float = 0.03) -> Floats:
    """Return mouths and chins that move at random, some of them wildly."""
    rng = np.random.default_rng(seed)
    offsets = np.zeros((count, 68, 3), np.float32)
    moves = [8, 27, *range(48, 68)]
    offsets[:, moves] = size * rng.standard_t(2, (count, len(moves), 3)).clip(-6, 6)
    offsets[:, 65:68, 1] += 0.1
    return offsets


def rows(retrieval: Retrieval, performance: Performance) -> dict[str, int]:
    """Return which frame became which reference."""
    return {
        each.template: int(np.argmin(np.abs(performance.seconds - each.seconds)))
        for each in retrieval.references
    }


# ---- scores ---------------------------------------------------------------------------------


def scored(points: Floats, seconds: Floats) -> dict[str, Floats]:
    """The measures of every frame, as they are defined."""

    def far(one: int, other: int) -> Floats:
        return np.sqrt(np.square(points[:, one] - points[:, other]).sum(-1))

    def robust(values: Floats) -> Floats:
        deviation = values - np.median(values)
        return np.clip(deviation / (1.4826 * np.median(np.abs(deviation)) + 1e-6), -4, 4)

    opening = (far(61, 67) + far(62, 66) + far(63, 65)) / 3
    measures = {
        "opening": robust(opening),
        "width": robust(far(48, 54)),
        "lips": robust(far(51, 57) - opening),
        "roundness": robust(opening / np.maximum(far(60, 64), 1e-3)),
        "jaw": robust(far(27, 8)),
    }
    speed = np.zeros(len(points))
    if len(points) > 1:
        for point in range(48, 68):
            velocity = np.gradient(points[:, point], seconds, axis=0)
            speed += np.sqrt(np.square(velocity).sum(-1)) / 20
    return measures | {"speed": np.clip(speed / (np.median(speed) + 1e-6), 0, 4)}


def score(measures: dict[str, Floats], template: str, row: int) -> float:
    total = 0.0
    for name, (target, weight) in TARGETS[template].items():
        miss = measures[name][row] - target
        beyond = (target <= -EXTREME and miss < 0) or (target >= EXTREME and miss > 0)
        total += 0 if beyond else weight * miss**2
    return total


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_the_score_is_the_weighted_square_of_what_is_missed(count: int, seed: int) -> None:
    """In the shortest clips nearly every frame becomes a reference."""
    gaps = np.random.default_rng(seed).uniform(0.03, 0.6, count)
    track, performance = filmed(restless(count, seed), seconds=np.cumsum(gaps))
    found = retrieve(track, performance)
    measures = scored(to_68(performance.mesh), performance.seconds)
    for each, row in zip(found.references, rows(found, performance).values(), strict=True):
        assert each.score == pytest.approx(score(measures, each.template, row), rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("seed", range(30))
def test_frames_far_from_the_usual_are_scored_as_four_spreads_off(seed: int) -> None:
    """Of ten frames the sharpest are chosen, however wild or quick they are."""
    rng = np.random.default_rng(seed)
    sharpness = rng.permutation(np.arange(100, 110)).astype(np.float32)
    seconds = np.cumsum(rng.choice([0.03, 1.0], 10))
    track, performance = filmed(restless(10, seed), seconds=seconds, sharpness=sharpness)
    found = retrieve(track, performance)
    measures = scored(to_68(performance.mesh), performance.seconds)
    for each, row in zip(found.references, rows(found, performance).values(), strict=True):
        assert each.score == pytest.approx(score(measures, each.template, row), rel=2e-3, abs=2e-3)


def test_the_best_frame_of_a_calm_clip_is_chosen_by_its_score() -> None:
    track, performance = filmed(restless(200, 3))
    found = rows(retrieve(track, performance), performance)
    measures = scored(to_68(performance.mesh), performance.seconds)
    opening = measures["opening"]
    allowed = np.flatnonzero(opening >= np.percentile(opening, 90))
    best = sorted(score(measures, "O", row) for row in allowed)[:10]
    assert score(measures, "O", found["O"]) <= best[-1] + 1e-3


# ---- which of the best ----------------------------------------------------------------------


def vowels() -> Floats:
    """Return two equal vowels, at 3 s and at 8 s, in a murmur."""
    times = np.arange(300) / 25
    gape = 0.04 + 0.01 * np.sin(4 * np.pi * times)
    for at in (3, 8):
        gape = gape + 0.25 * np.exp(-0.5 * np.square((times - at) / 0.06))
    offsets = np.zeros((300, 68, 3), np.float32)
    offsets[:, (65, 66, 67), 1] = gape[:, None]
    offsets[:, 55:60, 1] = gape[:, None]
    return offsets


@pytest.mark.parametrize("sharp", [3, 8])
def test_of_equally_frontal_frames_the_sharpest_wins(sharp: int) -> None:
    times = np.arange(300) / 25
    sharpness = np.where(np.abs(times - sharp) < 1, 120, 100).astype(np.float32)
    track, performance = filmed(vowels(), sharpness=sharpness)
    found = rows(retrieve(track, performance), performance)
    assert found["O"] / 25 == pytest.approx(sharp, abs=0.3)


def test_a_tilted_head_is_frontal() -> None:
    angles = np.zeros((300, 3))
    angles[:100, 2] = 15
    sharpness = np.where(np.arange(300) < 100, 101, 100).astype(np.float32)
    track, performance = filmed(vowels(), angles=angles, sharpness=sharpness)
    assert rows(retrieve(track, performance), performance)["O"] < 100


def test_of_equal_frames_the_first_ones_win() -> None:
    track, performance = filmed(np.zeros((300, 68, 3), np.float32))
    found = rows(retrieve(track, performance), performance)
    # All frames are alike: what is left is that none is taken twice.
    assert [found[name] for name in ("O", "M", "R", "none")] == [0, 1, 2, 3]


# ---- limits ---------------------------------------------------------------------------------


def small_but(keep: list[int], count: int) -> Floats:
    """Return scales that leave faces large in some frames alone."""
    scale = np.full(count, 30.0)
    scale[keep] = 200.0
    return scale


def test_four_usable_frames_are_enough() -> None:
    keep = [2, 13, 21, 34]
    track, performance = filmed(restless(40, 1), scale=small_but(keep, 40))
    found = retrieve(track, performance)
    assert found.usable == 4
    assert sorted(rows(found, performance).values()) == keep
    assert found.rejected == {"face too small": 36}


def test_a_small_face_is_one_under_a_quarter_of_the_picture_whatever_its_depth() -> None:
    track, performance = filmed(restless(10, 1), centre=(3000.0, 2000.0), scale=30.0)
    track.mesh[:, 0, 2] += 1000.0
    assert retrieve(track, performance).rejected == {"face too small": 10}
    edge = 0.25 * 480 / np.ptp(mean_mesh()[:, :2], axis=0).max()
    still = np.zeros((20, 68, 3), np.float32)
    scales = np.where(np.arange(20) < 7, 0.97 * edge, 1.03 * edge)
    assert retrieve(*filmed(still, scale=scales)).rejected == {"face too small": 7}


def test_the_least_sharp_thirty_of_a_hundred_are_blurred() -> None:
    sharpness = np.random.default_rng(0).permutation(101).astype(np.float32)
    track, performance = filmed(restless(101), sharpness=sharpness)
    assert retrieve(track, performance).rejected["blurred"] == 30


def test_a_tenth_of_a_second_from_a_cut_is_far_enough() -> None:
    cuts = np.zeros(40, bool)
    cuts[0] = True
    track, performance = filmed(restless(40), seconds=np.arange(40) * 0.05, cuts=cuts)
    assert retrieve(track, performance).rejected["near a cut"] == 2


@pytest.mark.parametrize(
    ("near", "far", "rejected"),
    [
        (0, 19.5, 0),
        (0, 20.5, 35),
        (25, 29.5, 0),
        (25, 30.5, 35),
        (35, 39.5, 0),
        (35, 40.5, 35),
        (45, 60, 0),
    ],
)
def test_the_limit_of_turned_heads_is_raised_until_five_are_left(near, far, rejected) -> None:
    """20 degrees, then 30, 40 and 90; five frames are turned by `near`, the others by `far`."""
    angles = np.zeros((40, 3))
    angles[:, 1] = np.where(np.arange(40) < 5, near, far)
    track, performance = filmed(restless(40), angles=angles)
    found = retrieve(track, performance)
    assert found.rejected.get("head turned", 0) == rejected
    assert found.usable == 40 - rejected


def test_four_frontal_frames_are_too_few() -> None:
    angles = np.zeros((40, 3))
    angles[4:, 1] = 20.5
    assert retrieve(*filmed(restless(40), angles=angles)).usable == 40
    assert retrieve(*filmed(restless(4), angles=angles[:4])).usable == 4


# ---- apart ----------------------------------------------------------------------------------


def shifted(
    shifts: Floats, *, gape: Floats | None = None, **more: Any
) -> tuple[FaceTrack, Performance]:
    """Return faces that differ by shifts (T, 3), which no measure feels, and in opening (T,)."""
    offsets = np.zeros((len(shifts), 68, 3), np.float32)
    if gape is not None:
        offsets[:, (65, 66, 67), 1] = gape[:, None]
    track, performance = filmed(offsets, **more)
    performance.mesh[:] += np.asarray(shifts, np.float32)[:, None]
    return track, performance


def in_order(track: FaceTrack, performance: Performance) -> list[int]:
    """Return the rows of references in the order in which templates choose."""
    found = rows(retrieve(track, performance), performance)
    return [found[name] for name in ("O", "M", "R", "none")]


FALLING = np.arange(120, 110, -1).astype(np.float32)  # of ten frames the first is the sharpest
UNLIKE = np.arange(10)[:, None] * np.array([0.1, 0.0, 0.0])


def test_of_ten_frames_the_sharpest_are_chosen() -> None:
    seconds = np.arange(10) * 1.0
    assert in_order(*shifted(UNLIKE, sharpness=FALLING, seconds=seconds)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("step", "chosen"), [(0.25, [0, 1, 2, 3]), (0.24, [0, 2, 4, 6])])
def test_a_quarter_of_a_second_is_far_enough(step: float, chosen: list[int]) -> None:
    seconds = np.arange(10) * step
    assert in_order(*shifted(UNLIKE, sharpness=FALLING, seconds=seconds)) == chosen


def test_frames_that_look_alike_are_not_both_chosen() -> None:
    """A fiftieth of the distance of the eyes is a difference: 0.019 is none, 0.021 is one."""
    diagonal = np.ones(3) / np.sqrt(3)
    shifts = UNLIKE.copy()
    shifts[1], shifts[2] = 0.019 * diagonal, 0.021 * diagonal
    seconds = np.arange(10) * 1.0
    assert in_order(*shifted(shifts, sharpness=FALLING, seconds=seconds)) == [0, 2, 3, 4]


def test_of_two_frames_each_is_chosen_twice_or_so() -> None:
    found = in_order(*shifted(UNLIKE[:2], sharpness=FALLING[:2]))
    assert set(found) == {0, 1}


# ---- bounds of the opening ------------------------------------------------------------------


def opening_slowly(count: int, sharp: list[int]) -> list[int]:
    """Return the references of mouths that open from frame to frame, some frames sharper."""
    sharpness = np.full(count, 100, np.float32)
    sharpness[sharp] = 120
    shifts = np.arange(count)[:, None] * np.array([0.1, 0.0, 0.0])
    gape = 0.05 + 0.004 * np.arange(count)
    seconds = np.arange(count) * 1.0
    return in_order(*shifted(shifts, gape=gape, sharpness=sharpness, seconds=seconds))


def test_o_is_of_the_widest_tenth_if_these_are_five() -> None:
    assert opening_slowly(50, [40, 41, 42, 43, 44])[0] >= 45
    assert opening_slowly(40, [31])[0] == 31  # a tenth of forty is too few to choose from


def test_m_may_be_the_most_shut_of_all() -> None:
    assert opening_slowly(60, [0])[1] == 0
    assert opening_slowly(60, [5])[1] == 5
    assert opening_slowly(60, [6])[1] < 6


# ---- warnings -------------------------------------------------------------------------------


def warned(*films: Any) -> tuple[str, ...]:
    return retrieve(*films).warnings


def test_a_warning_says_what_is_wrong() -> None:
    assert warned(*filmed(np.zeros((300, 68, 3), np.float32))) == (
        "The mouth hardly moves: the references look alike.",
    )
    late = 100 + np.arange(100) / 25
    assert warned(*filmed(restless(100), seconds=late)) == (
        "The clip is only 4.0 s long: rhythm and blinks are guesses.",
    )
    track, performance = filmed(restless(200))
    assert warned(without_face(track, slice(0, 22)), performance) == (
        "A face was found in only 89% of the frames.",
    )
    few = filmed(restless(200), scale=small_but(list(range(0, 200, 4)), 200))
    assert warned(*few) == ("Only 25% of the frames are frontal and sharp enough.",)


def test_what_is_just_enough_is_no_reason_to_warn() -> None:
    """Five seconds, nine tenths of the frames with a face, three tenths of them usable."""
    assert warned(*filmed(restless(126))) == ()
    track, performance = filmed(restless(200))
    assert warned(without_face(track, slice(0, 20)), performance) == ()
    enough = filmed(restless(200), scale=small_but(list(range(60)), 200))
    assert warned(*enough) == ()
