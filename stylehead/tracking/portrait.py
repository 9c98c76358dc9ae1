"""Choose the portrait's face: search a picture, measure faces, refuse what cannot be animated."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stylehead.errors import FaceError
from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import interocular, to_68
from stylehead.tracking.covered import notes_on
from stylehead.tracking.detector import MOST_FACES, FaceLandmarker, faces_in, height_of, landmarker
from stylehead.tracking.matte import GivenMatte, find_matte
from stylehead.tracking.upright import upright
from stylehead.types import Face, Pixels, Portrait

CROP = 640  # pixels of the square a face is measured in again after it was found
CROP_FACES = 2.4  # side of that square in face heights
LARGEST_TILE = 1280  # pixels of a tile's longer side that the detector is given
TILE = 1.5  # side of a tile in parts: they overlap
FINE_TILE = 400  # pixels of a tile's side down to which large pictures are searched
SMALL_SHARE = 0.2  # height of a face, of a tile's side, that is surely found
SURELY = 0.1  # of a face's height: centres so close are of one face, however roughly it was seen
LEAST_HEIGHT = 45.0  # pixels: a face whose eyes are just far enough apart
MOST_TURNED = 95.0  # degrees; beyond it nobody holds a head
SMALLEST_EYES = 18.0  # pixels between the outer eye corners that still give a usable mouth
PROFILE_YAW = 40.0  # degrees beyond which half of the mouth is hidden
PROFILE_PITCH = 35.0


def find_portrait(
    pixels: Pixels, *, name: str, number: int | None = None, matte: GivenMatte | None = None
) -> Portrait:
    """Find the face of a picture (H, W, 3) to animate, and measure it at full detail.

    `number` counts faces from left to right, from 1; None takes the largest. `name` is the
    picture's name for messages, `matte` tells persons from the background, where that is
    known. Raises FaceError for no face, a profile or a face too small.
    """
    faces = faces_of(pixels, name)
    if number is None:
        number = 1 + int(np.argmax([height_of(face) for face in faces]))
    return _chosen(pixels, faces, number, name, matte)


def find_portraits(
    pixels: Pixels, *, name: str, numbers: Sequence[int], matte: GivenMatte | None = None
) -> tuple[list[Portrait], list[FaceError]]:
    """Find all faces of a picture (H, W, 3) that can be animated, from left to right.

    Also returns why others cannot. Raises FaceError when one of these is asked for in `numbers`.
    """
    faces = faces_of(pixels, name)
    portraits: list[Portrait] = []
    failures: list[FaceError] = []
    for number in sorted({*numbers, *range(1, len(faces) + 1)}):
        try:
            portraits.append(_chosen(pixels, faces, number, name, matte))
        except FaceError as failure:
            if number in numbers:
                raise
            failures.append(failure)
    return portraits, failures


def faces_of(pixels: Pixels, name: str) -> list[Face]:
    """Return the faces of a picture (H, W, 3) from left to right, one at least.

    Raises FaceError for a picture without a face; whether each can be animated is not asked.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_EYES:  # the tracker's native code fails on a few pixels
        raise FaceError(
            f"{name} has only {width} x {height} pixels.", remedy="Give a larger picture."
        )
    with landmarker(video=False, faces=MOST_FACES) as task:
        faces = search(task, pixels)
        if not faces:
            raise _no_face(task, pixels, name)
    return sorted(faces, key=lambda face: float(face.mesh[:, 0].mean()))


def _chosen(
    pixels: Pixels, faces: list[Face], number: int, name: str, matte: GivenMatte | None
) -> Portrait:
    """Return the portrait of one face, counted from 1."""
    if not 1 <= number <= len(faces):
        raise FaceError(
            f"{name} shows {len(faces)} face{'s' if len(faces) > 1 else ''}, so there is no face "
            f"{number}.",
            remedy=f"Pass --face 1 to --face {len(faces)}, or leave it out; --sing and --cues "
            "count alike."
            if len(faces) > 1
            else "Leave out --face.",
        )
    face = faces[number - 1]
    with landmarker(video=False) as task:
        turn, face = upright(task, pixels, face)
    if abs(turn) > MOST_TURNED:
        raise _turned(name, turn)
    eyes = float(interocular(to_68(face.mesh)[:, :2]))
    if eyes < SMALLEST_EYES:
        raise FaceError(
            f"The face in {name} is too small ({eyes:.0f} pixels between the eyes' outer corners).",
            remedy=f"Give a larger picture: at least {SMALLEST_EYES:.0f} are needed.",
        )
    rotation = FaceModel.embedded().pose(face.mesh).rotation
    pitch, yaw, _ = angles_from_rotation(rotation)
    if abs(yaw) > PROFILE_YAW or abs(pitch) > PROFILE_PITCH:
        side = f"{abs(yaw):.0f} degrees to the side" if abs(yaw) > PROFILE_YAW else "up or down"
        raise FaceError(
            f"The face in {name} is turned {side}.",
            remedy="Give a picture in which both eyes and the whole mouth can be seen.",
        )
    person, unclear = find_matte(pixels, face.mesh, name, matte)
    notes = (*notes_on(pixels, face, name), *unclear)
    return Portrait(pixels, face, rotation, number, len(faces), notes, person)


