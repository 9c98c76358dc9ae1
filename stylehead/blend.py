"""Several styles in one face: how much of each, region by region."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from stylehead.blinks import USUAL_RATE, style_blink_rate
from stylehead.geometry import angles_from_rotation, rotation_from_angles
from stylehead.head_motion import sample_head
from stylehead.landmarks import REGIONS
from stylehead.models.pose_generator import PoseGenerator
from stylehead.types import Floats, Style, StyleReference

PARTS: dict[str, tuple[str, ...]] = {
    "mouth": ("jaw", "nose", "mouth"),
    "brows": ("brows",),
    "eyes": ("eyes",),
    "head": (),
}
"""What a user may choose a style for -> landmark regions; `eyes` has the blinks as well."""


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """How much of a style each part of the face takes.

    1 is all of it; 0 leaves the part as the generator has it without a style: lips alone, a head
    that is still. Above 1 the style is exaggerated.
    """

    style: Style
    mouth: float = 1.0
    brows: float = 1.0
    eyes: float = 1.0
    head: float = 1.0

    def of(self, part: str) -> float:
        """Return the share of one of PARTS."""
        return {"mouth": self.mouth, "brows": self.brows, "eyes": self.eyes, "head": self.head}[
            part
        ]


Blend = tuple[Share, ...]
"""Styles that share a face."""


def blend_styles(
    weighed: list[tuple[Style, float]], strength: float, regions: dict[str, Style]
) -> Blend:
    """Return the blend of styles by weight; a region with a style of its own takes that alone.

    Weights of several styles are brought to a sum of 1: how much style there is at all is what
    `strength` says.
    """
    total = sum(weight for _, weight in weighed)
    shares: list[Share] = []
    for style, weight in weighed:
        part = strength * weight / total
        shares.append(Share(style, *(0.0 if name in regions else part for name in PARTS)))
    for chosen in dict.fromkeys(regions.values()):
        own = {name: strength for name, style in regions.items() if style is chosen}
        shares.append(Share(chosen, *(own.get(name, 0.0) for name in PARTS)))
    return tuple(share for share in shares if any(share.of(part) for part in PARTS) or not strength)


def references_of(blend: Blend) -> tuple[StyleReference, ...]:
    """Return the style references of the style that has most of the mouth."""
    return max(blend, key=lambda share: share.mouth).style.references


def points_of() -> dict[str, list[int]]:
    """Return part -> its landmarks, for the parts that have any."""
    return {
        part: [point for name in names for point in REGIONS[name]]
        for part, names in PARTS.items()
        if names
    }


def blended_blink_rate(blend: Blend) -> float:
    """Return blinks a minute: the styles' by their shares, the usual rate for the rest."""
    rate = USUAL_RATE
    for share in blend:
        rate += share.eyes * (style_blink_rate(share.style) - USUAL_RATE)
    return max(rate, 0.0)


def blended_head(
    net: PoseGenerator,
    prosody: Floats,
    frames: int,
    blend: Blend,
    fps: Fraction,
    gain: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return head rotation (T, 3, 3) and translation (T, 3): the styles' by their shares.

    All are drawn with the same chance, so that two heads move alike and do not cancel.
    """
    seed = rng.bit_generator.state
    angles, translation = np.zeros((frames, 3), np.float32), np.zeros((frames, 3), np.float32)
    moving = [share for share in blend if share.head]
    for share in moving:
        rng.bit_generator.state = seed
        turned, moved = sample_head(net, prosody, frames, share.style, fps, gain * share.head, rng)
        if len(moving) == 1:
            return turned, moved
        angles += angles_from_rotation(turned)
        translation += moved
    return rotation_from_angles(angles), translation
