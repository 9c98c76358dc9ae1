"""The inside of an open mouth: teeth and tongue, drawn from anatomy and lit by the network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stylehead.models.arithmetic import FLOATS, Arithmetic
from stylehead.models.mouth_generator import MouthGenerator, fade_rim
from stylehead.rendering.mouth.crop import CROP_SIZE, CROP_UNITS
from stylehead.rendering.mouth.facial_map import SHIFT, uncross_lips
from stylehead.types import Floats, Pixels

Part = tuple[slice, slice]
"""Rows and columns of a patch."""
FINER = 2  # pixels drawn per pixel of the patch, each way
MIDDLE = (CROP_SIZE - 1) / 2  # of the patch: where closed lips meet
MILLIMETRE = CROP_SIZE / CROP_UNITS / 92  # patch pixels; outer eye corners are 92 mm apart
WIDTHS = (8.6, 6.8, 7.6, 6.8, 6.6, 9.5)
"""Of the upper teeth from the middle to the side, mm (means of adults). Lower ones are left out:
on the training clips they cost more than they gave at every opening."""
SHORTER = (0.0, 0.8, 0.2, 0.8, 1.2, 1.6)
"""How much higher than the middle one a tooth ends, mm."""
HALF, BEND = 28.0, 1.7  # half the row's width, and how much higher it ends at the side, mm
EDGE = 2.4  # mm that the teeth end below where lips meet
ROUND, BETWEEN = 0.9, 0.1  # rounding of a tooth's corners and half the gap beside it, mm
DEEP = 0.4  # patch pixels that teeth move per pixel the nose's tip is off its base
LEAST_GAP, FULL_GAP = 7.0, 13.0  # mm between the lips at which the tongue shows
TONGUE = 0.5  # fraction of the gap that the tongue fills
# Light inside, against the skin's. Fitted on the training clips for the least error, then moved
# half way to what a single mouth looks like: the mean of many has neither teeth nor dark.
ENAMEL = (0.18, 0.85)
"""Tooth brightness is `ENAMEL[0] + ENAMEL[1] * skin`: teeth stay light beside dark skin."""
DARK, FLESH = (0.48, 0.25, 0.25), (0.98, 0.66, 0.67)
"""Of the dark and of the tongue, red, green and blue."""
WHITE = (1.03, 0.995, 0.93)
COLOUR = 0.6  # weight of the skin's hue in all of it, for it is the light's hue, too
LUMINANCE = (0.3, 0.59, 0.11)
LIPS_SHADE, RIM_SHADE = 0.4, 0.33  # light taken under the upper lip, and along the whole rim
FINE = 4
"""Pixels of the patch: what is finer inside an open mouth is as drawn, what is coarser is the
network's. The network alone gives the mean of all mouths: the right light, and no teeth."""
LIGHT = 0.6
"""How much of the coarser part is the network's, for the mean of all mouths is paler than one."""


class Anatomy(NamedTuple):
    """The inside of an open mouth, without any colour: parts (H, W) of its patch, 0 to 1."""

    box: Part
    """Rows and columns of the part."""
    inside: Floats
    """What is within the lips."""
    teeth: Floats
    """Their light; 0 where there are none."""
    tongue: Floats
    shade: Floats
    """The light that lips leave."""


def anatomy(points: Floats, facial_map: Pixels) -> Anatomy | None:
    """Return the inside of a mouth; None when it is shut. Arguments as in mouth_interior.

    Upper teeth hang from the skull, with which the patch moves; the tongue moves with the lower
    lip.
    """
    inside = facial_map[..., 1]
    if not inside.any():
        return None
    points = uncross_lips(points)
    upper, lower = points[69:78], points[79:88][::-1]
    rim = float(lower[4, 1])
    gap = (rim - float(upper[4, 1])) / MILLIMETRE
    box = _box(inside)
    part = inside[box]
    shade = _shade(part, upper - (box[1].start, 0), box[0].start)
    cover = part.astype(np.float32) / 255
    return Anatomy(box, cover, _teeth(points)[box], _tongue(points, rim, gap)[box], shade)


