"""Mouths that do what a test says, filmed without noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.performance import Performance
from stylehead.types import FaceTrack, Floats
from tests.stand_ins.faces import face_track, mean_mesh

FPS = 25


def mouth(gape: Floats, wide: Floats, press: Floats | float = 0.0) -> Floats:
    """Return offsets (T, 68, 3) of mouths, in interocular distances.

    `gape` (T,) opens the lips and lowers the chin, `wide` (T,) parts the corners, `press` thins
    both lips.
    """
    offsets = np.zeros((len(gape), 68, 3), np.float32)
    thinner = np.broadcast_to(press, len(gape))[:, None]
    offsets[:, (65, 66, 67), 1] = gape[:, None]
    offsets[:, 55:60, 1] = gape[:, None] - thinner
    offsets[:, 49:54, 1] = thinner
    offsets[:, 8, 1] = 0.8 * gape
    for left, right in ((48, 54), (60, 64)):
        offsets[:, left, 0], offsets[:, right, 0] = -wide / 2, wide / 2
    return offsets


def filmed(
    offsets: Floats, *, seconds: Floats | None = None, angles: Floats | None = None, **track: Any
) -> tuple[FaceTrack, Performance]:
    """Return the track and the performance of offsets (T, 68, 3) from the mean face."""
    count = len(offsets)
    seconds = np.arange(count) / FPS if seconds is None else seconds
    angles = np.zeros((count, 3)) if angles is None else angles
    mesh = (mean_mesh() + FaceModel.embedded().mesh_offsets(offsets)).astype(np.float32)
    performance = Performance(
        mesh=mesh,
        neutral=mean_mesh(),
        rotation=rotation_from_angles(angles),
        translation=np.zeros((count, 3), np.float32),
        blink=np.zeros(count, np.float32),
        seconds=seconds,
        neutral_scores=FaceModel.embedded().neutral_scores,
    )
    return face_track(mesh, angles=angles, seconds=seconds, **track), performance
