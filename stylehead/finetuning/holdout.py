"""Did tuning bring the motion nearer to the style, and at what price? On what was held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch

from stylehead.evaluation.metrics import StyleDistance, lmd, style_distance
from stylehead.evaluation.ravdess import FACE_WIDTH
from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import MOUTH_PAIRS, mouth_opening, to_68
from stylehead.media.audio import Sound
from stylehead.models.motion_generator import MotionGenerator
from stylehead.motion.models import tuned_generator
from stylehead.pipeline import Predictor
from stylehead.speech.listen import speech_features
from stylehead.style.learn import STYLE_FPS
from stylehead.training.data.speakers import AlignedFeatures
from stylehead.training.motion_generator import predict
from stylehead.types import Floats, Motion, Style

NEUTRAL = to_68(FaceModel.embedded().mean)
WINDOWS = tuple((length, stride) for length in range(10, 101, 10) for stride in (1, 7, 13))
"""Thirty of the 1,729 window lengths and strides of the authors' script, spread over them."""
SYNC_LEAST = 0.9  # correlation of the mouth's opening with the un-tuned generator's


@dataclass(frozen=True, slots=True)
class Row:
    """One way of moving, against the held-out part of the clip."""

    sld: float
    slv: float
    smd: float
    posed_sld: float
    """With head pose in the landmarks."""
    posed_slv: float
    sync: float
    """Correlation of the mouth's opening with the un-tuned generator's, on neutral speech."""
    opening: float
    """Spread of that opening over the un-tuned generator's."""
    style_opening: float
    """The same over the held-out part's own."""
    jerk: float
    """Root mean square third difference of the mouth over the held-out part's own."""
    lmd: float
    """On the held-out part's own sound, pixels of a face 128 wide; NaN without one."""


def style_distances(reference: Motion, made: Motion, *, posed: bool = False) -> StyleDistance:
    """Return SLD, SLV and SMD of a motion on the target's face against a held-out one.

    Frontal faces of the target, orthographic, at 30 fps: what is measured is expression and
    speech, and no identity. With `posed` heads turn as they do.
    """
    return style_distance(_pixels(reference, posed), _pixels(made, posed), WINDOWS)


def _pixels(motion: Motion, posed: bool) -> Floats:
    points = motion.landmarks + NEUTRAL
    return (points @ motion.rotation if posed else points)[..., :2]


def unstyled(landmarks: Floats, fps: Fraction) -> Motion:
    """Return what the generator says as a motion: lips alone, a head that is still."""
    count = len(landmarks)
    still = np.repeat(np.eye(3, dtype=np.float32)[None], count, 0)
    nothing = np.zeros((count, 3), np.float32)
    return Motion(landmarks, still, nothing, nothing[:, 0], fps, NEUTRAL)


@dataclass(frozen=True, slots=True, eq=False)
class HoldoutTest:
    """Held-out motion and the sounds that a style is tried on."""

    models: Predictor
    neutral: Sound
    """Speech that tuning never heard."""
    held_out: list[Motion]
    held_sound: Sound | None
    """The held-out part's own sound, when it has one in step; of the first clip."""

    def moved(self, style: Style | None, sound: Sound) -> Motion:
        """Return the motion of a sound in a style, or without one."""
        if style is None:
            return unstyled(self.models.unstyled(sound, STYLE_FPS).landmarks[0], STYLE_FPS)
        return self.models.predict(sound, style, fps=STYLE_FPS)

    def rows(self, style: Style) -> dict[str, Row]:
        """Return the un-tuned generator, statistics alone, and the tuned style."""
        usual = self.moved(None, self.neutral)
        without = replace(style, tuning=None)
        return {
            "un-tuned": self.row(usual, usual, None),
            "statistics": self.row(self.moved(without, self.neutral), usual, without),
            "tuned": self.row(self.moved(style, self.neutral), usual, style),
        }

    def row(self, made: Motion, usual: Motion, style: Style | None) -> Row:
        """Judge one motion of the neutral speech; `usual` is the un-tuned generator's."""
        flat = [style_distances(one, made) for one in self.held_out]
        posed = [style_distances(one, made, posed=True) for one in self.held_out]
        opening, before = _opening(made), _opening(usual)
        own = np.concatenate([_opening(one) for one in self.held_out])
        return Row(
            float(np.mean([one.sld for one in flat])),
            float(np.mean([one.slv for one in flat])),
            float(np.mean([one.smd for one in flat])),
            float(np.mean([one.sld for one in posed])),
            float(np.mean([one.slv for one in posed])),
            float(np.corrcoef(opening, before)[0, 1]),
            float(opening.std() / before.std()),
            float(opening.std() / own.std()),
            float(_jerk(made) / np.mean([_jerk(one) for one in self.held_out])),
            self._lmd(style),
        )

    def _lmd(self, style: Style | None) -> float:
        if self.held_sound is None:
            return float("nan")
        made, real = self.moved(style, self.held_sound), self.held_out[0]
        count = min(len(made), len(real))
        scale = FACE_WIDTH / float(np.ptp(NEUTRAL[:, 0]))
        return lmd(_pixels(real, False)[:count] * scale, _pixels(made, False)[:count] * scale)


def _opening(motion: Motion) -> Floats:
    return mouth_opening(motion.landmarks + NEUTRAL)


def _jerk(motion: Motion) -> float:
    return float(np.sqrt(np.square(np.diff(motion.landmarks[:, 48:], 3, axis=0)).mean()))


@torch.inference_mode()
def lip_crossings(generator: MotionGenerator, sound: Sound, models: Predictor) -> float:
    """Return the share of frames in which a generator alone would cross the inner lips.

    Later they are kept apart; a generator that leans on that has lost the shape of a mouth.
    """
    features = speech_features(sound, models.listener)
    said = predict(generator, AlignedFeatures(features, torch.zeros(len(features), 68, 3))).numpy()
    height = said[..., 1] + NEUTRAL[:, 1]
    gaps = [height[:, lower] - height[:, upper] for upper, lower in MOUTH_PAIRS]
    return float((np.max(gaps, axis=0) < -0.01).mean())


def crossings(style: Style, sound: Sound, models: Predictor) -> tuple[float, float]:
    """Return lip crossings of the un-tuned and of a style's tuned generator."""
    assert style.tuning is not None  # asked of tuned styles alone
    changed = tuned_generator(models.networks.generator, style.tuning, style.name)
    return tuple(lip_crossings(net, sound, models) for net in (models.networks.generator, changed))  # pyright: ignore[reportReturnType]


def distance_ratio(before: Row, after: Row) -> float:
    """Return the mean ratio of the three style distances, after to before: below 1 is nearer."""
    pairs = ((after.sld, before.sld), (after.slv, before.slv), (after.smd, before.smd))
    return float(np.mean([one / other for one, other in pairs]))


def rejection_reasons(rows: dict[str, Row]) -> list[str]:
    """Return why a tuned style should not be kept; nothing when it should."""
    before, after = rows["un-tuned"], rows["tuned"]
    found: list[str] = []
    ratio = distance_ratio(before, after)
    if not ratio < 1:
        found.append(f"the held-out style distance went from 1 to {ratio:.2f}")
    if after.sync < SYNC_LEAST:
        found.append(f"lips follow the un-tuned generator at {after.sync:.2f} only")
    if after.lmd > before.lmd * (2 - SYNC_LEAST):
        found.append(f"LMD on the clip's own sound rose from {before.lmd:.2f} to {after.lmd:.2f}")
    return found
