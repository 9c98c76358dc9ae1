"""What stays and what turns: a checkerboard and a door frame behind portraits, and heads turned.

    python benchmarks/background.py PORTRAIT... [--sheet SHEET.png]

Each portrait is laid over two drawn backgrounds by its own matte, found anew in the result, and
turned by 15 degrees to four sides about the skull's axis, in crops of 512 pixels: once as a layer
over its plate, once as one mesh over everything, as before. Prints how far the drawn corners move
outside the person, how much the background flickers, and how well the plate guesses what the person
hid. A second table turns the portraits themselves by 20 degrees: how much a pixel of the face is
stretched, and how far the tracker sees it turned, with the relief eased and as tracked.
Last, the CPU time of a frame. The sheet shows the turned portraits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.face.landmarks import FACE
from stylehead.media.image import read_image, write_image
from stylehead.options import DEFAULT_STYLE
from stylehead.rendering import portrait_mesh
from stylehead.rendering.mesh_renderer import MeshScene, load_mouth_networks, move, prepare
from stylehead.rendering.portrait_mesh import AXIS, PortraitMesh
from stylehead.rendering.warp import Sampler, crop_of
from stylehead.style.file import find_style
from stylehead.tracking.detector import FaceLandmarker, faces_in, landmarker
from stylehead.tracking.portrait import find_portrait
from stylehead.types import Floats, Pixels, Portrait

CPU = torch.device("cpu")
SIZE = 512
SQUARE = 24  # pixels of the picture's crop that a square of the checkerboard is wide
SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Pitch and yaw of the four turns."""
AWAY = 25  # pixels: half of it away from the layer, optical flow sees background alone
BEHIND = "checkerboard", "door frame"
WINDOW = (11, 11)  # of the flow: with one level of halves it looks no further than that
PAIRS = 20  # pairs of frames whose time is taken


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("portraits", nargs="+", type=Path)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    networks = load_mouth_networks(CPU)
    references = find_style(DEFAULT_STYLE).references

    def scene_of(portrait: Portrait) -> MeshScene:
        return prepare(portrait, references, networks, crop_size=SIZE, device=CPU)

    stays: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    turns: dict[str, list[list[float]]] = {}
    strips: list[Pixels] = []
    times: list[Floats] = []
    with landmarker(video=False) as task:
        for path in asked.portraits:
            portrait = find_portrait(read_image(path), name=path.name)
            if portrait.matte is None:
                print(f"no matte: {path.name}")
                continue
            for name, drawn in zip(BEHIND, backgrounds(portrait), strict=True):
                for way, row in judge_background(portrait, drawn, scene_of):
                    stays.setdefault((name, way), []).append(row)
            scene = scene_of(portrait)
            strips.append(np.concatenate([scene.picture, *turned(scene, 20)], 1))
            turns.setdefault("eased", []).append(judge_turns(scene, task))
            times.append(frame_times(scene, scene_of(replace(portrait, matte=None))))
            with patch.object(portrait_mesh, "ease_relief", lambda mesh: mesh):
                turns.setdefault("as tracked", []).append(judge_turns(scene_of(portrait), task))
    print("behind\tway\tcorners\tmedian shift px\tlargest shift px\tchanged outside\trevealed L1")
    for (name, way), rows in stays.items():
        corners, middle, largest, changed, revealed = np.array(rows).T
        hidden = f"{np.nanmean(revealed):.3f}" if way == "layer" else ""
        print(
            f"{name}\t{way}\t{corners.sum():.0f}\t{np.average(middle, weights=corners):.2f}\t"
            f"{largest.max():.2f}\t{changed.mean():.4f}\t{hidden}"
        )
    print("relief\tstretch p95\tyaw seen at 20\tpitch seen at 20\tface found")
    for name, rows in turns.items():
        print("\t".join((name, *(f"{value:.2f}" for value in np.nanmean(rows, axis=0)))))
    layer, mesh = np.median(np.concatenate(times, 1), 1)
    print(f"CPU of a frame before the mouth: layer {layer:.2f} ms, one mesh {mesh:.2f} ms")
    if asked.sheet:
        write_image(asked.sheet, np.concatenate(strips))


