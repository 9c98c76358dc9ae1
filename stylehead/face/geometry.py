"""Rotations and similarity alignment in the row-vector convention."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

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
    """Return rotations for row vectors from (..., 3) pitch, yaw, roll in degrees.

    Signs as in the method notes (3.6): +pitch looks down, +yaw turns to the subject's left (the
    image's right), +roll tilts to the subject's right, clockwise in the picture.
    """
    pitch, yaw, roll = np.moveaxis(np.radians(np.asarray(angles, np.float64)), -1, 0)
    # In image axes (y down, z away) looking down moves the nose (-z) towards +y: a turn about x by
    # +pitch; turning to the image's right moves it towards +x: a turn about y by -yaw.
    columns = _about(0, pitch) @ _about(1, -yaw) @ _about(2, roll)
    return np.swapaxes(columns, -1, -2).astype(np.float32)


def angles_from_rotation(rotation: NDArray[np.floating]) -> Floats:
    """Return (..., 3) pitch, yaw, roll in degrees; the inverse of rotation_from_angles."""
    columns = np.swapaxes(np.asarray(rotation, np.float64), -1, -2)
    yaw = -np.arcsin(np.clip(columns[..., 0, 2], -1, 1))
    pitch = np.arctan2(-columns[..., 1, 2], columns[..., 2, 2])
    roll = np.arctan2(-columns[..., 0, 1], columns[..., 0, 0])
    return np.degrees(np.stack([pitch, yaw, roll], -1)).astype(np.float32)


def mean_rotation(rotations: Floats) -> Floats:
    """Return the rotation nearest to the mean of (T, 3, 3) rotations."""
    left, _, right = np.linalg.svd(rotations.mean(0).astype(np.float64))
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return ((left * flip) @ right).astype(np.float32)


def _about(axis: int, angle: NDArray[np.floating]) -> NDArray[np.float64]:
    """Right-handed rotation matrices for column vectors about one axis, radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*np.shape(angle), 3, 3))
    first, second = ((1, 2), (2, 0), (0, 1))[axis]
    matrix[..., axis, axis] = 1
    matrix[..., first, first] = matrix[..., second, second] = cosine
    matrix[..., first, second], matrix[..., second, first] = -sine, sine
    return matrix


def face_crop(pixels: Pixels, mesh: Floats, size: int) -> Pixels:
    """Return the square around a face, 1.6 face sizes wide, at size x size pixels."""
    corner, scale = _crop_place(mesh, size)
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    crop = cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def crop_points(mesh: Floats, size: int) -> Floats:
    """Return a mesh (478, 3) in the pixels of its own face_crop."""
    corner, scale = _crop_place(mesh, size)
    return (mesh - np.array([*corner, 0], np.float32)) * np.float32(scale)


def _crop_place(mesh: Floats, size: int) -> tuple[Floats, float]:
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    side = 1.6 * float((high - low).max())
    return (low + high) / 2 - side / 2, size / side
