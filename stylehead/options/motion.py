"""Options of the motion."""

from __future__ import annotations

from dataclasses import dataclass

from stylehead.options.choices import Encoder, option
from stylehead.options.shared import MOVES, Compute, FrameRate, Overwrite, share
from stylehead.options.sound import AudioRange, Separation, Stem


@dataclass(frozen=True, kw_only=True)
class StyleStrength:
    """How much of the style."""

    style_strength: float = option(
        1.0,
        "How much of the style: 0 none, 1 as learned, above 1 exaggerated.",
        panel=MOVES,
        low=0,
        high=1.5,
    )


@dataclass(frozen=True, kw_only=True)
class MotionControls:
    """Scales on a motion; 1 leaves it as the style has it."""

    expression: float = option(
        1.0, "How much the face moves: 2 twice as much, 0.5 half.", panel=MOVES, low=0, high=3
    )
    shapes: float = option(
        1.0,
        "How strictly mouth and brows are kept to shapes that filmed faces have: 0 not at all, 1 "
        "fully.",
        panel=MOVES,
        low=0,
        high=1,
    )
    pose: float = option(
        1.0, "How much the head moves: 2 twice as much, 0.5 half.", panel=MOVES, low=0, high=3
    )
    beat: float = share(
        0.3,
        "How much the head moves with the beat where music plays: 0 not at all, 1 as far as the "
        "style's head moves.",
    )
    effort: float = option(
        1.0,
        "How much wider than usual the mouth opens for a raised voice (loud and strained): 0 no "
        "wider, 1 as filmed people do.",
        panel=MOVES,
        low=0,
        high=2,
    )
    hold: float = share(
        1.0,
        "How far the mouth opens for the vowel of a held note, and how still it stays there: 0 "
        "turns this off, 1 is wide and still.",
    )
    breath: float = share(
        0.2,
        "How far the mouth parts and the head lifts for a breath before a sung phrase: 0 not at "
        "all, 1 as far as the mouth opens in singing.",
    )
    phrasing: float = share(
        0.2,
        "How much the head rises into a sung phrase and settles after it: 0 not at all, 1 as far "
        "as the style's head moves.",
    )
    posture: float = share(
        0.5,
        "How far the head is tilted or lowered like that of the style's person: 0 as in the "
        "picture, 1 as in the clip.",
    )
    still: bool = option(
        False, "Keep the head still; blinks stay.", flag="--still/--no-still", panel=MOVES
    )
    blinks_per_minute: float | None = option(
        None,
        "Blinks per minute. Default: the style's.",
        flag="--blink",
        panel=MOVES,
        low=0,
        high=60,
    )
    seed: int = option(
        0,
        "Random seed: another number gives other head motion, brows, blinks and gaze.",
        panel=MOVES,
        low=0,
    )

    @property
    def head_scale(self) -> float:
        """Scale of head motion, 0 when the head is kept still."""
        return 0.0 if self.still else self.pose


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """Whose features drive the motion generator."""

    encoder: Encoder = option(
        Encoder.WHISPER,
        "Speech encoder: Whisper's, or the paper's own (apc); both are built in.",
        panel=MOVES,
    )


@dataclass(frozen=True, kw_only=True)
class Encoding(Hearing):
    """The speech encoder, and what is done to its features."""

    projection: float = option(
        0.0,
        "How far speech features are moved towards those of many known voices: 0 not at all, 1 "
        "fully.",
        panel=MOVES,
        low=0,
        high=1,
    )


@dataclass(frozen=True, kw_only=True)
class MotionOptions(
    Overwrite,
    Compute,
    Encoding,
    FrameRate,
    MotionControls,
    StyleStrength,
    Separation,
    Stem,
    AudioRange,
):
    """What may be chosen about a motion."""
