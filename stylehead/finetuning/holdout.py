"""Hold-out test of a tuned style: is its motion nearer to unseen motion, and do lips still sync?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

import numpy as np
import torch
from torch import Tensor

from stylehead.evaluation.metrics import StyleDistance, lmd, style_distance
from stylehead.evaluation.ravdess import FACE_WIDTH
from stylehead.face.face_model import generic_neutral
from stylehead.face.landmarks import MOUTH_PAIRS, mouth_opening
from stylehead.finetuning.speech import EncodedSpeech
from stylehead.models.motion_generator import MotionGenerator
from stylehead.motion.generate import predict_motion
from stylehead.motion.models import Networks, tuned_generator
from stylehead.motion.stream import generate
from stylehead.motion.styling import range_of
from stylehead.style.learn import STYLE_FPS
from stylehead.style.mix import as_mix
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.training.motion_generator import predict
from stylehead.types import Floats, Motion, Style, StyleMix

WINDOWS = tuple((length, stride) for length in range(10, 101, 10) for stride in (1, 7, 13))
"""Thirty of the 1,729 window lengths and strides of the authors' script, spread over them."""
LEAST_LIP_SYNC = 0.9  # correlation of the mouth's opening with the un-tuned generator's
OWN_SYNC_NOISE = 0.1  # of a correlation over the few seconds that are held out
RANGE_WITHIN = 0.25  # most the mouth's opening range may differ from the clip's, on its own kind
OTHER_RANGE = (0.5, 2.0)  # the same on speech, of a clip that has no sound of its own
CROSSED = -0.01  # interocular; gap of the inner lips below which they cross visibly


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutScores:
    """One way of moving, against the held-out part of the clip."""

    sld: float
    slv: float
    smd: float
    posed_sld: float
    """With head pose in the landmarks."""
    posed_slv: float
    sync: float
    """Correlation of the mouth's opening with the un-tuned generator's, on the judging sound."""
    opening: float
    """Spread of that opening over the un-tuned generator's."""
    style_opening: float
    """The same over the held-out part's own."""
    opening_range: float
    """Way of the opening from its 5th to its 95th percentile over the held-out part's own: on that
    part's sound if it has one, else on the judging sound."""
    jerk: float
    """Root mean square third difference of the mouth over the held-out part's own."""
    lmd: float
    """On the held-out part's own sound, pixels of a face 128 wide; NaN without one."""
    own_sync: float
    """Correlation of the mouth's opening with the held-out part's on that sound."""

    def lip_sync_margin(self, untuned: HoldoutScores) -> float:
        """Return by how much lips follow the sound better than they have to.

        They have to as the un-tuned generator's do, or as the person's own as well as those, but
        for noise.
        """
        margin = self.sync - LEAST_LIP_SYNC
        own = self.own_sync - untuned.own_sync + OWN_SYNC_NOISE
        return margin if math.isnan(own) else max(margin, own)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HoldoutResult:
    """The un-tuned generator, the style's statistics alone and the tuned style, by these names."""

    scores: dict[str, HoldoutScores]
    motions: dict[str, Motion]
    """Predicted for the judging sound, at STYLE_FPS."""
    learned_range: float = 1.0
    """Opening range of the part that was learned over the held-out part's: how alike the person's
    own parts are."""
    own_kind: bool = True
    """Whether style and judging sound are of one kind: both sung, or the clip's own sound."""

    @property
    def opening_limits(self) -> tuple[float, float]:
        """Least and most opening range of a style, over the held-out part's.

        Near to the person's, who may open the mouth further in one part of a clip than in another.
        """
        if not self.own_kind:
            return OTHER_RANGE
        ends = (1.0, self.learned_range)
        return (1 - RANGE_WITHIN) * min(ends), (1 + RANGE_WITHIN) * max(ends)

    @property
    def distance_ratio(self) -> float:
        """Held-out style distance of the tuned style over the un-tuned generator's."""
        return distance_ratio(self.scores["un-tuned"], self.scores["tuned"])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HoldoutTest:
    """Held-out motion, and the speech for which motions are predicted to compare with it."""

    networks: Networks
    speech: EncodedSpeech
    """What motions are judged on, which tuning never heard: neutral speech, or of a sung clip the
    held-out singing."""
    held_out: list[Motion]
    own_speech: EncodedSpeech | None = None
    """The first held-out motion's own sound, when it has one in sync."""
    sung: bool = False
    """Whether `speech` is singing, and of singing motion."""

    def predict(self, style: Style | StyleMix | None, speech: EncodedSpeech) -> Motion:
        """Return the motion of speech in a style, or without one, at STYLE_FPS."""
        if style is None:
            unstyled = generate(speech.replay(), [self.networks.generator], STYLE_FPS)
            return unstyled_motion(unstyled.landmarks[0], STYLE_FPS)
        return predict_motion(speech.replay(), as_mix(style), self.networks, fps=STYLE_FPS)

    def compare(self, tuned: Style) -> HoldoutResult:
        """Return motions and scores of the un-tuned generator, statistics alone, the tuned style.

        Raises StyleError when the style was tuned for another generator.
        """
        styles = {"un-tuned": None, "statistics": replace(tuned, tuning=None), "tuned": tuned}
        motions = {name: self.predict(style, self.speech) for name, style in styles.items()}
        scores = {
            name: self.score(motions[name], motions["un-tuned"], style)
            for name, style in styles.items()
        }
        own_kind = self.sung or self.own_speech is not None
        return HoldoutResult(
            scores=scores,
            motions=motions,
            learned_range=opening_way(tuned.motion) / opening_way(*self._compared),
            own_kind=own_kind,
        )

    def score(self, motion: Motion, untuned: Motion, style: Style | None) -> HoldoutScores:
        """Score a motion of the judging sound; `untuned` is the un-tuned generator's.

        `style` is the one that the motion was predicted in, for what the clip's own sound tells.
        """
        distances = [style_distances(reference, motion) for reference in self.held_out]
        posed = [style_distances(reference, motion, posed=True) for reference in self.held_out]
        opening, untuned_opening = _opening(motion), _opening(untuned)
        own_opening: Floats = np.concatenate([_opening(reference) for reference in self.held_out])
        own_jerk = float(np.mean([_jerk(reference) for reference in self.held_out]))
        own = self._own(motion, style)
        return HoldoutScores(
            sld=float(np.mean([distance.sld for distance in distances])),
            slv=float(np.mean([distance.slv for distance in distances])),
            smd=float(np.mean([distance.smd for distance in distances])),
            posed_sld=float(np.mean([distance.sld for distance in posed])),
            posed_slv=float(np.mean([distance.slv for distance in posed])),
            sync=_correlation(opening, untuned_opening),
            opening=float(opening.std() / untuned_opening.std()),
            style_opening=float(opening.std() / own_opening.std()),
            opening_range=opening_way(own or motion) / opening_way(*self._compared),
            jerk=_jerk(motion) / own_jerk,
            lmd=_lmd(self.held_out[0], own) if own else float("nan"),
            own_sync=_own_sync(self.held_out[0], own) if own else float("nan"),
        )

    @property
    def _compared(self) -> list[Motion]:
        """The held-out motion of the sound on which openings are compared."""
        return self.held_out[:1] if self.own_speech else self.held_out

    def _own(self, motion: Motion, style: Style | None) -> Motion | None:
        """Return a motion of the first held-out motion's own sound, as long as both last."""
        if self.own_speech is None:
            return None
        if self.own_speech is not self.speech:
            motion = self.predict(style, self.own_speech)
        return motion[: min(len(motion), len(self.held_out[0]))]


