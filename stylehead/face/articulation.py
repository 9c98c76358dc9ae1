"""What of a face's motion speaks, and what is expression."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stylehead.face.face_model import generic_neutral
from stylehead.face.landmarks import REGIONS, mouth_opening
from stylehead.face.shapes import POINTS, FaceShapes, measures
from stylehead.types import Floats

SLOW = 0.35  # seconds of Gaussian; what passes is below half a hertz, slower than syllables
UPPER = [*REGIONS["brows"], *REGIONS["eyes"]]
LOWER = [*REGIONS["jaw"], *REGIONS["nose"], *REGIONS["mouth"]]
OPENING = 7  # of `measures`, the mouth's
SPEAKING = 0.07  # interocular; how far a mouth is open while it speaks


def expression_of(landmarks: Floats, neutral: Floats, fps: Fraction) -> Floats:
    """Return the part (T, 68, 3) of offsets that does not speak; the rest is articulation.

    Brows and eyes belong to it altogether: sound tells little of them. Of the lower face it is
    what changes slowly, less what the opening of a mouth usually takes along: a smile, pursed or
    slanted lips. A mouth shut in silence then keeps its smile, and lips still meet. What the
    clip's own opening takes along would not do: whoever smiles shows it when the lips part, and
    the smile would be speech.
    """
    found = np.zeros_like(landmarks)
    found[:, UPPER] = landmarks[:, UPPER]
    sigma, along = SLOW * float(fps), usual_way()[LOWER]
    opening = mouth_opening(landmarks + neutral) - mouth_opening(neutral)
    slow = gaussian_filter1d(landmarks[:, LOWER], sigma, axis=0, mode="nearest")
    opened = gaussian_filter1d(opening, sigma, mode="nearest")
    # Slow lips and slow gap do not quite agree: the gap that would be left is taken out as well.
    found[:, LOWER] = slow - opened[:, None, None] * along
    left = mouth_opening(found + neutral) - mouth_opening(neutral)
    found[:, LOWER] -= left[:, None, None] * along
    return found


@cache
def usual_way() -> Floats:
    """Return how far each point goes (68, 3) while people's mouths open by 1."""
    shapes, neutral = FaceShapes.embedded(), generic_neutral()
    size = shapes.spread[:, None] * shapes.shapes
    opened = measures(size.reshape(len(size), -1, 3))[:, OPENING]
    way = np.zeros((68, 3), np.float32)
    way[POINTS] = (opened @ size).reshape(-1, 3)
    way[UPPER] = 0
    way /= np.square(opened).sum()
    reached = mouth_opening(neutral + SPEAKING * way) - mouth_opening(neutral)
    return way * np.float32(SPEAKING / reached)
