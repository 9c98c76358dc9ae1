"""Key motion templates -> four style reference frames (paper 3.2), found by landmark measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import eye_aspect, mouth_opening, mouth_width, to_68
from stylehead.face.performance import Performance
from stylehead.types import TEMPLATES, FaceTrack, Floats, StyleReference

# Template -> feature -> (target in robust z-scores, weight).
TARGETS: dict[str, dict[str, tuple[float, float]]] = {
    "none": {"opening": (-0.5, 1), "width": (0, 1), "lips": (0, 1), "speed": (0, 1)},
    "M": {"opening": (-1.5, 2), "lips": (-1.5, 2), "width": (0, 0.5)},
    "R": {"width": (-1.5, 2), "opening": (0.3, 1), "roundness": (1, 1)},
    "O": {"opening": (2.5, 2), "roundness": (1.5, 1), "jaw": (1.5, 1)},
}
# Template -> percentiles of the opening a frame must lie between.
OPENING_BOUNDS = {
    "none": (
        0.0,
        60.0,
    ),  # barely parted: a held vowel is still, too
    "M": (0.0, 10.0),
    "R": (30.0, 70.0),
    "O": (90.0, 100.0),
}
EXTREME = 1.5  # robust z-score from which a target asks for much of something, not for just so much
ORDER = ("O", "M", "R", "none")  # the most demanding template chooses first
FEWEST = 5  # frames below which a condition is relaxed or dropped
NEAREST = 10  # best frames among which the most frontal, then the sharpest, wins
APART = 0.25  # seconds between two references
ALIKE = 0.02  # mean landmark distance, interocular, of frames that count as the same
STILL_MOUTH = 0.02  # range of the opening, interocular, below which a clip shows no mouth motion


@dataclass(frozen=True, slots=True, eq=False)
class Retrieval:
    """Four references, and why other frames were not considered."""

    references: tuple[StyleReference, ...]
    rejected: dict[str, int]
    """Reason -> number of frames."""
    frames: int
    usable: int
    """Frames that passed every gate."""
    opening: Floats
    """(T,) mouth opening of every frame, interocular."""
    warnings: tuple[str, ...]
    """What makes the style less trustworthy, one sentence each."""


def retrieve(track: FaceTrack, performance: Performance) -> Retrieval:
    """Find the frame nearest to each key motion template: None, M, R and O.

    Deterministic: stable order, the earliest frame wins a tie.
    """
    points = to_68(performance.mesh)
    opening = mouth_opening(points)
    features = _features(points, performance.seconds)
    angles = angles_from_rotation(performance.rotation)
    usable, rejected = _gates(track, performance, angles)
    # Better any face than none: the table and a warning say how few passed.
    choice = usable if usable.sum() >= len(TEMPLATES) else track.found
    warnings: list[str] = []
    if float(np.ptp(opening[track.found])) < STILL_MOUTH:
        warnings.append("The mouth hardly moves: the references look alike.")
    scores = {
        name: np.sum(
            [
                weight * np.square(_miss(features[feature], target))
                for feature, (target, weight) in TARGETS[name].items()
            ],
            axis=0,
        )
        for name in TEMPLATES
    }
    chosen: dict[str, int] = {}
    for template in ORDER:
        allowed = _bounded(template, opening, choice)
        allowed = _apart(allowed, points, performance.seconds, list(chosen.values()))
        order = np.flatnonzero(allowed)
        order = order[np.argsort(scores[template][order], kind="stable")][:NEAREST]
        ranks = np.lexsort(
            (-track.sharpness[order], np.round(np.linalg.norm(angles[order, :2], axis=1)))
        )
        chosen[template] = int(order[ranks[0]])
    references = tuple(
        StyleReference(
            template,
            float(performance.seconds[row]),
            float(scores[template][row]),
            points[row],
            performance.rotation[row],
            np.nan_to_num(track.expression[row]),
        )
        for template, row in ((template, chosen[template]) for template in TEMPLATES)
    )
    seconds = float(performance.seconds[-1] - performance.seconds[0])
    if seconds < 5:
        warnings.append(f"The clip is only {seconds:.1f} s long: rhythm and blinks are guesses.")
    if track.found.mean() < 0.9:
        warnings.append(f"A face was found in only {track.found.mean():.0%} of the frames.")
    if usable.mean() < 0.3:
        warnings.append(f"Only {usable.mean():.0%} of the frames are frontal and sharp enough.")
    return Retrieval(references, rejected, len(usable), int(usable.sum()), opening, tuple(warnings))


def _features(points: Floats, seconds: NDArray[np.float64]) -> dict[str, Floats]:
    """Return robust z-scores, one row per frame, clipped to +-4."""
    opening = mouth_opening(points)
    inner = np.linalg.norm(points[:, 60] - points[:, 64], axis=-1)
    height = np.linalg.norm(points[:, 51] - points[:, 57], axis=-1)
    step = np.gradient(points[:, 48:], seconds, axis=0) if len(points) > 1 else points[:, 48:] * 0
    raw = {
        "opening": opening,
        "width": mouth_width(points),
        "lips": height - opening,
        "roundness": opening / np.maximum(inner, 1e-3),
        "jaw": np.linalg.norm(points[:, 27] - points[:, 8], axis=-1),
    }
    scored = {name: _robust(values) for name, values in raw.items()}
    # Low speed is wanted: zero is a target only when zero means standing still.
    speed = np.linalg.norm(step, axis=-1).mean(-1)
    scored["speed"] = (speed / (np.median(speed) + 1e-6)).clip(0, 4)
    return scored


def _miss(score: Floats, target: float) -> Floats:
    """Return the distance from a target; beyond an extreme one is as good as on it."""
    if abs(target) < EXTREME:
        return score - target
    return np.minimum(np.sign(target) * (score - target), 0)


def _robust(values: Floats) -> Floats:
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle)) + 1e-6
    return ((values - middle) / spread).clip(-4, 4)


def _gates(
    track: FaceTrack, performance: Performance, angles: Floats
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Return which frames may become references, and how many each gate turned away."""
    found = track.found
    box = np.ptp(track.mesh[..., :2], axis=1).max(1)
    small = box < 0.25 * min(track.size)
    aspect = eye_aspect(to_68(performance.mesh))
    usual = float(np.median(aspect[found]))
    blinking = (aspect < 0.75 * usual) & (usual >= 0.15)
    floor = np.percentile(track.sharpness[found], 30)
    cuts = performance.seconds[track.cuts]
    near_cut = np.zeros(len(found), bool)
    for cut in cuts:
        near_cut |= np.abs(performance.seconds - cut) < 0.1
    reasons = {
        "no face": ~found,
        "face too small": found & small,
        "blink": found & blinking,
        "blurred": found & (track.sharpness < floor),
        "near a cut": found & near_cut,
    }
    good = ~np.any(list(reasons.values()), axis=0)
    for limit in (20, 30, 40, 90):  # relaxed only when too few frames are frontal
        turned = (np.abs(angles) > limit).any(1)
        if (good & ~turned).sum() >= min(FEWEST, good.sum()):
            break
    reasons["head turned"] = found & turned
    usable = good & ~turned
    return usable, {reason: int(rows.sum()) for reason, rows in reasons.items() if rows.any()}


def _bounded(template: str, opening: Floats, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if template not in OPENING_BOUNDS:
        return usable
    low, high = np.percentile(opening[usable], OPENING_BOUNDS[template])
    inside = usable & (opening >= low) & (opening <= high)
    return inside if inside.sum() >= FEWEST else usable


def _apart(
    allowed: NDArray[np.bool_],
    points: Floats,
    seconds: NDArray[np.float64],
    taken: list[int],
) -> NDArray[np.bool_]:
    """Refuse frames near a chosen one in time and in shape; keep all if nothing would be left."""
    free = allowed.copy()
    for row in taken:
        close = np.abs(seconds - seconds[row]) < APART
        alike = np.linalg.norm(points - points[row], axis=-1).mean(-1) < ALIKE
        free &= ~(close | alike)
    for row in taken if not free.any() else []:
        allowed = allowed & (np.arange(len(allowed)) != row)
    if free.any():
        return free
    return allowed if allowed.any() else np.ones(len(free), bool)
