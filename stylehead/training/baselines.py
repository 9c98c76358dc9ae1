"""Fit the benchmark's baselines on the clips the motion generator is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from stylehead.errors import DataError
from stylehead.speech.encoders import LogMelEncoder
from stylehead.speech.mel import context, mel_filters
from stylehead.training.av_sync import OFFSETS, align_speakers, read_offsets
from stylehead.training.data.audio import Corpora
from stylehead.training.data.clips import PEOPLE, load_clips
from stylehead.training.data.speakers import encode_speakers, load_speakers
from stylehead.types import MEL_ROWS_PER_FRAME

RIDGE = 300.0  # against 63,000 frames of rows in [0, 1]; neighbouring rows say nearly the same
RANK = 24  # of the regression's 204 outputs
QUIET_SHARE = 10.0  # percentile of the level that counts as no voice


def fit_baselines(data: Path, path: Path) -> dict[str, str]:
    """Fit the baselines on what the motion generator learns from, write them, return the metrics.

    Raises DataError when no clip has clear sync.
    """
    speakers, _ = load_speakers(load_clips(data / "clips"))
    known = [speaker for speaker in speakers if speaker.person not in PEOPLE]
    nothing = np.zeros(0, np.int16)
    corpora = Corpora(nothing, nothing, nothing)
    encoded = align_speakers(
        encode_speakers(known, LogMelEncoder(), corpora, tempi=()), read_offsets(data / OFFSETS)
    )
    if not encoded:
        raise DataError(
            f"{data} holds no clip with clear sync.",
            remedy="Run stylehead train motion first: it measures the offsets.",
        )
    renditions = [speaker.renditions[0] for speaker in encoded]
    rows = [
        clip.features.float().numpy().reshape(len(clip.features), MEL_ROWS_PER_FRAME, -1).mean(1)
        for clip in renditions
    ]
    x = np.concatenate([context(mel) for mel in rows]).astype(np.float64)
    y = np.concatenate([clip.offsets.numpy().reshape(-1, 204) for clip in renditions])
    level = np.concatenate(rows).mean(1)
    quiet = np.percentile(level, QUIET_SHARE)
    loud = np.maximum(level - quiet, 0)
    x_mean, y_mean = x.mean(0), y.mean(0)
    centred = x - x_mean
    gram = centred.T @ centred + RIDGE * np.eye(x.shape[1])
    slope = np.linalg.solve(gram, centred.T @ (y - y_mean))
    left, sizes, right = np.linalg.svd(slope, full_matrices=False)
    ridge_in = left[:, :RANK] * sizes[:RANK]
    metrics = {"clips": str(len(renditions)), "frames": str(len(y))}
    save_file(
        {
            "filters": mel_filters(),
            "mean": y_mean.astype(np.float32),
            "quiet": np.array(quiet, np.float32),
            "jaw": (loud @ y / (loud @ loud)).astype(np.float32),
            "ridge_in": ridge_in.astype(np.float16),
            "ridge_out": right[:RANK].astype(np.float16),
            "ridge_mean": (y_mean - x_mean @ ridge_in @ right[:RANK]).astype(np.float32),
        },
        path,
        metadata=metrics,
    )
    path.chmod(0o644)
    return metrics
