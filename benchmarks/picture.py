"""The picture against film: people no stage was trained on, re-enacted from a closed mouth.

    pip install --no-deps dlib-bin face-recognition-models
    python benchmarks/picture.py --data DATA --clips CLIPS [--runs RUNS] [--sheet SHEET.png]

DATA is what `stylehead prepare` made of CLIPS, as clips and as pictures; the people are those of
stylehead/training/data/clips.py. Each clip's first closed mouth is moved to the clip's own tracked
mesh, in crops of 512 pixels. "Another moment filmed" is the bar for any picture network: the frame
of the same film whose mouth is most alike, moved to the target's mesh. RUNS holds
style_generator_NAME.safetensors of ablations, made by `stylehead train generator --config` (see
docs/weights.md). Prints one table (mean over people, half of a 95 % bootstrap interval) and
milliseconds a frame; the sheet shows mouths: warp, made, filmed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from motion import shown
from numpy.typing import NDArray

from stylehead.evaluation.sharpness import cpbd
from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import interocular, mouth_opening, to_68
from stylehead.face.performance import recover_performance
from stylehead.media.image import write_image
from stylehead.media.video import read_frames
from stylehead.models.mouth_generator import CHANNELS
from stylehead.rendering.mesh_renderer import (
    BATCH,
    MeshScene,
    load_mouth_networks,
    move,
    prepare,
)
from stylehead.rendering.mouth.completer import MouthCompleter
from stylehead.rendering.mouth.crop import CROP_POINTS, CROP_SIZE, MouthCrop
from stylehead.rendering.patterns import Pattern, frame_crop, show_patterns
from stylehead.style.references import retrieve
from stylehead.tracking.detector import FaceLandmarker, faces_in, landmarker
from stylehead.training.data.clips import PEOPLE, Clip, load_clips
from stylehead.training.data.mouth_pairs import CROP, WarpSource, choose_frames
from stylehead.training.data.region_weights import EYES, MOUTH, SKIN, region_weights
from stylehead.types import Face, FaceTrack, Floats, Pixels, Portrait, StyleReference
from stylehead.weights.networks import load_mouth_generator
from stylehead.weights.store import resolve

CPU = torch.device("cpu")
SPREAD, RUN = 16, 30
"""Frames of a clip that are compared, and consecutive ones in which flicker is measured."""
MOMENTS, APART = 150, 8
"""Frames of a clip among which a mouth alike is sought, and how far off in time it must be."""
COLUMNS = (
    "mouth L1", "mouth gradient", "face L1", "CPBD of the real", "identity", "opening r", "flicker",
)  # fmt: skip
Complete = Callable[[Pixels, Floats, MouthCrop], None]
"""Finishes a moved crop in place, given its vertices and the mouth's patch."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One film frame and what it takes to make it from the source."""

    filmed: Pixels
    """(CROP, CROP, 3) laid over the source's crop."""
    vertices: Floats
    mouth: MouthCrop
    area: Pixels
    """(CROP, CROP) W of Eq. 3."""
    opening: float
    """Of the mouth, interocular."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    nets = {"stylehead": resolve("style_generator")}
    for path in sorted(asked.runs.glob("style_generator_*.safetensors")) if asked.runs else []:
        nets[path.stem.removeprefix("style_generator_").replace("_", " ")] = path
    rows: dict[str, dict[str, list[list[float]]]] = {}
    tiles: list[Pixels] = []
    for clip in load_clips(asked.data / "clips"):
        if clip.person not in PEOPLE:
            continue
        for name, values in judge_clip(asked.clips / clip.name, clip, nets, tiles).items():
            rows.setdefault(name, {}).setdefault(clip.person, []).append(values)
    print("\t".join(("method", *COLUMNS)))
    for name, people in rows.items():
        means = np.array([np.nanmean(clips, axis=0) for clips in people.values()])
        print("\t".join((name, *(shown(means[:, i], 4) for i in range(len(COLUMNS))))))
    print(f"{len(rows['warp'])} people")
    if asked.sheet:
        write_image(asked.sheet, np.concatenate(tiles))
    speed(nets["stylehead"])


def judge_clip(
    film: Path, clip: Clip, nets: dict[str, Path], tiles: list[Pixels]
) -> dict[str, list[float]]:
    """Return COLUMNS of every method for one clip; nothing when no frame can be the source."""
    performance = recover_performance(clip.track, name=clip.name)
    frames = choose_frames(clip.track, performance)
    if frames is None:
        print(f"left out, no large, frontal, closed mouth: {clip.name}")
        return {}
    source = min(frames[0])
    references = retrieve(clip.track, performance).references
    usable = np.flatnonzero(clip.track.found)
    first = int(np.searchsorted(usable, source)) if len(usable) > source + RUN else 0
    run = usable[first : first + RUN].tolist()
    spread = usable[np.linspace(0, len(usable) - 1, SPREAD).astype(int)].tolist()
    shown_frames = read_rows(film, clip.track, {source, *run, *spread})
    scene = stage(shown_frames[source], clip.track, source, references)
    warp_source = WarpSource(scene.picture, scene.mesh, FaceModel.embedded().pose(
        scene.mesh.in_crop(clip.track.mesh[source])))  # fmt: skip
    shots = {
        row: shoot(shown_frames[row], clip.track.mesh[row], warp_source, scene)
        for row in {*run, *spread}
        if row in shown_frames
    }
    spread, run = ([row for row in rows if row in shots] for rows in (spread, run))
    methods: dict[str, Complete] = {
        "warp": lambda *_: None,
        "nearest pattern pasted": lambda crop, vertices, mouth: paste(scene, crop, vertices, mouth),
    }
    for name, path in nets.items():
        net = load_mouth_generator(path)
        completer = MouthCompleter(net, CPU)
        if net.config.patterns:
            show_patterns(scene.patterns, completer)
        methods[name] = lambda crop, vertices, mouth, by=completer: by.complete(
            [crop], [vertices], [mouth]
        )
    found = {"another moment filmed": another_moment(film, clip.track, spread, references)}
    with landmarker(video=False) as task:
        filmed = [measure_face(shots[row].filmed, task) for row in spread]
        portrait = describe(scene.picture, scene.mesh.source[:468, :2])
        for name, complete in methods.items():
            made = {row: finish(scene, shots[row], complete) for row in shots}
            if name in ("warp", "stylehead"):
                tiles.extend(strip(shots, made, spread, filmed=name == "stylehead"))
            values = [compare(made[row], shots[row]) for row in spread]
            seen = [measure_face(made[row], task) for row in spread]
            sharp = [a[0] / b[0] for a, b in zip(seen, filmed, strict=True) if b[0] > 0.01]
            asked = np.array([shots[row].opening for row in spread])
            got = np.array([one[1] for one in seen])
            known = np.isfinite(got)
            described = [describe(made[row], shots[row].vertices[:468, :2]) for row in spread[::4]]
            away = np.mean([np.linalg.norm(one - portrait) for one in described])
            agreement = np.corrcoef(asked[known], got[known])[0, 1]
            ratio = flicker(made, shots, run) / flicker(
                {row: shots[row].filmed for row in run}, shots, run
            )
            found[name] = [
                *np.mean(values, axis=0), float(np.mean(sharp)), float(away), float(agreement),
                ratio,
            ]  # fmt: skip
    return found


def another_moment(
    film: Path, track: FaceTrack, rows: list[int], references: tuple[StyleReference, ...]
) -> list[float]:
    """Return COLUMNS of the clip's own frames, moved to these rows; NaN where it means nothing."""
    usable = np.flatnonzero(track.found)
    others = usable[np.linspace(0, len(usable) - 1, MOMENTS).astype(int)]
    mouths = {row: mouth_alone(track.mesh[row]) for row in {*rows, *others.tolist()}}

    def nearest(row: int) -> int:
        far = others[np.abs(others - row) >= APART]
        return min(
            far.tolist(),
            key=lambda one: float(np.linalg.norm(mouths[one] - mouths[row], axis=1).mean()),
        )

    pairs = {row: nearest(row) for row in rows}
    shown_frames = read_rows(film, track, {*pairs, *pairs.values()})
    errors: list[list[float]] = []
    for row, other in pairs.items():
        if row in shown_frames and other in shown_frames:
            scene = stage(shown_frames[other], track, other, references)
            warp_source = WarpSource.of(shown_frames[other], track, other)
            shot = shoot(shown_frames[row], track.mesh[row], warp_source, scene)
            errors.append(compare(move(scene, shot.vertices), shot))
    return [*np.mean(errors, axis=0), *[float("nan")] * (len(COLUMNS) - 3)]


