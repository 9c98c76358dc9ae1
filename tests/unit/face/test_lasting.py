import numpy as np
import pytest

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import MOUTH_PAIRS, mouth_opening, mouth_width
from stylehead.face.lasting import lasting_expression
from tests.stand_ins.faces import mean_face

MODEL = FaceModel.embedded()
SMILES = [44, 45]


def face(lift=0.0):
    """Return the mean face with its mouth's corners raised."""
    neutral = mean_face().copy()
    neutral[[48, 54], 1] -= lift
    return neutral


def scores(smile):
    found = MODEL.neutral_scores.copy()
    found[SMILES] += smile
    return found


def lift_of(offsets):
    return offsets[[51, 57], 1].mean() - offsets[[48, 54], 1].mean()


def test_a_smile_that_corners_and_scores_show_is_found():
    found = lasting_expression(face(0.03), scores(0.5), MODEL)
    assert lift_of(found) > 0.015
    assert mouth_width(face() + found) > mouth_width(face()) + 0.03


@pytest.mark.parametrize(("lift", "smile"), [(-0.02, 0.5), (0.03, 0.0), (0.0, 0.0)])
def test_either_alone_is_no_smile(lift, smile):
    """A stretched mouth that weeps has the score, a mouth of that shape the corners."""
    assert np.abs(lasting_expression(face(lift), scores(smile), MODEL)).max() < 1e-3


def test_a_broader_smile_is_larger():
    small, large = (lasting_expression(face(0.06), scores(s), MODEL) for s in (0.2, 0.6))
    assert lift_of(large) == pytest.approx(3 * lift_of(small), rel=0.05)


def test_lids_stay_as_they_are():
    """How far a calm face's eyes are open is its own, or the head's pitch."""
    squinting = scores(0.4)
    squinting[[19, 20]] += 0.4
    assert not lasting_expression(face(0.03), squinting, MODEL)[36:48].any()


BROWS = list(range(17, 27))


def with_brows(lowered, score):
    """Return the mean face with other brows, and scores that say so."""
    neutral, said = face(), scores(0)
    neutral[BROWS, 1] += lowered
    said[[1, 2] if lowered > 0 else [3, 4, 5]] += score
    return neutral, said


@pytest.mark.parametrize("lowered", [0.07, -0.08])
def test_brows_that_never_come_back_are_found(lowered):
    found = lasting_expression(*with_brows(lowered, 0.6), MODEL)
    assert 0.02 < found[BROWS, 1].mean() * np.sign(lowered) < abs(lowered)
    assert not np.delete(found, BROWS, 0).any()


@pytest.mark.parametrize(("lowered", "score"), [(0.08, 0.0), (0.01, 0.1), (-0.08, 0.0)])
def test_low_or_high_brows_of_ones_own_are_no_expression(lowered, score):
    assert not lasting_expression(*with_brows(lowered, score), MODEL).any()


def test_corners_that_hang_are_a_frown():
    said = scores(0)
    said[[30, 31]] += 0.4
    assert lift_of(lasting_expression(face(-0.04), said, MODEL)) < -0.004
    assert not lasting_expression(face(0.02), said, MODEL).any()


def test_lips_stay_as_shut_as_they_were():
    neutral = face(0.03)
    found = lasting_expression(neutral, scores(0.7), MODEL)
    for upper, lower in MOUTH_PAIRS:
        assert found[lower, 1] - found[upper, 1] == pytest.approx(0, abs=1e-5)
    assert mouth_opening(neutral + found) == pytest.approx(mouth_opening(neutral), abs=0.01)
