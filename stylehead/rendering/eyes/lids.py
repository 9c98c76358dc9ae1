"""Shut lids in the portrait's own colours: what a warp cannot unfold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from stylehead.face.landmarks import EYES, FACE
from stylehead.rendering.eyes.eye_texture import SIZE, eye_texture, eye_vertices
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.texture import Texture
from stylehead.types import Floats, Pixels
from stylehead.weights.store import resolve

DARKEST = 0.03
"""Added to luminance before its logarithm is taken; full scale 1."""
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
CHEEK = np.s_[44:58, 8:56]
"""Of an eye's texture: the skin under it, whose light is the level that lids are told against."""
SEEN_SIDE, SEEN_BLUR = 16, 2.0
"""What a lid model looks at: the texture blurred (pixels) and resized to so many a side."""
LID_SKIN = 0.9  # how far the crease is the shut lid's, where the skin below the brow is the still's
EYEBALL_ROWS = 3.0  # texture pixels on both sides of the shut line that show eye, not skin
HUE_BLUR = 5.0  # texture pixels over which the lid's hue is taken from around
OWN_HUE = 0.8  # of the difference between the hues of the skin there and of that under the eye
LASH_ABOVE, LASH_BELOW = 0.08, 0.03  # of the eye's width around the lid's edge: where lashes are
LASH_WIDTH = 1.1  # texture pixels, standard deviation of the lash line
SHADED, DEEPEST = 0.15, 1.3
"""Logarithm of light under that of the skin below the eye from where on hue is deeper, and by how
much at most. In 1800 places of the lash lines of 28 people, filmed with their eyes shut, it was
1.35 times as deep as skin's at 0.5 under it, 1.6 at 0.75, 1.9 at 1.05 and 2.3 at 1.4."""
FILMED_HUE = 0.34  # how deep that of their skin was; painted skin that is deeper gains no more
FAR = 1e4  # pixels beyond any texture
MOST_CELLS = 128  # a side of the map that lays a lid: twice as fine as the texture
GRAIN, MOST_GRAIN = 1.2, 0.08  # texture pixels up to which, and logarithm by which, skin is grainy


@dataclass(frozen=True, slots=True, eq=False)
class LidModel:
    """What a shut eye looks like, told from the eye when it is open: a linear map of low rank.

    Learned from blinks by `stylehead train appearance`. All in an eye's texture space, as logarithm
    of luminance against the skin under the eye, so that light and complexion do not matter.
    """

    seen_mean: Floats
    """(SEEN_SIDE ** 2,) mean of what it looks at."""
    read: Floats
    """(SEEN_SIDE ** 2, K)"""
    write: Floats
    """(K, SIZE, SIZE)"""
    mean: Floats
    """(SIZE, SIZE) the mean shut eye."""

    @staticmethod
    @cache
    def embedded() -> LidModel:
        """Return the model that ships with the package."""
        arrays = load_file(resolve("appearance"))
        return LidModel(
            *(
                arrays[f"lids.{name}"].astype(np.float32)
                for name in ("seen_mean", "read", "write", "mean")
            )
        )

    def shut(self, texture: Pixels) -> Floats:
        """Return the logarithm of luminance (SIZE, SIZE) of an eye, shut, from its open texture."""
        light = log_luminance(texture)
        level = light[CHEEK].mean()
        weights = (lid_features(light - level) - self.seen_mean) @ self.read
        return level + self.mean + np.tensordot(weights, self.write, 1)


def log_luminance(pixels: Pixels) -> Floats:
    """Return the logarithm of the luminance (...) of pixels (..., 3)."""
    return np.log(DARKEST + pixels.astype(np.float32) @ LUMINANCE / 255)


