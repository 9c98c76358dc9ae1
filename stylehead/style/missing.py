"""What a template's mouth would look like on somebody whose clip does not show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylehead.face.landmarks import MOUTH, MOUTH_PAIRS, mouth_width, points_of, to_68
from stylehead.face.performance import Performance
from stylehead.style.templates import SHUT, TARGETS, MouthRange
from stylehead.types import Floats

RIDGE = 1e-3  # of the measures' variance: how much a plain mouth counts beside the clip's own
CLOSED = SHUT / 2  # interocular: lips that are closed, for a clip in which they never are


def missing_landmarks(
    template: str, performance: Performance, found: NDArray[np.bool_], usual: MouthRange
) -> Floats:
    """Return landmarks (68, 3) of a template made from the clip's own motion, head space.

    The motion model is linear: landmarks over the opening, the mouth's width and, for closed lips,
    their thickness, by least squares over the frames (T,) with a face. What a clip does not tell,
    as where the mouth always widens as it opens, is that of a plain mouth. The model is asked for
    the template's own values, which lie in the clip's ranges but for lips that never close or
    never press. Brows and eyes are those of the neutral face.
    """
    points = to_68(performance.mesh[found])
    wanted = _wanted(template, usual)
    closed = len(wanted) > 2
    have = _measured(points, closed)
    centre, mean = have.mean(0), points.mean(0)
    deviation = have - centre
    ridge = RIDGE * float(np.square(deviation).sum()) + 1e-9
    plain = _plain_mouth(to_68(performance.neutral))[: len(wanted)].reshape(len(wanted), -1)
    slopes = np.linalg.solve(
        deviation.T @ deviation + ridge * np.eye(len(wanted)),
        deviation.T @ (points - mean).reshape(len(points), -1) + ridge * plain,
    )
    landmarks = mean + ((wanted - centre) @ slopes).reshape(68, 3)
    made = to_68(performance.neutral).copy()
    mouth = points_of()["mouth"]
    made[mouth] = (_with_gap(landmarks, wanted[0]) if closed else landmarks)[mouth]
    return made.astype(np.float32)


def _plain_mouth(neutral: Floats) -> Floats:
    """Return how landmarks move with each measure (3, 68, 3): opening, width, lips' thickness."""
    slopes = np.zeros((3, 68, 3))
    slopes[0, [*range(55, 60), *range(65, 68)], 1] = 1.0  # the lower lip, and with it the chin
    slopes[0, 6:11, 1] = 0.8
    corners = neutral[[48, 54], 0]
    slopes[1, MOUTH, 0] = (neutral[MOUTH, 0] - corners.mean()) / np.ptp(corners)
    slopes[2, 49:54, 1], slopes[2, 55:60, 1] = -0.5, 0.5
    return slopes


def _with_gap(landmarks: Floats, gap: float) -> Floats:
    """Return the landmarks with each pair of inner lips a gap apart, about its middle."""
    upper, lower = np.transpose(MOUTH_PAIRS)
    middle = (landmarks[upper] + landmarks[lower]) / 2
    half = np.array([0.0, gap / 2, 0.0])
    joined = landmarks.copy()
    joined[upper], joined[lower] = middle - half, middle + half
    return joined


def _wanted(template: str, usual: MouthRange) -> Floats:
    """Return the opening, the width and, for closed lips, their thickness, interocular."""
    targets = TARGETS[template]
    if "lips" in targets:
        thickness = usual.rest_lips * (1 + targets["lips"].value)
        return np.array([min(usual.shut, CLOSED), usual.rest_width, thickness])
    opening = usual.shut + targets["opening"].value * (usual.wide - usual.shut)
    return np.array([opening, usual.width + targets["width"].value * usual.width_spread])


def _measured(points: Floats, closed: bool) -> Floats:
    """Return the measures (T, 2 or 3) of landmarks (T, 68, 3).

    With signs: a line that goes on past closed lips crosses them, and must not open them again.
    """
    upper, lower = np.transpose(MOUTH_PAIRS)
    gap = (points[:, lower, 1] - points[:, upper, 1]).mean(1)
    measures = [gap, mouth_width(points)]
    if closed:
        measures.append(points[:, 57, 1] - points[:, 51, 1] - gap)
    return np.stack(measures, axis=1)