def _turned(name: str, turn: float) -> FaceError:
    """Return the refusal of a face that has to be turned by so many degrees."""
    way = "counter-clockwise" if turn > 0 else "clockwise"
    return FaceError(
        f"The face in {name} is turned by about {abs(turn):.0f} degrees.",
        remedy=f"Turn the picture {way} until the face is upright.",
    )


def _no_face(task: FaceLandmarker, pixels: Pixels, name: str) -> FaceError:
    """Return the refusal of a picture in which nothing was found: none there, turned or small."""
    for quarter in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(pixels, quarter))
        for face in search(task, turned, whole=True)[:1]:
            turn = (90 * quarter + upright(task, turned, face)[0] + 180) % 360 - 180
            if abs(turn) > MOST_TURNED / 2:
                return _turned(name, turn)
    least = max(LEAST_HEIGHT, SMALL_SHARE * TILE * max(pixels.shape) / _parts(pixels)[-1])
    return FaceError(
        f"{name} shows no face.",
        remedy="Give a picture with a face turned to the camera, and in one of this size at least "
        f"{least:.0f} pixels high.",
    )


def search(task: FaceLandmarker, pixels: Pixels, *, whole: bool = False) -> list[Face]:
    """Return faces of a picture (H, W, 3), searched whole, then in ever smaller overlapping tiles.

    Each face found is measured again in a crop of its own; meshes are in the picture's pixels.

    The detector sees faces of a fifth of the picture's width or more, so small ones need tiles. The
    level below the first that shows a face is searched too: others may stand further away.
    With `whole` there are no tiles.
    """
    height, width = pixels.shape[:2]
    # A face that fills the picture is found when there is room around it.
    margin = round(0.3 * max(height, width))
    padded = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    boxes = [[(-margin, -margin, width + 2 * margin, height + 2 * margin), (0, 0, width, height)]]
    for parts in () if whole else _parts(pixels):
        side = max(width, height) / parts
        step = side / 2
        boxes.append(
            [
                (int(x), int(y), int(TILE * side), int(TILE * side))
                for y in _steps(-side / 4, height - side / 2, step)
                for x in _steps(-side / 4, width - side / 2, step)
            ]
        )
    faces: list[Face] = []
    for tiles in boxes:
        last = bool(faces)
        for x, y, w, h in tiles:
            x0, y0 = max(x, -margin) + margin, max(y, -margin) + margin
            tile = padded[y0 : y + margin + h, x0 : x + margin + w]
            scaled = _at_most(tile, LARGEST_TILE)
            scale = tile.shape[1] / scaled.shape[1]
            for face in faces_in(task, scaled, None):
                rough = Face(
                    face.mesh * scale + np.array([x0 - margin, y0 - margin, 0], np.float32),
                    face.expression,
                )
                if any(_same(rough, other, SURELY) for other in faces):
                    continue  # overlapping tiles show a face many times
                exact = _measure(task, padded, margin, rough)
                if exact and not any(_same(exact, other) for other in faces):
                    faces.append(exact)
        if last:
            break
    return faces


def _parts(pixels: Pixels) -> list[int]:
    """Return into how many parts a picture's longer side is cut, level by level.

    The last levels are for large pictures, where a small face still has enough pixels.
    """
    longest = max(pixels.shape)
    return [2, 3, 5, *(parts for parts in (8, 12) if TILE * longest / parts > FINE_TILE)]


def _steps(start: float, stop: float, step: float) -> list[float]:
    return np.arange(start, stop, step).tolist()


def _at_most(pixels: Pixels, side: int) -> Pixels:
    longest = max(pixels.shape[:2])
    if longest <= side:
        return pixels
    scale = side / longest
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _measure(task: FaceLandmarker, padded: Pixels, margin: int, rough: Face) -> Face | None:
    """Track the face again in a square crop of its own at CROP pixels; None if it is gone there."""
    centre = (rough.mesh[:, :2].min(0) + rough.mesh[:, :2].max(0)) / 2 + margin
    side = CROP_FACES * max(np.ptp(rough.mesh[:, 0]), np.ptp(rough.mesh[:, 1]))
    scale = CROP / side
    matrix = np.array(
        [
            [scale, 0, CROP / 2 - scale * centre[0]],
            [0, scale, CROP / 2 - scale * centre[1]],
        ]
    )
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    crop = cv2.warpAffine(padded, matrix, (CROP, CROP), flags=way, borderMode=cv2.BORDER_REPLICATE)
    faces = faces_in(task, np.asarray(crop, np.uint8), None)
    if not faces:
        return None
    middle = np.array([CROP / 2, CROP / 2], np.float32)
    face = min(faces, key=lambda face: float(np.linalg.norm(face.mesh[:, :2].mean(0) - middle)))
    shift = np.array([centre[0] - margin, centre[1] - margin, 0], np.float32)
    offset = np.array([CROP / 2, CROP / 2, 0], np.float32)
    return Face((face.mesh - offset) / np.float32(scale) + shift, face.expression)


def _same(face: Face, other: Face, share: float = 0.3) -> bool:
    """Return whether two centres are closer than this share of the larger face's height."""
    distance = np.linalg.norm(face.mesh[:, :2].mean(0) - other.mesh[:, :2].mean(0))
    return bool(distance < share * max(height_of(face), height_of(other)))
