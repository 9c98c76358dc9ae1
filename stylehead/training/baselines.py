"""Learn the baselines from the clips the motion generator is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from stylehead.baselines import context
from stylehead.features import mel_filters
from stylehead.models.motion_generator import ROWS_PER_FRAME
from stylehead.training.data import Clip
from stylehead.training.motion import align_speakers, load_speakers, read_lags

RIDGE = 300.0  # against 63,000 frames of rows in [0, 1]; neighbouring rows say nearly the same
RANK = 24  # of the regression's 204 outputs
QUIET_SHARE = 10.0  # percentile of the level that counts as no voice


def fit_baselines(clips: list[Clip], run: Path, path: Path) -> dict[str, str]:
    """Fit and write the baselines; `run` is the motion generator's folder, for its lags."""
    filters = mel_filters()
    speakers, _ = load_speakers(clips, torch.from_numpy(filters))
    speakers = align_speakers(speakers, read_lags(run))
    rows = [
        one.rows.numpy().reshape(-1, ROWS_PER_FRAME, filters.shape[0]).mean(1) for one in speakers
    ]
    x = np.concatenate([context(each) for each in rows]).astype(np.float64)
    y = np.concatenate([one.offsets.numpy().reshape(-1, 204) for one in speakers])
    level = np.concatenate(rows).mean(1)
    quiet = np.percentile(level, QUIET_SHARE)
    loud = np.maximum(level - quiet, 0)
    x_mean, y_mean = x.mean(0), y.mean(0)
    centred = x - x_mean
    gram = centred.T @ centred + RIDGE * np.eye(x.shape[1])
    slope = np.linalg.solve(gram, centred.T @ (y - y_mean))
    left, sizes, right = np.linalg.svd(slope, full_matrices=False)
    ridge_in = left[:, :RANK] * sizes[:RANK]
    metrics = {"clips": str(len(speakers)), "frames": str(len(y))}
    save_file(
        {
            "filters": filters,
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
