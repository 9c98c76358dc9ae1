"""Brow motion: sound tells little of it, so the rest is a walk along the style's own directions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stylehead.landmarks import REGIONS
from stylehead.types import Floats, Style
from stylehead.walk import damped_walk, tempo_of

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
    path = damped_walk(drive, tempo, np.eye(DIRECTIONS), step, rng)
    path[:, 0] += RAISE * gaussian_filter1d(stress, 0.06 / step)
    path = (path - path.mean(0)) / max(1.0, float(path.std(0).max()))
    return ((path * spread) @ directions).reshape(-1, 10, 3).astype(np.float32)
