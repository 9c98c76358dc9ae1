"""Learn which shapes mouths take, and how far they go, from tracked clips."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from stylehead.face.geometry import angles_from_rotation
from stylehead.face.performance import SEEN_LEAST, recover_performance
from stylehead.face.shapes import POINTS, measures
from stylehead.progress import SILENT, Reporter, track
from stylehead.training.data.clips import PEOPLE, Clip
from stylehead.types import Floats

FPS = Fraction(30)
FRAMES = 240  # of each person, so that nobody counts much more than others
FRONTAL = 25.0  # degrees of yaw and pitch, beyond which a tracked mouth is a guess
SHAPES = 32
PERCENTILES = (0.5, 1.5, 98.5, 99.5)  # of each measure: the least, the usual ones, the most
FARTHEST = 99.5  # of the distance in spreads of all together
OUTLIERS = 99.5  # percentile of the distance in spreads beyond which a frame is left out


def fit_face_shapes(
    clips: list[Clip], path: Path, *, reporter: Reporter = SILENT
) -> dict[str, str]:
    """Fit principal shapes and limits and write them; return metrics for the metadata.

    Held-out people are left out; what is left of their offsets is a metric.
    """
    people: dict[str, list[Floats]] = {}
    for clip in track(clips, "Face shapes", len(clips), reporter):
        if clip.track.found.sum() >= SEEN_LEAST:
            people.setdefault(clip.person, []).append(frontal_offsets(clip))
    frames = {
        person: (joined := np.concatenate(parts))[:: max(1, len(joined) // FRAMES)]
        for person, parts in people.items()
    }
    known = np.concatenate([part for person, part in frames.items() if person not in PEOPLE])
    unknown = [part for person, part in frames.items() if person in PEOPLE]
    mean, shapes, spread = principal(known)
    away = np.linalg.norm((known - mean) @ shapes.T / spread, axis=1)
    known = known[away <= np.percentile(away, OUTLIERS)]
    mean, shapes, spread = with_neutral(known, *principal(known))
    away = np.linalg.norm((known - mean) @ shapes.T / spread, axis=1)
    limits = np.percentile(measures(known.reshape(len(known), -1, 3)), PERCENTILES, axis=0).T
    metrics = {
        "people": str(sum(person not in PEOPLE for person in frames)),
        "frames": str(len(known)),
        "r2": f"{explained(known, mean, shapes):.4f}",
    }
    if unknown:
        metrics["r2_held_out"] = f"{explained(np.concatenate(unknown), mean, shapes):.4f}"
    arrays = {
        "mean": mean.reshape(-1, 3),
        "shapes": shapes,
        "spread": spread,
        "limits": limits,
        "farthest": np.percentile(away, FARTHEST),
    }
    halves = {name: np.ascontiguousarray(value, np.float16) for name, value in arrays.items()}
    save_file(halves, path, metadata=metrics)
    return metrics


def frontal_offsets(clip: Clip) -> Floats:
    """Return the offsets (T, 3 N) of POINTS in the frames that face the camera, lids open."""
    performance = recover_performance(clip.track, name=clip.name)
    motion, _ = performance.motion(FPS)
    turned = np.hypot(*angles_from_rotation(motion.rotation)[:, :2].T)
    return motion.landmarks[turned < FRONTAL][:, POINTS].reshape(-1, 3 * len(POINTS))


def principal(offsets: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean (D,), principal shapes (SHAPES, D) and their spreads of offsets (T, D)."""
    mean = offsets.mean(0, dtype=np.float64)
    sizes, directions = np.linalg.eigh(np.cov(offsets, rowvar=False, dtype=np.float64))
    order = np.argsort(sizes)[::-1][:SHAPES]
    return mean, directions[:, order].T, np.sqrt(sizes[order])


def with_neutral(
    offsets: Floats, mean: Floats, shapes: Floats, spread: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the shapes and one more, so that the neutral face is one of those that they make."""
    missing = mean - mean @ shapes.T @ shapes
    missing /= np.linalg.norm(missing)
    width = ((offsets - mean) @ missing).std()
    return mean, np.vstack([shapes, missing]), np.append(spread, width)


def explained(offsets: Floats, mean: Floats, shapes: Floats) -> float:
    """Return the fraction of the offsets' energy (T, D) that the shapes rebuild."""
    about = offsets - mean
    left = about - about @ shapes.T @ shapes
    return float(1 - np.square(left).sum() / np.square(about).sum())
