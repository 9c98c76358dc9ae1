"""Blinks and gaze."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d

from stylehead.face.geometry import smoothstep
from stylehead.types import VOICE, Floats, Motion, Style, StyleMix


class BlinkHabit(NamedTuple):
    """How somebody blinks."""

    rate: float
    """Blinks a minute."""
    double: float
    """Fraction of the blinks that come right after another."""
    pausing: float
    """Fraction of the blinks near a pause that wait for it."""
    closure: float
    """Seconds of a blink, each counted by how far lids are shut."""


USUAL_RATE = 22.0  # a minute, in conversation; people in 123 clips blink 23 times
USUAL_CLOSURE = 0.17  # median of 51 people, whom blinks take 0.10 to 0.27
USUAL = BlinkHabit(USUAL_RATE, 0.0, 1.0, USUAL_CLOSURE)
PRIOR_MINUTES = 0.06
"""How much of the usual rate a clip's own count is mixed with; 0.06 to 0.2 foretell the blinks of
another half of a clip about equally well."""
PRIOR_BLINKS = 5.0  # the same of double blinks, of those that wait for a pause, and of their length
CLOSING, SHUT, OPENING = 0.31, 0.15, 0.54  # of a human blink
ALMOST_OPEN = 0.15  # closure under which a blink is over
CLOSURES = (0.09, 0.3)  # seconds, least and most that are followed: drowsiness is no habit
REGULARITY = 3.0  # shape of the gamma distribution of gaps
MOST = 45.0  # a minute; a higher count is lids narrowed by laughter or a flickering track
SHORTEST_GAP = 0.4  # seconds between the ends of two blinks
DOUBLE = 0.65  # seconds from one blink to another that belongs to it
DOUBLE_GAP = (0.08, 0.25)  # seconds between these
REACH = 0.3  # seconds by which a blink waits for a pause, or comes early


def blended_blinks(mix: StyleMix, rate: float | None = None) -> BlinkHabit:
    """Return how a mix blinks: the styles by their weights, the usual habit for what remains.

    `rate` replaces that of the styles.
    """
    habit = np.array(USUAL)
    for weight in mix.weights:
        habit += weight.eyes * (np.array(blink_habit(weight.style)) - USUAL)
    limited = habit.clip((0, 0, 0, CLOSURES[0]), (np.inf, 0.5, 1.0, CLOSURES[1]))
    return BlinkHabit(float(limited[0]) if rate is None else rate, *map(float, limited[1:]))


def blink_habit(style: Style) -> BlinkHabit:
    """Return how a clip's person blinks; what few blinks say leans on what is usual."""
    motion = style.motion
    minutes = motion.seconds / 60
    counted = style.statistics["blinks_per_minute"] * minutes
    rate = min(MOST, (counted + USUAL_RATE * PRIOR_MINUTES) / (minutes + PRIOR_MINUTES))
    if style.contour is None or not counted:
        return BlinkHabit(rate, *USUAL[1:])
    began = np.flatnonzero((motion.blink[1:] > 0.5) & (motion.blink[:-1] <= 0.5)) + 1
    after = np.diff(began) / float(motion.fps)
    double = float((after < DOUBLE).sum())
    quiet = style.contour[:, VOICE] < 0.5
    near = maximum_filter1d(quiet, 2 * round(REACH * float(motion.fps)) + 1)
    waited, could = float(quiet[began].sum()), float(near[began].sum())
    # Some would be in a pause without waiting for it.
    blind = float(quiet.sum() / max(near.sum(), 1))
    share = (waited + PRIOR_BLINKS) / (could + PRIOR_BLINKS)
    pausing = max(0.0, (share - blind) / max(1 - blind, 1e-3)) if blind < 1 else 1.0
    return BlinkHabit(rate, double / (len(began) + PRIOR_BLINKS), pausing, _usual_closure(motion))


def _usual_closure(motion: Motion) -> float:
    """Return the seconds of a motion's blinks in the mean, within CLOSURES."""
    bounds = np.flatnonzero(np.diff(motion.blink > ALMOST_OPEN)) + 1
    closures = [part for part in np.split(motion.blink, bounds) if part.max() > 0.5]
    seconds = sum(float(closure.sum()) for closure in closures) / float(motion.fps)
    usual = (seconds + PRIOR_BLINKS * USUAL_CLOSURE) / (len(closures) + PRIOR_BLINKS)
    return float(np.clip(usual, *CLOSURES))


