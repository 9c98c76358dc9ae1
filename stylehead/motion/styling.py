"""Bring a motion to a style's statistics and to the openings of its mouth."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stylehead.compute.device import to_array
from stylehead.face.articulation import LOWER, expression_of, parted, usual_way
from stylehead.face.face_model import generic_neutral
from stylehead.face.landmarks import REGIONS, mouth_opening
from stylehead.models.motion_generator import MotionGenerator
from stylehead.models.pose_generator import FPS as ROWS
from stylehead.types import CHUNK, Floats, Motion, Style

TRUST = 5.0  # seconds of voiced sound at which its own spread counts as much as the training's
STRETCH = (0.2, 4.0)  # least and most a region is scaled to reach the style's spread


def match_ranges(
    landmarks: Floats, voice: Floats, net: MotionGenerator, style: Style, fps: Fraction
) -> Floats:
    """Return offsets (T, 68, 3) with each region's range, axis by axis, the style's.

    landmarks (T, 68, 3) as the net predicts them for an average person; voice (T,) the gate. The
    spread of the net's own output is measured on this recording, leaning on training for short
    ones.
    """
    landmarks = landmarks.copy()
    voiced = voice > 0.5
    seconds = float(voiced.sum() / fps)
    weight = seconds / (seconds + TRUST)
    usual = to_array(net.predicted_spread)
    own = _spread_where(landmarks, voiced) if voiced.any() else usual
    performed = style.motion.landmarks
    for region in REGIONS.values():
        points = list(region)
        variance = weight * np.square(own[points]) + (1 - weight) * np.square(usual[points])
        wanted = np.square(performed[:, points].std(0))
        ratio = np.sqrt(wanted.mean(0) / (variance.mean(0) + 1e-10)).clip(*STRETCH)
        landmarks[:, points] *= ratio.astype(np.float32)
    # The vertical way of the lips is what is read as style: fit the opening itself.
    neutral = generic_neutral()
    reached = opening_range(landmarks, neutral)
    if reached > 0.005 and seconds > 1:
        factor = opening_range(performed, style.motion.neutral) / reached
        for name in ("mouth", "jaw"):
            landmarks[:, list(REGIONS[name]), 1] *= np.float32(np.clip(factor, 0.5, 2.0))
    return landmarks


def _spread_where(landmarks: Floats, rows: NDArray[np.bool_]) -> Floats:
    """Return the standard deviation (68, 3) over chosen rows, a piece at a time to spare memory."""
    total, squares = np.zeros((68, 3)), np.zeros((68, 3))
    for start in range(0, len(landmarks), CHUNK):
        piece = landmarks[start : start + CHUNK][rows[start : start + CHUNK]].astype(np.float64)
        total += piece.sum(0)
        squares += np.square(piece).sum(0)
    count = rows.sum()
    return np.sqrt(np.maximum(squares / count - np.square(total / count), 0))


def opening_range(landmarks: Floats, neutral: Floats) -> float:
    """Return the mouth opening's way from its 5th to its 95th percentile."""
    pieces = [
        mouth_opening(landmarks[start : start + CHUNK] + neutral)
        for start in range(0, len(landmarks), CHUNK)
    ]
    return range_of(np.concatenate(pieces))


def range_of(opening: Floats) -> float:
    """Return the way of an opening (T,) from its 5th to its 95th percentile."""
    low, high = np.percentile(opening, [5, 95])
    return float(high - low)


KNOWN_MEAN = 1.0  # seconds of voiced sound at which half of a generator's own look is taken off


def without_own_look(landmarks: Floats, voice: Floats, fps: Fraction) -> Floats:
    """Return offsets (T, 68, 3) without the look that a generator gives to everybody who speaks.

    It is what its lower face has in the mean besides the opening: a mouth narrower than people's,
    with lower corners. A style has a look of its own, and both together would look stern.
    """
    spoken = voice > 0.5
    seconds = float(spoken.sum() / fps)
    if seconds == 0:
        return landmarks
    look = np.zeros((68, 3), np.float32)
    look[LOWER] = landmarks[spoken][:, LOWER].mean(0)
    look -= usual_way() * (parted(look) / parted(usual_way()))
    known = np.float32(seconds / (seconds + KNOWN_MEAN))
    return landmarks - known * voice[:, None, None] * look


LEVELS = np.linspace(2, 98, 33)  # percentiles at which openings are compared
LEAST_SECONDS = 1.0  # of voice, below which a recording's percentiles mean nothing
REACH = 0.9  # of the style's range of openings (or that range of the mouth's) is near enough
HASTE = 1.1  # most the lips' speed may be of the style's own


