"""Head motion: drawn from the pose generator, at a style's ranges and tempo."""

from __future__ import annotations

import zlib
from fractions import Fraction

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, grey_closing

from stylehead.compute.device import to_array
from stylehead.face.geometry import (
    angles_from_rotation,
    mean_rotation,
    rotation_from_angles,
    smoothstep,
)
from stylehead.models.pose_generator import AXES, PoseGenerator
from stylehead.models.pose_generator import FPS as POSES
from stylehead.motion.eyes import FARTHEST
from stylehead.types import Floats, Motion, Style, StyleMix


def person_of(style: Style) -> int:
    """Return the seed of a clip's person: two do not turn their heads at the same moments."""
    return zlib.crc32(style.provenance.get("source_sha256", "").encode())


def sampled_heads(
    net: PoseGenerator, prosody: Floats, frames: int, mix: StyleMix, fps: Fraction, seed: int
) -> list[Floats]:
    """Return the path (T, 6) of each style's head, drawn; of those that move none, zeros."""
    return [
        sample_head(
            net,
            prosody,
            frames,
            weight.style,
            fps,
            np.random.default_rng([seed, person_of(weight.style)]),
        )
        if weight.head
        else np.zeros((frames, AXES), np.float32)
        for weight in mix.weights
    ]


def blended_head(
    paths: list[Floats], mix: StyleMix, fps: Fraction, gain: float, held: Floats
) -> tuple[Floats, Floats]:
    """Return head rotation (T, 3, 3) and translation (T, 3): the styles' by their weights.

    paths (T, 6) of each style's head. Where two heads meet in one, its range is the sum of theirs.
    The head leaves its neutral pose at the start and is back at the end; between them it is held
    at pitch, yaw and roll `held` (3,) in degrees.
    """
    frames = len(paths[0])
    seconds = np.minimum(np.arange(frames), np.arange(frames)[::-1]) / float(fps)
    ends = smoothstep((seconds / FADE).clip(0, 1))[:, None]
    moving = [
        gain * weight.head * ends * path
        for weight, path in zip(mix.weights, paths, strict=True)
        if weight.head
    ]
    path = np.sum([np.zeros((frames, AXES)), *moving], axis=0)
    if len(moving) > 1:
        ranges = np.sum([np.ptp(own, axis=0) for own in moving], axis=0)
        path *= ranges / (np.ptp(path, axis=0) + 1e-6)
    path[:, :3] += smoothstep((seconds / SETTLING).clip(0, 1))[:, None] * held
    return rotation_from_angles(path[:, :3]), path[:, 3:].astype(np.float32)


SETTLING = 1.5  # seconds at both ends in which a head comes to how it is usually held
FARTHEST_HELD = np.array([5.0, 5.0, 7.0])
"""Degrees of pitch, yaw and roll in the picture: a camera that stood aside is no habit, and a
picture of a face shows no other side of it."""


def posture(mix: StyleMix, amount: float, own: Floats) -> Floats:
    """Return how a mix holds its head, pitch, yaw and roll (3,) in degrees from the picture's pose.

    `amount` of the styles' habitual poses by their weights. Where the picture's own pose (3,) is
    that way already, no further than FARTHEST_HELD from straight.
    """
    habits = [weight.head * habitual_pose(weight.style) for weight in mix.weights]
    wanted = amount * np.sum(habits, axis=0).clip(-FARTHEST_HELD, FARTHEST_HELD)
    farthest = np.maximum(np.abs(own), FARTHEST_HELD)
    return (own + wanted).clip(-farthest, farthest) - own


def habitual_pose(style: Style) -> Floats:
    """Return pitch, yaw and roll (3,) in degrees at which a clip's person holds the head.

    A style's motion is about that pose; its references tell it, which have the pose in the picture.
    """
    motion = style.motion
    means = [
        motion.rotation[int(np.argmin(np.abs(style.times - reference.seconds)))].T
        @ reference.rotation
        for reference in style.references
    ]
    return angles_from_rotation(mean_rotation(np.stack(means)))


