"""What makes a tracked clip doubtful: few pictures a second, a picture that stands, two people."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead.progress import clock
from stylehead.types import Floats, Pixels

THUMBNAIL, TINY = 64, 16  # pixels
UNCHANGED = 2  # of 255: most that coding changes a thumbnail's pixel in a picture that stands
FEWEST_A_SECOND = 7.0  # pictures: below it lips cannot be followed
REPEATED = 0.8  # of the frames, from which a clip has fewer pictures than it says
STANDS = 2.0  # seconds without a change
LOOK = 60.0  # pixels of a face's height at which its look is compared
JUMP = 0.04  # mean change of a thumbnail, full scale 1, that may be a cut between people
BEFORE = 25  # frames on each side of a cut that are compared
OTHER_LOOK = 0.28  # 1 - correlation; one person's halves of a clip: 0.08 (0.23 at most in 19 of 20)
MOST_CUTS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Glimpse:
    """What is kept of a frame's picture."""

    thumbnail: Pixels
    """(THUMBNAIL, THUMBNAIL, 3)."""
    look: Floats | None
    """(478,) brightness of the face at the vertices of its mesh; None without a face."""

    def tiny(self) -> NDArray[np.float64]:
        """Return the picture at (TINY, TINY, 3), full scale 1."""
        small = cv2.resize(self.thumbnail, (TINY, TINY), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float64) / 255


def glimpse(pixels: Pixels, mesh: Floats | None) -> Glimpse:
    """Return what is kept of a frame (H, W, 3) and of the face in it, a mesh (478, 3)."""
    small = cv2.resize(pixels, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return Glimpse(np.asarray(small, np.uint8), None if mesh is None else _look(pixels, mesh))


class Looks:
    """Watches a clip's frames; says at its end what is doubtful."""

    def __init__(self) -> None:
        self._thumbnail: NDArray[np.int16] | None = None
        self._changes: list[float] = []
        self._still: list[bool] = []
        self._faces: list[Floats | None] = []

    def watch(self, seen: Glimpse) -> None:
        """Take what is seen in the next frame."""
        small = seen.thumbnail.astype(np.int16)
        change = np.zeros(1) if self._thumbnail is None else np.abs(small - self._thumbnail)
        self._still.append(self._thumbnail is not None and int(change.max()) <= UNCHANGED)
        self._changes.append(float(change.mean()) / 255)
        self._thumbnail = small
        self._faces.append(seen.look)

    def doubts(self, seconds: NDArray[np.float64]) -> list[str]:
        """Return one sentence for each doubt; seconds (T,) of the frames."""
        if len(seconds) < 2 or seconds[-1] - seconds[0] < 1:
            return []
        return [*self._slow(seconds), *self._others(seconds)]

    def _slow(self, seconds: NDArray[np.float64]) -> list[str]:
        still = np.array(self._still)
        rate = (len(seconds) - 1) / float(seconds[-1] - seconds[0])
        shown = rate * float(1 - still[1:].mean())
        if rate < FEWEST_A_SECOND:
            return [f"The clip has only {rate:.1f} frames a second: lips move faster than that."]
        stands = _longest(still, seconds)
        if stands < STANDS and still[1:].mean() >= REPEATED and shown < FEWEST_A_SECOND:
            return [
                f"{still.mean():.0%} of the frames repeat the one before: the clip shows only "
                f"{shown:.1f} pictures a second, and lips move faster than that."
            ]
        if stands >= STANDS:
            return [
                f"The picture stands still for {stands:.1f} s: a face that moves is to be seen "
                "throughout."
            ]
        return []

    def _others(self, seconds: NDArray[np.float64]) -> list[str]:
        """Compare what the face looks like before and after the places that may be cuts."""
        changes = np.array(self._changes)
        cuts = sorted(int(at) for at in np.argsort(-changes)[:MOST_CUTS] if changes[at] > JUMP)
        edges = [0, *cuts, len(changes)]
        for first, cut, last in zip(edges, edges[1:], edges[2:], strict=False):
            before = [one for one in self._faces[first:cut] if one is not None][-BEFORE:]
            after = [one for one in self._faces[cut:last] if one is not None][:BEFORE]
            if not before or not after:
                continue
            one, other = (_outline(np.median(looks, axis=0)) for looks in (before, after))
            if 1 - float(one @ other) > OTHER_LOOK:
                return [
                    f"Somebody else seems to be shown from {clock(seconds[cut])} on: a style is "
                    "to be one person's. --start and --duration choose a part."
                ]
        return []


def _look(pixels: Pixels, mesh: Floats) -> Floats:
    """Return the brightness (478,) of a face at the vertices of its mesh, at LOOK pixels."""
    low = np.floor(mesh[:, :2].min(0)).astype(int).clip(0)
    high = np.ceil(mesh[:, :2].max(0)).astype(int) + 1
    box = pixels[low[1] : high[1], low[0] : high[0]]
    if min(box.shape[:2]) < 2:
        return np.zeros(len(mesh), np.float32)
    scale = min(1.0, LOOK / box.shape[0])
    size = (max(2, round(box.shape[1] * scale)), max(2, round(box.shape[0] * scale)))
    grey = cv2.cvtColor(
        np.asarray(cv2.resize(box, size, interpolation=cv2.INTER_AREA)), cv2.COLOR_RGB2GRAY
    )
    points = ((mesh[:, :2] - low) * scale).astype(int).clip(0, np.array(size) - 1)
    return grey[points[:, 1], points[:, 0]].astype(np.float32)


def _outline(look: Floats) -> Floats:
    """Return a look (478,) free of light and contrast: logarithmic, mean 0, length 1."""
    bent = np.log(look + 8)
    bent = bent - bent.mean()
    return bent / max(float(np.linalg.norm(bent)), 1e-6)


def _longest(still: NDArray[np.bool_], seconds: NDArray[np.float64]) -> float:
    """Return the length in seconds of the longest stretch of frames that repeat the one before."""
    longest, began = 0.0, float(seconds[0])
    for at, stands in zip(seconds.tolist(), still.tolist(), strict=True):
        if not stands:
            began = at
        longest = max(longest, at - began)
    return longest
