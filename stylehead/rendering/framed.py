"""A scene delivered: in another frame, before another background, or with transparency."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numba import njit

from stylehead.face.landmarks import OVAL, to_68
from stylehead.rendering.renderer import Scene
from stylehead.types import Face, Floats, Motion, Pixels, Portrait

EYE_LEVEL = 0.38  # of the frame's height, where eyes are best
HIGHEST_EYES, LOWEST_EYES = 0.3, 0.45  # of it, between which they are wherever the picture ends
ROOM = (1.7, 2.2)
"""Width and height that a frame has at least, in those of all faces together."""
EYES_68 = slice(36, 48)
BLUR = 0.03  # of the frame's longer side: how far out of focus what goes on beyond the picture is
SHARP = 0.02  # of that side, over which it goes out of focus
FAINT = 64  # of 255: cover under which a colour is mostly rounding
SPREADS = (2.0, 8.0, 32.0)  # pixels: how far colours are carried into what is transparent


@dataclass(frozen=True, slots=True)
class Frame:
    """A part of a picture, or more than all of it."""

    left: int
    """Pixels of the scaled picture; may be below zero. An even number, as encoders want it."""
    top: int
    width: int
    height: int
    scale: float
    """What the picture is scaled by before."""


def frame_around(
    portraits: Sequence[Portrait], ratio: float, size: tuple[int, int] | None, most: int
) -> Frame:
    """Return the frame of a shape, width over height, around the faces of a picture.

    It is the largest within the picture, at the picture's own pixels or scaled to `size` (width and
    height); larger than the picture where faces would not fit. Eyes are at EYE_LEVEL, or as near as
    the picture has something to show. `most` are the pixels of a side at most.
    """
    meshes = np.stack([portrait.face.mesh[:, :2] for portrait in portraits])
    ovals = meshes[:, OVAL].reshape(-1, 2)
    low, high = ovals.min(0), ovals.max(0)
    eyes = float(np.mean([to_68(portrait.face.mesh)[EYES_68, 1] for portrait in portraits]))
    picture = portraits[0].pixels
    rows, columns = picture.shape[:2]
    height = min(rows, columns / ratio)
    room = (high - low) * ROOM
    height = max(height, room[0] / ratio, room[1])
    width = height * ratio
    left = float((low[0] + high[0] - width) / 2)
    left = _within(left, columns - width)
    top = _within(eyes - EYE_LEVEL * height, rows - height)
    top = float(np.clip(top, eyes - LOWEST_EYES * height, eyes - HIGHEST_EYES * height))
    scale = size[0] / width if size else min(1.0, most / max(width, height))
    wide, tall = size or (_even(width * scale), _even(height * scale))
    return Frame(_even(left * scale), _even(top * scale), wide, tall, scale)


def _within(start: float, room: float) -> float:
    """Return a start moved so that the frame stays within the picture, or holds all of it."""
    return float(np.clip(start, min(room, 0.0), max(room, 0.0)))


def _even(value: float) -> int:
    return 2 * round(value / 2)


def scaled(portrait: Portrait, scale: float) -> Portrait:
    """Return a portrait in a picture of another size."""
    if scale == 1:
        return portrait
    size = tuple(max(2, round(side * scale)) for side in portrait.pixels.shape[1::-1])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC

    def sized(pixels: Pixels) -> Pixels:
        return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)

    face = Face(
        (portrait.face.mesh * np.float32(scale)).astype(np.float32), portrait.face.expression
    )
    matte = None if portrait.matte is None else sized(portrait.matte)
    return replace(portrait, pixels=sized(portrait.pixels), face=face, matte=matte)


def framed(scene: Scene, frame: Frame, beyond: Pixels | str) -> Scene:
    """Return a scene of which a frame shows a part; what lies beyond its picture stays still.

    beyond: `blur` or `edge` for the picture's edge going on, or a colour (3,). Without a background
    nothing is beyond it.
    """
    picture, (rows, columns) = scene.picture, scene.area
    height, width = picture.shape[:2]
    canvas = np.zeros((frame.height, frame.width, picture.shape[2]), np.uint8)
    y, x = (
        start + np.arange(side)
        for start, side in ((frame.top, frame.height), (frame.left, frame.width))
    )
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))
    goes_on = picture[y.clip(0, height - 1)[:, None], x.clip(0, width - 1)]
    if picture.shape[2] == 4 or not isinstance(beyond, str):
        canvas[:] = 0 if isinstance(beyond, str) or picture.shape[2] == 4 else beyond
        canvas[inside] = goes_on[inside]
    else:
        canvas = _out_of_focus(goes_on, inside) if beyond == "blur" else goes_on
    top, bottom = (np.clip(at - frame.top, 0, frame.height) for at in (rows.start, rows.stop))
    left, right = (np.clip(at - frame.left, 0, frame.width) for at in (columns.start, columns.stop))
    # Seen from the area's own corner.
    down, across = frame.top + int(top) - rows.start, frame.left + int(left) - columns.start
    part = np.s_[down : down + int(bottom - top), across : across + int(right - left)]
    return replace(
        scene,
        picture=np.ascontiguousarray(canvas),
        area=np.s_[int(top) : int(bottom), int(left) : int(right)],
        draw=_each(scene.draw, lambda area: area[part]),
    )


def _each(
    draw: Callable[[Sequence[Motion]], Iterator[Pixels]], change: Callable[[Pixels], Pixels]
) -> Callable[[Sequence[Motion]], Iterator[Pixels]]:
    def changed(motions: Sequence[Motion]) -> Iterator[Pixels]:
        return map(change, draw(motions))

    return changed


def _out_of_focus(
    picture: Pixels, inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> Pixels:
    """Return a picture (H, W, 3) that is blurred more and more outside what is `inside` (H, W)."""
    if inside.all():
        return picture
    side = max(picture.shape[:2])
    soft = cv2.GaussianBlur(picture, (0, 0), BLUR * side)
    away = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    share = (away / (SHARP * side)).clip(0, 1)[..., None].astype(np.float32)
    return (picture * (1 - share) + soft * share + 0.5).astype(np.uint8)


def before(scene: Scene, background: Pixels) -> Scene:
    """Return a scene without a background before one, (H, W, 3)."""
    behind = background[scene.area].copy()
    return replace(
        scene,
        picture=_laid(scene.picture, background),
        draw=_each(scene.draw, lambda area: _laid(area, behind[: len(area), : area.shape[1]])),
    )


def straight(scene: Scene) -> Scene:
    """Return a scene without a background whose colours are not multiplied by their cover.

    What is transparent has the colours of the person nearby, so that none of any background seeps
    in where a decoder or an editor smooths.
    """
    nearby = _carried(scene.picture)
    around = nearby[scene.area].copy()
    return replace(
        scene,
        picture=_divided(scene.picture, nearby),
        draw=_each(scene.draw, lambda area: _divided(area, around[: len(area), : area.shape[1]])),
    )


def _carried(picture: Pixels) -> Pixels:
    """Return a person's colours (H, W, 3) carried into what is transparent of (H, W, 4)."""
    colours: Floats = picture.astype(np.float32)
    mean = colours[..., :3].sum((0, 1)) / max(1.0, float(colours[..., 3].sum()))
    found = np.broadcast_to(mean, picture[..., :3].shape)
    for sigma in reversed(SPREADS):
        soft = np.asarray(cv2.GaussianBlur(colours, (0, 0), sigma), np.float32)
        cover = soft[..., 3:] / 255
        trust = (cover * 20).clip(0, 1)
        found = trust * soft[..., :3] / (255 * np.maximum(cover, 1e-3)) + (1 - trust) * found
    return (found * 255 + 0.5).clip(0, 255).astype(np.uint8)


