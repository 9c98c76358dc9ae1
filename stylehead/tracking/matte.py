"""The matte of a portrait: how much of each pixel is the person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from stylehead.errors import FaceError
from stylehead.face.landmarks import OVAL
from stylehead.tracking.detector import person_segmenter
from stylehead.tracking.look_alike import look_alike
from stylehead.types import Floats, Pixels, Portrait

BOX_FACES, BOX_LIFT = 2.8, 0.2
"""Side of the square that is looked at, and how far it is raised for hair, in face sizes."""
LONGEST = 1024  # pixels of that square's side; finer shows no difference
BAND = 0.022  # of that side: how far from the segmenter's edge hair may be
APART = 40.0  # grey levels between person and background at which their colours decide
HAZE = 0.1  # of cover, from either end, that is no hair but background that is not quite even
LEAST_BACKGROUND = 0.02  # of the square; under it nothing is behind anybody
NEAR_HEAD, TRANSPARENT = 2.0, 0.15
"""Size against the face's outline of what is near it, and how much of that is transparent in a
picture that is cut out; in one with rounded corners it is not."""
WIDER = 0.2  # of a whole picture's sides, by which its edges go on in a second view of it
SURE = (0.6, 0.95)  # what the segmenter says of a person: from where on it counts, and alone counts
FACE_SURE = 0.8  # of the face that has to be a person's
EASED = 0.06  # of that square's side: over which it gives way to the matte of the whole picture
UNSURE = 0.3  # of the person's area, in which the segmenter may waver


class GivenMatte(NamedTuple):
    """A matte that the user has."""

    cover: Pixels
    """(H, W) how much of each pixel is the person, 0 to 255."""
    path: Path | None = None
    """Its file; None for the picture's own transparency, which may mean something else."""


