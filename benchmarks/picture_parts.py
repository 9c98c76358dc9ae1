"""The picture's parts against film, with and without them: eyes; folds and shading of the skin.

    pip install --no-deps dlib-bin face-recognition-models
    python benchmarks/picture_parts.py --data DATA --clips CLIPS [--sheet SHEET.png]

--data and --clips may be given several times, in pairs.

People and frames as in benchmarks/picture.py: the sharpest early closed mouth of each held-out
person's clips, moved to the clip's own tracked mesh in crops of 512 pixels. Eyes are compared in
frames of blinks and in frames with open eyes: error of full scale 1 in the eyes' region (from below
the brow to below the lower lid), and how far the upper lid's edge lies from the film's, in pixels,
both as the tracker sees them. "Another blink filmed" is the bar for any picture of shut eyes:
another frame of the same film with eyes as shut, moved to the target's mesh. Skin, without eyes and
the square around the mouth, is compared in the frames whose expression is strongest: error,
identity distance, and how folds and shading correlate with the film's own change, in bands of the
face. Prints one table for each: mean over people, half of a 95 % bootstrap interval.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from motion import shown
from numpy.typing import NDArray
from picture import CROP, Shot, describe, read_rows, shoot, stage

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import EYES, FACE, MESH_OF_68, to_68
from stylehead.face.performance import Performance, recover_performance
from stylehead.media.image import write_image
from stylehead.rendering.eyes.lid_motion import SEEN, close_lids, iris_points
from stylehead.rendering.eyes.lids import log_luminance
from stylehead.rendering.mesh_renderer import MeshScene, move
from stylehead.rendering.mouth.crop import CROP_SIZE
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.skin.face_texture import face_texture, smooth_skin
from stylehead.rendering.skin.face_texture import skin as face_skin
from stylehead.rendering.warp import Sampler
from stylehead.style.references import retrieve
from stylehead.tracking.detector import FaceLandmarker, faces_in, landmarker
from stylehead.training.data.clips import PEOPLE, SINGERS, Clip, load_clips
from stylehead.training.data.mouth_pairs import WarpSource, choose_frames
from stylehead.training.data.region_weights import SKIN, region_weights
from stylehead.training.data.skin_textures import left_open
from stylehead.types import Floats, Pixels

BLINK, OPEN = 0.6, 0.1
"""Closure of the lids from which a frame is a blink's, and up to which its eyes are open."""
APART = 0.5  # seconds between a blink and another
FRAMES = 10
"""Frames of a clip that are compared, of each kind."""
AROUND = 0.15  # of the eyes' width around the region of an eye
EYE_COLUMNS = ("L1 in blinks", "L1 with open eyes", "lid edge in blinks", "lid edge, open eyes")
SKIN_COLUMNS = ("skin L1", "identity", "nasolabial r", "glabella r", "forehead r")
EXPRESSIVE = 0.4  # of the frames, those whose expression is strongest
BANDS = {
    "nasolabial": ((129, 203, 206, 216, 92, 165, 98), (358, 423, 426, 436, 322, 391, 327)),
    "glabella": ((9, 107, 336, 55, 285, 193, 417, 8),),
    "forehead": ((109, 338, 66, 296, 105, 334, 67, 297),),
}
"""Vertices of the face around its folds."""
Complete = Callable[[Pixels, Floats], None]
Rows = dict[str, dict[str, list[list[float]]]]
"""Method -> person -> the columns of each clip."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, action="append")
    parser.add_argument("--clips", type=Path, required=True, action="append")
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    eyes: Rows = {}
    skin: Rows = {}
    tiles: list[Pixels] = []
    for data, clips in zip(asked.data, asked.clips, strict=True):
        for clip in load_clips(data / "clips"):
            if clip.person in PEOPLE - SINGERS:  # singers' pictures are dimmed
                film = clips / clip.name
                for table, judge in ((eyes, judge_eyes), (skin, judge_skin)):
                    for name, values in judge(film, clip, tiles).items():
                        table.setdefault(name, {}).setdefault(clip.person, []).append(values)
    print_table(eyes, EYE_COLUMNS)
    print_table(skin, SKIN_COLUMNS)
    if asked.sheet:
        write_image(asked.sheet, np.concatenate(tiles))


def print_table(rows: Rows, columns: tuple[str, ...]) -> None:
    """Print the mean over people of every method's columns."""
    print("\t".join(("method", *columns)))
    for name, people in rows.items():
        means = np.array([[known_mean(each) for each in zip(*clips, strict=True)]
                          for clips in people.values()])  # fmt: skip
        known = [column[np.isfinite(column)] for column in means.T]
        print("\t".join((name, *(shown(column, 4) if len(column) else "" for column in known))))
    print(f"{max(map(len, rows.values()))} people")


