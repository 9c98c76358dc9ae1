"""What singing asks of a face beside lips in step: notes that are held, breaths, and phrases."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stylehead.face.articulation import LOWER
from stylehead.face.geometry import angles_from_rotation, rotation_from_angles, smoothstep
from stylehead.face.landmarks import mouth_opening
from stylehead.models.pose_generator import FPS as ROWS
from stylehead.motion.head import DOWN, FADE, PITCH, mix_range
from stylehead.motion.styling import opening_way
from stylehead.types import Floats, StyleMix

Spans = NDArray[np.intp]
"""(N, 2) first frame and the frame after the last."""

# ---- held notes -------------------------------------------------------------------------------

POOLED = 4  # mel bands taken together: vibrato then stays within one
STEADY = 0.06
"""Mean change of a log-mel row within two rows up to which a sound is held; 1 is 100 dB."""
LOUD = 0.2  # 20 dB under the loud parts; what is quieter rings on or is background
LEAST_NOTE = 0.4  # seconds; vowels of speech are shorter
LEAST_HELD, NEAR = 0.8, 8.0
"""Seconds of held notes within so many seconds that make singing: one drawn-out vowel does not."""


def held_notes(prosody: Floats, voice: Floats, fps: Fraction) -> Spans:
    """Return the frames of the notes that a singer holds, (N, 2); speech has none.

    prosody (P, 80) is the voice's mean log-mel row at each pose, voice (T,) the gate. A note is
    held while the row, in bands too broad to show vibrato, hardly changes.
    """
    middles = (np.arange(len(prosody)) + 0.5) * float(fps / ROWS)
    heard = np.interp(middles, np.arange(len(voice)), voice) > 0.5
    rows = steady_rows(prosody, heard)
    lengths, centres = (rows[:, 1] - rows[:, 0]) / ROWS, rows.mean(1) / ROWS
    held = np.concatenate([[0.0], lengths.cumsum()])
    low, high = (np.searchsorted(centres, centres + reach) for reach in (-NEAR, NEAR))
    sung = rows[held[high] - held[low] >= LEAST_HELD] * float(fps / ROWS)
    spans = np.stack([np.ceil(sung[:, 0]), np.floor(sung[:, 1])], 1)
    return spans.astype(np.intp).clip(max=len(voice))


def steady_rows(prosody: Floats, heard: NDArray[np.bool_]) -> Spans:
    """Return the rows (N, 2) in which a loud voice keeps its spectrum, as a note with vibrato does.

    prosody (P, 80) are log-mel rows at the pose generator's rate, heard (P,) where there is a
    voice. Speech changes all the time.
    """
    if len(prosody) < 3:
        return np.zeros((0, 2), np.intp)
    bands = prosody.reshape(len(prosody), -1, POOLED).mean(2)
    change = np.pad(np.abs(bands[2:] - bands[:-2]).mean(1), 1, mode="edge")
    level = prosody.mean(1)
    rows = _runs((change < STEADY) & (level > np.percentile(level, 95) - LOUD) & heard)
    return rows[rows[:, 1] - rows[:, 0] >= LEAST_NOTE * ROWS]


def _runs(where: NDArray[np.bool_]) -> Spans:
    """Return the stretches (N, 2) of (T,) that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]])))
    return edges.reshape(-1, 2)


HOLD = 0.5  # seconds of Gaussian inside a note
HOLD_FADE = 0.05  # seconds at both ends of a note in which the mouth comes to rest and leaves
OPEN_FADE = 0.12  # seconds at both ends of a note in which the mouth opens further and comes back


def hold(landmarks: Floats, notes: Spans, fps: Fraction, amount: float) -> Floats:
    """Return offsets (T, 68, 3) whose mouth and jaw stay as they are through held notes.

    What is left within a note is slower than a vibrato; 0 of `amount` is as it was, 1 all of it.
    Frames outside notes are neither changed nor looked at, so consonants keep their closures.
    """
    if amount == 0 or not len(notes):
        return landmarks
    landmarks = landmarks.copy()
    for first, last in notes:
        piece = landmarks[first:last, LOWER]
        calm = gaussian_filter1d(piece, HOLD * float(fps), axis=0)  # keeps the mean
        weight = amount * _within(last - first, HOLD_FADE * float(fps))
        landmarks[first:last, LOWER] += weight[:, None, None] * (calm - piece)
    return landmarks


