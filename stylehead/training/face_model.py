"""Learn the generic face from tracked clips: mean mesh, dense map, expression basis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment

from stylehead.face.face_model import EXPRESSIVE, FaceModel
from stylehead.face.geometry import align
from stylehead.face.landmarks import (
    MESH_OF_68,
    RIGID,
    RIGID_MESH,
    interocular,
    mouth_opening,
    to_68,
)
from stylehead.face.performance import SEEN_LEAST, neutral_frames, recover_performance
from stylehead.progress import SILENT, Reporter, track
from stylehead.tracking.detector import mesh_triangles
from stylehead.training.data.clips import Clip
from stylehead.types import Floats

FRAMES = 120  # taken from each clip for the linear maps
RIDGE_DENSE = 0.02  # against offsets of about 0.02 interocular, times frames
RIDGE_BASIS = 3.0  # in squared score units, times about a hundredth of the frames


def fit_face_model(clips: list[Clip], path: Path, *, reporter: Reporter = SILENT) -> dict[str, str]:
    """Fit the face model on clips and write it; return its metrics for the metadata."""
    mean = mean_face([_neutral_mesh(clip) for clip in clips])
    # The linear maps need head-space offsets, which need the mean face: two steps, one model.
    empty = FaceModel(
        mean,
        np.zeros((204, 1434), np.float32),
        np.zeros((52, 1434), np.float32),
        np.zeros(52, np.float32),
        mesh_triangles(),
    )
    offsets, scores, neutral_levels, person = [], [], [], []
    people = sorted({clip.person for clip in clips})
    for clip in track(clips, "Face model", len(clips), reporter):
        if clip.track.found.sum() < SEEN_LEAST:
            continue
        performed = recover_performance(clip.track, model=empty)
        rows = np.flatnonzero(clip.track.found)
        rows = rows[:: max(1, len(rows) // FRAMES)]
        offsets.append(performed.mesh[rows] - performed.neutral)
        expression = clip.track.expression
        seen = clip.track.found
        opening = mouth_opening(to_68(performed.mesh[seen]))
        neutral = neutral_frames(expression[seen], opening)
        neutral_scores = expression[seen][neutral].mean(0)
        neutral_levels.append(neutral_scores)
        scores.append(expression[rows] - neutral_scores)
        person.append(np.full(len(rows), people.index(clip.person)))
    held = np.concatenate(person) % 5 == 0
    y, x, s = np.concatenate(offsets), to_68(np.concatenate(offsets)), np.concatenate(scores)
    flat_y, flat_x = y.reshape(len(y), -1), x.reshape(len(x), -1)
    s_used = np.zeros_like(s)
    s_used[:, EXPRESSIVE] = s[:, EXPRESSIVE]
    metrics = {
        "frames": str(len(y)),
        "clips": str(len(offsets)),
        "dense_r2_held_out": f"{_r2(flat_x, flat_y, held, RIDGE_DENSE):.4f}",
        "basis_r2_held_out": f"{_r2(s_used, flat_y, held, RIDGE_BASIS * 10):.4f}",
    }
    dense = _ridge(flat_x, flat_y, RIDGE_DENSE)
    for point, vertex in enumerate(MESH_OF_68):  # a landmark's own vertex follows it exactly
        for axis in range(3):
            dense[:, 3 * vertex + axis] = 0
            dense[3 * point + axis, 3 * vertex + axis] = 1
    save_file(
        {
            "mean": mean.astype(np.float16),
            "dense": dense.astype(np.float16),
            "basis": _ridge(s_used, flat_y, RIDGE_BASIS * 10).astype(np.float16),
            "rest": np.median(neutral_levels, axis=0).astype(np.float16),
            "triangles": empty.triangles.astype(np.int16),
        },
        path,
        metadata=metrics,
    )
    return metrics


def mean_face(meshes: list[Floats]) -> Floats:
    """Average meshes (478, 3) of many people into one symmetric frontal face in head space.

    Generalised Procrustes; people face the camera on average, which fixes what frontal means.
    """
    mean = meshes[0] - meshes[0].mean(0)
    mean /= interocular(to_68(mean))
    upright = np.mean([_centred(mesh) for mesh in meshes], axis=0)
    for _ in range(5):
        moved = [align(mesh[RIGID_MESH], mean[RIGID_MESH]).apply(mesh) for mesh in meshes]
        mean = np.median(moved, axis=0).astype(np.float32)
        mean = align(mean[RIGID_MESH], upright[RIGID_MESH]).apply(mean)
        mean -= to_68(mean)[list(RIGID)].mean(0)
        mean /= interocular(to_68(mean))
    order = _mirror_order(mean)
    mean = (mean + mean[order] * np.array([-1, 1, 1], np.float32)) / 2
    mean -= to_68(mean)[list(RIGID)].mean(0)
    return (mean / interocular(to_68(mean))).astype(np.float32)


def _centred(mesh: Floats) -> Floats:
    points = to_68(mesh)
    return (mesh - points[list(RIGID)].mean(0)) / interocular(points)


def _mirror_order(mean: Floats) -> NDArray[np.intp]:
    flipped = mean * np.array([-1, 1, 1], np.float32)
    cost = np.linalg.norm(flipped[:, None] - mean[None], axis=-1)
    _, order = linear_sum_assignment(cost)
    if not (order[order] == np.arange(len(order))).all():
        raise ValueError("the mean face is too lopsided to find each vertex's mirror image")
    return order


def _neutral_mesh(clip: Clip) -> Floats:
    found = clip.track.found
    meshes = np.stack([_centred(mesh) for mesh in clip.track.mesh[found]])
    neutral = neutral_frames(clip.track.expression[found], mouth_opening(to_68(meshes)))
    return meshes[neutral].mean(0)


def _ridge(x: Floats, y: Floats, strength: float) -> Floats:
    gram = x.T.astype(np.float64) @ x
    return np.linalg.solve(gram + strength * np.eye(len(gram)), x.T.astype(np.float64) @ y)


def _r2(x: Floats, y: Floats, held: NDArray[np.bool_], strength: float) -> float:
    """Return the fraction of the offsets' energy explained on held-out clips."""
    residual = y[held] - x[held] @ _ridge(x[~held], y[~held], strength)
    return float(1 - np.square(residual).sum() / np.square(y[held]).sum())
