"""An expression that somebody never puts off: their calmest face has it, the motion does not.

Expression scores alone take broad mouths for smiles and low brows for frowns, and a shape alone may
be the person's own; where both say so, it is an expression.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from stylehead.face.articulation import LOWER
from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import MOUTH_PAIRS, REGIONS, brow_height, to_68
from stylehead.types import Floats


def corner_lift(points: Floats) -> Floats:
    """Return how far the mouth's corners are over its middle: (..., 68, D) in, (...) out."""
    return points[..., (51, 57), 1].mean(-1) - points[..., (48, 54), 1].mean(-1)


def inner_brow_height(points: Floats) -> Floats:
    """Return `brow_height` of the brows' inner ends: (..., 68, D) in, (...) out."""
    return points[..., (36, 39, 42, 45), 1].mean(-1) - points[..., 20:24, 1].mean(-1)


class Sign(NamedTuple):
    """Something that a face may show for good, and what calm faces of people are like."""

    points: list[int]
    """Landmarks that show it."""
    scores: tuple[int, ...]
    """Expression scores that say it."""
    score: tuple[float, float]
    """Median and spread of their mean."""
    measure: Callable[[Floats], Floats]
    shape: tuple[float, float]
    """Median and spread of the measure; interocular."""
    way: int
    """1 where the measure grows with the expression, -1 where it shrinks."""


BROWS = list(REGIONS["brows"])
SMILE = Sign(LOWER, (44, 45), (0.006, 0.135), corner_lift, (0.024, 0.016), 1)
FROWN = Sign(LOWER, (30, 31), (0.001, 0.022), corner_lift, (0.024, 0.016), -1)
LOWERED = Sign(BROWS, (1, 2), (0.049, 0.202), brow_height, (0.260, 0.032), -1)
INNER = Sign(BROWS, (3,), (0.040, 0.183), inner_brow_height, (0.276, 0.034), 1)
OUTER = Sign(BROWS, (4, 5), (0.061, 0.157), brow_height, (0.260, 0.032), 1)
SIGNS = {
    "smile": SMILE,
    "frown": FROWN,
    "lowered brows": LOWERED,
    "raised inner brows": INNER,
    "raised outer brows": OUTER,
}
"""Medians and spreads are of 150 people, none of them held out
(`python benchmarks/expression.py usual`)."""
CERTAIN = (0.75, 1.75)
"""Spreads beyond the median, shape and scores together, at which brows begin to count and from
which they do in full: most of what differs between people's brows is their own. Between several
clips of 18 people, none held out, the brows found follow the person's own with r 0.86. Lids that
were found in the same way did not (r 0.03): how far they are open differs with the head's pitch."""


def lasting_expression(neutral: Floats, scores: Floats, model: FaceModel) -> Floats:
    """Return the offsets (68, 3) of the expression that a calmest face shows; lips stay as shut.

    neutral (68, 3) is that face in head space, interocular, scores (52,) its expression scores.
    """
    offset = np.zeros((68, 3), np.float32)
    for sign in SIGNS.values():
        offset += _shown(sign, neutral, scores, model)
    for upper, lower in MOUTH_PAIRS:
        parted = (offset[lower, 1] - offset[upper, 1]) / 2
        offset[upper, 1] += parted
        offset[lower, 1] -= parted
    return offset


def _shown(sign: Sign, neutral: Floats, scores: Floats, model: FaceModel) -> Floats:
    """Return the offsets (68, 3) of one sign; none where shape and scores do not agree.

    It moves what is measured no further than that is away from what is usual.
    """
    chosen = list(sign.scores)
    offset = np.zeros((68, 3), np.float32)
    away = sign.way * (float(sign.measure(neutral)) - sign.shape[0])
    said = (float(scores[chosen].mean()) - sign.score[0]) / sign.score[1]
    if min(away, said) <= 0:
        return offset
    sure = beyond = away / sign.shape[1]
    if sign.points is not LOWER:
        begins, full = CERTAIN
        sure = ((beyond + said) / 2 - begins) / (full - begins)
    excess = np.zeros_like(model.neutral_scores)
    excess[chosen] = np.maximum(scores - model.neutral_scores, 0)[chosen]
    offset[sign.points] = to_68((excess @ model.basis).reshape(-1, 3))[sign.points]
    moved = sign.way * float(sign.measure(neutral + offset) - sign.measure(neutral))
    return offset * np.float32(np.clip(sure, 0, 1) * min(1.0, away / max(moved, 1e-6)))
