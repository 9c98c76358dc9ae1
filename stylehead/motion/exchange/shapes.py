"""ARKit's 52 face shapes: a motion as their weights, and weights as landmarks.

The shapes are those of the face model's basis: what tracked faces do when the tracker gives a
shape a score.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylehead.face.face_model import EXPRESSIVE, FaceModel
from stylehead.face.landmarks import INNER_LIPS, to_68
from stylehead.types import CHUNK, Floats, Motion

EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
SHAPES = (
    *(f"Eye{part}{side}" for side in ("Left", "Right") for part in EYE),
    *("JawForward", "JawRight", "JawLeft", "JawOpen"),
    *("MouthClose", "MouthFunnel", "MouthPucker", "MouthRight", "MouthLeft"),
    *("MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft", "MouthFrownRight"),
    *("MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight"),
    *("MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper"),
    *("MouthPressLeft", "MouthPressRight", "MouthLowerDownLeft", "MouthLowerDownRight"),
    *("MouthUpperUpLeft", "MouthUpperUpRight"),
    *("BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight"),
    *("CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight"),
    "TongueOut",
)
"""Names in the order of a take of Live Link Face; left and right are the subject's."""
LOOKING = {"Aside": 1.7, "Up": 2.25, "Down": 1.63}
"""Weight of a look for each radian that an eye turns, as in recorded takes."""
LIPS = 5.0  # how much more a vertex of the inner lips counts in a fit than any other
RIDGE = 0.02  # against squared mesh offsets: keeps shapes from working against each other
STILL = 1e-3
"""Interocular distances under which a shape moves nothing: the tracker never scores a sneer."""
UNSOUGHT = ("MouthClose",)
"""Shapes that weights are not sought for: on other faces it drives lips through each other where
the jaw is not as far open, which a fit to this face does not know."""
STEPS = 500  # of the solver; more change no weight by a thousandth


@cache
def rows_of_basis() -> dict[str, int]:
    """Return shape -> its row of the basis, for the shapes that move it.

    The tracker's scores are in the order of their names, after one for a neutral face; it has
    none for the tongue.
    """
    scored = sorted(set(SHAPES) - {"TongueOut"})
    rows = {name: 1 + place for place, name in enumerate(scored)}
    size = np.abs(FaceModel.embedded().basis).max(1)
    moving = set(np.intersect1d(EXPRESSIVE, np.flatnonzero(size > STILL)).tolist())
    return {name: rows[name] for name in SHAPES if rows.get(name) in moving}


def shape_weights(motion: Motion) -> Floats:
    """Return the weights (T, 52) in [0, 1] that make a motion's face, in the order of SHAPES.

    The nearest by least squares within these bounds. Blinks and looks come from the motion's own
    channels; cheeks, nose and tongue rest, and so does MouthClose.
    """
    weights = np.zeros((len(motion), len(SHAPES)), np.float32)
    fit = _fit()
    for start in range(0, len(motion), CHUNK):
        part = slice(start, start + CHUNK)
        weights[part, fit.columns] = fit.solve(motion.landmarks[part])
    for side, sign in (("Left", 1), ("Right", -1)):  # image right is the subject's left
        weights[:, SHAPES.index(f"EyeBlink{side}")] = motion.blink
        out, down = np.radians(motion.gaze * [sign, 1]).T
        for look, turn, slope in (
            ("Out", out, LOOKING["Aside"]),
            ("In", -out, LOOKING["Aside"]),
            ("Down", down, LOOKING["Down"]),
            ("Up", -down, LOOKING["Up"]),
        ):
            weights[:, SHAPES.index(f"EyeLook{look}{side}")] = (slope * turn).clip(0, 1)
    return weights


def landmarks_of(weights: Floats) -> Floats:
    """Return the landmark offsets (T, 68, 3) that weights (T, 52) make; blinks move none."""
    rows = rows_of_basis()
    moves = to_68(FaceModel.embedded().basis[list(rows.values())].reshape(-1, 478, 3))
    columns = [SHAPES.index(name) for name in rows]
    return np.tensordot(weights[:, columns], moves, 1).astype(np.float32)


class _Fit(NamedTuple):
    """The least squares, prepared: |(w B - x D) W|^2 + RIDGE |w|^2 over 0 <= w <= 1."""

    columns: NDArray[np.intp]
    """(K,) places in SHAPES of the shapes that are sought."""
    sizes: Floats
    """(K,) what a weight is multiplied by while it is sought, so that each counts alike."""
    gram: Floats
    """(K, K) B W^2 B' + RIDGE, of weights so scaled."""
    projection: Floats
    """(204, K) landmark offsets -> D W^2 B', of weights so scaled."""

    def solve(self, landmarks: Floats) -> Floats:
        """Return the weights (T, K) of landmark offsets (T, 68, 3).

        By accelerated projected gradients (Nesterov 1983), begun again in a row that would turn
        back (O'Donoghue and Candes 2015).
        """
        target = landmarks.reshape(len(landmarks), -1) @ self.projection
        length = 1 / np.linalg.eigvalsh(self.gram)[-1]
        found = ahead = np.zeros_like(target)
        pace = np.ones((len(target), 1))
        for _ in range(STEPS):
            before = found
            found = (ahead - length * (ahead @ self.gram - target)).clip(0, self.sizes)
            back = ((ahead - found) * (found - before)).sum(1, keepdims=True) > 0
            last = np.where(back, 1, pace)
            pace = (1 + np.sqrt(1 + 4 * last * last)) / 2
            ahead = found + (last - 1) / pace * (found - before)
        return found / self.sizes


@cache
def _fit() -> _Fit:
    model = FaceModel.embedded()
    rows = {name: row for name, row in rows_of_basis().items() if name not in UNSOUGHT}
    basis = model.basis[list(rows.values())].astype(np.float64)
    counts = np.ones(478)
    counts[INNER_LIPS] = LIPS**2
    weighted = basis * np.repeat(counts, 3)
    gram = weighted @ basis.T + RIDGE * np.eye(len(basis))
    sizes = np.sqrt(np.diag(gram))
    return _Fit(
        np.array([SHAPES.index(name) for name in rows]),
        sizes,
        gram / np.outer(sizes, sizes),
        model.dense.astype(np.float64) @ weighted.T / sizes,
    )
