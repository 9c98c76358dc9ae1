"""Folds and shading: what skin does when it moves, learned from many people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import FACE, to_68
from stylehead.rendering.portrait_mesh import PortraitMesh
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.skin.face_texture import SIZE, face_texture
from stylehead.types import Floats, Pixels
from stylehead.weights.store import resolve

DARKER, LIGHTER = 0.4, 0.15
"""Logarithm of the most that skin may change, approached smoothly: expressions are stronger than
the clips' at times, and skin that shines looks false sooner than a shadow."""
CELLS = 128  # of the map over a face's square: folds are no finer
FAR = 1e4  # pixels beyond any texture
SHADE_HUE = np.array([0.89, 1.07, 1.10], np.float32)
"""How much of a change of skin's luminance red, green and blue take: shadows are redder. Slopes
over the training clips; without them light skin turns grey."""
STEP = np.float32(10.0)  # degrees of head turn that count as much as one unit of the model


@dataclass(frozen=True, slots=True, eq=False)
class FoldModel:
    """Expression and turn of the head -> change of the skin's light: a linear map of low rank.

    Learned from clips by `stylehead train appearance`. Changes are logarithms of luminance against
    the person's own neutral face, in the face's texture space: they know no identity.
    """

    read: Floats
    """(204 + 3, K) landmark offsets from neutral, head space; then pitch, yaw, roll by STEP."""
    write: Floats
    """(K, SIZE, SIZE)"""

    @staticmethod
    @cache
    def embedded() -> FoldModel:
        """Return the model that ships with the package."""
        arrays = load_file(resolve("appearance"))
        return FoldModel(*(arrays[f"folds.{key}"].astype(np.float32) for key in ("read", "write")))

    def amounts(self, offsets: Floats, rotation: Floats) -> Floats:
        """Return how much of each change (K,) a face shows.

        offsets (68, 3) of its landmarks from neutral, rotation (3, 3) of the head from rest.
        """
        return fold_features(offsets, angles_from_rotation(rotation)) @ self.read

    def change(self, amounts: Floats) -> Floats:
        """Return the change (SIZE, SIZE), the logarithm of a factor, of amounts (K,)."""
        change = (amounts @ self.write.reshape(len(amounts), -1)).reshape(SIZE, SIZE)
        most = np.where(change < 0, np.float32(DARKER), np.float32(LIGHTER))
        return most * np.tanh(change / most)


def fold_features(offsets: Floats, angles: Floats) -> Floats:
    """Return what a fold model looks at (207,): offsets (68, 3), and angles (3,) in degrees."""
    return np.concatenate([offsets.ravel(), angles / STEP]).astype(np.float32)


class SkinShader:
    """Lays folds and shading over one portrait's moved crops."""

    def __init__(self, mesh: PortraitMesh, model: FoldModel, *, colourless: bool = False) -> None:
        """The portrait has its own expression's folds already: they are taken off.

        `colourless` shades in greys, for a portrait that has no colour.
        """
        self.model = model
        self.hue = np.ones(3, np.float32) if colourless else SHADE_HUE
        shown = to_68(mesh.pose.undo(mesh.source[:FACE])) - to_68(mesh.neutral)
        self._own = model.amounts(shown, np.eye(3, dtype=np.float32))

    def shade(self, crop: Pixels, vertices: Floats, offsets: Floats, rotation: Floats) -> None:
        """Shade a moved crop (S, S, 3) with its vertices (N, 3), in place.

        offsets (68, 3) and rotation (3, 3) are the motion's.
        """
        change = self.model.change(self.amounts(offsets, rotation))
        shade_skin(crop, vertices[:FACE], change, self.hue)

    def amounts(self, offsets: Floats, rotation: Floats) -> Floats:
        """Return how much of each of the model's changes (K,) a motion brings to the still."""
        return self.model.amounts(offsets, rotation) - self._own


def shade_skin(crop: Pixels, face: Floats, change: Floats, hue: Floats = SHADE_HUE) -> None:
    """Lay a change (SIZE, SIZE) over a crop (S, S, 3) with the face's vertices (468, 3), in place.

    hue (3,): how much of the change red, green and blue take.
    """
    low, high = bounds(face, len(crop))
    part = crop[low[1] : high[1], low[0] : high[0]]
    side = max(part.shape[:2])
    if not part.size:
        return
    texture = face_texture()
    cells = min(side, CELLS)
    # Far off, so that what no triangle covers is told from what one does: it stays as it is.
    moved = displacement_map(
        texture.triangles, face - [*low, 0], texture.places + FAR, size=side, cells=cells
    )
    steps = (np.arange(cells, dtype=np.float32) + 0.5) * (side / cells) - 0.5 - np.float32(FAR)
    columns, rows = moved[..., 0] + steps, moved[..., 1] + steps[:, None]
    laid = np.asarray(cv2.remap(change, columns, rows, cv2.INTER_LINEAR), np.float32)
    factor = np.exp(laid[..., None] * hue)
    factor = cv2.resize(factor, (side, side), interpolation=cv2.INTER_LINEAR)
    factor = factor[: part.shape[0], : part.shape[1]]
    part[:] = cv2.multiply(part, np.ascontiguousarray(factor), dtype=cv2.CV_8U)


def bounds(face: Floats, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the end of columns and rows (2,) that a face (468, 3) fills of a crop.

    They are within its size and may be none.
    """
    low = np.floor(face[:, :2].min(0)).astype(int).clip(0, size)
    high = np.minimum(np.ceil(face[:, :2].max(0)).astype(int).clip(0, size) + 1, size)
    return low, np.maximum(low, high)