def known_mean(values: Sequence[float]) -> float:
    """Return the mean of what was measured; NaN where nothing was."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def judge_eyes(film: Path, clip: Clip, tiles: list[Pixels]) -> dict[str, list[float]]:
    """Return EYE_COLUMNS of the warp and of the completed eyes for one clip."""
    performance = recover_performance(clip.track, name=clip.name)
    usable = clip.track.found & frontal(performance)
    shut = np.flatnonzero(usable & (performance.blink > BLINK))
    kinds = [spread(shut), spread(np.flatnonzero(usable & (performance.blink < OPEN)))]
    others = {row: other_blink(row, shut, performance) for row in kinds[0]}
    found_others = {other for other in others.values() if other is not None}
    staged = stage_clip(film, clip, performance, {*kinds[0], *kinds[1], *found_others})
    if staged is None or not kinds[0] or not kinds[1]:
        return {}
    scene, warp_source, shown_frames, _ = staged
    ways: dict[str, Complete] = {"warp": lambda *_: None, "stylehead": scene.eyes.complete}
    found: dict[str, list[list[float]]] = {name: [] for name in ways}
    with landmarker(video=False) as task:
        for rows in kinds:
            for name, complete in ways.items():
                values: list[list[float]] = []
                for row in rows:
                    if row not in shown_frames:
                        continue
                    mesh = clip.track.mesh[row]
                    shot = shoot(shown_frames[row], mesh, warp_source, scene)
                    vertices = with_lids(scene, warp_source, mesh, float(performance.blink[row]))
                    made = move(scene, vertices)
                    complete(made, vertices)
                    error = eye_error(made, shot.filmed, vertices)
                    values.append([error, lid_distance(made, shot, task)])
                found[name].append([known_mean(each) for each in zip(*values, strict=True)])
    tiles.extend(eye_strips(scene, warp_source, shown_frames, clip, performance, kinds[0]))
    judged = {
        name: [blinks[0], opened[0], blinks[1], opened[1]]
        for name, (blinks, opened) in found.items()
    }
    errors: list[float] = []
    for row, other in others.items():
        if other is None or row not in shown_frames or other not in shown_frames:
            continue
        shot = shoot(shown_frames[row], clip.track.mesh[row], warp_source, scene)
        mesh, blink = clip.track.mesh[other], float(performance.blink[other])
        vertices = with_lids(scene, warp_source, mesh, blink)
        pixels = shoot(shown_frames[other], mesh, warp_source, scene).filmed
        target = with_lids(scene, warp_source, clip.track.mesh[row], float(performance.blink[row]))
        moved = displacement_map(scene.mesh.triangles, target, vertices, size=CROP, cells=CROP)
        made = Sampler(pixels)(moved)
        errors.append(eye_error(made, shot.filmed, target))
    if errors:
        judged["another blink filmed"] = [float(np.mean(errors)), *[float("nan")] * 3]
    return judged


def other_blink(row: int, shut: NDArray[np.intp], performance: Performance) -> int | None:
    """Return the frame of another blink whose lids are most nearly as shut; None without one."""
    far = shut[np.abs(performance.seconds[shut] - performance.seconds[row]) > APART]
    if not len(far):
        return None
    return int(far[np.argmin(np.abs(performance.blink[far] - performance.blink[row]))])


def stage_clip(
    film: Path, clip: Clip, performance: Performance, rows: set[int]
) -> tuple[MeshScene, WarpSource, dict[int, Pixels], int] | None:
    """Return a clip's source as a scene and to be laid over, frames of rows, the source's row."""
    chosen = choose_frames(clip.track, performance)
    if chosen is None or not rows:
        return None
    source = min(chosen[0], key=lambda row: float(performance.blink[row]))
    frames = read_rows(film, clip.track, {source, *rows})
    if source not in frames:
        return None
    references = retrieve(clip.track, performance).references
    scene = stage(frames[source], clip.track, source, references)
    head = FaceModel.embedded().pose(scene.mesh.in_crop(clip.track.mesh[source]))
    return scene, WarpSource(scene.picture, scene.mesh, head), frames, source


def judge_skin(film: Path, clip: Clip, tiles: list[Pixels]) -> dict[str, list[float]]:
    """Return SKIN_COLUMNS of the warp and of shaded skin for one clip."""
    performance = recover_performance(clip.track, name=clip.name)
    offsets = to_68(performance.mesh) - to_68(performance.neutral)
    rows = expressive_rows(clip, performance, offsets)
    staged = stage_clip(film, clip, performance, set(rows))
    if staged is None:
        return {}
    scene, warp_source, frames, source = staged
    assert scene.skin is not None
    portrait = describe(scene.picture, scene.mesh.source[:FACE, :2])
    before = skin_light(scene.picture, scene.mesh.source)
    values: dict[str, list[list[float]]] = {"warp": [], "stylehead": []}
    changes: list[tuple[Floats, Floats]] = []
    for row in rows:
        if row not in frames:
            continue
        shot = shoot(frames[row], clip.track.mesh[row], warp_source, scene)
        vertices = shot.vertices
        warped = move(scene, vertices)
        made = warped.copy()
        turn = performance.rotation[row] @ performance.rotation[source].T
        scene.skin.shade(made, vertices, offsets[row], turn)
        area = skin_area(vertices, shot)
        for name, picture in (("warp", warped), ("stylehead", made)):
            error = np.abs(picture.astype(np.float32) - shot.filmed).mean(-1)[area].mean() / 255
            away = np.linalg.norm(describe(picture, vertices[:FACE, :2]) - portrait)
            values[name].append([float(error), float(away)])
        filmed = skin_light(shot.filmed, vertices) - before
        told = skin_light(made, vertices) - skin_light(warped, vertices)
        changes.append((told, filmed))
    if not changes:
        return {}
    told, filmed = (np.stack(each) for each in zip(*changes, strict=True))
    agreement = [
        float(np.corrcoef(told[:, band].ravel(), filmed[:, band].ravel())[0, 1])
        for band in map(band_area, BANDS.values())
    ]
    nothing = [float("nan")] * len(BANDS)
    return {
        name: [*np.mean(each, axis=0).tolist(), *(agreement if name != "warp" else nothing)]
        for name, each in values.items()
    }


def skin_light(pixels: Pixels, vertices: Floats) -> Floats:
    """Return the logarithm of luminance (S, S) of a face's skin, smoothed, in its texture space."""
    return smooth_skin(log_luminance(face_texture().unwrap(pixels, vertices[:FACE])))