def mouth_interior(points: Floats, warped: Pixels, facial_map: Pixels) -> Floats:
    """Draw the inside of a mouth in its patch: (S, S, 4), cover, then RGB x cover; in [0, 1].

    S is CROP_SIZE. points (88, 2) are those that facial_map (S, S, 2) was drawn from; warped
    (S, S, 3) is the patch, whose skin tells how much light there is.
    """
    drawn = np.zeros((CROP_SIZE, CROP_SIZE, 4), np.float32)
    found = anatomy(points, facial_map)
    if found is None:
        return drawn
    teeth, tongue, shade = (part[..., None] for part in found[2:])
    light = _skin(points, warped)
    level = float(light @ LUMINANCE)
    tint = (1 - COLOUR + COLOUR * light / max(level, 0.05)).astype(np.float32)
    enamel = min(ENAMEL[0] + ENAMEL[1] * level, 0.95) * tint * WHITE
    tone = level * tint
    colour = tone * DARK + tongue * (tone * FLESH - tone * DARK)
    here = np.minimum(1, 4 * teeth)  # a tooth in shadow still hides what is behind it
    colour = colour * (1 - here) + enamel * teeth * here
    colour = cv2.GaussianBlur((colour * shade).astype(np.float32), (3, 3), 0.6)
    cover = found.inside[..., None]
    drawn[found.box] = np.concatenate([cover, colour.clip(0, 1) * cover], -1)
    return drawn


def _box(inside: Pixels) -> Part:
    """Return the rows and columns of an open mouth (S, S), and two more on each side."""
    x, y, width, height = cv2.boundingRect(inside)
    return np.s_[max(0, y - 2) : y + height + 2, max(0, x - 2) : x + width + 2]


def mouth_interiors(
    points: Iterable[Floats], warped: Iterable[Pixels], facial_maps: Iterable[Pixels]
) -> Floats:
    """Draw the insides of several mouths: (B, CROP_SIZE, CROP_SIZE, 4), as mouth_interior does."""
    mouths = zip(points, warped, facial_maps, strict=True)
    return np.stack([mouth_interior(*mouth) for mouth in mouths])


def mouth_layer(
    net: MouthGenerator,
    warped: Tensor,
    facial_map: Tensor,
    interior: Tensor,
    *,
    memory: list[Tensor] | None,
    arithmetic: Arithmetic[Any] = FLOATS,
    where: Part | None = None,
) -> Tensor:
    """Return the layer (B, 4, S, S) to lay over warped patches: cover in [0, 1], then added RGB.

    warped (B, 3, S, S), facial_map (B, 2, S, S) and interior (B, 4, S, S) of mouth_interior, all in
    [0, 1]; memory of the network's `encode`. A network that does not look at the facial map paints
    no open mouth, so there is nothing to show the interior in. where: as in show_interior.
    """
    layer = net.layer(warped, facial_map, memory, arithmetic)
    return fade_rim(show_interior(layer, interior, where) if net.config.facial_map else layer)


def show_interior(layer: Tensor, interior: Tensor, where: Part | None = None) -> Tensor:
    """Give a drawn inside of the mouth the layer's light: (B, 4, S, S) each, cover and colours.

    The layer's colours less the drawn ones are smoothed within the lips; LIGHT of that is added to
    the drawn. What is outside all lips is left as it is, in place: `where`, as around_inside says,
    which is found here when it is not given.
    """
    rows, columns = where or around_inside(interior[:, 0].amax(0).cpu().numpy())
    inside, drawn = torch.split(interior[..., rows, columns], [1, 3], 1)
    colour = layer[:, 1:, rows, columns]
    light = LIGHT * _smooth(colour * inside - drawn) / _smooth(inside).clamp(min=1e-3)
    layer[:, 1:, rows, columns] = colour * (1 - inside) + drawn + light * inside
    return layer


