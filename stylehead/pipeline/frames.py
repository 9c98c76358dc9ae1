"""Frames of a scene one after the other, drawn by several threads: for what is one stream."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import partial

import numpy as np

from stylehead.compute.device import one_thread
from stylehead.compute.threads import in_order
from stylehead.pipeline.film import PATIENCE, Shot
from stylehead.progress import SILENT, Reporter, look
from stylehead.types import Pixels


def frames_of(shot: Shot, *, workers: int, reporter: Reporter = SILENT) -> Generator[Pixels]:
    """Yield the frames (H, W, C) of a video in order, each in memory of its own.

    Drawn ahead are as many batches as there are workers. The frames are the same for any number.
    What fails in a thread is raised here, after all have stopped.
    """
    parallel = shot.scene.parallel
    batches = (rows for number in range(shot.segments) for rows in shot.batches(number))
    reporter.start("Rendering", len(shot.motions[0]))
    count, draw = workers if parallel else 1, partial(_drawn, shot)
    with (
        one_thread(parallel),
        closing(in_order(draw, batches, workers=count, alone=parallel, patience=PATIENCE)) as drawn,
    ):
        for frames in drawn:
            look(reporter, partial(frames.__getitem__, 0))
            for frame in frames:
                yield frame
                reporter.advance()


def _drawn(shot: Shot, rows: range) -> list[Pixels]:
    width, height = shot.size
    top, left = (side.start for side in shot.scene.area)
    frames: list[Pixels] = []
    for area in shot.areas(rows):
        frame = shot.scene.picture.copy()
        frame[top : top + len(area), left : left + area.shape[1]] = area
        frames.append(np.ascontiguousarray(frame[:height, :width]))
    return frames