def band_area(parts: tuple[tuple[int, ...], ...]) -> NDArray[np.bool_]:
    """Return the pixels (S, S) of the face's texture that belong to a band of folds."""
    area = np.zeros((face_texture().size,) * 2, np.uint8)
    for part in parts:
        points = face_texture().places[list(part), :2].round().astype(np.int32)
        cv2.fillConvexPoly(area, np.asarray(cv2.convexHull(points)), 1)
    return (cv2.dilate(area, np.ones((3, 3), np.uint8)) > 0) & (face_skin() > 0)


def skin_area(vertices: Floats, shot: Shot) -> NDArray[np.bool_]:
    """Return the pixels (CROP, CROP) of skin, without eyes and the square around the mouth."""
    points = vertices[MESH_OF_68, :2]
    area = (region_weights(points, CROP) == SKIN) & ~eye_region(vertices)
    square = np.ones((CROP_SIZE, CROP_SIZE), np.uint8)
    mouth = cv2.warpAffine(square, shot.mouth.matrix(), (CROP, CROP))
    return area & (mouth == 0)


def eye_error(made: Pixels, filmed: Pixels, vertices: Floats) -> float:
    """Return the mean error of both eyes, full scale 1."""
    area = eye_region(vertices)
    return float(np.abs(made.astype(np.float32) - filmed).mean(-1)[area].mean() / 255)