def _laid(alone: Pixels, behind: Pixels) -> Pixels:
    out = np.empty((*alone.shape[:2], 3), np.uint8)
    _lay(_plain(alone), _plain(behind), out)
    return out


def _divided(alone: Pixels, nearby: Pixels) -> Pixels:
    out = np.empty_like(alone)
    _divide(_plain(alone), _plain(nearby), out)
    return out


def _plain(pixels: Pixels) -> Pixels:
    """Return them as an array of one type, so that one version is compiled."""
    return np.require(pixels, np.uint8, ["C", "W"])


@njit(cache=True, nogil=True)
def _lay(alone: Pixels, behind: Pixels, out: Pixels) -> None:
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            rest = 255 - np.int32(alone[y, x, 3])
            for channel in range(3):
                value = np.int32(alone[y, x, channel])
                value += (rest * np.int32(behind[y, x, channel]) + 127) // 255
                out[y, x, channel] = min(value, 255)


@njit(cache=True, nogil=True)
def _divide(alone: Pixels, nearby: Pixels, out: Pixels) -> None:
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            cover = np.int32(alone[y, x, 3])
            out[y, x, 3] = cover
            sure = min(cover, FAINT)
            for channel in range(3):
                value = np.int32(nearby[y, x, channel])
                if cover:
                    own = (255 * np.int32(alone[y, x, channel]) + cover // 2) // cover
                    value = (sure * min(own, 255) + (FAINT - sure) * value) // FAINT
                out[y, x, channel] = value
