from fractions import Fraction

import numpy as np
import pytest

from stylehead.face.articulation import UPPER, expression_of, usual_way
from stylehead.face.landmarks import REGIONS, mouth_opening
from stylehead.motion.expression import sample_expression
from tests.stand_ins.faces import make_style, mean_face, performed_motion

FPS = Fraction(30)
TIMES = np.arange(600) / 30
NEUTRAL = mean_face()


def talking(size=0.1):
    """Return twenty seconds of a mouth that opens three times a second, and nothing else."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * 3 * TIMES))[:, None, None] * size * usual_way()


def smiling(size=0.05, seconds=10.0):
    """Return mouth corners that part slowly."""
    offsets = np.zeros((600, 68, 3), np.float32)
    part = size * (0.5 - 0.5 * np.cos(2 * np.pi * TIMES / seconds))
    for points, sign in (((48, 60), -1), ((54, 64), 1)):
        offsets[:, list(points), 0] = sign * part[:, None]
    return offsets


def test_speech_is_no_expression():
    found = expression_of(talking(), NEUTRAL, FPS)
    assert np.abs(found[30:-30]).max() < 0.004


def test_a_slow_smile_is_one():
    found = expression_of(talking() + smiling(), NEUTRAL, FPS)
    wanted = smiling()[30:-30, 54, 0]
    assert np.corrcoef(found[30:-30, 54, 0], wanted)[0, 1] > 0.99
    assert found[30:-30, 54, 0].std() == pytest.approx(wanted.std(), rel=0.1)


def test_a_face_at_rest_that_smiles_keeps_its_smile():
    resting = np.zeros((600, 68, 3), np.float32)
    resting[:, (54, 64), 0] = 0.05
    found = expression_of(talking() + resting, NEUTRAL, FPS)
    assert found[:, 54, 0].mean() == pytest.approx(0.05, abs=0.005)


def test_a_smile_that_shows_whenever_the_lips_part_is_one():
    """In three seconds a laughing mouth opens and widens together; that is not how it speaks."""
    wide = np.zeros((68, 3), np.float32)
    for points, sign in (((48, 60), -1), ((54, 64), 1)):
        wide[list(points), 0] = sign
    parted = (0.5 - 0.5 * np.cos(2 * np.pi * 3 * TIMES[:90]))[:, None, None]
    found = expression_of(talking()[:90] + 0.05 * parted * wide, NEUTRAL, FPS)
    assert found[:, 54, 0].mean() == pytest.approx(0.025, rel=0.1)


def test_expression_leaves_lips_shut():
    found = expression_of(talking() + smiling(), NEUTRAL, FPS)
    gap = mouth_opening(found + NEUTRAL) - mouth_opening(NEUTRAL)
    assert np.abs(gap).max() < 0.01


def test_brows_and_eyes_are_expression_altogether():
    motion = performed_motion(20.0)
    found = expression_of(motion.landmarks, motion.neutral, motion.fps)
    np.testing.assert_array_equal(found[:, UPPER], motion.landmarks[:, UPPER])


# ---- played again ---------------------------------------------------------------------------

STYLE = make_style(performed_motion(20.0, spread={"brows": (0.01, 0.04, 0.01)}))


def sample(seconds=60.0, fps=30, seed=0, style=STYLE):
    rng = np.random.default_rng(seed)
    return sample_expression(style, round(seconds * fps), Fraction(fps), rng)


def test_it_has_the_styles_spread_and_speed():
    made, own = sample()[:, UPPER], STYLE.motion.landmarks[:, UPPER]
    assert made.std() == pytest.approx(own.std(), rel=0.15)
    assert np.diff(made, axis=0).std() == pytest.approx(np.diff(own, axis=0).std(), rel=0.15)


def test_no_jump_where_pieces_meet():
    step = np.abs(np.diff(sample(), axis=0)).max()
    own = np.abs(np.diff(STYLE.motion.landmarks[:, [*UPPER, *REGIONS["mouth"]]], axis=0)).max()
    assert step < 2 * own


def test_the_rate_does_not_change_the_motion():
    slow, quick = sample(12, 30), sample(12, 60)
    assert np.abs(quick[::2] - slow).max() < 0.01


def test_another_seed_plays_other_pieces():
    assert np.abs(sample(seed=1) - sample(seed=2)).max() > 0.02
    np.testing.assert_array_equal(sample(seed=1), sample(seed=1))


def test_every_part_of_a_style_is_played():
    """The brows are up in the last fifth only: it must come about that often."""
    motion = performed_motion(20.0)
    moved = motion.landmarks * 0
    moved[480:, list(REGIONS["brows"]), 1] = -0.1
    style = make_style(motion.with_(landmarks=moved))
    share = (sample(60, style=style)[:, 20, 1] < -0.05).mean()
    assert share == pytest.approx(0.2, abs=0.07)


def test_a_clip_of_a_second_is_enough():
    assert np.isfinite(sample(5, style=make_style(performed_motion(1.0)))).all()
