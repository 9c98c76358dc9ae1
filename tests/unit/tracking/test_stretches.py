"""Stretches are joined to one track: every frame once, one face, the same for any workers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stylehead.errors import MediaError
from stylehead.tracking import stretches as module
from stylehead.tracking.clip import track_video
from stylehead.tracking.stretches import LEAD, STRETCH, track_stretches
from stylehead.types import Face
from tests.stand_ins import media

FPS = 10
HEIGHT = 100.0


def face(x: float) -> Face:
    """A face of HEIGHT pixels that far to the right."""
    mesh = np.zeros((478, 3), np.float32)
    mesh[:, 0] = x
    mesh[0, 1] = HEIGHT
    return Face(mesh, np.zeros(52, np.float32))


class FakeFollower:
    """Sees a frame each 1/FPS s of a clip of `seconds`; `sees` says where the face is, or None."""

    seconds = announced = 13.0
    begun: list[float] = []  # noqa: RUF012 (of one test)
    gap = (0.0, 0.0)

    @staticmethod
    def sees(since: float, now: float) -> float | None:
        del since, now
        return 0.0

    def __init__(self, path, start, every=1):
        del path, every
        FakeFollower.begun.append(start)
        self.start, self.closed, self.ended = start, False, False
        times = (number / FPS for number in range(round(self.seconds * FPS)))
        self.times = [t for t in times if t >= start and not self.gap[0] <= t < self.gap[1]]

    def until(self, end):
        if not self.times and self.start >= self.seconds:
            raise MediaError("no frame", remedy="")
        seen = [time for time in self.times if time < end]
        self.times = self.times[len(seen) :]
        self.ended = not self.times
        places = [self.sees(self.start, time) for time in seen]
        return [
            SimpleNamespace(seconds=time, face=None if x is None else face(x), by=self.start)
            for time, x in zip(seen, places, strict=True)
        ]

    def close(self):
        self.closed = True


@pytest.fixture
def follower(monkeypatch):
    """Put a tracker of our own in place of the real one."""
    made = type("Follower", (FakeFollower,), {})
    FakeFollower.begun = []
    monkeypatch.setattr(module, "Follower", made)
    monkeypatch.setattr(module, "length_of", lambda _: made.announced)
    return made


def joined(workers=2, start=0.0, end=np.inf):
    return list(track_stretches(Path("clip"), start=start, end=end, workers=workers))


def by(seen, time):
    """Return when the tracker began that has seen a moment."""
    return next(one.by for one in seen if one.seconds == pytest.approx(time))


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("part", [(0.0, np.inf), (2.3, np.inf), (2.3, 9.0), (0.0, 4.0), (1.0, 1.5)])
def test_every_frame_of_a_part_is_seen_once_in_order(follower, workers, part):
    start, end = part
    times = [one.seconds for one in joined(workers, start, end)]
    assert times == [n / FPS for n in range(130) if start <= n / FPS < end]
    assert follower.seconds == 13.0


@pytest.mark.parametrize("announced", [0.0, 3.0, 8.0, 12.9, 40.0])
def test_what_a_clip_says_of_its_length_need_not_be_true(follower, announced):
    follower.announced = announced
    assert [one.seconds for one in joined()] == [n / FPS for n in range(130)]


def test_nothing_is_looked_for_after_a_clips_end(follower):
    joined(workers=5)
    assert sorted(follower.begun) == [0, STRETCH - LEAD, 2 * STRETCH - LEAD, 3 * STRETCH - LEAD]


def test_a_gap_longer_than_a_stretch_is_not_the_clips_end(follower):
    follower.gap = (3.0, 3.0 + 2 * STRETCH)
    times = [one.seconds for one in joined()]
    assert len(times) == 130 - 80 and times[-1] == 12.9


def test_each_stretch_has_a_tracker_that_has_settled(follower):
    seen = joined()
    assert [by(seen, time) for time in (0, 5, 9)] == [0, STRETCH - LEAD, 2 * STRETCH - LEAD]
    assert follower is module.Follower


def test_the_face_that_was_followed_is_followed_on_where_a_new_tracker_takes_another(follower):
    """The second person, far to the right, is taken by whoever begins near them."""
    follower.sees = staticmethod(lambda since, _: 500.0 if 3 < since < 7 else 0.0)
    seen = joined()
    assert {float(one.face.mesh[5, 0]) for one in seen if one.face} == {0.0}
    assert all(one.face for one in seen)
    assert by(seen, 5) == 0  # the first tracker has gone on
    assert by(seen, 9) == 2 * STRETCH - LEAD  # one that agrees with it takes over


def test_a_tracker_that_holds_the_face_goes_on_where_a_new_one_does_not_find_it(follower):
    follower.sees = staticmethod(lambda since, _: None if 3 < since < 7 else 0.0)
    assert all(one.face for one in joined())


def test_a_face_that_was_lost_is_taken_up_by_whoever_finds_it(follower):
    follower.sees = staticmethod(lambda since, _: None if since < 3 else 0.0)
    seen = joined()
    assert by(seen, 5) == STRETCH - LEAD
    assert [bool(one.face) for one in seen] == [one.seconds >= STRETCH for one in seen]


def test_a_clip_without_frames_says_so(follower):
    follower.seconds = 0.0
    with pytest.raises(MediaError, match="no frame"):
        joined()


def test_the_track_is_the_same_for_any_number_of_workers(home: Path, tmp_path: Path) -> None:
    del home
    still = media.resized(media.portrait(), (240, 240))
    frames = [np.roll(still, number % 7, axis=1) for number in range(round(9 * FPS))]
    clip = media.save_video(tmp_path / "clip.mp4", frames, fps=FPS)
    one, other = (track_video(clip, workers=workers) for workers in (1, 3))
    assert len(one.seconds) == len(frames) and one.found.all()
    for name in ("mesh", "expression", "sharpness", "seconds", "cuts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
