"""Stand-ins for the person segmenter."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import ModuleType

import cv2
import numpy as np
import pytest

from stylehead.types import Floats, Pixels


def answer(
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    coarse: Floats | float | Callable[[Pixels], Floats],
) -> None:
    """Make a module's segmenter answer this: a matte of a whole picture, one number, or a call."""

    @contextmanager
    def segmenter() -> Generator[Callable[[Pixels], Floats]]:
        def segment(pixels: Pixels) -> Floats:
            if callable(coarse):
                return coarse(pixels)
            if isinstance(coarse, float):
                return np.full(pixels.shape[:2], coarse, np.float32)
            size = (pixels.shape[1], pixels.shape[0])
            return np.asarray(cv2.resize(np.asarray(coarse, np.float32), size), np.float32)

        yield segment

    monkeypatch.setattr(module, "person_segmenter", segmenter)