PITCH, ROLL, ASIDE, DOWN = 0, 2, 0, 1
"""Places in angles (T, 3), and in translation (T, 3)."""
LARGEST_RANGE = np.array([20.0, 26.0, 16.0, 0.35, 0.25, 0.4])
"""Degrees and interocular, 5th to 95th percentile; a clip of somebody walking is not followed."""
NORMAL_RANGE = 3.29  # the same of a normal distribution of unit spread
TEMPERATURE = 0.5  # of the drawn poses' spread: measured tempi are nearest to those asked for
LONGEST_SMOOTHING = 1.5  # seconds of Gaussian with which a head is slowed to a style's tempo
WARM_UP = 4.0  # seconds drawn before the first frame, so that it starts like any other
FADE = 0.5  # seconds at both ends in which the head leaves and reaches its neutral pose
RANGE_FROM = 4.0  # seconds from which the sample's own range is brought to the style's


def sample_head(
    net: PoseGenerator,
    prosody: Floats,
    frames: int,
    style: Style,
    fps: Fraction,
    rng: np.random.Generator,
) -> Floats:
    """Return a head's path (T, 6) for a voice: pitch, yaw, roll in degrees and the shifts.

    All are drawn pose by pose from what the pose generator expects after the poses before it, given
    the voice's prosody (P, 80), at the style's tempo and in its ranges.
    """
    ranges, tempo = style_range(style)
    drawn = draw_poses(net, prosody, tempo, rng)
    seconds = np.arange(len(drawn)) / POSES
    times = np.arange(frames) / float(fps)
    path = CubicSpline(seconds, drawn, axis=0)(times.clip(max=seconds[-1]))
    reached = np.full(AXES, NORMAL_RANGE)
    if frames / fps >= RANGE_FROM:
        path -= path.mean(0)
        low, high = np.percentile(path, [5, 95], axis=0)
        reached = high - low + 1e-6
    return path * (ranges / reached)


def draw_poses(
    net: PoseGenerator, prosody: Floats, tempo: Floats, rng: np.random.Generator
) -> Floats:
    """Return poses (P + 1, 6) at POSES a second in units of their usual spread."""
    lead = round(WARM_UP * POSES)
    ahead = net.config.ahead
    rows = np.concatenate([prosody[:1].repeat(lead, 0), prosody, prosody[-1:].repeat(ahead + 1, 0)])
    noise = rng.standard_normal((len(rows) - ahead, 2 * AXES)).astype(np.float32)
    prosodic, style = torch.from_numpy(rows[ahead:]), torch.from_numpy(np.log(tempo))
    axes = net.sample(prosodic, style.float(), torch.from_numpy(noise), temperature=TEMPERATURE)
    path = to_array(axes)[lead:]
    slowed = [_slowed(axis, wanted) for axis, wanted in zip(path.T, tempo, strict=True)]
    return 2.5 * np.tanh(np.stack(slowed, 1) / 2.5)  # no sudden looks far aside


def _slowed(axis: Floats, tempo: float) -> Floats:
    """Smooth one axis (P,) until it is no quicker than a tempo in rad/s.

    The generator has seen few slow heads; without this it would fidget for them.
    """
    if _tempo(axis) <= tempo:
        return axis
    low, high = 0.0, min(LONGEST_SMOOTHING * POSES, len(axis) / 6)
    for _ in range(10):  # halving: the tempo falls with the smoothing
        middle = (low + high) / 2
        quick = _tempo(gaussian_filter1d(axis, middle)) > tempo
        low, high = (middle, high) if quick else (low, middle)
    return gaussian_filter1d(axis, high)


def _tempo(axis: Floats) -> float:
    return float(tempo_of(axis[:, None], 1 / POSES)[0])