def match_opening(
    landmarks: Floats, voice: Floats, performed: Motion, neutral: Floats, fps: Fraction
) -> Floats:
    """Return offsets whose distribution of openings, while speaking, comes near to a style's.

    landmarks (T, 68, 3) are offsets on the face `neutral`, voice (T,) the gate. The map from
    opening to opening is monotone, so that syllables keep their time and the least open stay the
    least open; the rest of the lower face goes along as it does in the style. It goes no further
    than the range of openings needs, since all that a tuned mouth has learned of single sounds is
    lost on the way, and only as far as lips then move hardly faster than the style's: for a mouth
    that gapes without speaking, the whole way would turn quick syllables into snapping.
    """
    voiced = voice > 0.5
    if voiced.sum() / fps < LEAST_SECONDS:
        return landmarks
    landmarks = landmarks.copy()
    spoken = performed.landmarks - expression_of(
        performed.landmarks, performed.neutral, performed.fps
    )
    opening, wanted = mouth_opening(landmarks + neutral), mouth_opening(spoken + neutral)
    have, want = (np.percentile(values, LEVELS) for values in (opening[voiced], wanted))
    shift = np.interp(opening, have, want - have) * voice
    allowed = HASTE * _speed(wanted, performed.fps)
    fractions, style_range = np.linspace(0, 1, 21), range_of(wanted)
    ranges = (range_of(opening + f * shift) / style_range for f in fractions)
    near = (f for f, way in zip(fractions, ranges, strict=True) if REACH <= way <= 1 / REACH)
    slow = (f for f in fractions[::-1] if _speed(opening + f * shift, fps) <= allowed)
    fraction = min(next(near, 1.0), next(slow, 0.0))
    along = opening_way(spoken, wanted)
    landmarks[:, LOWER] += (fraction * shift[:, None, None] * along).astype(np.float32)
    return landmarks


def opening_way(landmarks: Floats, opening: Floats) -> Floats:
    """Return how far each point of LOWER goes (N, 3) while a mouth opens by 1, by least squares."""
    about, lower = opening - opening.mean(), landmarks[:, LOWER]
    return np.tensordot(about, lower - lower.mean(0), (0, 0)) / (np.square(about).sum() + 1e-9)


def _speed(opening: Floats, fps: Fraction) -> float:
    """Return the root mean square speed of an opening (T,), a second's."""
    return float(np.sqrt(np.square(np.diff(opening)).mean())) * float(fps)


# ---- vocal effort -------------------------------------------------------------------------------

BELOW, ABOVE = slice(0, 11), slice(11, 36)
"""Bands of log-mel under 500 Hz and from there to 1500 Hz, where a raised voice gains most."""
RAISED = -0.03
"""How much louder, in log-mel, the bands above are from which a voice is raised; 1 is 100 dB."""
FARTHEST_RAISED = 0.13  # beyond it; screams are not followed farther
WIDER = 2.6
"""Logarithm of the opening's range gained per such unit; inside the interval of filmed people."""
EFFORT_SPAN = 2.0  # seconds of Gaussian
EFFORT_LEVEL = 0.05  # 5 dB softer counts 1/e as much: effort is heard in what is loud


def raised_voice(prosody: Floats, fps: Fraction, frames: int) -> Floats:
    """Return how far the voice is raised around each frame (T,), from 0, which is usual speech.

    Recordings come at any level, so the spectrum is looked at instead: a raised voice is stronger
    in its first formant and overtones than in its lowest ones. prosody (P, 80).
    """
    balance = prosody[:, ABOVE].mean(1) - prosody[:, BELOW].mean(1)
    level = prosody.mean(1)
    weight = np.exp((level - level.max(initial=0.0)) / EFFORT_LEVEL)
    sigma = EFFORT_SPAN * ROWS
    effort = gaussian_filter1d(balance * weight, sigma, mode="nearest")
    effort /= gaussian_filter1d(weight, sigma, mode="nearest") + 1e-12
    raised = (effort - RAISED).clip(0, FARTHEST_RAISED)
    middles = (np.arange(len(prosody)) + 0.5) * float(fps / ROWS)
    return np.interp(np.arange(frames), middles, raised).astype(np.float32)


def widen(
    landmarks: Floats, neutral: Floats, voice: Floats, raised: Floats, amount: float
) -> Floats:
    """Return offsets (T, 68, 3) on the face `neutral` that open wider where a voice is raised.

    raised (T,); with 1 as `amount` as much wider as filmed people do, with 0 no wider.
    """
    spoken = voice > 0.5
    if amount == 0 or not raised.any() or not spoken.any():
        return landmarks
    landmarks = landmarks.copy()
    opening = mouth_opening(landmarks + neutral) - mouth_opening(neutral)
    more = np.expm1(amount * WIDER * raised) * opening.clip(0, None)
    along = opening_way(landmarks[spoken], opening[spoken])
    landmarks[:, LOWER] += (more[:, None, None] * along).astype(np.float32)
    return landmarks
