"""What of a face's motion speaks, and what is expression."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stylehead.face.face_model import generic_neutral
from stylehead.face.landmarks import MOUTH_PAIRS, REGIONS, mouth_opening
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


class Articulation(NamedTuple):
    """How somebody speaks, told apart by what a mouth's opening and width say of it."""

    gestures: Floats
    """(T, 2) how much further open the mouth is than at rest, and how much wider than it usually
    is when it is that far open."""
    ways: Floats
    """(2, 68, 3) how far each point goes while these grow by 1."""
    manner: Floats
    """(T, 68, 3) the rest: how lips are raised, pushed out or drawn aside on the way."""


LEAST_WIDER = 0.001  # interocular; a mouth whose width varies less of its own has no way to widen


def told_apart(articulation: Floats) -> Articulation:
    """Tell apart offsets (T, 68, 3) without their expression, by least squares.

    Ways and manner are a person's own, whatever is said. The manner opens and widens nothing.
    """
    lower = articulation[:, LOWER].reshape(len(articulation), 3 * len(LOWER))
    opened = parted(articulation)
    _, wider = _explained(opened, articulation[:, 54, :1] - articulation[:, 48, :1])
    opens, rest = _explained(opened, lower)
    widens, rest = _explained(wider[:, 0], rest, LEAST_WIDER)
    ways, manner = np.zeros((2, 68, 3), np.float32), np.zeros_like(articulation)
    ways[:, LOWER] = np.stack([opens, widens]).reshape(2, -1, 3)
    manner[:, LOWER] = rest.reshape(len(lower), len(LOWER), 3)
    return Articulation(np.column_stack([opened, wider]), ways, manner)


def _explained(cause: Floats, values: Floats, least: float = 1e-6) -> tuple[Floats, Floats]:
    """Return how values (T, N) grow with a cause (T,), about (N,), and the rest of them about 0.

    A cause whose spread is under `least` explains nothing.
    """
    if len(cause) == 0:
        return np.zeros(values.shape[1], np.float32), values
    about, values = cause - cause.mean(), values - values.mean(0)
    slope = about @ values / (np.square(about).sum() + len(cause) * least**2)
    return slope, values - about[:, None] * slope


def parted(offsets: Floats) -> Floats:
    """Return how far offsets (..., 68, 3) part the inner lips; negative where they press them."""
    gaps = [offsets[..., lower, 1] - offsets[..., upper, 1] for upper, lower in MOUTH_PAIRS]
    return np.mean(gaps, axis=0)


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