def style_range(style: Style) -> tuple[Floats, Floats]:
    """Return ranges (6,), up to LARGEST_RANGE, and tempo in rad/s (6,) of a style's head."""
    path = head_path(style.motion)
    low, high = np.percentile(path, [5, 95], axis=0)
    return np.minimum(high - low, LARGEST_RANGE), tempo_of(path, 1 / float(style.motion.fps))


def head_path(motion: Motion) -> Floats:
    """Return pitch, yaw and roll in degrees and the shift of a motion's head, (T, 6)."""
    return np.column_stack([angles_from_rotation(motion.rotation), motion.translation])


def reach(path: Floats) -> Floats:
    """Return the factors (6,) that keep a head's path (T, 6) within LARGEST_RANGE."""
    low, high = np.percentile(path, [5, 95], axis=0)
    return np.minimum(1, LARGEST_RANGE / (high - low + 1e-6))


def mix_range(mix: StyleMix) -> Floats:
    """Return the ranges (6,) of a mix's head: the styles' by their weights."""
    return np.sum([weight.head * style_range(weight.style)[0] for weight in mix.weights], axis=0)


TEMPO = (0.6, 6.0)  # rad/s; slower is drift, faster is trembling


def tempo_of(path: Floats, step: float) -> Floats:
    """Return the tempo in rad/s of each column of (T, K): its speed's spread over its own."""
    speed = np.gradient(path, step, axis=0).std(0)
    return (speed / (path.std(0) + 1e-6)).clip(*TEMPO)


HELD = 1.5  # seconds of silence within a song that do not end it for those who listen
TURNING = 0.35  # seconds of Gaussian, after as long a delay, in which a head turns to who sings
TURN = np.array([7.0, 4.0])  # most degrees of yaw and pitch
GLANCE = np.array([6.0, 3.0])  # most degrees that the eyes go ahead, sideways and upright
FAR = 2.0  # face sizes from which on a neighbour is looked at with most of that


def towards_singers(voices: Floats, places: Floats, sizes: Floats, fps: Fraction) -> Floats:
    """Return where each face looks (F, T, 2), -1 to 1: to image right and down; 0 is ahead.

    voices (F, T) are 1 where a face sings. Those who are silent look to those who sing, in their
    middle, sooner or later as people do; who sings looks ahead. places (F, 2) and sizes (F,) of the
    faces are in the same pixels.
    """
    frames = round(TURNING * float(fps))
    held = grey_closing(voices, (1, round(HELD * float(fps)) | 1))
    ahead = np.zeros((len(voices), 2 * frames), np.float32)  # nobody turns before he hears
    heard = np.concatenate([ahead, held], 1)[:, : voices.shape[-1]]
    heard = gaussian_filter1d(heard, max(frames, 1), axis=1)
    ways = places[None] - places[:, None]
    ways = np.tanh(ways / (FAR * (sizes[None] + sizes[:, None])[..., None] / 2))
    aims = np.einsum("ijk,jt->itk", ways, heard) / np.maximum(heard.sum(0), 1)[:, None]
    return (aims * (1 - heard)[..., None]).astype(np.float32)


def turned(motion: Motion, towards: Floats, gain: float) -> Motion:
    """Return a motion whose head and eyes turn as far as (T, 2) of `towards_singers` says.

    It begins and ends as it did.
    """
    steps = np.minimum(np.arange(len(motion)), np.arange(len(motion))[::-1]) / float(motion.fps)
    towards = gain * towards * smoothstep((steps / FADE).clip(0, 1))[:, None]
    angles = angles_from_rotation(motion.rotation)
    angles[:, 1] += TURN[0] * towards[:, 0]
    angles[:, 0] += TURN[1] * towards[:, 1]
    gaze = (motion.gaze + GLANCE * towards).clip(-FARTHEST, FARTHEST).astype(np.float32)
    return motion.with_(rotation=rotation_from_angles(angles), gaze=gaze)
