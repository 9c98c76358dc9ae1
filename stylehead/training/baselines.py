"""Learn the baselines from the clips the motion generator is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from stylehead.errors import MediaError
from stylehead.speech.encoders import LogMelEncoder
from stylehead.speech.mel import context, mel_filters
from stylehead.training.av_sync import LAGS, align_speakers, read_lags
from stylehead.training.data.audio import Corpora
from stylehead.training.data.clips import PEOPLE, load_clips
from stylehead.training.data.speakers import encode_speakers, load_speakers
from stylehead.types import MEL_ROWS_PER_FRAME

RIDGE = 300.0  # against 63,000 frames of rows in [0, 1]; neighbouring rows say nearly the same
RANK = 24  # of the regression's 204 outputs
QUIET_SHARE = 10.0  # percentile of the level that counts as no voice


def fit_baselines(data: Path, path: Path) -> dict[str, str]:
    """Fit and write the baselines on what the motion generator learns from."""
    speakers, _ = load_speakers(load_clips(data / "clips"))
    known = [one for one in speakers if one.person not in PEOPLE]
    nothing = np.zeros(0, np.int16)
    corpora = Corpora(nothing, nothing, nothing)
    heard = align_speakers(
        encode_speakers(known, LogMelEncoder(), corpora, tempi=()), read_lags(data / LAGS)
    )
    if not heard:
        raise MediaError(
            f"{data} holds no clip with clear sync.",
            remedy="Run stylehead train motion first: it measures the lags.",
        )
    takes = [one.takes[0] for one in heard]
    rows = [
        take.features.float().numpy().reshape(len(take.features), MEL_ROWS_PER_FRAME, -1).mean(1)
        for take in takes
    ]
    x = np.concatenate([context(each) for each in rows]).astype(np.float64)
    y = np.concatenate([take.offsets.numpy().reshape(-1, 204) for take in takes])
    level = np.concatenate(rows).mean(1)
    quiet = np.percentile(level, QUIET_SHARE)
    loud = np.maximum(level - quiet, 0)
    x_mean, y_mean = x.mean(0), y.mean(0)
    centred = x - x_mean
    gram = centred.T @ centred + RIDGE * np.eye(x.shape[1])
    slope = np.linalg.solve(gram, centred.T @ (y - y_mean))
    left, sizes, right = np.linalg.svd(slope, full_matrices=False)
    ridge_in = left[:, :RANK] * sizes[:RANK]
    metrics = {"clips": str(len(takes)), "frames": str(len(y))}
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
