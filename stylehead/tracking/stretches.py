"""A clip in stretches that are tracked at once, and joined as if one tracker had seen them all."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path

import numpy as np

from stylehead.compute.threads import in_order
from stylehead.media.video import length_of
from stylehead.tracking.detector import height_of
from stylehead.tracking.follower import Follower, Seen, middle_of

STRETCH, LEAD = 4.0, 0.5
"""Seconds of a stretch, and of what is tracked before it, in which a tracker settles."""
SAME = 0.5  # of a face's height: trackers that are nearer follow the same one


@dataclass(frozen=True, slots=True, eq=False)
class _Stretch:
    """What a tracker has seen that began anew shortly before it."""

    begin: float
    lead: list[Seen]
    frames: list[Seen]
    last: bool
    """Whether the clip ends with it."""


def track_stretches(
    path: Path, *, start: float, end: float, workers: int, every: int = 1
) -> Generator[Seen, None, None]:
    """Yield what is seen in the frames of a part of a clip, from `start` until `end` in seconds.

    Of the frames each `every`-th is looked at. Stretches do not depend on the number of workers,
    nor does anything that is seen. Where one finds another face than the stretch before it, the
    tracker of that one goes on.
    """
    # Where a clip is longer than it says, the rest is tracked when it comes to light.
    sure = max(1, math.ceil((min(end, length_of(path)) - start) / STRETCH))
    begins = (start + number * STRETCH for number in range(sure))
    further = (start + number * STRETCH for number in count(sure))
    track = partial(_tracked, path, start, end, every)
    before: list[Seen] = []
    origin = start  # of the tracker whose face counts
    going_on: Follower | None = None
    with closing(in_order(track, begins, workers=workers, alone=False)) as announced:
        try:
            for stretch in chain(announced, map(track, further)):
                frames = stretch.frames
                if _same_face(before, stretch.lead):
                    origin = max(start, stretch.begin - LEAD)
                    if going_on:
                        going_on.close()
                    going_on = None
                else:
                    if going_on is None:
                        going_on = Follower(path, origin, every)
                        going_on.until(stretch.begin)
                    frames = going_on.until(min(stretch.begin + STRETCH, end))
                yield from frames
                if stretch.last:
                    return
                before = frames
        finally:
            if going_on:
                going_on.close()


def _tracked(path: Path, start: float, end: float, every: int, begin: float) -> _Stretch:
    with closing(Follower(path, max(start, begin - LEAD), every)) as follower:
        lead = follower.until(min(begin, end))
        frames = follower.until(min(begin + STRETCH, end))
        return _Stretch(begin, lead, frames, follower.ended or begin + STRETCH >= end)


def _same_face(before: Sequence[Seen], lead: Sequence[Seen]) -> bool:
    """Tell whether two trackers follow one face, from what both have seen last.

    One that has lost the face gives way.
    """
    faces = {one.seconds: one.face for one in before}
    found = [(faces.get(one.seconds), one.face) for one in lead]
    both = [(one, other) for one, other in found if one and other]
    if not both:
        return not any(one for one, _ in found)
    one, other = both[-1]
    away = float(np.linalg.norm(middle_of(one) - middle_of(other)))
    return away < SAME * max(height_of(one), height_of(other))