def unstyled_motion(landmarks: Floats, fps: Fraction) -> Motion:
    """Return offsets (T, 68, 3) of the generator as a motion: lips alone, a static head."""
    count = len(landmarks)
    rotation = np.repeat(np.eye(3, dtype=np.float32)[None], count, 0)
    zeros = np.zeros((count, 3), np.float32)
    return Motion(landmarks, rotation, zeros, zeros[:, 0], fps, generic_neutral())


# ---- measures -------------------------------------------------------------------------------


def style_distances(reference: Motion, predicted: Motion, *, posed: bool = False) -> StyleDistance:
    """Return SLD, SLV and SMD of a predicted motion against a held-out one.

    Both on the generic face, frontal, orthographic, at 30 fps: what is measured is expression and
    speech, and no identity. With `posed` heads turn as they do.
    """
    return style_distance(_projected(reference, posed), _projected(predicted, posed), WINDOWS)


def _projected(motion: Motion, posed: bool) -> Floats:
    """Return landmarks (T, 68, 2) on the generic face, interocular."""
    points = motion.landmarks + generic_neutral()
    return (points @ motion.rotation if posed else points)[..., :2]


def _opening(motion: Motion) -> Floats:
    return mouth_opening(motion.landmarks + generic_neutral())


def opening_way(*motions: Motion) -> float:
    """Return the way of the mouth's opening from its 5th to its 95th percentile, interocular."""
    return range_of(np.concatenate([_opening(motion) for motion in motions]))


