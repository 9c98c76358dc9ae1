"""Mouths keep to shapes that filmed faces have, however far they are stretched."""

from fractions import Fraction

import numpy as np
import pytest

from stylehead.face.landmarks import MOUTH_PAIRS
from stylehead.face.shapes import POINTS, FaceShapes, measures
from stylehead.motion.finishing import adjust, with_filmed_shapes
from stylehead.options import MotionControls
from tests.stand_ins.faces import Recording, make_style, performed_motion, predictor, syllables

SHAPES = FaceShapes.embedded()
STYLE = make_style(performed_motion(30, spread={"mouth": (0.05, 0.03, 0.02)}, opening=0.3))
WILD = performed_motion(6.0, spread={"mouth": (0.1, 0.02, 0.02)}, opening=0.6)


def beyond(landmarks):
    """How far the wildest frame is out of what was filmed, of its way from least to most."""
    found = measures(landmarks[:, POINTS])
    least, _, _, most = SHAPES.limits.T
    return float((np.maximum(found - most, least - found) / (most - least)).max())


def crossing(motion):
    height = (motion.landmarks + motion.neutral)[..., 1]
    return max(float((height[:, upper] - height[:, lower]).max()) for upper, lower in MOUTH_PAIRS)


def predict(**controls):
    models = predictor()
    recording = Recording(syllables(6.0))
    return models.predict(recording, STYLE, fps=Fraction(30), controls=MotionControls(**controls))


def test_the_amount_goes_from_the_motion_to_filmed_shapes():
    filmed = SHAPES.nearest(WILD.landmarks)
    np.testing.assert_array_equal(with_filmed_shapes(WILD.landmarks, 0), WILD.landmarks)
    np.testing.assert_array_equal(with_filmed_shapes(WILD.landmarks, 1), filmed)
    half = with_filmed_shapes(WILD.landmarks, 0.5)
    np.testing.assert_allclose(half, (WILD.landmarks + filmed) / 2, atol=1e-6)
    assert beyond(WILD.landmarks) > 0.3 > 0.02 > beyond(filmed)


@pytest.mark.parametrize("expression", [1.0, 3.0])
def test_a_stretched_style_keeps_to_filmed_mouths(expression):
    loose = predict(expression=expression, shapes=0.0)
    kept = predict(expression=expression)
    if expression > 1:
        assert beyond(loose.landmarks) > 0.3
    assert beyond(kept.landmarks) < 0.05  # lips that would cross are parted afterwards
    assert crossing(kept) < 1e-5


def test_a_saved_motion_that_is_stretched_does_too():
    stretched = adjust(WILD, MotionControls(expression=2.0))
    assert beyond(stretched.landmarks) < 0.05
    assert beyond(adjust(WILD, MotionControls(expression=2.0, shapes=0.0)).landmarks) > 0.5


def test_a_saved_motion_that_is_left_as_it_is_stays_so():
    np.testing.assert_array_equal(adjust(WILD, MotionControls()).landmarks, WILD.landmarks)
