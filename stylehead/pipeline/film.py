"""Filming: a scene in motion -> segments of a video, made by several workers at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Protocol

import numpy as np
import torch

from stylehead.compute.device import one_thread
from stylehead.compute.threads import at_work
from stylehead.media.h264 import H264, X264
from stylehead.media.segment import SEGMENT, EncoderPicture, Segment, SegmentEncoder
from stylehead.options import Options
from stylehead.progress import SILENT, Reporter, look
from stylehead.provenance.mark import Mark
from stylehead.rendering.renderer import LoadedRenderer, Scene
from stylehead.types import Motion, Pixels

Task = Callable[[], None]
Pictures = list[EncoderPicture]
PATIENCE = 60.0
"""Seconds that a worker has for the task it is at."""


class Preparable(Protocol):
    """Values that can be sent to where a shot is filmed."""

    @property
    def options(self) -> Options:
        """How it is filmed."""
        ...

    def shot(self, renderer: LoadedRenderer) -> Shot:
        """Prepare what is filmed, with the renderer that the options name."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What is filmed: a scene, and the motion of each of its faces, all of one length."""

    scene: Scene
    motions: Sequence[Motion]
    source: Preparable | None = None
    """What it was prepared from; None: it can be filmed in this process alone."""
    mark: Mark | None = None
    """What is hidden in its frames."""
    by: H264 = X264
    """What encodes its segments."""

    @property
    def segments(self) -> int:
        """Number of segments of the video."""
        return -(-len(self.motions[0]) // SEGMENT)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the video."""
        return self.scene.width // 2 * 2, self.scene.height // 2 * 2

    def frames_of(self, number: int) -> int:
        """Return how many frames a segment has."""
        return min(SEGMENT, len(self.motions[0]) - number * SEGMENT)

    def batches(self, number: int) -> list[range]:
        """Return the frames of a segment, in the batches in which they are drawn.

        They are the same however the work is shared out, since a network's last digits may depend
        on what else is in a batch.
        """
        end = number * SEGMENT + self.frames_of(number)
        starts = range(number * SEGMENT, end, self.scene.batch)
        return [range(start, min(start + self.scene.batch, end)) for start in starts]

    def picture(self) -> EncoderPicture:
        """Return the still picture, for frames to be drawn into."""
        return EncoderPicture(self.scene.picture)

    def draw(self, rows: range, pictures: Pictures) -> Pictures:
        """Draw frames into pictures, and return those that were needed."""
        top, left = (side.start for side in self.scene.area)
        for area, picture in zip(self.areas(rows), pictures, strict=False):
            picture.draw(area, top, left)
        return pictures[: len(rows)]

    def areas(self, rows: range) -> Iterator[Pixels]:
        """Yield the part of frames that can differ from the still picture, marked."""
        drawn = self.scene.draw([motion[np.asarray(rows)] for motion in self.motions])
        for number, area in zip(rows, drawn, strict=True):
            yield self.mark.on(area, number) if self.mark else area

    def encoder(self) -> SegmentEncoder:
        """Return an encoder for one segment."""
        return SegmentEncoder(*self.size, self.motions[0].fps, self.by)


def film_segment(shot: Shot, number: int) -> Segment:
    """Render and encode one segment; it is the same that `film` yields."""
    pictures = [shot.picture() for _ in range(shot.scene.batch)]
    encoder = shot.encoder()
    with one_thread(shot.scene.parallel):
        for rows in shot.batches(number):
            for picture in shot.draw(rows, pictures):
                encoder.add(picture)
    return encoder.finish()


def film(
    shot: Shot,
    numbers: Sequence[int] | None = None,
    *,
    workers: int,
    reporter: Reporter = SILENT,
) -> Generator[Segment]:
    """Yield the segments of a video of these numbers, in order, rendered and encoded at once.

    `numbers` rise; None means all. The bytes are the same for any number of workers. What fails in
    a worker is raised here, after all have stopped.
    """
    scene = shot.scene
    numbers = range(shot.segments) if numbers is None else numbers
    reporter.start("Rendering", sum(shot.frames_of(number) for number in numbers))
    crew = _Crew(shot, numbers, workers=workers, reporter=reporter)
    # A renderer that fills all cores by itself, or the GPU, leaves no more than the encoding.
    count = workers if scene.parallel else (1 if scene.device.type == "cpu" else 2)
    alone = count == 1
    tasks = [] if alone else [crew.work] * count
    with one_thread(scene.parallel), at_work(tasks, stop=crew.stop, patience=PATIENCE):
        yield from crew.segments(alone=alone)


@dataclass(slots=True, eq=False)
class _Part:
    """A segment that is being made."""

    number: int
    batches: list[range]
    encoder: SegmentEncoder
    begun: int = 0
    """Batches that have been given to a worker."""
    encoded: int = 0
    busy: bool = False
    """Whether a worker encodes it."""
    drawn: dict[int, Pictures] = field(default_factory=dict[int, Pictures])


@dataclass(frozen=True, slots=True, eq=False)
class _News:
    """Frames that were encoded, and the segment if they were its last."""

    frames: int
    number: int
    segment: Segment | None


class _Crew:
    """Shares out the work. Batches are drawn in any order and encoded in theirs.

    A worker encodes what is ready before it draws anything new, so what is drawn and not yet
    encoded stays a few batches. Segments are made one after the other by few workers; for many, one
    encoder is not fast enough, and there are several at once.

    The calling thread hears of it through a queue and never waits for the condition: an interrupt
    is raised there at any place, also between a condition's two halves, and would leave it locked.
    """

    def __init__(
        self, shot: Shot, numbers: Sequence[int], *, workers: int, reporter: Reporter
    ) -> None:
        self._shot = shot
        self._reporter = reporter
        self._numbers = numbers
        self._left = deque(numbers)
        self._open = 1 + (workers - 1) // 4
        self._in_flight = workers + self._open
        self._draws = workers if shot.scene.parallel else 1
        self._lock = threading.RLock()
        self._turn = threading.Condition(self._lock)
        self._parts: list[_Part] = []
        self._drawing = 0
        self._free: list[Pictures] = []
        self._made = 0
        self._news: SimpleQueue[_News | BaseException] = SimpleQueue()
        self._stopped = False

    def work(self) -> None:
        """Do one task after the other, until there are none or something fails."""
        try:
            if self._shot.scene.parallel:
                torch.set_num_threads(1)  # a setting of each thread
            while task := self._wait():
                task()
        except BaseException as failure:  # noqa: BLE001 (raised again where segments are awaited)
            self._news.put(failure)
            self.stop()

    def segments(self, *, alone: bool) -> Iterator[Segment]:
        """Yield the segments that workers make, in order; alone, make them in this thread."""
        made: dict[int, Segment] = {}
        for number in self._numbers:
            while number not in made:
                while alone and self._news.empty():
                    self._do_one()
                news = self._news.get()
                if isinstance(news, BaseException):
                    raise news
                for _ in range(news.frames):
                    self._reporter.advance()
                if news.segment:
                    made[news.number] = news.segment
            yield made.pop(number)

    def stop(self) -> None:
        """Have workers end after the task they are at."""
        with self._lock:  # the condition's own; its own way in is not safe from interrupts
            self._stopped = True
            self._turn.notify_all()

    def _do_one(self) -> None:
        task = self._task()
        if task is None:
            raise RuntimeError("nothing is left to do, and a segment is missing")
        task()

    def _wait(self) -> Task | None:
        """Return the next task when there is one; None when there will be none."""
        with self._turn:
            while not self._stopped:
                if task := self._task():
                    return task
                if not self._left and not self._parts:
                    return None
                self._turn.wait()
        return None

    def _task(self) -> Task | None:
        """Take what is to be done now."""
        for part in self._parts:
            if not part.busy and part.encoded in part.drawn:
                part.busy = True
                return partial(self._encode, part, part.drawn.pop(part.encoded))
        if self._drawing == self._draws:
            return None
        pictures = self._pictures()
        if pictures is None:
            return None
        unfinished = [part for part in self._parts if part.begun < len(part.batches)]
        if len(unfinished) < self._open and self._left:
            number = self._left.popleft()
            unfinished.append(_Part(number, self._shot.batches(number), self._shot.encoder()))
            self._parts.append(unfinished[-1])
        if not unfinished:
            self._free.append(pictures)
            return None
        part = min(unfinished, key=lambda one: one.begun - one.encoded)
        part.begun += 1
        self._drawing += 1
        return partial(self._draw, part, part.begun - 1, pictures)

    def _pictures(self) -> Pictures | None:
        """Return memory for a batch, or None while all is in use."""
        if self._free:
            return self._free.pop()
        if self._made == self._in_flight:
            return None
        self._made += 1
        return [self._shot.picture() for _ in range(self._shot.scene.batch)]

    def _draw(self, part: _Part, batch: int, pictures: Pictures) -> None:
        self._shot.draw(part.batches[batch], pictures)
        with self._turn:
            self._drawing -= 1
            part.drawn[batch] = pictures
            self._turn.notify_all()

    def _encode(self, part: _Part, pictures: Pictures) -> None:
        rows = part.batches[part.encoded]
        for picture in pictures[: len(rows)]:
            part.encoder.add(picture)
        look(self._reporter, pictures[0].pixels)
        last = part.encoded + 1 == len(part.batches)
        segment = part.encoder.finish() if last else None
        with self._turn:
            self._free.append(pictures)
            part.encoded += 1
            part.busy = False
            if segment:
                self._parts.remove(part)
            self._turn.notify_all()
        self._news.put(_News(len(rows), part.number, segment))
