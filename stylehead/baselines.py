"""Simple answers to the motion task; a model has to beat them before its figures mean something."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from safetensors.numpy import load_file

from stylehead import weights
from stylehead.features import LOUDNESS, mel_chunks
from stylehead.media import Sound
from stylehead.models.motion_generator import FPS, ROWS_PER_FRAME
from stylehead.types import Floats

CONTEXT = range(-24, 25, 4)  # frames at 60 fps whose mel rows the regression sees: +-0.4 s


class Baselines:
    """Mean motion, loudness and ridge regression, learned from the same clips as the model."""

    def __init__(self) -> None:
        arrays = load_file(weights.resolve("baselines"))
        self._arrays = {name: array.astype(np.float32) for name, array in arrays.items()}

    def predict(self, sound: Sound, fps: Fraction, frames: int) -> dict[str, Floats]:
        """Return name -> landmark offsets (T, 68, 3) of an average person."""
        rows = frame_rows(sound, self._arrays["filters"])
        times = (np.arange(frames) / float(fps) * FPS).round().astype(int).clip(0, len(rows) - 1)
        level = rows.mean(1) - self._arrays["quiet"]
        jaw = np.maximum(level, 0)[:, None] * self._arrays["jaw"]
        ridge = context(rows) @ self._arrays["ridge_in"] @ self._arrays["ridge_out"]
        ridge += self._arrays["ridge_mean"]
        return {
            "frozen face": np.zeros((frames, 68, 3), np.float32),
            "mean mouth motion": np.repeat(self._arrays["mean"].reshape(1, 68, 3), frames, 0),
            "loudness -> jaw": jaw[times].reshape(-1, 68, 3),
            "ridge from log-mel": ridge[times].reshape(-1, 68, 3),
        }


def frame_rows(sound: Sound, filters: Floats) -> Floats:
    """Return the mean log-mel row (T, 80) of each frame at 60 fps."""
    bank = torch.from_numpy(np.ascontiguousarray(filters, np.float32))
    chunks = mel_chunks(sound.blocks(), bank, gain=LOUDNESS / sound.loudness, frames=FPS)
    rows = torch.cat(list(chunks)).numpy()
    return rows.reshape(-1, ROWS_PER_FRAME, rows.shape[1]).mean(1)


def context(rows: Floats) -> Floats:
    """Put the rows around each frame side by side: (T, 80) in, (T, 80 * len(CONTEXT)) out."""
    frames = np.arange(len(rows))
    return np.concatenate(
        [rows[(frames + shift).clip(0, len(rows) - 1)] for shift in CONTEXT], axis=1
    )
