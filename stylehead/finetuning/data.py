"""What a style is transferred from: references, motion and speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.optimize import nnls
from torch import Tensor

from stylehead.compute.device import to_tensor
from stylehead.face.articulation import expression_of
from stylehead.face.face_model import generic_neutral
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.types import Floats, Style
from stylehead.weights.networks import CPU

SUM_WEIGHT = 100.0  # of the equation that makes template weights sum to 1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TransferData:
    """What a style is transferred from; offsets are in head space, from a neutral face."""

    references: Tensor
    """(R, 68, 3) offsets of the style references from their person's neutral face."""
    reference_weights: Tensor
    """(R,) how much of the clip is nearest to each; they sum to 1."""
    articulation: Tensor
    """(T, 68, 3) the part of the clip's offsets that speaks, at STYLE_FPS."""
    expression: Tensor
    """(T, 68, 3) the remaining part; together they are phi_s of a video."""
    own: list[AlignedFeatures]
    """The clip's articulation and the features of its own sound; empty for a silent clip."""
    replay: list[Tensor]
    """Features (T, F) of speech without a face; the un-tuned generator is the teacher there."""
    neutral: Tensor
    """(68, 3) the target's neutral face."""


def transfer_data(style: Style, own: list[AlignedFeatures], replay: list[Tensor]) -> TransferData:
    """Return what transfer learns from: phi_s without the person's own shape, and speech.

    `own` are the clips' articulations aligned with their sound, `replay` the features (T, F) of
    speech without a face.
    """
    motion = style.motion
    expression = expression_of(motion.landmarks, motion.neutral, motion.fps)
    offsets = np.stack([reference.landmarks - motion.neutral for reference in style.references])
    references = to_tensor(offsets.astype(np.float32), CPU)
    return TransferData(
        references=references,
        reference_weights=template_weights(references, to_tensor(motion.landmarks, CPU)),
        articulation=to_tensor(motion.landmarks - expression, CPU),
        expression=to_tensor(expression, CPU),
        own=own,
        replay=replay,
        neutral=to_tensor(generic_neutral(), CPU),
    )


def template_weights(references: Tensor, motion: Tensor) -> Tensor:
    """Return (R,) the weights of the references whose mix is nearest to a clip's mean.

    Four templates weighted alike would make everybody's mean an open mouth: O is as rare as it is
    wide. Non-negative least squares, summing to 1. references (R, 68, 3) and motion (T, 68, 3)
    are offsets from the same neutral face.
    """
    columns, mean = references.flatten(1).T.double(), motion.mean(0).flatten().double()
    equations = np.concatenate([columns.numpy(), np.full((1, len(references)), SUM_WEIGHT)])
    weights = cast("Floats", nnls(equations, np.append(mean.numpy(), SUM_WEIGHT))[0])
    return to_tensor(weights / weights.sum(), CPU).float()