def backgrounds(portrait: Portrait) -> Iterator[Pixels]:
    """Yield a checkerboard, and a plain wall with a door frame, as large as the picture."""
    height, width = portrait.pixels.shape[:2]
    scale = portrait_mesh.build_portrait_mesh(portrait, size=SIZE).scale
    rows, columns = np.indices((height, width)) * scale / SQUARE
    board = np.where((rows.astype(int) + columns.astype(int)) % 2, 200, 70)
    yield np.repeat(board[..., None], 3, -1).astype(np.uint8)
    wall = np.full((height, width, 3), (196, 190, 178), np.uint8)
    middle = portrait.face.mesh[:, :2].mean(0) * scale / SQUARE
    frame = np.abs(np.abs(columns - middle[0]) - 6) < 1
    frame |= np.abs(rows - middle[1] + 5) < 1
    wall[frame] = (104, 72, 48)
    yield wall


def judge_background(
    portrait: Portrait, drawn: Pixels, scene_of: Callable[[Portrait], MeshScene]
) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield, for layer and mesh, corners, median and largest shift, change, error of the rest."""
    assert portrait.matte is not None
    cover = portrait.matte[..., None] / 255
    pixels = (portrait.pixels * cover + drawn * (1 - cover) + 0.5).astype(np.uint8)
    again = find_portrait(pixels, name="laid over", number=None)
    if again.matte is None:
        return
    mattes = portrait.matte, np.maximum(portrait.matte, again.matte)
    for way, matte in (("layer", again.matte), ("one mesh", None)):
        scene = scene_of(replace(again, matte=matte))
        behind = crop_of(drawn, scene.mesh)
        true, wide = (crop_of(np.repeat(one[..., None], 3, -1), scene.mesh) for one in mattes)
        moved = zip(
            turned(scene, 15), moved_with(scene, true), moved_with(scene, wide), strict=True
        )
        rows = [
            compare(scene, frame, behind, (true, person), (wide, layer))
            for frame, person, layer in moved
        ]
        count, middle, largest, changed, revealed = np.array(rows).T
        shown = float(np.nanmean(revealed)) if np.isfinite(revealed).any() else float("nan")
        yield way, (count.sum(), np.median(middle), largest.max(), changed.mean(), shown)


def moved_with(scene: MeshScene, picture: Pixels) -> Iterator[Pixels]:
    """Yield another picture (S, S, 3), moved as the scene's mesh is turned."""
    alone = replace(scene, sampler=Sampler(picture), layer=None)
    return (move(alone, vertices) for vertices in turned_vertices(scene.mesh, 15))


def compare(
    scene: MeshScene,
    frame: Pixels,
    behind: Pixels,
    person: tuple[Pixels, Pixels],
    layer: tuple[Pixels, Pixels],
) -> tuple[float, ...]:
    """Return corners, their median and largest shift, changed background, error of the revealed.

    person and layer are mattes, still and moved: the true one, and all that is taken for a person.
    """
    near = cv2.dilate((np.maximum(*layer)[..., 0] > 0).astype(np.uint8), np.ones((AWAY, AWAY)))
    still, grey = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (scene.picture, frame))
    seen = cv2.goodFeaturesToTrack(still, 400, 0.05, 8, mask=np.asarray(1 - near, np.uint8))
    corners = np.asarray(seen, np.float32)  # of None where there is nothing to see
    changed = float(np.abs(frame.astype(int) - scene.picture)[near == 0].mean())
    revealed = (person[0][..., 0] > 250) & (person[1][..., 0] == 0)
    error = np.abs(frame.astype(float) - behind)[revealed] / 255
    shown = float(error.mean()) if scene.layer and revealed.any() else float("nan")
    if not corners.ndim:
        return 0.0, 0.0, 0.0, changed, shown
    found, known, _ = cv2.calcOpticalFlowPyrLK(
        still, grey, corners, np.empty(0, np.float32), winSize=WINDOW, maxLevel=1
    )
    shift = np.linalg.norm(found - corners, axis=-1)[np.asarray(known) > 0]
    return float(len(shift)), float(np.median(shift)), float(shift.max()), changed, shown


