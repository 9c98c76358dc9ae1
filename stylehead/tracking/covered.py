"""What of a portrait's face cannot be seen, so that its animation will look odd."""

from __future__ import annotations

import cv2
import numpy as np

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import shut_eyes, to_68
from stylehead.types import Face, Floats, Pixels

# Mesh vertices around patches of the face, each a polygon.
LIPS = ((61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),)
CHIN = ((194, 32, 171, 175, 396, 262, 418, 313, 18, 83),)
CHEEKS = ((205, 207, 214, 192, 187), (425, 427, 434, 416, 411))
FOREHEAD = ((151, 337, 299, 9, 69, 108),)
ALIKE = 0.15  # distance of the hues of lips and chin under a mask; bare lips: 0.2 to 1.6
OTHER = 0.25  # the same of chin and forehead; bare ones around such pale lips: under 0.1
DARKEST = 0.004  # light added to every channel, full scale 1, so that black has a hue
GAMMA = 2.2
LEAST = 16  # pixels of a face in which patches can be compared


def notes_on(pixels: Pixels, face: Face, name: str) -> tuple[str, ...]:
    """Return one sentence for each thing that is shut or covered; pixels (H, W, 3)."""
    notes: list[str] = []
    head = FaceModel.embedded().pose(face.mesh).undo(face.mesh)
    shut = shut_eyes(to_68(head))
    if any(shut):
        which = "The eyes" if all(shut) else "An eye"
        notes.append(f"{which} in {name} {'are' if all(shut) else 'is'} shut, and will stay shut.")
    if mouth_is_covered(pixels, face):
        notes.append(
            f"The mouth in {name} seems to be covered: a mouth will be drawn on what covers it."
        )
    return tuple(notes)


def mouth_is_covered(pixels: Pixels, face: Face) -> bool:
    """Return whether lips, cheeks and chin have one hue, and one that the forehead has not.

    Light and shade do not matter; a mask in a grey picture, or of the skin's own hue, is not found.
    """
    low = np.floor(face.mesh[:, :2].min(0)).astype(int).clip(0)
    high = np.ceil(face.mesh[:, :2].max(0)).astype(int)
    box = pixels[low[1] : high[1], low[0] : high[0]]
    if min(box.shape[:2]) < LEAST:
        return False
    points = face.mesh[:, :2] - low
    light = np.log((box / 255.0) ** GAMMA + DARKEST)
    ratios = light[..., (0, 2)] - light[..., 1:2]  # of red and blue to green
    patches = (LIPS, CHIN, CHEEKS, FOREHEAD)
    lips, chin, cheeks, forehead = (_hue(ratios, points, patch) for patch in patches)
    alike = max(np.linalg.norm(lips - chin), np.linalg.norm(lips - cheeks)) < ALIKE
    return bool(alike and np.linalg.norm(chin - forehead) > OTHER)


def _hue(ratios: Floats, points: Floats, patch: tuple[tuple[int, ...], ...]) -> Floats:
    """Return the median ratios (2,) of a patch."""
    inside = np.zeros(ratios.shape[:2], np.uint8)
    for polygon in patch:
        cv2.fillPoly(inside, [points[list(polygon)].round().astype(np.int32)], 1)
    return np.median(ratios[inside > 0], axis=0) if inside.any() else np.zeros(2)