FIRST_FORMANT = slice(2, 33)
"""Bands of log-mel from 200 to 1300 Hz, 35 Hz each."""
CLOSED_VOWEL, OPEN_VOWEL = 12.0, 22.0
"""Their middle by energy, in bands (550 and 900 Hz): there a mouth need not open; it opens wide."""
WIDE = 85  # percentile of a voiced mouth's openings that is wide
LEAST_WIDE = 0.08  # interocular: what is wide in usual speech of an average person


def open_vowels(
    landmarks: Floats,
    neutral: Floats,
    voice: Floats,
    prosody: Floats,
    notes: Spans,
    fps: Fraction,
    amount: float,
) -> Floats:
    """Return un-styled offsets (T, 68, 3) whose mouth opens for the open vowels of held notes.

    A long note of a trained voice is no speech to speech encoders, and the mouth all but shuts. An
    open vowel shows in the spectrum, prosody (P, 80): its first formant lies high. Where the mouth
    is less open than that asks for, it opens in the way in which it does elsewhere; a hummed note
    stays as it is. With 0 as `amount` nothing is changed, with 1 all of it.
    """
    sung = voice > 0.5
    if amount == 0 or not len(notes) or not sung.any():
        return landmarks
    opening = mouth_opening(landmarks + neutral) - mouth_opening(neutral)
    wide = max(float(np.percentile(opening[sung], WIDE)), LEAST_WIDE)
    middles = (np.arange(len(prosody)) + 0.5) * float(fps / ROWS)
    openness = np.interp(np.arange(len(landmarks)), middles, vowel_openness(prosody))
    along = opening_way(landmarks[sung], opening[sung])
    landmarks = landmarks.copy()
    for first, last in notes:
        wanted = wide * gaussian_filter1d(openness[first:last], HOLD * float(fps))
        missing = (wanted - opening[first:last]).clip(0, None)
        missing *= amount * _within(last - first, OPEN_FADE * float(fps))
        landmarks[first:last, LOWER] += (missing[:, None, None] * along).astype(np.float32)
    return landmarks


def vowel_openness(prosody: Floats) -> Floats:
    """Return how open the vowels in rows of log-mel (P, 80) are, 0 to 1: (P,).

    The jaw drops for a high first formant, and energy is where that is.
    """
    bands = np.arange(FIRST_FORMANT.start, FIRST_FORMANT.stop)
    energy = 10.0 ** (10 * (prosody[:, FIRST_FORMANT] - 1))
    middle = energy @ bands / energy.sum(1)
    return ((middle - CLOSED_VOWEL) / (OPEN_VOWEL - CLOSED_VOWEL)).clip(0, 1)


def _within(frames: int, fade: float) -> Floats:
    """Return weights (T,) that rise from both ends to 1 in so many frames."""
    from_ends = np.minimum(np.arange(frames), np.arange(frames)[::-1]) + 1.0
    return smoothstep((from_ends / (fade + 1)).clip(0, 1)).astype(np.float32)


# ---- phrases ----------------------------------------------------------------------------------

PAUSE = 0.25
"""Seconds of a shut gate that part phrases: more than half a second without a voice."""
LEAST_PHRASE = 1.0  # seconds
LEAD = 0.2  # seconds from the gate's half-way to the sound, about
BREATH_IN = (-0.5, -0.3)  # seconds from a phrase's sound: the mouth begins to part, has parted
BREATH_OUT = (-0.25, 0.0)
BREATH_LIFT = 0.5  # of the head's range, against the mouth's part of its own
RISE = (-0.7, 0.9)  # seconds from a phrase's beginning in which the head rises
SETTLE = (-0.3, 1.0)  # seconds from its end in which it settles
UPWARDS = 0.5  # of its range of place, against the pitch's part of its own


