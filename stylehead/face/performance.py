"""FaceTrack -> Motion: what a tracked person did, free of who they are and where they stood."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import median_filter, percentile_filter

from stylehead.errors import FaceError
from stylehead.face.face_model import EXPRESSIVE, FaceModel
from stylehead.face.geometry import Similarity, align, mean_rotation, nearest_rotation
from stylehead.face.landmarks import (
    REGIONS,
    RIGID,
    RIGID_MESH,
    eye_aspect,
    interocular,
    mouth_opening,
    to_68,
)
from stylehead.types import FaceTrack, Floats, Motion

CAMERA_DISTANCE = 12.0
"""Nominal distance of the camera in head-space units: turns a face's size into depth."""
EYEBALL = 0.13
"""Radius of the eyeball in head-space units: 12 mm."""
SHUT_SHARE = 0.2  # of the frames, those with the mouth most shut, may make the neutral face
NEUTRAL_SHARE = 0.08  # of the frames, those of them with the least expression, do
AWAKE = 0.75  # of a clip's usual eye aspect; the eyes of a neutral face are as open
BLINK = 0.35  # closure from which lid motion counts as a blink
BLINK_SURROUNDINGS = 1.5  # seconds; several times a blink
SMOOTHING = 5  # frames of the zero-phase Savitzky-Golay filter, order 2
SMOOTHED_STEP = 0.045  # seconds between frames; sparser clips would lose lip motion
SEEN_LEAST = 5  # frames with a face that a track must have


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Performance:
    """A motion at the clip's own frames, with the mesh it came from."""

    mesh: Floats
    """(T, 478, 3) head space, the person's own shape included; gaps bridged."""
    neutral: Floats
    """(478, 3) head space."""
    rotation: Floats
    """(T, 3, 3) head space to image space, for row vectors."""
    translation: Floats
    """(T, 3) head displacement from its mean place, head-space unit."""
    blink: Floats
    """(T,) closure of the lids: 0 open, 1 shut."""
    seconds: NDArray[np.float64]
    """(T,) time of each frame in the clip."""
    neutral_scores: Floats
    """(52,) expression scores of the frames that made the neutral face."""

    def motion(self, fps: Fraction) -> tuple[Motion, Floats]:
        """Return the motion at a steady rate, and the clip's time of each of its frames.

        Cubic interpolation in time; lids without blinks, which are a channel of their own.
        """
        count = max(2, int((self.seconds[-1] - self.seconds[0]) * fps) + 1)
        times = self.seconds[0] + np.arange(count) / float(fps)
        neutral = to_68(self.neutral)
        offsets = _without_blinks(to_68(self.mesh) - neutral, self.blink)
        mean = mean_rotation(self.rotation)
        turned = _at(self.seconds, self.rotation @ mean.T, times)
        gaze = gaze_of(self.mesh, self.blink)
        motion = Motion(
            _at(self.seconds, offsets, times),
            nearest_rotation(turned),
            _at(self.seconds, self.translation, times),
            _at(self.seconds, self.blink, times).clip(0, 1),
            fps,
            neutral,
            np.stack([np.interp(times, self.seconds, axis) for axis in gaze.T], 1),
        )
        return motion, times.astype(np.float32)


IRISES = (468, 473)
"""Mesh vertices in the middle of the right and the left iris."""
CORNERS = ((33, 133), (263, 362))
"""Mesh vertices at the corners of these eyes."""
STEADY_GAZE = 5  # frames of the median that takes the tracker's trembling off


def gaze_of(mesh: Floats, blink: Floats) -> Floats:
    """Return where the eyes look in the head (T, 2), degrees to image right and down.

    mesh (T, 478, 3) in head space. Straight ahead is where they look most; behind shut lids they
    look where they did before and will after.
    """
    middles = [mesh[:, pair].mean(1) for pair in (list(corners) for corners in CORNERS)]
    aside = np.mean([mesh[:, i] - m for i, m in zip(IRISES, middles, strict=True)], axis=0)[:, :2]
    seen = np.flatnonzero(blink < BLINK)
    if len(seen) > 1:
        rows = np.arange(len(aside), dtype=np.float64)
        aside = _bridge(rows[seen], aside[seen], rows)
    aside = median_filter(aside, (STEADY_GAZE, 1), mode="nearest")
    turned = np.arcsin(((aside - np.median(aside, axis=0)) / EYEBALL).clip(-1, 1))
    return np.degrees(turned).astype(np.float32)


