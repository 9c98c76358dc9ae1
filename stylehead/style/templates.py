"""Key motion templates (paper 3.2) as landmark measures: None, M, R and O."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylehead.face.landmarks import MOUTH, mouth_opening, mouth_width, to_68
from stylehead.face.performance import Performance
from stylehead.types import Floats

SHUT = 0.04
"""Gap of the inner lips, interocular, up to which lips are closed: the tracker keeps them apart."""
LEAST_SPREAD = 0.01  # of the mouth's width, interocular: below it there is nothing but noise


@dataclass(frozen=True, slots=True)
class Target:
    """What a template asks of one measure."""

    value: float
    tolerance: float
    """The distance from the value that counts as 1."""
    weight: float
    beyond: int = 0
    """1 or -1: above, or below, the value is as good as on it."""
    defines: bool = True
    """Whether a frame that misses it by more than the tolerance does not show the template."""

    def miss(self, measured: Floats) -> Floats:
        """Return how far measured values (T,) are from the target, in tolerances."""
        away = (measured - self.value) / self.tolerance
        return np.minimum(self.beyond * away, 0) if self.beyond else away


TARGETS: dict[str, dict[str, Target]] = {
    "none": {
        "gap": Target(0.0, SHUT, 1.0),
        "rank": Target(0.0, 10.0, 2.0),
        "lips": Target(0.03, 0.09, 1.0),
        "activity": Target(0.0, 1.0, 1.0, defines=False),
        "speed": Target(0.0, 1.0, 0.5, defines=False),
    },
    "M": {
        "gap": Target(0.0, SHUT, 1.0),
        "rank": Target(0.0, 10.0, 2.0),
        "lips": Target(-0.2, 0.14, 2.0, beyond=-1),
        "activity": Target(0.0, 1.0, 0.5, defines=False),
    },
    "R": {
        "opening": Target(0.45, 0.2, 2.0),
        "width": Target(0.0, 0.5, 2.0),
    },
    "O": {
        "opening": Target(1.0, 0.35, 2.0, beyond=1),
        "width": Target(-1.25, 0.75, 2.0, beyond=-1),
    },
}
"""Template -> measure -> target; tolerances keep None and M apart, and R and O."""


@dataclass(frozen=True, slots=True, eq=False)
class MouthRange:
    """What the mouth does in one clip, in interocular distances."""

    shut: float
    """2nd percentile of the opening."""
    wide: float
    """98th percentile of the opening."""
    width: float
    """Median of the mouth's width."""
    width_spread: float
    """Its robust standard deviation."""
    rest_width: float
    """Width of the neutral face's mouth."""
    rest_lips: float
    """Thickness of its lips."""


def mouth_range(performance: Performance, found: NDArray[np.bool_]) -> MouthRange:
    """Return what the mouth does in the frames (T,) that show a face."""
    points = to_68(performance.mesh[found])
    width, neutral = mouth_width(points), to_68(performance.neutral)
    shut, wide = np.percentile(mouth_opening(points), [2, 98])
    middle = float(np.median(width))
    spread = 1.4826 * float(np.median(np.abs(width - middle)))
    return MouthRange(
        shut=float(shut),
        wide=float(wide),
        width=middle,
        width_spread=max(spread, LEAST_SPREAD),
        rest_width=float(mouth_width(neutral)),
        rest_lips=float(lip_thickness(neutral)),
    )


def lip_thickness(points: Floats) -> Floats:
    """Return the height of both lips without the gap between them: (..., 68, D) in, (...) out."""
    height = np.linalg.norm(points[..., 51, :] - points[..., 57, :], axis=-1)
    return height - mouth_opening(points)


def template_measures(
    performance: Performance, found: NDArray[np.bool_], usual: MouthRange
) -> dict[str, Floats]:
    """Return measure -> (T,) of every frame; ranks and medians are those of frames with a face.

    `gap` is the opening, interocular; `opening` the same from 0, shut, to 1, wide; `rank` the
    percentage of frames that are less open; `width` in spreads from the median; `lips` how much
    thicker they are than at rest; `activity` the distance from the neutral face and `speed` that of
    the mouth, both over the median.
    """
    points = to_68(performance.mesh)
    gap = mouth_opening(points)
    ordered = np.sort(gap[found])
    away = np.linalg.norm(points - to_68(performance.neutral), axis=-1).mean(-1)
    mouth = points[:, MOUTH]
    step = np.gradient(mouth, performance.seconds, axis=0) if len(mouth) > 1 else 0 * mouth
    speed = np.linalg.norm(step, axis=-1).mean(-1)
    return {
        "gap": gap,
        "opening": (gap - usual.shut) / max(usual.wide - usual.shut, 1e-6),
        "rank": 100 * np.searchsorted(ordered, gap) / max(len(ordered) - 1, 1),
        "width": (mouth_width(points) - usual.width) / usual.width_spread,
        "lips": lip_thickness(points) / usual.rest_lips - 1,
        "activity": away / (np.median(away[found]) + 1e-6),
        "speed": speed / (np.median(speed[found]) + 1e-6),
    }


def template_distance(measures: dict[str, Floats], template: str) -> Floats:
    """Return (T,) the weighted sum of squared misses; 0 is the template itself."""
    parts = [
        target.weight * np.square(target.miss(measures[name]))
        for name, target in TARGETS[template].items()
    ]
    return np.sum(parts, axis=0)


def shows_template(measures: dict[str, Floats], template: str) -> NDArray[np.bool_]:
    """Return (T,) whether each frame misses nothing that defines the template by a tolerance."""
    parts = [
        np.abs(target.miss(measures[name])) <= 1
        for name, target in TARGETS[template].items()
        if target.defines
    ]
    return np.all(parts, axis=0)
