"""What is said while a clip's person moves: by the clip's sound or, without one, by the mouth."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stylehead.face.landmarks import mouth_opening
from stylehead.motion.stream import contour_of
from stylehead.types import MOTION_FPS, VOICE, Floats, Motion

LEAST_VOICE = 0.15  # of the time; with less, the sound is not what the person says
SPEAKING = 0.25  # of the quick parts' speed, from which a mouth speaks
SYLLABLE, WORDS = 0.1, 0.25  # seconds of Gaussian: on an opening, on its speed
SURROUNDINGS = 0.75  # seconds of Gaussian over which an opening stands out


def clip_contour(
    motion: Motion, seconds: Floats, activity: Floats, level: Floats
) -> tuple[Floats, bool]:
    """Return energy, voice and stress (T, 3) at each frame of a motion, and whether they are heard.

    seconds (T,) of the frames in the sound, whose voice has the probability `activity` (N,) and the
    level (N,) in dB at MOTION_FPS. Where hardly any voice is heard, the mouth tells.
    """
    if len(level):
        heard = contour_of(activity, level)
        if heard[:, VOICE].mean() >= LEAST_VOICE:
            times = np.arange(len(heard)) / MOTION_FPS
            curves = [np.interp(seconds, times, curve) for curve in heard.T]
            return np.stack(curves, 1).astype(np.float32), True
    return mouth_contour(motion), False


def mouth_contour(motion: Motion) -> Floats:
    """Return energy, voice and stress (T, 3) as a mouth tells them.

    It is the louder the wider it is open, and speaks while it moves.
    """
    rate = float(motion.fps)
    opening = gaussian_filter1d(mouth_opening(motion.landmarks + motion.neutral), SYLLABLE * rate)
    low, high = np.percentile(opening, [5, 95])
    open_by = ((opening - low) / (high - low + 1e-6)).clip(0, 1)
    speed = gaussian_filter1d(np.abs(np.gradient(opening)), WORDS * rate)
    least = SPEAKING * np.percentile(speed, 90) + 1e-9
    voice = (speed / least - 0.5).clip(0, 1)
    stress = 2 * (open_by - gaussian_filter1d(open_by, SURROUNDINGS * rate)).clip(0, None)
    return np.column_stack([open_by * voice, voice, stress * voice]).astype(np.float32)