def recover_performance(
    track: FaceTrack, *, name: str = "The clip", model: FaceModel | None = None
) -> Performance:
    """Separate a track into expression, head pose and blinks; `name` is the clip's, for messages.

    Raises FaceError when fewer than SEEN_LEAST frames show a face.
    """
    rows = np.flatnonzero(track.found)
    if len(rows) < SEEN_LEAST:
        raise FaceError(
            f"{name} shows a face in only {len(rows)} frames.",
            remedy=f"Give a clip that shows one in at least {SEEN_LEAST} frames.",
        )
    model = model or FaceModel.embedded()
    heads, poses = _heads(track.mesh[rows], model.mean)
    seconds = track.seconds
    at = seconds[rows]
    points = to_68(heads)
    eyes = eye_aspect(points)
    neutral_rows = neutral_frames(track.expression[rows], mouth_opening(points), eyes)
    neutral = model.mean
    for _ in range(2):  # the person's own shape fits better than the mean face
        neutral = heads[neutral_rows].mean(0)
        neutral = neutral - to_68(neutral)[list(RIGID)].mean(0)
        neutral = neutral / interocular(to_68(neutral))
        heads, poses = _heads(track.mesh[rows], neutral)
    scale = np.array([pose.scale for pose in poses], np.float32)
    translation = np.stack([pose.translation for pose in poses]) / scale.mean()
    translation[:, 2] = CAMERA_DISTANCE * (scale.mean() / scale - 1)
    rotation = np.stack([pose.rotation for pose in poses])
    centred = translation - translation.mean(0)
    filled = [_bridge(at, values, seconds) for values in (heads, rotation, centred)]
    if len(seconds) > SMOOTHING and np.median(np.diff(seconds)) < SMOOTHED_STEP:
        from scipy.signal import savgol_filter  # a quarter of a second, and only clips need it

        filled = [
            np.asarray(savgol_filter(values, SMOOTHING, 2, axis=0, mode="interp"), np.float32)
            for values in filled
        ]
    mesh, turned, moved = filled
    # Blinks last three frames at 30 fps: they are measured on the unfiltered mesh.
    blink = closure(_bridge(at, eye_aspect(to_68(heads)), seconds), seconds)
    return Performance(
        mesh=mesh,
        neutral=neutral,
        rotation=nearest_rotation(turned),
        translation=moved,
        blink=blink,
        seconds=seconds,
        neutral_scores=track.expression[rows][neutral_rows].mean(0),
    )


def neutral_frames(
    expression: Floats, opening: Floats, eyes: Floats | None = None
) -> NDArray[np.intp]:
    """Return the rows that make the neutral face: mouth shut, and of those the least expression.

    (T, 52) scores, (T,) mouth opening and, where they are known, (T,) eye aspects in, indices out.
    People who talk part their lips even when they look calm, so the mouth has to be asked first.
    Frames with the eyes nearly shut do not count: eyes that open again would look startled.
    """
    rows = np.arange(len(opening))
    if eyes is not None:
        rows = np.flatnonzero(eyes >= AWAKE * np.median(eyes))
    shut = rows[opening[rows] <= np.percentile(opening[rows], 100 * SHUT_SHARE)]
    amount = expression[shut][:, EXPRESSIVE].sum(1)
    count = max(1, round(NEUTRAL_SHARE * len(opening)))
    return shut[np.argsort(amount, kind="stable")[:count]]


def closure(aspect: Floats, seconds: NDArray[np.float64]) -> Floats:
    """Turn eye aspects (T,) into lid closure: 0 as open as around that moment, 1 shut.

    The opening is compared with its own neighbourhood, so that eyes narrowed by a laugh or a
    look down are an expression and not a blink.
    """
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.04
    size = max(3, round(BLINK_SURROUNDINGS / step))
    # Before and after: at the edge of a long narrowing one of the two is narrow already.
    sides: list[Floats] = [
        percentile_filter(aspect, 60, size=size, origin=side)
        for side in ((size - 1) // 2, -((size - 1) // 2))
    ]
    usual = np.minimum(*sides)
    shut = 0.3 * usual  # lids and lashes keep the tracker's contours apart
    return ((usual - aspect) / np.maximum(usual - shut, 1e-3)).clip(0, 1).astype(np.float32)


def _heads(meshes: Floats, reference: Floats) -> tuple[Floats, list[Similarity]]:
    """Return meshes (T, 478, 3) in the head space of a reference (478, 3), and their head poses."""
    poses = [align(reference[RIGID_MESH], mesh[RIGID_MESH]) for mesh in meshes]
    heads = np.stack([pose.undo(mesh) for pose, mesh in zip(poses, meshes, strict=True)])
    return heads.astype(np.float32), poses


def _bridge(at: NDArray[np.float64], values: Floats, seconds: NDArray[np.float64]) -> Floats:
    """Fill frames without a face by straight lines between their neighbours."""
    if len(at) == len(seconds):
        return values
    flat = values.reshape(len(values), -1)
    right = np.searchsorted(at, seconds).clip(1, len(at) - 1)
    weight = ((seconds - at[right - 1]) / (at[right] - at[right - 1])).clip(0, 1)[:, None]
    filled = flat[right - 1] * (1 - weight) + flat[right] * weight
    return filled.reshape(len(seconds), *values.shape[1:]).astype(np.float32)


def _at(seconds: NDArray[np.float64], values: Floats, times: NDArray[np.float64]) -> Floats:
    return CubicSpline(seconds, values, axis=0)(times).astype(np.float32)


def _without_blinks(offsets: Floats, blink: Floats) -> Floats:
    """Bridge the eye points over blinks, two frames wider on each side."""
    closed = np.convolve(blink > BLINK, np.ones(5), "same") > 0
    rows = np.flatnonzero(~closed)
    if len(rows) < 2 or not closed.any():
        return offsets
    eyes = list(REGIONS["eyes"])
    frames = np.arange(len(offsets), dtype=np.float64)
    bridged = offsets.copy()
    bridged[:, eyes] = _bridge(frames[rows], offsets[rows][:, eyes], frames)
    return bridged
