"""Frames of a scene one after the other, drawn by several threads: for what is one stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from stylehead.device import one_thread
from stylehead.pipeline.film import Shot
from stylehead.progress import SILENT, Reporter
from stylehead.types import Pixels


def frames_of(shot: Shot, *, workers: int, reporter: Reporter = SILENT) -> Generator[Pixels]:
    """Yield the frames (H, W, C) of a video in order, each in memory of its own.

    Drawn ahead are as many batches as there are workers. The frames are the same for any number.
    """
    scene = shot.scene
    threads = workers if scene.parallel else 1
    batches = (rows for number in range(shot.segments) for rows in shot.batches(number))
    drawn: deque[Future[list[Pixels]]] = deque()
    reporter.start("Rendering", len(shot.motions[0]))
    with one_thread(scene.parallel):
        pool = ThreadPoolExecutor(threads)
        try:
            for rows in batches:
                drawn.append(pool.submit(_drawn, shot, rows))
                if len(drawn) > threads:
                    yield from _told(drawn.popleft().result(), reporter)
            while drawn:
                yield from _told(drawn.popleft().result(), reporter)
        finally:
            pool.shutdown(cancel_futures=True)


def _told(frames: list[Pixels], reporter: Reporter) -> Generator[Pixels]:
    for frame in frames:
        yield frame
        reporter.advance()


def _drawn(shot: Shot, rows: range) -> list[Pixels]:
    if shot.scene.parallel:
        torch.set_num_threads(1)  # a setting of each thread
    width, height = shot.size
    top, left = (side.start for side in shot.scene.area)
    frames: list[Pixels] = []
    for area in shot.scene.draw([motion[np.asarray(rows)] for motion in shot.motions]):
        frame = shot.scene.picture.copy()
        frame[top : top + len(area), left : left + area.shape[1]] = area
        frames.append(np.ascontiguousarray(frame[:height, :width]))
    return frames
