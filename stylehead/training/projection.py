"""Learn the base of the manifold projection: what known voices sound like to a speech encoder."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor

from stylehead.compute.device import to_array
from stylehead.errors import DataError
from stylehead.options import Encoder, Encoding
from stylehead.progress import SILENT, Reporter, track
from stylehead.speech.listen import load_encoder
from stylehead.training.data.audio import from_corpus, load_corpus
from stylehead.training.loop import save_weights
from stylehead.types import SPEECH_RATE

LEAST = 60 * SPEECH_RATE  # samples of voice
PIECE = 10 * SPEECH_RATE  # samples of a corpus that are encoded at once
CONTEXT = 60  # frames at a piece's beginning that are left out: the encoder starts from nothing
ROUNDS = 8  # of k-means


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionTraining:
    """How a base is learned; the keys of its recipe."""

    centroids: int = 2048
    minutes: float = 60.0
    """Of voices, taken evenly from all there are."""
    seed: int = 0


def train_projection(
    data: Path,
    path: Path,
    config: ProjectionTraining,
    *,
    encoder: Encoder,
    device: torch.device,
    reporter: Reporter = SILENT,
) -> dict[str, str]:
    """Learn the base for an encoder from a prepared folder's voices; write it to `path`.

    Returns the metrics, which lie in the file as well. Raises DataError when the folder holds less
    than a minute of voice.
    """
    voice = load_corpus(data / "sounds", "voice")
    if len(voice) < LEAST:
        raise DataError(
            f"{data} holds less than a minute of voice.",
            remedy="Run stylehead prepare on folders of speech with --as voice.",
        )
    net = load_encoder(Encoding(encoder=encoder), device, reporter=reporter)
    wanted = round(config.minutes * 60 * SPEECH_RATE / PIECE)
    pieces = np.arange(0, len(voice) - PIECE, PIECE)
    chosen = pieces[np.linspace(0, len(pieces) - 1, min(wanted, len(pieces))).astype(int)]
    features: list[Tensor] = []
    for start in track(chosen, "Encoding", len(chosen), reporter):
        samples = to_array(from_corpus(voice[start : start + PIECE]))
        features.append(torch.cat(list(net.encode([samples])))[CONTEXT:].half())
    known = torch.cat(features).float()
    metrics = {
        "config": json.dumps({}),
        "training": json.dumps(asdict(config)),
        "minutes": f"{len(known) / 3600:.0f}",
    }
    save_weights(path, make_base(known, config.centroids, seed=config.seed), metrics)
    return metrics


def make_base(features: Tensor, size: int, *, seed: int = 0) -> dict[str, Tensor]:
    """Return a Manifold's `base` (size, D), `mean` and `scale` (D,) of known features (N, D).

    The base is their k-means centroids; fewer features than `size` are their own centroids.
    """
    mean, scale = features.mean(0), features.std(0) + 1e-4
    points = to_array((features - mean) / scale)
    rng = np.random.default_rng(seed)
    start = points[rng.permutation(len(points))[:size]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # equal points: a centroid may stay alone
        centroids, _ = kmeans2(points, start, ROUNDS, minit="matrix")
    base = torch.from_numpy(centroids.astype(np.float32)) * scale + mean
    return {"base": base, "mean": mean, "scale": scale}