def around_inside(inside: Floats) -> Part:
    """Return rows and columns of a patch (S, S) around what is inside, in whole cells of FINE.

    Two cells more than it fills: what is smoothed there is smoothed as in the whole patch.
    """
    sides = [np.flatnonzero(inside.any(axis)) for axis in (1, 0)]
    if not len(sides[0]):
        return slice(0, 2 * FINE), slice(0, 2 * FINE)
    rows, columns = (
        slice(max(0, int(side[0]) // FINE - 2) * FINE, (int(side[-1]) // FINE + 3) * FINE)
        for side in sides
    )
    return rows, columns


def _smooth(pictures: Tensor) -> Tensor:
    """Return pictures (B, C, S, S) without what is finer than FINE."""
    return F.interpolate(F.avg_pool2d(pictures, FINE), scale_factor=float(FINE), mode="bilinear")


def _row() -> list[tuple[Floats, float]]:
    """Return outlines (N, 2) and light of half a row of teeth, hanging from their edge at y = 0.

    They stand on half an ellipse: to the side narrower, higher, darker.
    """
    along = np.minimum(np.concatenate([[0], np.cumsum(WIDTHS)]) / (1.25 * HALF), np.pi / 2)
    borders, depths = HALF * np.sin(along), 1 - np.cos(along)
    teeth: list[tuple[Floats, float]] = []
    for number, shorter in enumerate(SHORTER):
        left, right = borders[number] + BETWEEN, borders[number + 1] - BETWEEN
        depth = (depths[number] + depths[number + 1]) / 2
        across = np.linspace(-1, 1, 9)
        edge = -ROUND * across**4 - BEND * depth - shorter
        x = (left + right) / 2 + across * (right - left) / 2
        outline = np.concatenate([[[left, -35]], np.stack([x, edge], 1), [[right, -35]]])
        light = 1 - 0.75 * depth**0.8
        teeth.append(((outline * MILLIMETRE).astype(np.float32), float(light)))
    return teeth


ROW = _row()


def _teeth(points: Floats) -> Floats:
    """Return the light of teeth (CROP_SIZE, CROP_SIZE), 0 where there are none."""
    drawn = np.zeros((CROP_SIZE * FINER, CROP_SIZE * FINER), np.uint8)
    middle = MIDDLE - DEEP * float(points[30, 0] - points[33, 0])
    edge = np.array([middle, MIDDLE + EDGE * MILLIMETRE], np.float32)
    for outline, light in ROW:
        for side in (-1, 1):
            outlined = [_fixed(outline * (side, 1) + edge, FINER)]
            cv2.fillPoly(drawn, outlined, round(255 * light), cv2.LINE_AA, SHIFT)
    return _coarser(drawn)


def _tongue(points: Floats, rim: float, gap: float) -> Floats:
    """Return how much of each pixel is tongue (CROP_SIZE, CROP_SIZE)."""
    drawn = np.zeros((CROP_SIZE * FINER, CROP_SIZE * FINER), np.uint8)
    shown = float(np.clip((gap - LEAST_GAP) / (FULL_GAP - LEAST_GAP), 0, 1))
    if shown:
        height = TONGUE * gap * MILLIMETRE + 6
        centre = _fixed(np.array([float(points[76, 0] + points[70, 0]) / 2, rim + 6]), FINER)
        axes = _fixed(np.array([17 * MILLIMETRE, height]), FINER)
        cv2.ellipse(drawn, centre.tolist(), axes.tolist(), 0, 0, 360, 255 * shown, -1, 16, SHIFT)
    return np.asarray(cv2.GaussianBlur(_coarser(drawn), (5, 5), 1.2), np.float32)


def _shade(inside: Pixels, upper: Floats, top: int) -> Floats:
    """Return how much light the lips leave of a part of the patch (H, W) that begins at row top.

    upper (9, 2): the upper lip in the part's columns and the patch's rows.
    """
    height, width = inside.shape
    far = cv2.distanceTransform((inside > 127).astype(np.uint8), cv2.DIST_L2, 3)
    order = np.argsort(upper[:, 0])
    lip = cast(Floats, np.interp(np.arange(width), upper[order, 0], upper[order, 1]))
    below = np.maximum(np.arange(top, top + height)[:, None] - lip, 0)
    shade = (1 - LIPS_SHADE * np.exp(-below / 2.2)) * (1 - RIM_SHADE * np.exp(-far / 2.0))
    return shade.astype(np.float32)


_ROWS, _COLUMNS = np.mgrid[:CROP_SIZE:2, :CROP_SIZE:2]
NEAR = (np.hypot(_ROWS - MIDDLE, _COLUMNS - MIDDLE) < 45) & (_ROWS > 45)


def skin_around(points: Floats) -> NDArray[np.bool_]:
    """Return which of a patch's pixels, every other way and that, are skin around the lips."""
    lips = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    cv2.fillConvexPoly(lips, cv2.convexHull(_fixed(points[48:60])), 1, shift=SHIFT)
    lips = cv2.dilate(lips, np.ones((5, 5), np.uint8))
    return NEAR & (lips[::2, ::2] == 0)


def _skin(points: Floats, warped: Pixels) -> Floats:
    """Return the colour of the skin around the lips (3,), in [0, 1]."""
    around = warped[::2, ::2][skin_around(uncross_lips(points))]
    return (np.median(around, 0) / 255 if len(around) else np.full(3, 0.5)).astype(np.float32)


def _fixed(points: Floats, finer: int = 1) -> NDArray[np.int32]:
    """Return points in fixed point, as cv2 draws them."""
    return np.round(((points + 0.5) * finer - 0.5) * (1 << SHIFT)).astype(np.int32)


def _coarser(drawn: Pixels) -> Floats:
    return (
        cv2.resize(drawn, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
        / 255
    )
