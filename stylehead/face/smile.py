"""A smile that somebody never puts off: their calmest face has it, and so it is not in the motion.

Expression scores alone take broad or stretched mouths for smiles, and raised corners alone may be
the shape of a mouth; where both say so, it is a smile.
"""

from __future__ import annotations

import numpy as np

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import MOUTH_PAIRS, to_68
from stylehead.types import Floats

SMILE = (19, 20, 44, 45)
"""Expression scores of a smile: narrowed eyes, and raised corners of the mouth."""
CORNERS, MIDDLES = [48, 54], [51, 57]
USUAL_LIFT, SPREAD = 0.026, 0.015
"""Interocular; how far corners lie over the middle of a calm mouth: median and spread of people."""


def lasting_smile(neutral: Floats, scores: Floats, model: FaceModel) -> Floats:
    """Return the offsets (68, 3) of the smile that a calmest face shows; lips stay as shut.

    neutral (68, 3) is that face in head space, interocular, scores (52,) its expression scores.
    """
    lift = float(neutral[MIDDLES, 1].mean() - neutral[CORNERS, 1].mean())
    sure = np.clip((lift - USUAL_LIFT) / SPREAD, 0, 1)
    excess = np.zeros_like(model.neutral_scores)
    excess[list(SMILE)] = np.maximum(scores - model.neutral_scores, 0)[list(SMILE)]
    mesh = (sure * excess) @ model.basis
    offset = to_68(mesh.reshape(-1, 3)).astype(np.float32)
    for upper, lower in MOUTH_PAIRS:
        parted = (offset[lower, 1] - offset[upper, 1]) / 2
        offset[upper, 1] += parted
        offset[lower, 1] -= parted
    return offset
