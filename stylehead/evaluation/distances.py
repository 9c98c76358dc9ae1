"""How differently two people move: distances of distributions, which reward no small motion.

SLD, SLV and SMD (paper, Eq. 10) ask for the nearest window of a result, and a small, smooth motion
is near to everybody. Here motions are compared as distributions of where the parts of the face are
and how fast they move: too little counts as too much does. `benchmarks/recognition.py` prints how
often each measure tells a person from a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from stylehead.face.face_model import generic_neutral
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import eye_aspects, mouth_opening, mouth_width
from stylehead.types import Floats, Motion

STEP = 0.1  # seconds over which a velocity is taken: a tracker's noise is faster
MOST_WINDOWS = 200  # of one motion that an energy distance compares with each other

UPPER_LIP, LOWER_LIP, CORNERS = [51, 62], [57, 66], [48, 54]
CHIN = 8
RIGHT_BROW, LEFT_BROW, INNER_BROWS = [19, 20], [23, 24], [21, 22]

# fmt: off
SPREADS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "mouth": (
        (0.055, 0.045, 0.028, 0.023, 0.05, 0.018, 0.036, 0.013),
        (0.048, 0.03, 0.019, 0.016, 0.044, 0.013, 0.027, 0.0091),
    ),
    "brows": (
        (0.015, 0.016, 0.015, 0.0085),
        (0.0083, 0.0087, 0.0083, 0.0057),
    ),
    "eyes": (
        (0.036, 0.036, 0.23),
        (0.015, 0.015, 0.22),
    ),
    "head": (
        (3.6, 5, 3.2, 0.14, 0.1, 0.27),
        (1.6, 1.9, 0.95, 0.045, 0.042, 0.084),
    ),
}
# fmt: on
"""Usual spread of each signal about its mean, and of its velocity over STEP: root mean square over
the halves of all tracked clips, as `benchmarks/recognition.py --spreads` prints them."""
FACE = ("mouth", "brows", "eyes")
REGIONS = (*FACE, "head")


def region_signals(motion: Motion) -> dict[str, Floats]:
    """Return what each region does: (T, D) for mouth, brows, eyes and head.

    Lengths are in interocular distances, angles in degrees; expression is on the generic face, so
    that no identity is left in it.
    """
    offsets = motion.landmarks
    placed = offsets + generic_neutral()
    heights, depths = offsets[..., 1], offsets[..., 2]
    mouth = (
        mouth_opening(placed),
        mouth_width(placed),
        heights[:, CORNERS].mean(1),
        heights[:, UPPER_LIP].mean(1),
        heights[:, LOWER_LIP].mean(1),
        depths[:, [UPPER_LIP[0], LOWER_LIP[0]]].mean(1),
        heights[:, CHIN],
        offsets[:, 48:, 0].mean(1),
    )
    frown = offsets[:, INNER_BROWS[1], 0] - offsets[:, INNER_BROWS[0], 0]
    brows = (
        *(heights[:, points].mean(1) for points in (RIGHT_BROW, LEFT_BROW, INNER_BROWS)),
        frown,
    )
    return {
        "mouth": np.stack(mouth, 1),
        "brows": np.stack(brows, 1),
        "eyes": np.stack([*eye_aspects(placed), motion.blink], 1),
        "head": np.concatenate([angles_from_rotation(motion.rotation), motion.translation], 1),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """What a motion's distribution is made of: region -> (N, D), in usual spreads."""

    place: Mapping[str, Floats]
    """Signals about their mean: a clip's neutral face, and so its mean, is an estimate that differs
    between two minutes of one person."""
    speed: Mapping[str, Floats]
    """Their change over the STEP around each frame."""


def movement_of(motion: Motion) -> Movement:
    """Return how the regions of a face move. Raises ValueError for less than two steps."""
    step = max(1, round(STEP * float(motion.fps)))
    if len(motion) <= 2 * step:
        raise ValueError(f"{len(motion)} frames are too few to tell how somebody moves")
    place, speed = dict[str, Floats](), dict[str, Floats]()
    for region, signals in region_signals(motion).items():
        usual, quick = (np.array(spreads) for spreads in SPREADS[region])
        velocities = signals[step:] - signals[:-step]
        middle = signals[step // 2 : step // 2 + len(velocities)]
        place[region] = (middle - middle.mean(0)) / usual
        speed[region] = velocities / quick
    return Movement(place, speed)


def frechet_distance(a: Floats, b: Floats) -> float:
    """Return the Frechet distance of the Gaussians of two samples (N, D) and (M, D)."""
    first, second = (np.atleast_2d(np.cov(values, rowvar=False)) for values in (a, b))
    sizes, directions = np.linalg.eigh(first)
    root = (directions * np.sqrt(sizes.clip(0))) @ directions.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    apart = np.square(a.mean(0, dtype=np.float64) - b.mean(0, dtype=np.float64)).sum()
    return float(np.sqrt(max(0.0, apart + np.trace(first) + np.trace(second) - 2 * shared)))


def energy_distance(a: Floats, b: Floats) -> float:
    """Return the energy distance of two samples (N, D) and (M, D), at most MOST_WINDOWS of each."""
    a, b = (values[:: -(-len(values) // MOST_WINDOWS)] for values in (a, b))
    across = 2 * cdist(a, b).mean()
    return float(np.sqrt(max(0.0, across - cdist(a, a).mean() - cdist(b, b).mean())))


Distance = Callable[[Floats, Floats], float]


@dataclass(frozen=True, slots=True)
class MotionDistance:
    """How differently two motions are distributed, region by region; 0 for equal ones."""

    place: Mapping[str, float]
    """Region -> distance of positions about their mean, in usual spreads."""
    speed: Mapping[str, float]
    """Region -> distance of velocities, in usual spreads."""

    def of(self, *regions: str) -> float:
        """Return the distance of some regions together; of all without a name."""
        chosen = regions or REGIONS
        return float(np.mean([self.place[region] + self.speed[region] for region in chosen])) / 2


def motion_distance(
    reference: Movement, result: Movement, distance: Distance = frechet_distance
) -> MotionDistance:
    """Return how differently a reference and a result move, however long each of them is."""
    place, speed = dict[str, float](), dict[str, float]()
    for region in REGIONS:
        size = np.sqrt(reference.place[region].shape[1])
        place[region] = distance(reference.place[region], result.place[region]) / size
        speed[region] = distance(reference.speed[region], result.speed[region]) / size
    return MotionDistance(place, speed)
