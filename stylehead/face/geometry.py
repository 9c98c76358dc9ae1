"""Rotations and similarity alignment in the row-vector convention, and the crop of a face."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stylehead.types import Floats, Pixels


class Similarity(NamedTuple):
    """A move `image = scale * (head @ rotation) + translation` for row vectors."""

    scale: float
    rotation: Floats
    """(3, 3), determinant +1."""
    translation: Floats
    """(3,)"""

    def apply(self, points: Floats) -> Floats:
        """Move points (..., 3) from the first space to the second."""
        return self.scale * (points @ self.rotation) + self.translation

    def undo(self, points: Floats) -> Floats:
        """Move points (..., 3) back from the second space to the first."""
        return ((points - self.translation) @ self.rotation.T) / self.scale


def align(source: Floats, target: Floats) -> Similarity:
    """Return the least-squares similarity that moves source (N, 3) onto target (N, 3).

    Umeyama 1991, with the reflection excluded.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    left, sizes, right = np.linalg.svd(a.T.astype(np.float64) @ b)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * flip) @ right
    scale = float((sizes * flip).sum() / np.square(a).sum())
    translation = target_mean - scale * (source_mean @ rotation)
    return Similarity(scale, rotation.astype(np.float32), translation.astype(np.float32))


def rotation_from_angles(angles: NDArray[np.floating]) -> Floats:
    """Return rotations (..., 3, 3) for row vectors from (..., 3) pitch, yaw, roll in degrees.

    +pitch looks down, +yaw turns to the subject's left (the image's right), +roll tilts to the
    subject's left, clockwise in the picture.
    """
    angles = np.asarray(angles, np.float64)
    # In image axes (y down, z away) looking down moves the nose (-z) towards +y: a turn about x by
    # +pitch; turning to the image's right moves it towards +x: a turn about y by -yaw.
    turns = Rotation.from_euler("XYZ", angles.reshape(-1, 3) * [1, -1, 1], degrees=True)
    for_rows = np.swapaxes(turns.as_matrix(), -1, -2)
    return for_rows.reshape(*angles.shape, 3).astype(np.float32)


def angles_from_rotation(rotation: NDArray[np.floating]) -> Floats:
    """Return (..., 3) pitch, yaw, roll in degrees of rotations (..., 3, 3) for row vectors.

    The inverse of rotation_from_angles. The angles are read off the matrix as it is: SciPy would
    orthogonalise single-precision rotations first, which moves the last digit, and warn at a yaw
    of 90 degrees.
    """
    columns = np.swapaxes(np.asarray(rotation, np.float64), -1, -2)
    yaw = -np.arcsin(np.clip(columns[..., 0, 2], -1, 1))
    pitch = np.arctan2(-columns[..., 1, 2], columns[..., 2, 2])
    roll = np.arctan2(-columns[..., 0, 1], columns[..., 0, 0])
    return np.degrees(np.stack([pitch, yaw, roll], -1)).astype(np.float32)


def nearest_rotation(matrices: Floats) -> Floats:
    """Return the rotation nearest to each matrix (..., 3, 3), never a mirror image.

    Interpolated, smoothed or averaged rotations are no rotations any more. SciPy's Rotation would
    raise where the nearest orthogonal matrix is a mirror image.
    """
    left, _, right = np.linalg.svd(matrices.astype(np.float64))
    flip = np.ones((*matrices.shape[:-2], 1, 3))
    flip[..., 0, 2] = np.sign(np.linalg.det(left @ right))
    return ((left * flip) @ right).astype(np.float32)


def mean_rotation(rotations: Floats) -> Floats:
    """Return the rotation (3, 3) nearest to the mean of rotations (T, 3, 3)."""
    return nearest_rotation(rotations.mean(0))


def smoothstep(x: Floats) -> Floats:
    """Return 3 x^2 - 2 x^3 of numbers in [0, 1]: from 0 to 1, level at both ends."""
    return x * x * (3 - 2 * x)


def face_crop(pixels: Pixels, mesh: Floats, size: int) -> Pixels:
    """Return the square around a face, 1.6 face sizes wide: (size, size, 3).

    pixels (H, W, 3); mesh (478, 3) in their pixels.
    """
    corner, scale = _crop_offset(mesh, size)
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    crop = cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def crop_points(mesh: Floats, size: int) -> Floats:
    """Return a mesh (478, 3) in the pixels of its own face_crop."""
    corner, scale = _crop_offset(mesh, size)
    return (mesh - np.array([*corner, 0], np.float32)) * np.float32(scale)


def _crop_offset(mesh: Floats, size: int) -> tuple[Floats, float]:
    """Return the crop's top left corner (2,) in the picture, and its pixels per picture pixel."""
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    side = 1.6 * float((high - low).max())
    return (low + high) / 2 - side / 2, size / side
