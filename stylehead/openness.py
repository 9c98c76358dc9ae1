"""How wide a style's mouth stands open: part of what tuning leaves short of it is made up for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from stylehead.expression import LOWER, expression_of
from stylehead.landmarks import mouth_opening
from stylehead.types import Floats, Motion

LEVELS = np.linspace(2, 98, 33)  # percentiles at which openings are compared
LEAST_SECONDS = 1.0  # of voice, below which a recording's percentiles mean nothing
HASTE = 1.1  # most the lips' speed may be of the style's own


def match_opening(
    landmarks: Floats, voice: Floats, performed: Motion, neutral: Floats, fps: Fraction
) -> None:
    """Bring the distribution of the speaking mouth's opening towards a style's; in place.

    landmarks (T, 68, 3) are offsets on the face `neutral`, voice (T,) the gate. The map from
    opening to opening is monotone, so that syllables keep their time and the least open stay the
    least open; the rest of the lower face goes along as it does in the style. It goes only as far
    as lips then move hardly faster than the style's: for a mouth that gapes without speaking, the
    whole way would turn quick syllables into snapping.
    """
    voiced = voice > 0.5
    if voiced.sum() / fps < LEAST_SECONDS:
        return
    spoken = performed.landmarks - expression_of(
        performed.landmarks, performed.neutral, performed.fps
    )
    opening, wanted = mouth_opening(landmarks + neutral), mouth_opening(spoken + neutral)
    have, want = (np.percentile(values, LEVELS) for values in (opening[voiced], wanted))
    shift = np.interp(opening, have, want - have) * voice
    allowed = HASTE * _speed(wanted, performed.fps)
    shares = np.linspace(1, 0, 21)
    share = next((one for one in shares if _speed(opening + one * shift, fps) <= allowed), 0.0)
    about, lower = wanted - wanted.mean(), spoken[:, LOWER]
    along = np.tensordot(about, lower - lower.mean(0), (0, 0)) / (np.square(about).sum() + 1e-9)
    landmarks[:, LOWER] += (share * shift[:, None, None] * along).astype(np.float32)


def _speed(opening: Floats, fps: Fraction) -> float:
    """Return the root mean square speed of an opening (T,), a second's."""
    return float(np.sqrt(np.square(np.diff(opening)).mean())) * float(fps)
