"""Learn what skin does when it moves: shut lids from open ones, folds and shading from motion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from stylehead.errors import DataError
from stylehead.progress import SILENT, Reporter, track
from stylehead.rendering.eyes.lids import CHEEK, LidModel, lid_features, log_luminance
from stylehead.rendering.skin.face_texture import SIZE, fade, smooth_skin
from stylehead.rendering.skin.folds import FoldModel, fold_features
from stylehead.training.data.clips import PEOPLE
from stylehead.training.data.skin_textures import SkinTextures, load_textures
from stylehead.types import Floats

LID_RIDGE, LID_RANK = 0.06, 24
"""Against features of variance about 0.2; more ranks change nothing on held-out people."""
LID = np.s_[15:46, 8:56]
"""Of an eye's texture: where lids are, and so where the metric is taken."""
FOLD_RIDGE, FOLD_SHAPES = 0.1, 12
"""Against features of unit variance; how many shapes of expression folds are told from."""
PARTS, NEARBY = 4, 3.0  # of the people; texture pixels over which reliability is averaged
WHOLE = 24.0  # texture pixels: no fold is as wide
MOST = 0.5  # logarithm of luminance: what changes more is hair, glasses or a hand
EVERY = 2  # of the frames in expression, those that folds are learned from


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """Rows to learn a linear map from, each person counting once."""

    seen: Floats
    """(N, F)"""
    wanted: Floats
    """(N, ...)"""
    weight: Floats
    """(N,) sums to 1 over the people trained on; 0 for those held out."""
    held: NDArray[np.bool_]
    """(N,)"""
    people: NDArray[np.str_]
    """(N,)"""


def fit_appearance(data: Path, path: Path, *, reporter: Reporter = SILENT) -> dict[str, str]:
    """Fit lids and folds on the textures of `data`, write them, return metrics of held-out people.

    Raises DataError when nobody who is not held out shuts their eyes in them.
    """
    paths = sorted((data / "textures").glob("*.npz"))
    clips = [load_textures(one) for one in track(paths, "Skin", len(paths), reporter)]
    if not any(len(clip.shut_eyes) and clip.person not in PEOPLE for clip in clips):
        raise DataError(
            f"{data} holds no textures to learn from.",
            remedy="Run stylehead prepare --as textures on clips of people who blink.",
        )
    lids, lid_metrics = fit_lids(clips)
    folds, fold_metrics = fit_folds(clips)
    arrays = {f"lids.{name}": getattr(lids, name) for name in LidModel.__slots__}
    arrays |= {f"folds.{name}": getattr(folds, name) for name in FoldModel.__slots__}
    metrics = {"people": str(len({clip.person for clip in clips} - PEOPLE))}
    metrics |= lid_metrics | fold_metrics
    half = {key: np.ascontiguousarray(array.astype(np.float16)) for key, array in arrays.items()}
    save_file(half, path, metadata=metrics)
    return metrics


def fit_lids(clips: list[SkinTextures]) -> tuple[LidModel, dict[str, str]]:
    """Return the map from open to shut eyes, and its error against stretching them."""
    seen, wanted, people = list[Floats](), list[Floats](), list[str]()
    stretched: list[Floats] = []
    for clip in clips:
        if not len(clip.open_eyes):
            continue
        for number, both in enumerate(clip.shut_eyes):
            for eye, shut in zip(clip.open_eyes[number % len(clip.open_eyes)], both, strict=True):
                before, after = (_against_cheek(pixels) for pixels in (eye, shut))
                seen.append(lid_features(before))
                stretched.append(before)
                wanted.append(after)
                people.append(clip.person)
    samples = _samples(seen, wanted, people)
    mean = np.tensordot(samples.weight, samples.wanted, 1)
    seen_mean = samples.weight @ samples.seen
    away = (samples.wanted - mean).reshape(len(seen), -1)
    centred = samples.seen - seen_mean
    linear = _ridge(centred, away, samples.weight, LID_RIDGE)
    predicted = centred @ linear
    _, _, shapes = np.linalg.svd(predicted * np.sqrt(samples.weight)[:, None], full_matrices=False)
    shapes = shapes[:LID_RANK]
    model = LidModel(seen_mean, linear @ shapes.T, shapes.reshape(len(shapes), *mean.shape), mean)
    metrics: dict[str, str] = {}
    if samples.held.any():
        told = mean + (centred @ model.read @ shapes).reshape(samples.wanted.shape)
        errors = [
            np.abs(np.exp(one) - np.exp(samples.wanted))[samples.held][(slice(None), *LID)].mean()
            for one in (told, np.stack(stretched))
        ]
        metrics["lid_error_of_stretched"] = f"{errors[0] / errors[1]:.3f}"
    return model, metrics