def lid_features(light: Floats) -> Floats:
    """Return what a lid model looks at (SEEN_SIDE ** 2,) of a texture's light (SIZE, SIZE)."""
    soft = cv2.GaussianBlur(light, (0, 0), SEEN_BLUR)
    small = cv2.resize(soft, (SEEN_SIDE, SEEN_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).ravel()


@dataclass(frozen=True, slots=True, eq=False)
class ShutLid:
    """One eye's shut upper lid, to be laid over the eye as far as it is closed."""

    layer: Floats
    """(S, S, 4) in the eye's texture space: cover, then RGB x cover; 0 to 1 and 0 to 255."""
    places: Floats
    """(482, 3) where the vertices of `eye_vertices` lie in it."""
    triangles: NDArray[np.int64]
    """(M, 3) the upper lid's."""

    def laid_on(self, vertices: Floats, size: int) -> Floats:
        """Return the layer (size, size, 4) of eye vertices (482, 3), in a square's pixels."""
        cells = min(size, MOST_CELLS)
        # Far off, so that what no triangle covers is told from what one does.
        moved = displacement_map(
            self.triangles, vertices, self.places + FAR, size=size, cells=cells
        )
        covered = (moved[..., 0] > FAR / 2).astype(np.float32)
        steps = (np.arange(cells, dtype=np.float32) + 0.5) * (size / cells) - 0.5 - FAR
        columns, rows = moved[..., 0] + steps, moved[..., 1] + steps[:, None]
        layer = cv2.remap(self.layer, columns, rows, cv2.INTER_LINEAR)
        layer = np.asarray(layer, np.float32) * covered[..., None]
        # Softens the lid's edge by half a pixel, and takes cells to pixels.
        layer = cv2.GaussianBlur(layer, (3, 3), 0.6)
        if cells != size:
            layer = cv2.resize(layer, (size, size), interpolation=cv2.INTER_LINEAR)
        return np.asarray(layer, np.float32)


def shut_lid(crop: Pixels, vertices: Floats, number: int, model: LidModel) -> ShutLid:
    """Return the shut lid of the right (0) or left eye (1) of a picture, vertices (N, 3)."""
    points = eye_vertices(vertices)
    texture = eye_texture(number)
    open_eye = texture.unwrap(crop, points)
    light = model.shut(open_eye)
    hue = _skin_hue(open_eye, texture, number)
    finer = int(np.clip(np.ceil(texture.pixels_per_texel(points)), 1, 8))
    large = texture.scaled(finer)
    light = _with_lashes(light, log_luminance(open_eye), texture, number)
    hue = _deepened(hue, log_luminance(open_eye)[CHEEK].mean() - light)
    logarithm = (light[..., None] + hue).astype(np.float32)
    logarithm = cv2.resize(logarithm, (large.size, large.size), interpolation=cv2.INTER_CUBIC)
    logarithm = logarithm + _grain(large.unwrap(crop, points), finer)[..., None]
    colour = (255 * (np.exp(logarithm) - DARKEST)).clip(0, 255)
    triangles = _lid_triangles(texture, number)
    cover = _cover(large, triangles, number)[..., None]
    layer = np.concatenate([cover, cover * colour], -1).astype(np.float32)
    return ShutLid(layer, large.places, triangles)


def _lid_triangles(texture: Texture, number: int) -> NDArray[np.int64]:
    """Return the triangles (M, 3) of the upper lid, from its edge to the skin below the brow."""
    upper, lower, crease, below_brow = EYES[number]
    lid = np.concatenate([upper, crease, below_brow])
    of_lid = np.zeros(len(texture.places), bool)
    of_lid[lid] = True
    in_lid = of_lid[texture.triangles].sum(1) >= 2
    in_lid &= ~np.isin(texture.triangles, lower[1:-1]).any(1)
    in_lid &= (texture.triangles < FACE).all(1)
    return texture.triangles[in_lid]


def _cover(texture: Texture, triangles: NDArray[np.int64], number: int) -> Floats:
    """Return how far each pixel (S, S) of a texture is the shut lid's, 0 to 1."""
    upper, _, crease, _ = EYES[number]
    weight = np.zeros((len(texture.places), 1), np.float32)
    weight[upper] = 1
    weight[upper[[0, -1]]] = 0.5
    weight[crease] = LID_SKIN
    there = texture.places + weight * np.array([1, 0, 0], np.float32)
    return displacement_map(
        triangles, texture.places, there, size=texture.size, cells=texture.size
    )[..., 0]


def _with_lashes(light: Floats, open_light: Floats, texture: Texture, number: int) -> Floats:
    """Return a shut eye's light (SIZE, SIZE) with the lash line as dark as the open eye's own.

    Where the still shows no lashes, nothing is drawn.
    """
    edge = texture.places[EYES[number][0], :2]
    order = np.argsort(edge[:, 0])
    columns = np.arange(SIZE)
    line = np.interp(columns, edge[order, 0], edge[order, 1])
    rows = columns[:, None] - line  # below the lid's edge
    width = float(np.ptp(edge[:, 0]))
    near = (rows > -LASH_ABOVE * width) & (rows < LASH_BELOW * width)
    darkest = np.where(near, open_light, np.inf).min(0)
    darkest = cv2.GaussianBlur(darkest[None].astype(np.float32), (0, 0), 2.0)
    along = (columns - edge[:, 0].min()) / width
    cover = np.exp(-0.5 * (rows / LASH_WIDTH) ** 2) * ((along > 0) & (along < 1))
    darker = np.minimum(darkest - light, 0)
    return light + cover * darker


def _skin_hue(open_eye: Pixels, texture: Texture, number: int) -> Floats:
    """Return the logarithm (SIZE, SIZE, 3) of colour against luminance of the skin around an eye.

    Light skin counts for more: what is dark is make-up or shadow, and more saturated than a lid.
    """
    upper, lower, *_ = EYES[number]
    outline = np.concatenate([texture.places[upper, :2], texture.places[lower[::-1], :2]])
    eye = np.zeros((SIZE, SIZE), np.uint8)
    polygon = [np.round(outline).astype(np.int32)]
    cv2.fillPoly(eye, polygon, 1)
    cv2.polylines(eye, polygon, True, 1, round(2 * EYEBALL_ROWS))
    colour = DARKEST + open_eye.astype(np.float32) / 255
    skin = (1 - eye[..., None]) * np.exp(log_luminance(open_eye))[..., None]
    spread = cv2.GaussianBlur(np.concatenate([colour * skin, skin], -1), (0, 0), HUE_BLUR)
    near = np.log(spread[..., :3] / np.maximum(spread[..., 3:], 1e-6))
    near -= np.log(np.exp(near) @ LUMINANCE)[..., None]
    cheek = near[CHEEK].mean((0, 1))
    return cast(Floats, cheek + OWN_HUE * (near - cheek))


def _deepened(hue: Floats, drop: Floats) -> Floats:
    """Return the hue (S, S, 3) of skin so much darker, in logarithms (S, S), than under the eye.

    Lashes and the folds above them are redder than skin: in its own hue they would be olive.
    """
    usual = np.minimum(1, FILMED_HUE / np.maximum(np.linalg.norm(hue, axis=-1), 1e-6))
    deeper = hue * (1 + usual * (drop - SHADED).clip(0, DEEPEST))[..., None]
    return deeper - np.log(np.exp(deeper) @ LUMINANCE)[..., None]


def _grain(open_eye: Pixels, finer: int) -> Floats:
    """Return the fine structure (S, S) of the skin under an eye, mirrored up over its lid."""
    light = log_luminance(open_eye)
    fine = light - cv2.GaussianBlur(light, (0, 0), GRAIN * finer)
    fine = fine.clip(-MOST_GRAIN, MOST_GRAIN)
    rows = CHEEK[0]
    first, height = rows.start * finer, (rows.stop - rows.start) * finer
    away = np.abs(np.arange(len(fine)) - first) % (2 * height)
    return fine[first + np.minimum(away, 2 * height - 1 - away)]
