"""Learn a style: the statistics and motion of one clip."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import REGIONS, brow_height, mouth_opening, mouth_width
from stylehead.face.lasting import lasting_expression
from stylehead.face.performance import BLINK, Performance, recover_performance
from stylehead.style.references import Retrieval, retrieve
from stylehead.types import FaceTrack, Floats, Motion, Style
from stylehead.version import __version__

STYLE_FPS = Fraction(30)
ENOUGH_FPS = 24.0
"""Frames a second of a clip that are looked at, or more: what is learned has no more than 30."""
AXES = ("x", "y", "z")
ANGLE_KINDS = ("range_degrees", "std_degrees", "speed_degrees_per_second")
ANGLES = ("pitch", "yaw", "roll")
STATISTICS = frozenset(
    {f"spread_{region}_{axis}" for region in REGIONS for axis in AXES}
    | {f"mouth_{name}" for name in ("opening_range", "opening_high", "width_range")}
    | {f"{angle}_{kind}" for angle in ANGLES for kind in ANGLE_KINDS}
    | {f"head_{axis}_{kind}" for axis in AXES for kind in ("std", "speed_per_second")}
    | {"brow_range", "blinks_per_minute", "seconds"}
)
"""Names of `style_statistics`."""


def learn_style(
    track: FaceTrack, name: str, *, source: str = "The clip", source_sha256: str = ""
) -> tuple[Style, Retrieval]:
    """Learn how the person of a tracked clip moves, and how the references were found.

    `source` names the clip in messages. Raises FaceError when too few frames show a face.
    """
    performance = recover_performance(track, name=source)
    retrieval = retrieve(track, performance)
    motion, times = style_motion(performance)
    provenance = {
        "source_sha256": source_sha256,
        "seconds": f"{track.seconds[-1] - track.seconds[0]:.2f}",
        "face_coverage": f"{track.found.mean():.3f}",
        "frame_size": f"{track.size[0]}x{track.size[1]}",
        "stylehead_version": __version__,
    }
    statistics = style_statistics(motion)
    return Style(name, retrieval.references, motion, times, statistics, provenance), retrieval


def style_motion(performance: Performance) -> tuple[Motion, Floats]:
    """Return a performance's motion at STYLE_FPS, and the clip's time of each of its frames.

    An expression that lasts through the clip is taken from the neutral face, for the motion.
    """
    motion, times = performance.motion(STYLE_FPS)
    worn = lasting_expression(motion.neutral, performance.neutral_scores, FaceModel.embedded())
    return motion.with_(landmarks=motion.landmarks + worn, neutral=motion.neutral - worn), times


def style_statistics(motion: Motion) -> dict[str, float]:
    """Return named scalars of a motion; lengths in interocular distances, angles in degrees."""
    found: dict[str, float] = {}
    for region, points in REGIONS.items():
        offsets = motion.landmarks[:, list(points)]
        spread = np.sqrt(np.square(offsets - offsets.mean(0)).mean((0, 1)))
        for axis, value in zip(AXES, spread, strict=True):
            found[f"spread_{region}_{axis}"] = float(value)
    placed = motion.landmarks + motion.neutral
    opening, width = mouth_opening(placed), mouth_width(placed)
    found["mouth_opening_range"] = span(opening)
    found["mouth_opening_high"] = float(np.percentile(opening, 95))
    found["mouth_width_range"] = span(width)
    found["brow_range"] = span(brow_height(placed))
    seconds = 1 / float(motion.fps)
    for name, angle in zip(ANGLES, angles_from_rotation(motion.rotation).T, strict=True):
        found[f"{name}_range_degrees"] = span(angle)
        found[f"{name}_std_degrees"] = float(angle.std())
        found[f"{name}_speed_degrees_per_second"] = float(np.diff(angle).std() / seconds)
    for axis, place in zip(AXES, motion.translation.T, strict=True):
        found[f"head_{axis}_std"] = float(place.std())
        found[f"head_{axis}_speed_per_second"] = float(np.diff(place).std() / seconds)
    found["blinks_per_minute"] = blink_count(motion.blink) / (motion.seconds / 60)
    found["seconds"] = motion.seconds
    return found


def span(values: NDArray[np.floating[Any]]) -> float:
    """Return the distance from the 5th to the 95th percentile."""
    low, high = np.percentile(values, [5, 95])
    return float(high - low)


def blink_count(blink: Floats) -> int:
    """Count closures: lids that pass half way down after having been open."""
    shut, count = False, 0
    for value in blink:
        if not shut and value > 0.5:
            shut, count = True, count + 1
        elif shut and value < BLINK:
            shut = False
    return count
