"""What a face does besides speaking, played again from a style."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from stylehead.face.articulation import expression_of
from stylehead.face.geometry import smoothstep
from stylehead.face.landmarks import REGIONS
from stylehead.motion.head import tempo_of
from stylehead.types import Floats, Style

PIECE = 3.0  # seconds played in one go; a raise of the brows or a smile fits into it
FADE = 0.5  # seconds in which one piece gives way to the next


def mean_expression(style: Style) -> Floats:
    """Return the mean of a style's expression, offsets (68, 3)."""
    motion = style.motion
    return expression_of(motion.landmarks, motion.neutral, motion.fps).mean(0)


def sample_expression(style: Style, frames: int, fps: Fraction, rng: np.random.Generator) -> Floats:
    """Return expression offsets (T, 68, 3): pieces of the style's own in random order.

    Live Speech Portraits plays recorded eyes and brows from beginning to end; pieces, cross-
    faded, do not repeat in the same order, and each keeps the style's spread, speed and tempo.
    """
    motion = style.motion
    recorded = expression_of(motion.landmarks, motion.neutral, motion.fps)
    span = (len(recorded) - 1) / float(motion.fps)
    piece = min(PIECE, span)
    fade = min(FADE, piece / 4)
    spline = CubicSpline(np.arange(len(recorded)) / float(motion.fps), recorded, axis=0)
    times = np.arange(frames) / float(fps)
    out = np.zeros((frames, 68, 3), np.float32)
    weight = np.zeros(frames, np.float32)
    begin, deck = -fade, []
    while begin < times[-1]:
        # Like cards of a deck: every part of the style is played before one comes again.
        count = max(1, round(span / (piece - fade)))
        deck = deck or list(rng.permutation(np.linspace(0, span - piece, count)))
        start = deck.pop()
        rows = np.flatnonzero((times >= begin) & (times < begin + piece))
        inside = times[rows] - begin
        edge = (np.minimum(inside, piece - inside) / fade).clip(0, 1)
        fraction = smoothstep(edge).astype(np.float32)
        out[rows] += fraction[:, None, None] * spline(start + inside).astype(np.float32)
        weight[rows] += fraction
        begin += piece - fade
    return out / np.maximum(weight, 1e-6)[:, None, None]


# ---- brows that are sampled ---------------------------------------------------------------------

DIRECTIONS = 2  # principal ones of a style's brows: raising, and frowning or slanting
RAISE = 0.8  # spreads of the first direction that a fully stressed syllable adds, upwards
QUIET = 0.3  # of the walk's drive that is left in pauses


def sample_brows(
    voice: Floats, stress: Floats, style: Style, fps: Fraction, rng: np.random.Generator
) -> Floats:
    """Return brow offsets (T, 10, 3) about their mean, with the style's spread and tempo."""
    performed = style.motion.landmarks[:, list(REGIONS["brows"])]
    moves = (performed - performed.mean(0)).reshape(len(performed), -1).astype(np.float64)
    paths, sizes, directions = np.linalg.svd(moves, full_matrices=False)
    paths, directions = paths[:, :DIRECTIONS], directions[:DIRECTIONS]
    # The first direction points upwards (y is down), so that stress raises the brows.
    directions[0] *= -np.sign(directions[0].reshape(10, 3)[:, 1].sum() or 1.0)
    spread = sizes[:DIRECTIONS] / np.sqrt(len(moves))
    step = 1 / float(fps)
    drive = QUIET + (1 - QUIET) * gaussian_filter1d(voice, 0.2 / step)
    tempo = tempo_of(paths, 1 / float(style.motion.fps))
    path = damped_random_walk(drive, tempo, np.eye(DIRECTIONS), step, rng)
    path[:, 0] += RAISE * gaussian_filter1d(stress, 0.06 / step)
    path = (path - path.mean(0)) / max(1.0, float(path.std(0).max()))
    return ((path * spread) @ directions).reshape(-1, 10, 3).astype(np.float32)


WALK_WARM_UP = 10.0  # seconds of the process before the first frame


def damped_random_walk(
    drive: Floats, tempo: Floats, mixing: Floats, step: float, rng: np.random.Generator
) -> Floats:
    """Return (T, K) paths of about unit spread.

    Each column is a critically damped spring pushed by white noise, a second-order autoregressive
    process of the given tempo (K,) in rad/s; mixing (K, K) correlates the noise, drive (T,) in
    [0, 1] scales it over time. `step` is the seconds between frames.
    """
    lead = round(WALK_WARM_UP / step)
    noise = rng.standard_normal((lead + len(drive), len(tempo))) @ mixing.T
    noise *= np.concatenate([np.ones(lead), drive])[:, None] * (2 * tempo**1.5 / np.sqrt(step))
    path = np.zeros_like(noise)
    place, speed = np.zeros(len(tempo)), np.zeros(len(tempo))
    for t in range(len(noise)):
        speed = speed + step * (noise[t] - 2 * tempo * speed - tempo**2 * place)
        place = place + step * speed
        path[t] = place
    return path[lead:]
