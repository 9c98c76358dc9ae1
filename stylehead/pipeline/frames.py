"""Frames of a scene one after the other, drawn by several threads: for what is one stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from functools import partial
from queue import Empty, SimpleQueue

import numpy as np
import torch

from stylehead.device import one_thread
from stylehead.pipeline.film import PATIENCE, Shot
from stylehead.progress import SILENT, Reporter, look
from stylehead.threads import at_work
from stylehead.types import Pixels

Drawn = SimpleQueue[list[Pixels] | BaseException]
"""Where a batch is put when it is drawn."""
Asked = SimpleQueue[tuple[range, Drawn] | None]
"""Rows that are to be drawn, and where to; None ends a thread."""


def frames_of(shot: Shot, *, workers: int, reporter: Reporter = SILENT) -> Generator[Pixels]:
    """Yield the frames (H, W, C) of a video in order, each in memory of its own.

    Drawn ahead are as many batches as there are workers. The frames are the same for any number.
    What fails in a thread is raised here, after all have stopped.
    """
    scene = shot.scene
    count = workers if scene.parallel else 1
    batches = (rows for number in range(shot.segments) for rows in shot.batches(number))
    # Through queues alone, as film does and an executor does not: an interrupt is raised in this
    # thread at any place, also where a condition is half locked.
    asked: Asked = SimpleQueue()
    awaited: deque[Drawn] = deque()
    reporter.start("Rendering", len(shot.motions[0]))
    tasks, stop = [partial(_work, shot, asked)] * count, partial(_stop, asked, count)
    with one_thread(scene.parallel), at_work(tasks, stop=stop, patience=PATIENCE):
        for rows in batches:
            awaited.append(SimpleQueue())
            asked.put((rows, awaited[-1]))
            if len(awaited) > count:
                yield from _told(awaited.popleft(), reporter)
        while awaited:
            yield from _told(awaited.popleft(), reporter)


def _told(drawn: Drawn, reporter: Reporter) -> Generator[Pixels]:
    frames = drawn.get()
    if isinstance(frames, BaseException):
        raise frames
    look(reporter, lambda: frames[0])
    for frame in frames:
        yield frame
        reporter.advance()


def _work(shot: Shot, asked: Asked) -> None:
    if shot.scene.parallel:
        torch.set_num_threads(1)  # a setting of each thread
    while task := asked.get():
        rows, drawn = task
        try:
            drawn.put(_drawn(shot, rows))
        except BaseException as failure:  # noqa: BLE001 (raised again where frames are awaited)
            drawn.put(failure)


def _stop(asked: Asked, count: int) -> None:
    """Have threads end after the batch they are at."""
    try:
        while True:
            asked.get_nowait()
    except Empty:
        pass
    for _ in range(count):
        asked.put(None)


def _drawn(shot: Shot, rows: range) -> list[Pixels]:
    width, height = shot.size
    top, left = (side.start for side in shot.scene.area)
    frames: list[Pixels] = []
    for area in shot.areas(rows):
        frame = shot.scene.picture.copy()
        frame[top : top + len(area), left : left + area.shape[1]] = area
        frames.append(np.ascontiguousarray(frame[:height, :width]))
    return frames
