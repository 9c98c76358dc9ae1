"""Simple answers to the motion task; a model has to beat them before its figures mean something."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from safetensors.numpy import load_file

from stylehead.media.audio import Sound
from stylehead.speech.mel import context, frame_rows
from stylehead.types import MOTION_FPS, Floats
from stylehead.weights.store import resolve

NEUTRAL_FACE = "neutral face"
"""Row of a face that does not move at all: the person's neutral one."""


class Baselines:
    """Mean motion, loudness and ridge regression, learned from the same clips as the model."""

    def __init__(self) -> None:
        arrays = load_file(resolve("baselines"))
        self._arrays = {name: array.astype(np.float32) for name, array in arrays.items()}

    def predict(self, sound: Sound, fps: Fraction, frames: int) -> dict[str, Floats]:
        """Return name -> landmark offsets (T, 68, 3) of an average person."""
        rows = frame_rows(sound, self._arrays["filters"])
        times = (
            (np.arange(frames) / float(fps) * MOTION_FPS).round().astype(int).clip(0, len(rows) - 1)
        )
        level = rows.mean(1) - self._arrays["quiet"]
        jaw = np.maximum(level, 0)[:, None] * self._arrays["jaw"]
        ridge = context(rows) @ self._arrays["ridge_in"] @ self._arrays["ridge_out"]
        ridge += self._arrays["ridge_mean"]
        return {
            NEUTRAL_FACE: np.zeros((frames, 68, 3), np.float32),
            "mean mouth motion": np.repeat(self._arrays["mean"].reshape(1, 68, 3), frames, 0),
            "loudness -> jaw": jaw[times].reshape(-1, 68, 3),
            "ridge from log-mel": ridge[times].reshape(-1, 68, 3),
        }