def mouth_alone(mesh: Floats) -> Floats:
    """Return the lips (20, 2) of a tracked mesh about the eyes' middle, interocular."""
    points = to_68(mesh)[:, :2]
    eyes = points[[36, 45]]
    return (points[48:] - eyes.mean(0)) / np.linalg.norm(eyes[0] - eyes[1])


def read_rows(film: Path, track: FaceTrack, rows: set[int]) -> dict[int, Pixels]:
    """Return the frames of these rows of a track."""
    found: dict[int, Pixels] = {}
    for frame in read_frames(film):
        row = int(np.argmin(np.abs(track.seconds - frame.seconds)))
        if row in rows:
            found.setdefault(row, frame.pixels)
    return found


def stage(
    pixels: Pixels, track: FaceTrack, row: int, references: tuple[StyleReference, ...]
) -> MeshScene:
    """Return the source as a portrait, its patterns made from the clip's own references."""
    face = Face(track.mesh[row], track.expression[row])
    rotation = FaceModel.embedded().pose(face.mesh).rotation
    portrait = Portrait(pixels, face, rotation, 1, 1)
    return prepare(portrait, references, load_mouth_networks(CPU), crop_size=CROP, device=CPU)


def shoot(pixels: Pixels, mesh: Floats, warp_source: WarpSource, scene: MeshScene) -> Shot:
    """Lay a film frame over the source's crop."""
    laid, pose = warp_source.laid_over(mesh)
    there = FaceModel.embedded().pose(mesh)
    ratio = warp_source.head.scale / there.scale
    shift = warp_source.head.translation[:2] - ratio * there.translation[:2]
    matrix = np.array([[ratio, 0, shift[0]], [0, ratio, shift[1]]])
    way = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
    filmed = cv2.warpAffine(
        pixels, matrix, (CROP, CROP), flags=way, borderMode=cv2.BORDER_REPLICATE
    )
    points = to_68(laid)
    return Shot(
        np.asarray(filmed, np.uint8),
        scene.mesh.from_tracked(laid, pose),
        frame_crop(scene.mesh, pose),
        region_weights(points[:, :2], CROP),
        float(mouth_opening(points) / interocular(points)),
    )


