"""What the page has done in processes of their own."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from stylehead.batch.events import Facts
from stylehead.cli.page.desk import LIVE
from stylehead.media.image import encode_jpeg
from stylehead.options import Options, StyleEffort
from stylehead.pipeline.run import animate
from stylehead.progress import Reporter
from stylehead.types import Pixels

SIDE = 240  # pixels of the live picture's longer side
EVERY = 0.4  # seconds between two of them
PAPER = 255  # what transparent frames are laid on


class Task(Protocol):
    """Something to do."""

    folder: Path

    def do(self, reporter: Reporter) -> Facts:
        """Do it, and return what there is to say."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A video to make."""

    folder: Path
    image: Path
    audio: Path
    output: Path
    style: str
    """A known style's name."""
    clip: Path | None
    """What the style is learned from instead."""
    effort: StyleEffort
    options: Options

    def do(self, reporter: Reporter) -> Facts:
        """Make it; raises what `animate` and `extract_style` raise."""
        style = self.style
        if self.clip:
            from stylehead.finetuning.clip_style import extract_style  # other jobs start sooner

            style = extract_style(
                self.clip, effort=self.effort, encoder=self.options.encoder, reporter=reporter
            )
        result = animate(
            self.image,
            self.audio,
            self.output,
            style=style,
            options=self.options,
            reporter=reporter,
        )
        return json.loads(result.as_json()) | {"summary": result.summary()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A comparison to write: with a real video of the same words, or with a style's clip."""

    folder: Path
    result: Path
    other: Path
    same_words: bool
    page: Path

    def do(self, reporter: Reporter) -> Facts:
        """Write it; raises what `evaluate` raises."""
        from stylehead.evaluation.run import evaluate  # other jobs start sooner

        evaluate(
            self.result,
            reference=self.other if self.same_words else None,
            style_video=None if self.same_words else self.other,
            page=self.page,
            reporter=reporter,
        )
        return {"page": str(self.page)}


def do(task: Task, reporter: Reporter) -> Facts:
    """Do a task whose files, temporary ones too, are all in its folder."""
    tempfile.tempdir = str(task.folder)
    return task.do(Watcher(reporter, task.folder / LIVE))


class Watcher:
    """Passes on what is reported, and keeps the frame that was made last as a small picture."""

    def __init__(self, reporter: Reporter, path: Path) -> None:
        self._path = path
        self._next = 0.0
        self._busy = threading.Lock()
        self.start, self.advance, self.say = reporter.start, reporter.advance, reporter.say

    def view(self, frame: Callable[[], Pixels]) -> None:
        """Keep a frame if it is time for one; another thread's is not waited for."""
        if time.monotonic() < self._next or not self._busy.acquire(blocking=False):
            return
        try:
            self._next = time.monotonic() + EVERY
            part = self._path.with_suffix(".part")
            part.write_bytes(encode_jpeg(small(frame())))
            part.replace(self._path)
        finally:
            self._busy.release()


def small(frame: Pixels) -> Pixels:
    """Return a frame (H, W, 3 or 4) as RGB, its longer side SIDE pixels at most."""
    scale = min(1.0, SIDE / max(frame.shape[:2]))
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    reduced = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.float32)
    if reduced.shape[2] == 4:
        opaque = reduced[..., 3:] / 255
        reduced = reduced[..., :3] * opaque + PAPER * (1 - opaque)
    return reduced.round().astype(np.uint8)