def turned_vertices(mesh: PortraitMesh, degrees: float) -> Iterator[Floats]:
    """Yield the vertices of a head turned to four sides about the skull's axis."""
    for pitch, yaw in SIDES:
        rotation = rotation_from_angles(degrees * np.array([pitch, yaw, 0.0]))
        nothing = np.zeros((478, 3), np.float32)
        yield mesh.pose_vertices(nothing, rotation, AXIS - AXIS @ rotation, 0.0)


def turned(scene: MeshScene, degrees: float) -> Iterator[Pixels]:
    """Yield the crops of a head turned to four sides."""
    return (move(scene, vertices) for vertices in turned_vertices(scene.mesh, degrees))


def judge_turns(scene: MeshScene, task: FaceLandmarker) -> list[float]:
    """Return the face's stretch, yaw and pitch as the tracker sees them, and how often it does."""
    mesh = scene.mesh
    inside = mesh.triangles[(mesh.triangles < FACE).all(1)]
    source = mesh.source[inside][..., :2]
    before = np.stack([source[:, 1] - source[:, 0], source[:, 2] - source[:, 0]], -1)
    own = seen_angles(scene.picture, task)
    stretches: list[float] = []
    seen: list[list[float]] = []
    for (pitch, yaw), vertices in zip(SIDES, turned_vertices(mesh, 20), strict=True):
        target = vertices[inside][..., :2]
        after = np.stack([target[:, 1] - target[:, 0], target[:, 2] - target[:, 0]], -1)
        areas = np.linalg.det(before)
        shown = np.abs(areas) > 1e-3
        shown &= np.sign(areas) == np.sign(np.linalg.det(after))
        linear = after[shown] @ np.linalg.inv(before[shown])
        stretch = np.linalg.svd(linear, compute_uv=False)[:, 0]
        order = np.argsort(stretch)
        share = np.cumsum(np.abs(np.linalg.det(after[shown]))[order])
        stretches.append(float(stretch[order][np.searchsorted(share, 0.95 * share[-1])]))
        turn = (seen_angles(move(scene, vertices), task) - own)[:2]
        seen.append([turn[1] * yaw if yaw else np.nan, turn[0] * pitch if pitch else np.nan])
    yaw, pitch = np.nanmean(seen, axis=0)
    return [
        float(np.mean(stretches)),
        float(yaw),
        float(pitch),
        float(np.isfinite(seen).mean() * 2),
    ]


def seen_angles(crop: Pixels, task: FaceLandmarker) -> Floats:
    """Return pitch, yaw and roll of a crop's face as the tracker sees it; NaN without one."""
    faces = faces_in(task, crop, None)
    if not faces:
        return np.full(3, np.nan, np.float32)
    return angles_from_rotation(FaceModel.embedded().pose(faces[0].mesh).rotation)


def frame_times(*scenes: MeshScene) -> Floats:
    """Return CPU milliseconds (scenes, PAIRS) of moving a crop, taken in turns."""
    vertices = next(turned_vertices(scenes[0].mesh, 10)), next(turned_vertices(scenes[1].mesh, 10))
    times = np.zeros((len(scenes), PAIRS))
    for pair in range(PAIRS):
        for number, scene in enumerate(scenes):
            began = time.process_time()
            move(scene, vertices[number])
            times[number, pair] = 1000 * (time.process_time() - began)
    return times


if __name__ == "__main__":
    main()