def finish(scene: MeshScene, shot: Shot, complete: Complete) -> Pixels:
    """Return the crop moved to a shot and completed."""
    crop = move(scene, shot.vertices)
    complete(crop, shot.vertices, shot.mouth)
    return crop


def paste(scene: MeshScene, crop: Pixels, vertices: Floats, mouth: MouthCrop) -> None:
    """Paste the mouth of the nearest pattern, the baseline."""
    lips = mouth.in_crop(vertices[CROP_POINTS, :2])[48:68]
    nearest = min(
        scene.patterns,
        key=lambda one: float(np.linalg.norm(pattern_lips(one) - lips, axis=1).mean()),
    )
    area = region_weights(mouth.in_crop(vertices[CROP_POINTS, :2]), CROP_SIZE) == MOUTH
    cover = cv2.GaussianBlur(area.astype(np.float32), (0, 0), 1.0)[..., None]
    mouth.blend(crop, np.concatenate([cover, cover * nearest.mouth.cut(nearest.pixels)], -1))


def pattern_lips(pattern: Pattern) -> Floats:
    """Return the lips (20, 2) of a pattern in its patch."""
    return pattern.mouth.in_crop(pattern.vertices[CROP_POINTS, :2])[48:68]


def compare(made: Pixels, shot: Shot) -> list[float]:
    """Return mouth L1 and gradient error and face L1, full scale 1."""
    difference = (made.astype(np.float32) - shot.filmed) / 255
    mouth = shot.area == MOUTH
    face = (shot.area == SKIN) | (shot.area == EYES) | mouth
    edges = [np.abs(np.diff(difference, axis=axis)).mean(-1) for axis in (0, 1)]
    gradient = [edges[0][mouth[:-1]].mean(), edges[1][mouth[:, :-1]].mean()]
    l1 = np.abs(difference).mean(-1)
    return [float(l1[mouth].mean()), float(np.mean(gradient)), float(l1[face].mean())]


