"""Which shapes mouths take: principal shapes of filmed faces, and how far each of them goes.

Mouth, jaw, nose and lids belong together: a smile lifts the nose's wings and narrows the eyes.
Learned from tracked clips by `stylehead train face-shapes`; shipped as a small array file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from safetensors.numpy import load_file

from stylehead.face.landmarks import MOUTH_PAIRS, REGIONS
from stylehead.types import CHUNK, Floats
from stylehead.weights.store import resolve

POINTS = [point for name in ("jaw", "nose", "mouth", "eyes") for point in REGIONS[name]]
"""Points that shapes are made of. Brows move on their own."""
FAR_BEYOND = 1.5  # times what was filmed, from which a face only becomes less
SWEEPS = 4  # over the limits, each of which moves what the others look at


@dataclass(frozen=True, slots=True, eq=False)
class FaceShapes:
    """Principal shapes of filmed faces; offsets from the neutral face, interocular."""

    mean: Floats
    """(N, 3) mean offset of POINTS while people speak."""
    shapes: Floats
    """(K, 3 N) principal shapes, of unit length and at right angles; the neutral face is among what
    they make."""
    spread: Floats
    """(K,) standard deviation of each."""
    limits: Floats
    """(M, 4) of each of `measures`: the least filmed, the least usual, the most usual, the most
    filmed (percentiles 0.5, 1.5, 98.5 and 99.5)."""
    farthest: Floats
    """() the most filmed length of all coordinates together (percentile 99.5)."""

    @staticmethod
    @cache
    def embedded() -> FaceShapes:
        """Return the shapes that ship with the package."""
        arrays = load_file(resolve("face_shapes"))
        return FaceShapes(**{name: value.astype(np.float32) for name, value in arrays.items()})

    def coordinates(self, offsets: Floats) -> Floats:
        """Return how much of each shape is in offsets (T, 68, 3): (T, K), in spreads."""
        about = (offsets[:, POINTS] - self.mean).reshape(len(offsets), -1)
        return about @ self.shapes.T / self.spread

    def with_coordinates(self, offsets: Floats, coordinates: Floats) -> Floats:
        """Return offsets (T, 68, 3) with the shapes that coordinates (T, K) ask for."""
        moved = (coordinates * self.spread) @ self.shapes
        offsets = offsets.copy()
        offsets[:, POINTS] = self.mean + moved.reshape(len(offsets), -1, 3)
        return offsets

    def nearest(self, offsets: Floats) -> Floats:
        """Return offsets (T, 68, 3) as filmed faces can have them; brows stay.

        What goes beyond the usual is slowed down and never passes what was filmed. It is taken
        back along with all that goes with it in filmed faces: least in their own spreads. The set
        of shapes is convex, so that what moved smoothly still does.
        """
        brought = np.empty_like(offsets)
        for start in range(0, len(offsets), CHUNK):
            piece = offsets[start : start + CHUNK]
            within = self._within(self.coordinates(piece))
            brought[start : start + CHUNK] = self.with_coordinates(piece, within)
        return brought

    def _within(self, coordinates: Floats) -> Floats:
        """Return coordinates (T, K) in the limits of every measure and of all together.

        What goes far beyond them first becomes less of the same: sweeps alone would take back more
        from a wild face than from a less wild one.
        """
        centre = measures(self.mean)
        ways = measures(self.shapes.reshape(len(self.shapes), -1, 3)).T * self.spread
        least, most = self.limits[:, 0] - centre, self.limits[:, 3] - centre
        moved = coordinates @ ways.T
        beyond = np.maximum(moved / most, moved / least).max(1)
        length = np.linalg.norm(coordinates, axis=1) / self.farthest
        beyond = np.maximum(beyond, length)[:, None]
        held = slowed(beyond, np.array([0, 0, 1, FAR_BEYOND], np.float32))
        found = coordinates * (held / np.maximum(beyond, 1e-6))
        for _ in range(SWEEPS):
            for way, middle, limits in zip(ways, centre, self.limits, strict=True):
                value = middle + found @ way
                excess = slowed(value, limits) - value
                found = found + excess[:, None] * way / np.square(way).sum()
        return found


def measures(offsets: Floats) -> Floats:
    """Return what has limits, of offsets (..., N, 3) of POINTS: (..., M), linear in them.

    Both corners' places, the mouth's width and opening, the lips' heights, the chin's place.
    """
    at = {point: offsets[..., number, :] for number, point in enumerate(POINTS)}
    gaps = [at[lower][..., 1] - at[upper][..., 1] for upper, lower in MOUTH_PAIRS]
    found = [at[corner][..., axis] for corner in (48, 54) for axis in range(3)]
    found += [at[54][..., 0] - at[48][..., 0], np.mean(gaps, axis=0)]
    found += [at[51][..., 1], at[57][..., 1], at[8][..., 0], at[8][..., 1]]
    return np.stack(found, -1)


def slowed(values: Floats, limits: Floats) -> Floats:
    """Return values that stay under the most and over the least of limits (4,).

    Between the usual limits nothing changes; beyond them values approach the outer ones.
    """
    least, low, high, most = limits
    up, down = (values - high).clip(0, None), (low - values).clip(0, None)
    inside = values.clip(low, high)
    return (
        inside
        + (most - high) * np.tanh(up / max(most - high, 1e-6))
        - (low - least) * np.tanh(down / max(low - least, 1e-6))
    )
