"""Which way up a face in a still is: the landmarker readily takes hair for a mouth."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from stylehead.tracking.detector import FaceLandmarker, face_scorer, faces_in
from stylehead.types import Face, Floats, Pixels

CROP = 512  # pixels of the square in which a face is looked at
FACES = 2.4  # side of that square in face sizes
TILTED = 45.0  # degrees from which the landmarker's own turn is not trusted
PASSES = 2
PLAINLY = 0.08  # by which another turn must look more like a face: wrong ones lose 0.12 or more
RIGHT_EYE, LEFT_EYE = 33, 263  # the mesh's outer corners
QUARTERS = 4


def upright(task: FaceLandmarker, pixels: Pixels, face: Face) -> tuple[float, Face]:
    """Return by how many degrees, -180 to 180, a face has to be turned to stand upright, and it.

    Counter-clockwise is positive. A found face is what the landmarker takes for upright along its
    own eyes; here it has to look most like one that way. Where it does not, or lies on its side, it
    is measured again in a square that is turned. pixels (H, W, 3).
    """
    turn = _roll(face.mesh)
    with face_scorer() as score:
        scores = [
            score(_turned(pixels, face.mesh, turn + 90 * quarter)[0]) for quarter in range(QUARTERS)
        ]
    best = int(np.argmax(scores)) if max(scores) - scores[0] >= PLAINLY else 0
    if best == 0 and abs(turn) <= TILTED:
        return turn, face
    turn += 90 * best
    found = face
    for _ in range(PASSES):
        crop, matrix = _turned(pixels, face.mesh, turn)
        seen = faces_in(task, crop, None)
        if not seen:
            break
        turn += _roll(seen[0].mesh)
        found = replace(seen[0], mesh=_undone(seen[0].mesh, matrix))
    return (turn + 180) % 360 - 180, found


def _roll(mesh: Floats) -> float:
    x, y = (mesh[LEFT_EYE] - mesh[RIGHT_EYE])[:2].tolist()
    return float(np.degrees(np.arctan2(y, x)))


def _turned(pixels: Pixels, mesh: Floats, degrees: float) -> tuple[Pixels, Floats]:
    """Return a square around a face, turned counter-clockwise, and the (2, 3) matrix for it."""
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    centre = ((low + high) / 2).tolist()
    scale = CROP / (FACES * float((high - low).max()))
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, degrees, scale), np.float64)
    matrix[:, 2] += CROP / 2 - np.array(centre)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    crop = cv2.warpAffine(pixels, matrix, (CROP, CROP), flags=way, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8), matrix


def _undone(mesh: Floats, matrix: Floats) -> Floats:
    """Return a mesh (478, 3) of a turned square in the picture's pixels."""
    scale = np.sqrt(np.linalg.det(matrix[:, :2]))
    flat = (mesh[:, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return np.column_stack([flat, mesh[:, 2] / scale]).astype(np.float32)
