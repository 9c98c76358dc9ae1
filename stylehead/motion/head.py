"""Head motion: drawn from the pose generator, at a style's ranges and tempo."""

from __future__ import annotations

import zlib
from fractions import Fraction

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, grey_closing

from stylehead.device import to_array
from stylehead.face.geometry import angles_from_rotation, rotation_from_angles, smoothstep
from stylehead.models.pose_generator import AXES, PoseGenerator
from stylehead.models.pose_generator import FPS as POSES
from stylehead.motion.eyes import FARTHEST
from stylehead.types import Floats, Motion, Style, StyleMix


def blended_head(
    net: PoseGenerator,
    prosody: Floats,
    frames: int,
    mix: StyleMix,
    fps: Fraction,
    gain: float,
    seed: int,
) -> tuple[Floats, Floats]:
    """Return head rotation (T, 3, 3) and translation (T, 3): the styles' by their weights.

    Each clip's person has random numbers of their own: two people do not turn their heads at the
    same moments. Where two heads meet in one, its range is the sum of theirs.
    """
    path, ranges = np.zeros((frames, AXES), np.float32), np.zeros(AXES, np.float32)
    moving = [weight for weight in mix.weights if weight.head]
    for weight in moving:
        person = zlib.crc32(weight.style.provenance.get("source_sha256", "").encode())
        rng = np.random.default_rng([seed, person])
        turned, moved = sample_head(
            net, prosody, frames, weight.style, fps, gain * weight.head, rng
        )
        if len(moving) == 1:
            return turned, moved
        one = np.column_stack([angles_from_rotation(turned), moved])
        path += one
        ranges += np.ptp(one, axis=0)
    path *= ranges / (np.ptp(path, axis=0) + 1e-6)
    return rotation_from_angles(path[:, :3]), path[:, 3:]


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
    gain: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return head rotation (T, 3, 3) and translation (T, 3) for a voice.

    Pitch, yaw, roll and the three shifts are drawn pose by pose from what the pose generator
    expects after the poses before it, given the voice's prosody (P, 80), at the style's tempo.
    Ranges are the style's, up to LARGEST_RANGE; the head leaves its neutral pose at the start and
    is back at the end.
    """
    ranges, tempo = style_range(style)
    drawn = draw_poses(net, prosody, tempo, rng)
    step = 1 / float(fps)
    seconds = np.arange(len(drawn)) / POSES
    times = np.arange(frames) * step
    path = CubicSpline(seconds, drawn, axis=0)(times.clip(max=seconds[-1]))
    reached = np.full(AXES, NORMAL_RANGE)
    if frames * step >= RANGE_FROM:
        path -= path.mean(0)
        low, high = np.percentile(path, [5, 95], axis=0)
        reached = high - low + 1e-6
    path *= gain * ranges / reached
    ends = (np.minimum(np.arange(frames), np.arange(frames)[::-1]) * step / FADE).clip(0, 1)
    path *= smoothstep(ends)[:, None]
    return rotation_from_angles(path[:, :3]), path[:, 3:].astype(np.float32)


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
    """Return ranges (6,) and tempo in rad/s (6,) of a style's head."""
    motion = style.motion
    path = np.column_stack([angles_from_rotation(motion.rotation), motion.translation])
    low, high = np.percentile(path, [5, 95], axis=0)
    return np.minimum(high - low, LARGEST_RANGE), tempo_of(path, 1 / float(motion.fps))


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