def sample_blinks(
    frames: int, voice: Floats, fps: Fraction, habit: BlinkHabit, rng: np.random.Generator
) -> Floats:
    """Return lid closure (T,): blinks with gamma-distributed gaps, drawn towards pauses.

    A rate of 0 gives none.
    """
    closure = np.zeros(frames, np.float32)
    if habit.rate <= 0:
        return closure
    length = habit.closure / (CLOSING / 2 + SHUT + OPENING / 2)
    mean_gap = max(60 / (habit.rate * (1 - habit.double)), length + SHORTEST_GAP)
    times = np.arange(frames) / float(fps)
    seconds = max(frames - 1, 0) / float(fps)  # the last frame has open lids
    now = rng.gamma(REGULARITY, mean_gap / REGULARITY) * rng.uniform(0.3, 1)
    free = 0.0  # when lids have been open for long enough
    while now < seconds - length:
        waits = habit.pausing == 1 or rng.random() < habit.pausing
        start = _nearest_pause(now, voice, fps) if waits else now
        start = min(max(start, free), seconds - length)
        if start < free:
            break
        _shut(closure, times, start, length)
        free = start + length + SHORTEST_GAP
        if habit.double and rng.random() < habit.double / (1 - habit.double):
            again = start + length + rng.uniform(*DOUBLE_GAP)
            if again < seconds - length:
                _shut(closure, times, again, length)
                free = again + length + SHORTEST_GAP
        gap = rng.gamma(REGULARITY, mean_gap / REGULARITY)
        now += max(gap, length + SHORTEST_GAP)
    return smoothstep(closure).astype(np.float32)


def _shut(closure: Floats, times: Floats, start: float, length: float) -> None:
    """Lower lids (T,) for a blink of a length in seconds, in place."""
    first, last = np.searchsorted(times, (start, start + length))
    rows = slice(first, last)
    done = (times[rows] - start) / length
    blink = np.minimum(done / CLOSING, (1 - done) / OPENING).clip(0, 1)
    closure[rows] = np.maximum(closure[rows], blink)


def _nearest_pause(now: float, voice: Floats, fps: Fraction) -> float:
    """Move a blink to the quietest moment within REACH: people blink between phrases."""
    reach = round(REACH * fps)
    middle = round(now * fps)
    low, high = max(0, middle - reach), min(len(voice), middle + reach + 1)
    around = voice[low:high]
    if len(around) == 0 or around.min() > 0.5:
        return now
    return (low + int(np.argmin(around))) / float(fps)


FIXATION = 1.1  # seconds a glance rests, on average
FIXATION_REGULARITY = 2.0  # shape of the gamma distribution of fixations
SPREAD = np.array([1.5, 0.8])  # degrees of saccades about the camera, sideways and upright
SACCADE = 0.05  # seconds that a small saccade takes
HELD_GAZE = 0.7  # of the head's turn that the eyes take back: the rest follows the head
FARTHEST = 9.0  # degrees the eyes turn in the head


def held_gaze(rotation: Floats) -> Floats:
    """Return how far eyes turn (T, 2) in degrees to stay on the camera in a head (T, 3, 3)."""
    forward = np.array([0.0, 0.0, -1.0])
    wanted = np.einsum("tij,j->ti", rotation, forward)  # head direction that is the camera's
    return HELD_GAZE * np.degrees(np.arcsin(wanted[:, :2].clip(-1, 1)))


def gaze_in(rotation: Floats, glances: Floats) -> Floats:
    """Return eye directions (T, 2) in degrees within a head: to image right, and down.

    rotation (T, 3, 3) is the head's; glances (T, 2) in degrees are away from the camera.
    """
    return (held_gaze(rotation) + glances).clip(-FARTHEST, FARTHEST).astype(np.float32)


def glances_of(motion: Motion) -> Floats:
    """Return where a motion's eyes look, (T, 2) in degrees away from the camera."""
    return motion.gaze - held_gaze(motion.rotation)


def sample_glances(blink: Floats, fps: Fraction, rng: np.random.Generator) -> Floats:
    """Return steps between fixations (T, 2) in degrees, starting and ending at the camera.

    Many of them happen behind a blink; blink (T,) is the lids'.
    """
    frames = len(blink)
    times = np.arange(frames) / float(fps)
    shut = times[1:][(blink[1:] >= 0.5) & (blink[:-1] < 0.5)]
    path, now, place = np.zeros((frames, 2)), 0.0, np.zeros(2)
    while True:
        now += rng.gamma(FIXATION_REGULARITY, FIXATION / FIXATION_REGULARITY)
        target = rng.normal(size=2) * SPREAD
        near = shut[np.abs(shut - now) < 0.4]
        moment = float(near[0]) if len(near) else now
        if now >= times[-1] - FIXATION:
            break
        step = ((times - moment) / SACCADE).clip(0, 1)
        path += smoothstep(step)[:, None] * (target - place)
        place = target
    back = ((times - (times[-1] - FIXATION / 2)) / SACCADE).clip(0, 1)
    return path - smoothstep(back)[:, None] * place