def _against_cheek(pixels: NDArray[np.uint8]) -> Floats:
    light = log_luminance(pixels)
    return light - light[CHEEK].mean()


def fit_folds(clips: list[SkinTextures]) -> tuple[FoldModel, dict[str, str]]:
    """Return the map from motion to changes of the skin, and its correlation with film's."""
    offsets, angles, wanted, people = (
        list[Floats](), list[Floats](), list[Floats](), list[str]()
    )  # fmt: skip
    for clip in clips:
        rest = np.median([log_luminance(face) for face in clip.rest], axis=0)
        rest_offsets, rest_angles = clip.rest_offsets.mean(0), clip.rest_angles.mean(0)
        for number in range(0, len(clip.shown), EVERY):
            change = smooth_skin(log_luminance(clip.shown[number]) - rest)
            wanted.append(change.clip(-MOST, MOST) * fade())
            offsets.append(clip.shown_offsets[number] - rest_offsets)
            angles.append(clip.shown_angles[number] - rest_angles)
            people.append(clip.person)
    seen = [fold_features(*each) for each in zip(offsets, angles, strict=True)]
    samples = _samples(seen, wanted, people)
    count = len(offsets[0].ravel())
    moved = samples.seen[:, :count]
    # A few shapes of expression: 68 points say the same many times, and noise between.
    spread, shapes = np.linalg.eigh(moved.T @ (moved * samples.weight[:, None]))
    spread, shapes = spread[::-1][:FOLD_SHAPES], shapes[:, ::-1][:, :FOLD_SHAPES]
    shapes = shapes / np.sqrt(spread)
    read = np.zeros((count + len(angles[0]), shapes.shape[1] + len(angles[0])), np.float32)
    read[:count, : shapes.shape[1]] = shapes
    read[count:, shapes.shape[1] :] = np.eye(len(angles[0]))
    told_from = samples.seen @ read
    flat = samples.wanted.reshape(len(seen), -1)
    write = _changes(told_from, flat, samples.weight)
    write *= _reliability(told_from, flat, samples)
    model = FoldModel(read, write)
    metrics: dict[str, str] = {}
    if samples.held.any():
        told = (told_from @ write.reshape(len(write), -1))[samples.held]
        found = np.corrcoef(told.ravel(), flat[samples.held].ravel())[0, 1]
        metrics["fold_correlation"] = f"{found:.3f}"
    return model, metrics


def _changes(told_from: Floats, flat: Floats, weight: Floats) -> Floats:
    """Return the changes (K, SIZE, SIZE) that amounts (N, K) are told to make, of flat (N, D)."""
    changes = _ridge(told_from, flat, weight, FOLD_RIDGE).reshape(-1, SIZE, SIZE)
    # What expression does to all of a face is mostly what the light did meanwhile.
    for change in changes[:FOLD_SHAPES]:
        change -= smooth_skin(change, WHOLE) * fade()
    return changes


def _reliability(told_from: Floats, flat: Floats, samples: _Samples) -> Floats:
    """Return how much of what is told (SIZE, SIZE) is true of people not learned from, 0 to 1.

    The slope of the film's change over the told one, with a PARTS-th of the people left out at a
    time. Under hair and at the brows a map is right for its own people alone.
    """
    people = np.unique(samples.people[~samples.held])
    product, square = np.zeros(flat.shape[1]), np.zeros(flat.shape[1])
    for part in range(PARTS):
        out = np.isin(samples.people, people[part::PARTS]) & ~samples.held
        changes = _changes(told_from, flat, samples.weight * ~out)
        told = told_from[out] @ changes.reshape(len(changes), -1)
        weight = samples.weight[out, None]
        product += (weight * told * flat[out]).sum(0)
        square += (weight * told**2).sum(0)
    smooth = [smooth_skin(sums.reshape(SIZE, SIZE), NEARBY) for sums in (product, square)]
    return (smooth[0] / np.maximum(smooth[1], 1e-12)).clip(0, 1).astype(np.float32)


def _samples(seen: list[Floats], wanted: list[Floats], people: list[str]) -> _Samples:
    held = np.array([person in PEOPLE for person in people])
    weight = np.array([1 / people.count(person) for person in people]) * ~held
    weight = (weight / weight.sum()).astype(np.float32)
    return _Samples(np.stack(seen), np.stack(wanted), weight, held, np.array(people))


def _ridge(seen: Floats, wanted: Floats, weight: Floats, strength: float) -> Floats:
    """Return the linear map (F, D) that tells wanted (N, D) from seen (N, F)."""
    weighted = seen * weight[:, None]
    gram = seen.T @ weighted + strength * np.eye(seen.shape[1], dtype=np.float32)
    return np.linalg.solve(gram, weighted.T @ wanted).astype(np.float32)
