"""Predict the motion of a recording and adapt it to a style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from stylehead.face.articulation import UPPER, expression_of, told_apart
from stylehead.face.face_model import generic_neutral
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import REGIONS, points_of
from stylehead.models.motion_generator import MotionGenerator
from stylehead.models.pose_generator import FPS as POSES
from stylehead.motion.beat import sway
from stylehead.motion.expression import mean_expression, sample_brows, sample_expression
from stylehead.motion.eyes import blended_blinks, gaze_in, sample_blinks, sample_glances
from stylehead.motion.finishing import (
    from_rest,
    keep_lips_apart,
    random_streams,
    with_filmed_shapes,
)
from stylehead.motion.gestures.acting import act, acts
from stylehead.motion.head import blended_head, person_of, posture, sampled_heads
from stylehead.motion.models import Networks, tuned_generator
from stylehead.motion.singing import (
    breathe,
    held_notes,
    hold,
    lift,
    open_vowels,
    sung_phrases,
)
from stylehead.motion.stream import UnstyledMotion, generate
from stylehead.motion.styling import (
    match_opening,
    match_ranges,
    raised_voice,
    widen,
    without_own_look,
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
    rotation: Floats | None = None
    """(3, 3) of the head in the picture; None: straight."""

    @property
    def held(self) -> Floats:
        """(3,) pitch, yaw and roll in degrees from there at which the head is held."""
        own = np.zeros(3, np.float32)
        if self.rotation is not None:
            own = angles_from_rotation(self.rotation)
        amount = self.controls.posture * min(1.0, self.controls.head_scale)
        return posture(self.mix, amount, own)


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
    voice, neutral = unstyled.voice, generic_neutral()
    notes = held_notes(unstyled.prosody, voice, fps)
    plain, *articulated = (
        open_vowels(face, neutral, voice, unstyled.prosody, notes, fps, controls.hold)
        for face in unstyled.landmarks
    )
    frames = len(plain)
    blinking, _, looking = random_streams(controls.seed, *_occasion(unstyled, mix))
    habit = blended_blinks(mix, controls.blinks_per_minute)
    blink = sample_blinks(frames, voice, fps, habit, blinking)
    glances = sample_glances(blink, fps, looking)
    paths = sampled_heads(networks.pose, unstyled.prosody, frames, mix, fps, controls.seed)
    performed = [
        _performed(unstyled, own, net, weight.style, path, glances, fps, controls.seed)
        for weight, net, own, path in zip(mix.weights, nets, articulated, paths, strict=True)
    ]
    phrases = sung_phrases(unstyled.voice, notes, fps)
    landmarks = hold(_mixed(plain, [one.face for one in performed], mix), notes, fps, controls.hold)
    raised = raised_voice(unstyled.prosody, fps, len(landmarks))
    landmarks = widen(landmarks, neutral, unstyled.voice, raised, controls.effort)
    landmarks = breathe(landmarks, neutral, unstyled.voice, phrases, fps, controls.breath)
    landmarks = with_filmed_shapes(landmarks * np.float32(controls.expression), controls.shapes)
    landmarks = from_rest(keep_lips_apart(landmarks, neutral), fps)

    heads = [one.head for one in performed]
    rotation, translation = blended_head(heads, mix, fps, controls.head_scale, role.held)
    amount = controls.beat * controls.head_scale
    rotation, translation = sway(
        rotation, translation, unstyled.beats, unstyled.music, mix, fps, amount
    )
    breath, phrasing = (part * controls.head_scale for part in (controls.breath, controls.phrasing))
    rotation, translation = lift(
        rotation, translation, phrases, mix, fps, breath=breath, phrasing=phrasing
    )
    glances = glances * (1 - sum(weight.eyes for weight in mix.weights))
    for weight, one in zip(mix.weights, performed, strict=True):
        glances += weight.eyes * one.glances
    gaze = from_rest(gaze_in(rotation, glances), fps)
    return Motion(landmarks, rotation, translation, blink, fps, neutral, gaze)


def _occasion(unstyled: UnstyledMotion, mix: StyleMix) -> tuple[int, ...]:
    """Return what tells a recording in some styles from others, at any frame rate.

    Somebody who is seen in several videos would else blink at the same moments in each.
    """
    people = (person_of(weight.style) for weight in mix.weights if weight.eyes)
    return len(unstyled.prosody), *people


RESTING = 0.4  # of a style's head motion, for a face that only listens


def rest_motion(frames: int, role: Role, networks: Networks, *, fps: Fraction) -> Motion:
    """Return the motion of a face that has nothing to sing: a quiet head, blinks and glances."""
    mix, controls = role.mix, role.controls
    blinking, _, looking = random_streams(controls.seed)
    silence = np.zeros((math.ceil(frames / fps * POSES), networks.pose.config.heard), np.float32)
    paths = sampled_heads(networks.pose, silence, frames, mix, fps, controls.seed)
    gain = RESTING * controls.head_scale
    rotation, translation = blended_head(paths, mix, fps, gain, role.held)
    habit = blended_blinks(mix, controls.blinks_per_minute)
    blink = sample_blinks(frames, np.zeros(frames, np.float32), fps, habit, blinking)
    gaze = from_rest(gaze_in(rotation, sample_glances(blink, fps, looking)), fps)
    landmarks = np.zeros((frames, 68, 3), np.float32)
    return Motion(landmarks, rotation, translation, blink, fps, generic_neutral(), gaze)


def _generator(style: Style, usual: MotionGenerator) -> MotionGenerator:
    return tuned_generator(usual, style.tuning, style.name) if style.tuning else usual


class _Performed(NamedTuple):
    """What a style makes of a voice."""

    face: Floats
    """(T, 68, 3)"""
    head: Floats
    """(T, 6) pitch, yaw, roll in degrees and the shift."""
    glances: Floats
    """(T, 2) degrees away from the camera."""


ACTING = 1  # tells the random numbers of gestures from those of the sampled head


def _performed(
    unstyled: UnstyledMotion,
    landmarks: Floats,
    net: MotionGenerator,
    style: Style,
    sampled: Floats,
    glances: Floats,
    fps: Fraction,
    seed: int,
) -> _Performed:
    """Return what a style makes of what its own or the usual generator predicts.

    Its person's own gestures come with the speech. For want of a contour to choose them by, head
    (T, 6) and glances (T, 2) are those that were sampled, and so are brows about the style's mean;
    the expression of a tuned style is then played in any order.
    """
    voice, chance = unstyled.voice, random_streams(seed)[1]
    face = _articulated(landmarks, voice, net, style, fps)
    if style.tuning and not acts(style):
        face += sample_expression(style, len(face), fps, chance)
        return _Performed(face, sampled, glances)
    brows = sample_brows(voice, unstyled.stress, style, fps, chance)
    if not acts(style):
        face += mean_expression(style)
        face[:, list(REGIONS["brows"])] += brows
        return _Performed(face, sampled, glances)
    rng = np.random.default_rng([seed, person_of(style), ACTING])
    acting = act(style, unstyled.contour, sampled, brows, glances, fps, rng)
    more = _missing_manner(face, acting.manner, voice)
    face += acting.expression + more
    return _Performed(face, acting.path, acting.glances)


def _missing_manner(articulation: Floats, manner: Floats, voice: Floats) -> Floats:
    """Return as much of a person's manner (T, 68, 3) as an articulation has too little, in voice.

    Sound tells a generator some of it; both together come to how much the person has.
    """
    spoken = voice > 0.5
    own = told_apart(articulation[spoken]).manner
    wanted = float(np.square(manner[spoken]).sum())
    missing = max(0.0, wanted - float(np.square(own).sum()))
    gain = math.sqrt(missing / wanted) if wanted else 0.0
    return np.float32(gain) * voice[:, None, None] * manner


def _articulated(
    landmarks: Floats, voice: Floats, net: MotionGenerator, style: Style, fps: Fraction
) -> Floats:
    """Return how a style speaks (T, 68, 3), with still brows and eyes.

    A tuned generator articulates as the style does; its mouth is opened as wide as the style's as
    far as that keeps the tempo. Otherwise the usual one is brought to the ranges of the style's
    articulation. Lips are then parted and widened in the style's ways: with the jaw, say, or by
    the upper lip.
    """
    motion, usual = style.motion, generic_neutral()
    spoken = motion.landmarks - expression_of(motion.landmarks, motion.neutral, motion.fps)
    landmarks = without_own_look(landmarks, voice, fps)
    if style.tuning:
        articulation = landmarks.copy()
        articulation[:, UPPER] = 0
        articulation = match_opening(articulation, voice, motion, usual, fps)
    else:
        articulate = replace(style, motion=motion.with_(landmarks=spoken))
        articulation = match_ranges(landmarks, voice, net, articulate, fps)
        articulation[:, UPPER] = 0
    heard, own = told_apart(articulation), told_apart(spoken)
    return articulation + np.einsum("tk,kpc->tpc", heard.gestures, own.ways - heard.ways)


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