def find_matte(
    pixels: Pixels, mesh: Floats, name: str, given: GivenMatte | None = None
) -> tuple[Pixels | None, tuple[str, ...]]:
    """Return how much of each pixel is the person whose face this is, and what there is to say.

    pixels (H, W, 3); mesh (478, 3) in its pixels. The matte, (H, W) and 0 to 255, holds in a square
    around the head; outside it is 0. One that is given is taken as it is; the picture's own
    transparency only where it ends near the head. None where nothing is behind the person, or
    cannot be told from them. Raises FaceError for a given one that leaves out the face.
    """
    top, bottom, left, right = _box(pixels, mesh)
    box = np.s_[top:bottom, left:right]
    matte = np.zeros(pixels.shape[:2], np.uint8)
    oval = mesh[OVAL, :2] - [left, top]
    if given is not None:
        cover = given.cover[box] / np.float32(255)
        shown = _shows(cover, oval)
        if given.path and not shown:
            raise FaceError(
                f"{given.path} leaves out the face of {name}.",
                remedy="The person has to be white in it, and the background black.",
            )
        if shown and (given.path or _beside(cover, oval) > TRANSPARENT):
            matte[box] = given.cover[box]
            return matte, ()
    square = pixels[box]
    scale = min(1.0, LONGEST / max(square.shape[:2]))
    small = cv2.resize(square, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = np.asarray(small, np.uint8)
    with person_segmenter() as segment:
        coarse = segment(small)
    person = float((coarse > 0.5).mean())
    wavers = float(((coarse > 0.2) & (coarse < 0.8)).mean())
    if not _shows(coarse, oval * scale) or wavers > UNSURE * person:
        said = f"The person in {name} cannot be told from the background, which will move a little."
        return None, (said,)
    if 1 - person < LEAST_BACKGROUND:
        return None, ()
    fine = _refined(small, _of_one(coarse, oval * scale), coarse)
    size = (square.shape[1], square.shape[0])
    grown = cv2.resize(fine, size, interpolation=cv2.INTER_LINEAR)
    matte[box] = (grown * 255 + 0.5).astype(np.uint8)
    return matte, ()


def whole_matte(portraits: Sequence[Portrait], name: str, given: GivenMatte | None) -> Pixels:
    """Return how much of each pixel of a whole picture is one of its portraits' persons, (H, W).

    Each portrait's own matte holds near its head; further down is what the segmenter finds in the
    whole picture. One that was given is taken as it is. Raises FaceError for a person who cannot be
    told from the background.
    """
    pixels = portraits[0].pixels
    near = np.zeros(pixels.shape[:2], np.uint8)
    trust = np.zeros(pixels.shape[:2], np.float32)
    for portrait in portraits:
        if portrait.matte is None:
            raise FaceError(
                f"The person in {name} cannot be cut out of the picture.",
                remedy="Give the person in white on black with --matte FILE.",
            )
        top, bottom, left, right = _box(pixels, portrait.face.mesh)
        box = np.s_[top:bottom, left:right]
        if given is not None and np.array_equal(portrait.matte[box], given.cover[box]):
            return given.cover
        near = np.maximum(near, portrait.matte)
        trust[box] = np.maximum(trust[box], _inside(pixels, top, bottom, left, right))
    scale = min(1.0, LONGEST / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = np.asarray(small, np.uint8)
    # A second view only takes away: things at a picture's edges pass for persons in one of them.
    high, wide = (round(WIDER * side) for side in small.shape[:2])
    wider = cv2.copyMakeBorder(small, high, high, wide, wide, cv2.BORDER_REPLICATE)
    with person_segmenter() as segment:
        seen = segment(np.asarray(wider, np.uint8))[high:-high, wide:-wide]
        whole = segment(small)
    coarse = np.minimum(whole, (whole + seen) / 2)
    person = np.zeros(coarse.shape, np.uint8)
    for portrait in portraits:
        person |= _of_one(coarse, portrait.face.mesh[OVAL, :2] * scale)
    size = (pixels.shape[1], pixels.shape[0])
    coarse = np.where(person > 0, np.maximum(whole, seen), coarse)
    far = cv2.resize(_refined(small, person, coarse), size, interpolation=cv2.INTER_LINEAR)
    return (trust * near + (1 - trust) * 255 * far + 0.5).clip(0, 255).astype(np.uint8)


def _inside(pixels: Pixels, top: int, bottom: int, left: int, right: int) -> Floats:
    """Return 1 inside a box, falling to 0 at those of its edges that are not the picture's."""
    height, width = pixels.shape[:2]
    ramps: list[Floats] = []
    for low, high, side in ((top, bottom, height), (left, right, width)):
        reach = max(1.0, EASED * (high - low))
        steps = np.arange(high - low) + 0.5
        from_low = steps / reach if low > 0 else np.full_like(steps, np.inf)
        from_high = steps[::-1] / reach if high < side else np.full_like(steps, np.inf)
        ramps.append(np.minimum(from_low, from_high).clip(0, 1).astype(np.float32))
    return np.minimum(ramps[0][:, None], ramps[1])


def _box(pixels: Pixels, mesh: Floats) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of the square around the head, within the picture."""
    low, high = mesh[OVAL, :2].min(0), mesh[OVAL, :2].max(0)
    face = float((high - low).max())
    size = np.array(pixels.shape[1::-1], np.float64)
    side = np.minimum(BOX_FACES * face, size)
    corner = (low + high) / 2 - side / 2 - [0, BOX_LIFT * face]
    left, top = np.floor(corner.clip(0, size - side)).astype(int).tolist()
    right, bottom = np.ceil(corner.clip(0, size - side) + side).astype(int).tolist()
    return top, min(bottom, pixels.shape[0]), left, min(right, pixels.shape[1])


def _shows(matte: Floats, oval: Floats) -> bool:
    """Return whether a matte (H, W), 0 to 1, shows the face of an outline (N, 2)."""
    face = np.zeros(matte.shape, np.uint8)
    cv2.fillConvexPoly(face, oval.round().astype(np.int32), 1)
    return bool(face.any() and matte[face > 0].mean() > FACE_SURE)


def _beside(matte: Floats, oval: Floats) -> float:
    """Return how much of what lies beside and above an outline (N, 2) a matte (H, W) leaves out."""
    middle, size = oval.mean(0), NEAR_HEAD * np.ptp(oval, axis=0) / 2
    top, left = np.maximum(middle - size, 0).astype(int)[::-1]
    right = int(middle[0] + size[0]) + 1
    return float((matte[top : int(oval[:, 1].max()), left:right] < 0.5).mean())


def _of_one(coarse: Floats, oval: Floats) -> Pixels:
    """Return 1 where the person of this face is, with all that touches, else 0; (H, W)."""
    inside = (coarse > 0.5).astype(np.uint8)
    _, parts = cv2.connectedComponents(inside)
    x, y = oval.mean(0).round().astype(int).clip(0, [coarse.shape[1] - 1, coarse.shape[0] - 1])
    return (parts == parts[y, x]).astype(np.uint8)


def _refined(pixels: Pixels, person: Pixels, coarse: Floats) -> Floats:
    """Return the matte (H, W), 0 to 1, of a picture (H, W, 3) whose person (H, W) is roughly known.

    Along the edge each pixel is unmixed: it lies somewhere between the colours of the person and
    of the background nearby, projected onto the line between them. Where these are alike, the
    guided filter (He et al. 2010) decides. What looks like something of the background, and like
    nothing of the person, is the background's, the more so the less the segmenter was sure in
    `coarse` (H, W).
    """
    reach = max(2, round(BAND * max(person.shape)))
    inner = np.asarray(cv2.erode(person, _disc(reach // 2)), np.uint8)
    outer = np.asarray(cv2.dilate(person, _disc(reach)), np.uint8)
    here, there = _nearby(pixels, inner, reach), _nearby(pixels, 1 - outer, reach)
    line = here - there
    length = (line**2).sum(-1)
    between = ((pixels - there) * line).sum(-1) / np.maximum(length, 1)
    guided = cv2.ximgproc.guidedFilter(pixels, person.astype(np.float32), reach, 1e-3 * 255**2)
    trust = length / (length + APART**2)
    alpha = trust * between.clip(0, 1) + (1 - trust) * guided
    alpha = ((alpha - HAZE) / (1 - 2 * HAZE)).clip(0, 1)
    alpha = np.where((outer > 0) & (inner == 0), alpha, person).astype(np.float32)
    unsure = ((SURE[1] - coarse) / (SURE[1] - SURE[0])).clip(0, 1)
    doubtful = (outer > 0) & (unsure > 0)
    sure = inner & (coarse > SURE[1]).astype(np.uint8)
    own = look_alike(pixels, doubtful, sure, 1 - outer, reach)
    alpha *= 1 - unsure * (1 - own)
    return np.asarray(cv2.GaussianBlur(alpha, (3, 3), 0.6), np.float32)


def _nearby(pixels: Pixels, known: Pixels, reach: int) -> Floats:
    """Return the mean colour (H, W, 3) of the known pixels (H, W) around each one."""
    weight = known.astype(np.float32)
    summed = cv2.GaussianBlur(pixels * weight[..., None], (0, 0), reach)
    share = np.maximum(cv2.GaussianBlur(weight, (0, 0), reach), 1e-4)
    return np.asarray(summed / share[..., None], np.float32)


def _disc(radius: int) -> Pixels:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