def frontal(performance: Performance) -> NDArray[np.bool_]:
    """Return which frames (T,) face the camera within 25 degrees."""
    return (np.abs(performance.rotation[:, 2, :2]) < np.sin(np.radians(25))).all(1)


def expressive_rows(clip: Clip, performance: Performance, offsets: Floats) -> list[int]:
    """Return frontal frames of the strongest expressions with open eyes, evenly spread.

    offsets (T, 68, 3) from the neutral face.
    """
    usable = clip.track.found & frontal(performance) & (performance.blink < OPEN)
    if not usable.any():
        return []
    amount = np.linalg.norm(offsets.reshape(len(offsets), -1), axis=1)
    return spread(np.flatnonzero(usable & (amount >= np.quantile(amount[usable], 1 - EXPRESSIVE))))


def spread(rows: NDArray[np.intp]) -> list[int]:
    """Return FRAMES rows, evenly spread."""
    count = min(FRAMES, len(rows))
    return rows[np.linspace(0, len(rows) - 1, count).astype(int)].tolist() if count else []


def with_lids(scene: MeshScene, source: WarpSource, mesh: Floats, blink: float) -> Floats:
    """Return the vertices of a tracked frame (478, 3), its lids shut as far as they are in truth.

    The tracker keeps the outlines of shut lids apart; a motion shuts them. Irises are where it
    sees them.
    """
    laid, pose = source.laid_over(mesh)
    vertices = scene.mesh.from_tracked(laid, pose)
    head = pose.undo(laid)
    face = head[:FACE]
    for eye in EYES:
        face = close_lids(face, eye, left_open(blink))
    vertices[:FACE] = pose.apply(face)
    vertices[-SEEN:] = pose.apply(iris_points(face, np.zeros(2, np.float32)))
    return vertices


def eye_region(vertices: Floats) -> NDArray[np.bool_]:
    """Return the pixels (CROP, CROP) of both eyes, from below the brow to below the lower lid."""
    area = np.zeros((CROP, CROP), np.uint8)
    for upper, lower, _, below_brow in EYES:
        points = vertices[np.concatenate([upper, lower, below_brow]), :2]
        cv2.fillConvexPoly(area, np.asarray(cv2.convexHull(points.round().astype(np.int32))), 1)
    width = float(np.linalg.norm(vertices[33, :2] - vertices[133, :2]))
    side = 2 * round(AROUND * width) + 1
    return cv2.dilate(area, np.ones((side, side), np.uint8)) > 0


def lid_distance(made: Pixels, shot: Shot, task: FaceLandmarker) -> float:
    """Return how far upper lids are from the film's, in pixels, as the tracker sees both."""
    lids = np.concatenate([eye[0][2:-2] for eye in EYES])
    seen = [faces_in(task, picture, None) for picture in (made, shot.filmed)]
    if not all(seen):
        return float("nan")
    one, other = (faces[0].mesh[lids, 1] for faces in seen)
    return float(np.abs(one - other).mean())


def eye_strips(
    scene: MeshScene,
    source: WarpSource,
    frames: dict[int, Pixels],
    clip: Clip,
    performance: Performance,
    rows: list[int],
) -> list[Pixels]:
    """Return three rows of eyes in blinks: warp, made, filmed."""
    strips: list[list[Pixels]] = [[], [], []]
    for row in [row for row in rows if row in frames][:6]:
        mesh = clip.track.mesh[row]
        vertices = with_lids(scene, source, mesh, float(performance.blink[row]))
        warped = move(scene, vertices)
        made = warped.copy()
        scene.eyes.complete(made, vertices)
        filmed = shoot(frames[row], mesh, source, scene).filmed
        middle = vertices[[33, 263], :2].mean(0).astype(int)
        reach = np.array([CROP // 5, CROP // 10])
        low = np.maximum(middle - reach, 0)
        for strip, picture in zip(strips, (warped, made, filmed), strict=True):
            part = picture[low[1] : low[1] + 2 * reach[1], low[0] : low[0] + 2 * reach[0]]
            strip.append(np.asarray(cv2.resize(part, (204, 102)), np.uint8))
    for strip in strips:
        strip += [np.zeros((102, 204, 3), np.uint8)] * (6 - len(strip))
    return [np.concatenate(strip, 1) for strip in strips]


if __name__ == "__main__":
    main()