def sung_phrases(voice: Floats, notes: Spans, fps: Fraction) -> Spans:
    """Return the frames of phrases that are sung, from pause to pause, (N, 2)."""
    rate = float(fps)
    parts = _runs(voice > 0.5)
    if not len(parts) or not len(notes):
        return np.zeros((0, 2), np.intp)
    apart = parts[1:, 0] - parts[:-1, 1] >= PAUSE * rate
    firsts = parts[np.concatenate([[True], apart]), 0]
    lasts = parts[np.concatenate([apart, [True]]), 1]
    middle = notes.mean(1)
    away = np.maximum(firsts[:, None] - middle, middle - lasts[:, None]).clip(0, None).min(1)
    kept = (lasts - firsts >= LEAST_PHRASE * rate) & (away <= NEAR * rate)
    return np.stack([firsts, lasts], 1)[kept]


def breathe(
    landmarks: Floats, neutral: Floats, voice: Floats, phrases: Spans, fps: Fraction, amount: float
) -> Floats:
    """Return offsets (T, 68, 3) on the face `neutral` whose mouth parts before each phrase.

    It is open a third of a second before the sound by `amount` of what it opens to in singing, in
    the way in which it opens there; a mouth that is wider already stays as it is.
    """
    if amount == 0 or not len(phrases):
        return landmarks
    opening = mouth_opening(landmarks + neutral) - mouth_opening(neutral)
    sung = voice > 0.5
    along = opening_way(landmarks[sung], opening[sung])
    wanted = amount * np.percentile(opening[sung], 95) * _breaths(phrases, len(landmarks), fps)
    landmarks = landmarks.copy()
    rows = np.flatnonzero(wanted > opening)
    missing = (wanted - opening)[rows, None, None]
    landmarks[rows[:, None], LOWER] += (missing * along).astype(np.float32)
    return landmarks


def _breaths(phrases: Spans, frames: int, fps: Fraction) -> Floats:
    """Return how far (T,) a breath is drawn, 0 to 1; none where a recording begins with a voice."""
    times = np.arange(frames) / float(fps)
    drawn = np.zeros(frames)
    for first in phrases[:, 0]:
        sound = first / float(fps) + LEAD
        if sound + BREATH_IN[0] >= 0:
            drawn = np.maximum(drawn, _arc(times, sound, sound, BREATH_IN, BREATH_OUT))
    return drawn


def _arc(
    times: Floats, begin: float, end: float, up: tuple[float, float], down: tuple[float, float]
) -> Floats:
    """Return a curve (T,): to 1 in the seconds `up` from begin, back to 0 in `down` from end."""
    rising = (times - begin - up[0]) / (up[1] - up[0])
    falling = (end + down[1] - times) / (down[1] - down[0])
    return smoothstep(np.minimum(rising, falling).clip(0, 1))


def lift(
    rotation: Floats,
    translation: Floats,
    phrases: Spans,
    mix: StyleMix,
    fps: Fraction,
    *,
    breath: float,
    phrasing: float,
) -> tuple[Floats, Floats]:
    """Return a head's rotation (T, 3, 3) and translation (T, 3), lifted with breaths and phrases.

    With a breath it is lifted by half of `breath` of the mix's own pitch range; it rises into a
    phrase by `phrasing` of it, and settles at its end.
    """
    ranges = mix_range(mix)
    if not len(phrases) or breath == phrasing == 0 or not ranges.any():
        return rotation, translation
    times = np.arange(len(rotation)) / float(fps)
    risen = np.zeros(len(rotation))
    for first, last in phrases / float(fps):
        risen = np.maximum(risen, _arc(times, first + LEAD, last, RISE, SETTLE))
    drawn = _breaths(phrases, len(rotation), fps)
    ends = np.minimum(times, times[::-1]) / FADE
    up = (phrasing * risen + BREATH_LIFT * breath * drawn) * smoothstep(ends.clip(0, 1))
    angles, moved = angles_from_rotation(rotation), translation.copy()
    angles[:, PITCH] -= up * ranges[PITCH]
    moved[:, DOWN] -= UPWARDS * up * ranges[3 + DOWN]
    return rotation_from_angles(angles), moved
