"""Predict the motion of a recording and adapt it to a style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from stylehead.face.face_model import generic_neutral
from stylehead.face.landmarks import points_of
from stylehead.models.motion_generator import MotionGenerator
from stylehead.models.pose_generator import FPS as POSES
from stylehead.motion.beat import sway
from stylehead.motion.expression import UPPER, sample_brows, sample_expression
from stylehead.motion.eyes import blended_blink_rate, sample_blinks, sample_gaze
from stylehead.motion.finishing import (
    from_rest,
    keep_lips_apart,
    random_streams,
    with_filmed_shapes,
)
from stylehead.motion.head import blended_head
from stylehead.motion.models import Networks, tuned_generator
from stylehead.motion.singing import breathe, held_notes, hold, lift, sung_phrases
from stylehead.motion.stream import UnstyledMotion, generate
from stylehead.motion.styling import (
    match_mean,
    match_opening,
    match_ranges,
    raised_voice,
    widen,
)
from stylehead.options import MotionControls
from stylehead.types import Floats, Motion, Speech, Style, StyleMix


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Role:
    """What a face makes of a voice."""

    mix: StyleMix
    controls: MotionControls = MotionControls()  # noqa: RUF009 (frozen)
    opened: Floats | None = None
    """(T,) how far the mouth may open at each frame, 0 to 1; None: it always may."""


class Sung(NamedTuple):
    """A motion, and when its face has a voice."""

    motion: Motion
    voice: Floats
    """(T,) 1 where it sings, 0 where it is silent."""


def predict_motion(
    speech: Speech,
    mix: StyleMix,
    networks: Networks,
    *,
    fps: Fraction,
    controls: MotionControls = MotionControls(),  # noqa: B008 (frozen)
) -> Motion:
    """Return the motion of a recording in a style or a mix, never shorter than the sound.

    Memory grows by 1.5 MB a minute for the motion itself, and by as much for each style of a mix.
    Raises MediaError for a silent recording, StyleError for a style tuned for other weights.
    """
    role = Role(mix=mix, controls=controls)
    return predict_together(speech, [role], networks, fps=fps)[0].motion


def predict_together(
    speech: Speech, roles: Sequence[Role], networks: Networks, *, fps: Fraction
) -> list[Sung]:
    """Return what several faces make of one voice, which is listened to once.

    As `predict_motion` does for one.
    """
    nets = [
        [_generator(weight.style, networks.generator) for weight in role.mix.weights]
        for role in roles
    ]
    unstyled = generate(speech, [networks.generator, *chain.from_iterable(nets)], fps)
    plain, *articulated = unstyled.landmarks
    each = iter(articulated)
    sung: list[Sung] = []
    for role, own in zip(roles, nets, strict=True):
        heard = unstyled._replace(landmarks=[plain, *islice(each, len(own))])
        if role.opened is not None:
            heard = heard.within(role.opened)
        sung.append(Sung(_played(heard, role, own, networks, fps), heard.voice))
    return sung


def _played(
    unstyled: UnstyledMotion,
    role: Role,
    nets: list[MotionGenerator],
    networks: Networks,
    fps: Fraction,
) -> Motion:
    mix, controls = role.mix, role.controls
    plain, *articulated = unstyled.landmarks
    faces = [
        _styled(unstyled, landmarks, net, weight.style, fps, controls.seed)
        for weight, net, landmarks in zip(mix.weights, nets, articulated, strict=True)
    ]
    neutral = generic_neutral()
    notes = held_notes(unstyled.prosody, unstyled.voice, fps)
    phrases = sung_phrases(unstyled.voice, notes, fps)
    landmarks = hold(_mixed(plain, faces, mix), notes, fps, controls.hold)
    raised = raised_voice(unstyled.prosody, fps, len(landmarks))
    landmarks = widen(landmarks, neutral, unstyled.voice, raised, controls.effort)
    landmarks = breathe(landmarks, neutral, unstyled.voice, phrases, fps, controls.breath)
    landmarks = with_filmed_shapes(landmarks * np.float32(controls.expression), controls.shapes)
    landmarks = from_rest(keep_lips_apart(landmarks, neutral), fps)

    blinking, _, eyes = random_streams(controls.seed)
    frames, voice = len(landmarks), unstyled.voice
    rotation, translation = blended_head(
        networks.pose, unstyled.prosody, frames, mix, fps, controls.head_scale, controls.seed
    )
    amount = controls.beat * controls.head_scale
    rotation, translation = sway(
        rotation, translation, unstyled.beats, unstyled.music, mix, fps, amount
    )
    breath, phrasing = (part * controls.head_scale for part in (controls.breath, controls.phrasing))
    rotation, translation = lift(
        rotation, translation, phrases, mix, fps, breath=breath, phrasing=phrasing
    )
    rate = controls.blinks_per_minute
    rate = blended_blink_rate(mix) if rate is None else rate
    blink = sample_blinks(frames, voice, fps, rate, blinking)
    gaze = sample_gaze(rotation, blink, fps, eyes)
    return Motion(landmarks, rotation, translation, blink, fps, neutral, gaze)


RESTING = 0.4  # of a style's head motion, for a face that only listens


def rest_motion(
    frames: int, mix: StyleMix, networks: Networks, *, fps: Fraction, controls: MotionControls
) -> Motion:
    """Return the motion of a face that has nothing to sing: a quiet head, blinks and glances."""
    blinking, _, eyes = random_streams(controls.seed)
    silence = np.zeros((math.ceil(frames / fps * POSES), networks.pose.config.heard), np.float32)
    rotation, translation = blended_head(
        networks.pose, silence, frames, mix, fps, RESTING * controls.head_scale, controls.seed
    )
    rate = controls.blinks_per_minute
    rate = blended_blink_rate(mix) if rate is None else rate
    blink = sample_blinks(frames, np.zeros(frames, np.float32), fps, rate, blinking)
    gaze = sample_gaze(rotation, blink, fps, eyes)
    landmarks = np.zeros((frames, 68, 3), np.float32)
    return Motion(landmarks, rotation, translation, blink, fps, generic_neutral(), gaze)


def _generator(style: Style, usual: MotionGenerator) -> MotionGenerator:
    return tuned_generator(usual, style.tuning, style.name) if style.tuning else usual


def _styled(
    unstyled: UnstyledMotion,
    landmarks: Floats,
    net: MotionGenerator,
    style: Style,
    fps: Fraction,
    seed: int,
) -> Floats:
    """Return the face (T, 68, 3) of a style, from what its own or the usual generator predicts.

    A tuned generator articulates as the style does; its mouth is opened as wide as the style's as
    far as that keeps the tempo, and the style's expression is played with it.
    Otherwise the usual one is brought to the style's statistics.
    """
    voice, brow_chance = unstyled.voice, random_streams(seed)[1]
    if style.tuning:
        articulation = landmarks.copy()
        articulation[:, UPPER] = 0
        neutral = generic_neutral()
        opened = match_opening(articulation, voice, style.motion, neutral, fps)
        return opened + sample_expression(style, len(opened), fps, brow_chance)
    ranged = match_ranges(landmarks, voice, net, style, fps)
    brows = sample_brows(voice, unstyled.stress, style, fps, brow_chance)
    return match_mean(ranged, voice, brows, style)


def _mixed(plain: Floats, faces: list[Floats], mix: StyleMix) -> Floats:
    """Add up styled faces region by region by their weights; the un-styled face fills up.

    Outputs are mixed and not weights: they are linear in each weight, so that a style's strength
    works alike from 0 to 1.5, and styles of different tunings can meet in one face.
    """
    landmarks = plain.copy()
    for region, points in points_of().items():
        remaining = 1 - sum(weight.of(region) for weight in mix.weights)
        mixed = np.float32(remaining) * plain[:, points]
        for weight, face in zip(mix.weights, faces, strict=True):
            mixed += np.float32(weight.of(region)) * face[:, points]
        landmarks[:, points] = mixed
    return landmarks
