"""Head and expression of a voice in a style: the clip's own, where they fit."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stylehead.face.articulation import LOWER, expression_of, told_apart
from stylehead.face.landmarks import REGIONS
from stylehead.motion.eyes import glances_of
from stylehead.motion.gestures.playing import at, play
from stylehead.motion.gestures.selection import (
    RATE,
    Material,
    Piece,
    choose_pieces,
    without_gaps,
)
from stylehead.motion.head import head_path, reach
from stylehead.types import VOICE, Floats, Style

HEAD_HASTE, FACE_HASTE, EYE_HASTE = 3.0, 7.0, 40.0
"""Rad/s in which a head, a face and eyes come to another stretch; the last is a saccade."""
BROWS = list(REGIONS["brows"])
REST = [*REGIONS["eyes"], *LOWER]
SPEED = 0.3  # seconds by which a speed counts as much as a place in the join cost
FACE = 0.5  # of the join cost is the brows'


class Acting(NamedTuple):
    """What a style's person does to a voice besides speaking."""

    path: Floats
    """(T, 6) pitch, yaw, roll in degrees and the head's shift, interocular."""
    expression: Floats
    """(T, 68, 3) offsets."""
    manner: Floats
    """(T, 68, 3) offsets of a mouth that speaks, besides how far it opens and how wide it is."""
    glances: Floats
    """(T, 2) where the eyes look, degrees away from the camera."""


def acts(style: Style) -> bool:
    """Return whether a style holds what gestures are chosen from."""
    return style.contour is not None


def act(
    style: Style,
    contour: Floats,
    sampled: Floats,
    brows: Floats,
    glances: Floats,
    fps: Fraction,
    rng: np.random.Generator,
) -> Acting:
    """Return what a style's person does while a voice with a contour (T, 3) is heard.

    Head, brows, lids, eyes and lower face come from the same moments of the clip. Where nothing of
    it fits, a sampled head (T, 6), brows (T, 10, 3) about their mean and glances (T, 2) are played,
    and, in voice, the rest of the face from any moment.
    """
    assert style.contour is not None  # asked of styles that act alone
    motion, rate, frames = style.motion, float(style.motion.fps), len(contour)
    path = head_path(motion)
    path = path * reach(path)
    expression = expression_of(motion.landmarks, motion.neutral, motion.fps)
    mean = expression.mean(0)
    scale = np.append(path.std(0), expression[:, BROWS, 1].mean(1).std() / FACE) + 1e-4
    own, away = (
        np.column_stack([head, raised.mean(1)]) / scale
        for head, raised in (
            (path, expression[:, BROWS, 1]),
            (sampled, mean[BROWS, 1] + brows[..., 1]),
        )
    )
    material = Material(
        _rows(style.contour, rate), _rows(_body(own, rate), rate), _breaks(style.times, rate)
    )
    heard = _rows(contour, float(fps))
    pieces = choose_pieces(material, heard, _rows(_body(away, float(fps)), float(fps)), rng)

    filled = without_gaps(pieces, material, heard[:, VOICE], rng)
    manner = told_apart(motion.landmarks - expression).manner

    def played(
        pieces: list[Piece], recorded: Floats, otherwise: Callable[[Floats], Floats], haste: float
    ) -> Floats:
        return play(pieces, recorded, rate, otherwise, float(fps), frames, haste)

    def face(points: list[int], offsets: Floats) -> Floats:
        recorded = offsets[:, points].reshape(len(offsets), -1)
        usual = recorded.mean(0)
        rows = played(
            filled, recorded, lambda moments: np.tile(usual, (len(moments), 1)), FACE_HASTE
        )
        return rows.reshape(frames, -1, 3)

    head = played(pieces, path, lambda moments: at(sampled, moments * float(fps)), HEAD_HASTE)
    eyes = played(
        pieces, glances_of(motion), lambda moments: at(glances, moments * float(fps)), EYE_HASTE
    )
    offsets = np.zeros((2, frames, 68, 3), np.float32)
    acting = Acting(head, offsets[0], offsets[1], eyes)
    acting.expression[:, BROWS] = played(
        pieces,
        expression[:, BROWS].reshape(len(motion), -1),
        lambda moments: (mean[BROWS] + at(brows, moments * float(fps))).reshape(len(moments), -1),
        FACE_HASTE,
    ).reshape(frames, -1, 3)
    acting.expression[:, REST] = face(REST, expression)
    acting.manner[:, LOWER] = face(LOWER, manner)
    return acting


def _body(places: Floats, rate: float) -> Floats:
    """Return what has to go on smoothly (T, 2 C): places (T, C) at a rate, and their speeds.

    A single place has none.
    """
    speeds = np.gradient(places, axis=0) if len(places) > 1 else 0 * places
    return np.column_stack([places, SPEED * rate * speeds])


def _rows(values: Floats, rate: float) -> Floats:
    """Return values (T, K) at a rate as rows at RATE, without what these cannot show."""
    calm = gaussian_filter1d(values, 0.4 * rate / RATE, axis=0)
    return at(calm, np.arange(0, len(values), rate / RATE))


def _breaks(seconds: Floats, rate: float) -> NDArray[np.intp]:
    """Return the rows at RATE before which a clip's time does not go on: other clips begin."""
    jumps = np.flatnonzero(np.abs(np.diff(seconds) * rate - 1) > 0.5) + 1
    return np.ceil(jumps * RATE / rate).astype(np.intp)
