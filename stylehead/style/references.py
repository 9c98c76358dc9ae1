"""The frames of a clip nearest to the key motion templates: the style references (paper 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import eye_aspect, to_68
from stylehead.face.performance import Performance
from stylehead.style.missing import missing_landmarks
from stylehead.style.templates import (
    mouth_range,
    shows_template,
    template_distance,
    template_measures,
)
from stylehead.types import TEMPLATES, FaceTrack, Floats, StyleReference

# What costs as much as missing a measure of weight 1 by its tolerance.
TURNED = 20.0  # degrees of yaw and pitch together
TILTED = 40.0  # degrees of roll, which the head space takes out without loss
SHUT_LIDS = 0.25  # part of the eyes' usual aspect that is gone
NARROW_EYES = 0.15  # aspect below which a person's blinks cannot be told
BLURRED = 1.0  # halvings of the sharpness of the frames around
SURROUNDINGS = 1.0  # seconds before and after
SMALL = 0.25  # of the picture's shorter side: a face half as large costs 1
NEAR_CUT, CUT_COST = 0.1, 4.0  # seconds: smoothing has mixed two faces there
ABSENT = 2.0  # what a frame costs that does not show the template
UNRELIABLE = 4.0  # cost from which landmarks are not to be trusted with showing one
STILL_MOUTH = 0.02  # range of the opening, interocular, below which a clip shows no mouth motion


@dataclass(frozen=True, slots=True, eq=False)
class Retrieval:
    """Four references, and what counted against the clip's frames."""

    references: tuple[StyleReference, ...]
    unfit: dict[str, int]
    """Reason -> number of frames for which it alone costs 1 or more."""
    frames: int
    usable: int
    """Frames with a face for which no reason costs that much."""
    opening: Floats
    """(T,) mouth opening of every frame, interocular."""
    warnings: tuple[str, ...]
    """What makes the style less trustworthy, one sentence each."""


def retrieve(track: FaceTrack, performance: Performance) -> Retrieval:
    """Find the frame nearest to each key motion template: None, M, R and O.

    How far a frame is from facing the camera, sharp and with open eyes adds to its distance. A
    template that the nearest frame does not show is made from the clip's own motion.
    Deterministic: the earliest frame wins a tie.
    """
    found = track.found
    usual = mouth_range(performance, found)
    measures = template_measures(performance, found, usual)
    costs = _costs(track, performance)
    cost = np.sum(list(costs.values()), axis=0)
    cost[~found] = np.inf
    references: list[StyleReference] = []
    for template in TEMPLATES:
        distance = template_distance(measures, template)
        shown = shows_template(measures, template) & (cost < UNRELIABLE)
        row = int(np.argmin(distance + cost + ABSENT * ~shown))
        in_clip = bool(shown[row])
        references.append(
            StyleReference(
                template,
                float(performance.seconds[row]),
                float(distance[row]),
                to_68(performance.mesh[row])
                if in_clip
                else missing_landmarks(template, performance, found, usual),
                performance.rotation[row],
                np.nan_to_num(track.expression[row]),
                in_clip,
            )
        )
    unfit = {"no face": ~found} | {reason: found & (each >= 1) for reason, each in costs.items()}
    usable = ~np.any(list(unfit.values()), axis=0)
    return Retrieval(
        tuple(references),
        {reason: int(rows.sum()) for reason, rows in unfit.items() if rows.any()},
        len(found),
        int(usable.sum()),
        measures["gap"],
        tuple(_warnings(references, track, measures["gap"], float(usable.mean()))),
    )


def _costs(track: FaceTrack, performance: Performance) -> dict[str, Floats]:
    """Return reason -> (T,) what it adds to the distance of each frame from any template."""
    found = track.found
    pitch, yaw, roll = angles_from_rotation(performance.rotation).T
    aspect = eye_aspect(to_68(performance.mesh))
    usual = float(np.median(aspect[found]))
    lids = (1 - aspect / usual).clip(0) if usual >= NARROW_EYES else np.zeros(len(found))
    box = np.ptp(track.mesh[..., :2], axis=1).max(1)
    small = np.log2(SMALL * min(track.size) / box[found]).clip(0)
    near = np.zeros(len(found), bool)
    for cut in performance.seconds[track.cuts]:
        near |= np.abs(performance.seconds - cut) < NEAR_CUT
    costs: dict[str, Floats] = {
        "head turned": (yaw**2 + pitch**2) / TURNED**2 + (roll / TILTED) ** 2,
        "blink": np.square(lids / SHUT_LIDS),
        "blurred": np.zeros(len(found)),
        "face too small": np.zeros(len(found)),
        "near a cut": CUT_COST * near,
    }
    costs["blurred"][found] = np.square(_softness(track) / BLURRED)
    costs["face too small"][found] = np.square(small)
    return costs


def _softness(track: FaceTrack) -> Floats:
    """Return how often the sharpness of each frame with a face was halved against those around.

    Against those around, which move alike and have the same light: a head that turns all the time
    is not blurred all the time.
    """
    sharpness = np.log2(np.maximum(track.sharpness[track.found], 1e-3))
    step = float(np.median(np.diff(track.seconds))) if len(track.seconds) > 1 else 1.0
    size = 2 * round(SURROUNDINGS / step) + 1
    return (median_filter(sharpness, size=size, mode="nearest") - sharpness).clip(0)


def _warnings(
    references: list[StyleReference], track: FaceTrack, opening: Floats, usable: float
) -> list[str]:
    found: list[str] = []
    if float(np.ptp(opening[track.found])) < STILL_MOUTH:
        found.append("The mouth hardly moves: the references look alike.")
    if missing := [reference.title for reference in references if not reference.in_clip]:
        names = " or ".join([", ".join(missing[:-1]), missing[-1]][-min(len(missing), 2) :])
        found.append(f"The clip does not show {names}: made from the style's own motion.")
    seconds = float(track.seconds[-1] - track.seconds[0])
    if seconds < 5:
        found.append(f"The clip is only {seconds:.1f} s long: rhythm and blinks are guesses.")
    if track.found.mean() < 0.9:
        found.append(f"A face was found in only {track.found.mean():.0%} of the frames.")
    if usable < 0.3:
        found.append(f"Only {usable:.0%} of the frames are frontal and sharp enough.")
    return found