def measure_face(crop: Pixels, task: FaceLandmarker) -> tuple[float, float]:
    """Return CPBD of the face and the mouth's opening as the tracker sees it; NaN without one."""
    faces = faces_in(task, crop, None)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float64)
    if not faces:
        return cpbd(grey), float("nan")
    points = to_68(faces[0].mesh)
    low, high = points[:, :2].min(0).astype(int).clip(0), points[:, :2].max(0).astype(int)
    opening = float(mouth_opening(points) / interocular(points))
    return cpbd(grey[low[1] : high[1], low[0] : high[0]]), opening


def flicker(made: dict[int, Pixels], shots: dict[int, Shot], run: list[int]) -> float:
    """Return the mean change of the mouth from frame to frame, in the mouth's own patch."""
    patches = [shots[row].mouth.cut(made[row]).astype(np.float32) for row in run]
    areas = [
        region_weights(shots[row].mouth.in_crop(shots[row].vertices[CROP_POINTS, :2]), CROP_SIZE)
        == MOUTH
        for row in run
    ]
    changes = [
        np.abs(b - a).mean(-1)[here & there].mean()
        for a, b, here, there in zip(patches, patches[1:], areas, areas[1:], strict=False)
    ]
    return float(np.mean(changes))


def model_file(name: str) -> str:
    """Return a file of the package face-recognition-models, which no longer imports by itself."""
    found = importlib.util.find_spec("face_recognition_models")
    assert found is not None and found.origin is not None
    return str(Path(found.origin).parent / "models" / name)


# Not among the packages the type checker is given: only this benchmark needs it.
dlib = importlib.import_module("dlib")
SHAPE = dlib.shape_predictor(model_file("shape_predictor_68_face_landmarks.dat"))
IDENTITY = dlib.face_recognition_model_v1(model_file("dlib_face_recognition_resnet_model_v1.dat"))


def describe(crop: Pixels, points: Floats) -> NDArray[np.float64]:
    """Return dlib's identity descriptor (128,) of the face at these points."""
    low, high = points.min(0).astype(int), points.max(0).astype(int)
    box = dlib.rectangle(*low.tolist(), *high.tolist())
    return np.array(IDENTITY.compute_face_descriptor(crop, SHAPE(crop, box)))


def strip(
    shots: dict[int, Shot], made: dict[int, Pixels], rows: list[int], *, filmed: bool
) -> list[Pixels]:
    """Return one row of mouths for the sheet, the widest open ones; with the film below."""
    widest = sorted(rows, key=lambda row: shots[row].opening)[:: max(1, len(rows) // 8)][-8:]
    out = [np.concatenate([shots[row].mouth.cut(made[row]) for row in widest], 1)]
    if filmed:
        out.append(np.concatenate([shots[row].mouth.cut(shots[row].filmed) for row in widest], 1))
    return out


def speed(path: Path) -> None:
    """Print milliseconds a frame of the network alone, frames in batches as in rendering."""
    net = load_mouth_generator(path)
    count = BATCH["cpu"]
    warped = torch.rand(count, 3, CROP_SIZE, CROP_SIZE).contiguous(
        memory_format=torch.channels_last
    )
    drawn = torch.rand(count, CHANNELS, CROP_SIZE, CROP_SIZE)
    with torch.inference_mode():
        memory = net.encode(torch.rand(1, 3 * net.config.patterns, CROP_SIZE, CROP_SIZE))
        took: list[float] = []
        for _ in range(20):
            began = time.perf_counter()
            net(warped, drawn, memory)
            took.append((time.perf_counter() - began) / count)
    print(f"network: {1000 * np.median(took):.1f} ms a frame on {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