def _lmd(reference: Motion, predicted: Motion) -> float:
    """Return the LMD of a motion against as much of a reference, pixels of a face 128 wide."""
    scale = FACE_WIDTH / float(np.ptp(generic_neutral()[:, 0]))
    frames = (
        _projected(motion, posed=False) for motion in (reference[: len(predicted)], predicted)
    )
    return lmd(*(points * scale for points in frames))


def _own_sync(reference: Motion, predicted: Motion) -> float:
    return _correlation(_opening(reference[: len(predicted)]), _opening(predicted))


def _correlation(a: Floats, b: Floats) -> float:
    matrix = cast("Floats", np.corrcoef(a, b))
    return float(matrix[0, 1])


def _jerk(motion: Motion) -> float:
    return float(np.sqrt(np.square(np.diff(motion.landmarks[:, 48:], 3, axis=0)).mean()))


def lip_crossing_rate(generator: MotionGenerator, features: Tensor) -> float:
    """Return the fraction of frames in which a generator alone would cross the inner lips.

    Later they are kept apart; a generator that leans on that has lost the shape of a mouth.
    features (T, F).
    """
    unseen = AlignedFeatures(features, torch.zeros(len(features), 68, 3))
    height = predict(generator, unseen).numpy()[..., 1] + generic_neutral()[:, 1]
    gaps = [height[:, lower] - height[:, upper] for upper, lower in MOUTH_PAIRS]
    return float((np.max(gaps, axis=0) < CROSSED).mean())


def lip_crossing_rates(tuned: Style, networks: Networks, features: Tensor) -> dict[str, float]:
    """Return the lip-crossing rate of the un-tuned and of a style's tuned generator, by name."""
    assert tuned.tuning is not None  # asked of tuned styles alone
    generators = {
        "un-tuned": networks.generator,
        "tuned": tuned_generator(networks.generator, tuned.tuning, tuned.name),
    }
    return {name: lip_crossing_rate(net, features) for name, net in generators.items()}


# ---- verdict --------------------------------------------------------------------------------


def distance_ratio(before: HoldoutScores, after: HoldoutScores) -> float:
    """Return the mean ratio of SLD and SMD, after to before: below 1 is nearer.

    SLV tells a person from a stranger no better than chance (benchmarks/README.md): a mouth that
    moves little is near to everybody's by it.
    """
    return (after.sld / before.sld + after.smd / before.smd) / 2


def rejection_reasons(result: HoldoutResult) -> list[str]:
    """Return why a tuned style should not be kept; nothing when it should."""
    untuned, tuned = result.scores["un-tuned"], result.scores["tuned"]
    reasons: list[str] = []
    if not (result.distance_ratio < 1 or tuned.lmd < untuned.lmd):
        reasons.append(
            "its motion is no closer to the held-out part of the clip than without tuning "
            f"(distance {result.distance_ratio:.2f} times as large)"
        )
    if tuned.lip_sync_margin(untuned) < 0:
        own = f"{tuned.own_sync:.2f} instead of {untuned.own_sync:.2f}"
        own = "" if math.isnan(tuned.own_sync) else f"; with the person's own {own}"
        reasons.append(
            f"its lips follow the sound too little (sync {tuned.sync:.3f}, at least "
            f"{LEAST_LIP_SYNC} is needed{own})"
        )
    if tuned.lmd > untuned.lmd:
        reasons.append(
            "its lips are further from the clip's own on the clip's sound (LMD "
            f"{tuned.lmd:.2f} instead of {untuned.lmd:.2f})"
        )
    least, most = result.opening_limits
    if not least <= tuned.opening_range <= most:
        reasons.append(
            f"its mouth opens {tuned.opening_range:.2f} times as far as in the held-out part of "
            f"the clip ({least:.2f} to {most:.2f} times is needed)"
        )
    return reasons
