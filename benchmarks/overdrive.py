"""Should expressions be driven further, because the tracker sees less of them in a moved picture?

    pip install --no-deps dlib-bin face-recognition-models
    python benchmarks/overdrive.py FILM... [--seconds 7]

The first sharp closed mouth of each film is moved to the film's own tracked faces, as in
benchmarks/picture.py, with what brows and mouth differ by from that frame times each of GAINS. Of a
gain are printed: L1 of brows and of the mouth against the film, of 1000, and the slopes with which
what the tracker sees in the moved picture follows what it sees in the film, within films. FILMs are
of people whom training knows: settings may follow from it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from expression import corner_lift, mouth_width
from numpy.typing import NDArray
from picture import CROP, read_rows, shoot, stage

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import align, smoothstep
from stylehead.face.landmarks import RIGID, brow_height, interocular, mouth_opening, to_68
from stylehead.face.performance import recover_performance
from stylehead.models.mouth_generator import MouthGenerator
from stylehead.rendering.mesh_renderer import move
from stylehead.rendering.mouth.completer import MouthCompleter
from stylehead.style.references import retrieve
from stylehead.tracking.clip import track_video
from stylehead.tracking.detector import FaceLandmarker, faces_in, landmarker
from stylehead.training.data.mouth_pairs import WarpSource, choose_frames
from stylehead.training.data.region_weights import MOUTH
from stylehead.types import Floats, Pixels
from stylehead.weights.networks import CPU, load_mouth_generator
from stylehead.weights.store import resolve

GAINS = (1.0, 1.1, 1.2, 1.35, 1.5)
SPREAD = 14  # frames of a film that are compared
MEASURES = {
    "brow height": brow_height,
    "corners over the lips": corner_lift,
    "mouth width": mouth_width,
    "mouth opening": mouth_opening,
}


def main() -> None:
    """Print a row for each gain."""
    parser = argparse.ArgumentParser()
    parser.add_argument("films", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=7.0)
    asked = parser.parse_args()
    net = load_mouth_generator(resolve("style_generator"))
    judged = [found for film in asked.films if (found := judge(film, asked.seconds, net))]
    print("\t".join(("gain", "brows L1", "mouth L1", *MEASURES)))
    for number, gain in enumerate(GAINS):
        errors = np.mean([found[0][:, number].mean(0) for found in judged], 0)
        seen = np.concatenate([centred(found[1][:, number]) for found in judged])
        film, moved = seen[:, 0], seen[:, 1]
        slopes = (film * moved).sum(0) / (film * film).sum(0)
        print("\t".join((f"{gain:g}", *(f"{one:.3g}" for one in (*(1000 * errors), *slopes)))))
    print(f"{len(judged)} films")


def centred(rows: Floats) -> Floats:
    """Return values (T, ...) less their means."""
    return rows - rows.mean(0)


def judge(film: Path, seconds: float, net: MouthGenerator) -> tuple[Floats, Floats] | None:
    """Return errors (T, G, 2) and measures (T, G, 2, M) of film and moved picture.

    None where no frame can be the source.
    """
    track = track_video(film, start=0, duration=seconds)
    performance = recover_performance(track, name=film.name)
    frames = choose_frames(track, performance)
    if frames is None:
        print(f"left out, no large, frontal, closed mouth: {film.name}")
        return None
    source = min(frames[0])
    usable = np.flatnonzero(track.found)
    rows = usable[np.linspace(0, len(usable) - 1, SPREAD).astype(int)].tolist()
    shown = read_rows(film, track, {source, *rows})
    scene = stage(shown[source], track, source, retrieve(track, performance).references)
    own_mesh = scene.mesh.in_crop(track.mesh[source])
    warp_source = WarpSource(scene.picture, scene.mesh, FaceModel.embedded().pose(own_mesh))
    completer = MouthCompleter(net, CPU)
    laid, pose = warp_source.laid_over(track.mesh[source])
    rest = pose.undo(laid)
    neutral, driven = to_68(scene.mesh.neutral), driven_part(rest)
    errors, measures = list[list[list[float]]](), list[list[list[Floats]]]()
    with landmarker(video=False) as task:
        for row in (row for row in rows if row in shown and row != source):
            shot = shoot(shown[row], track.mesh[row], warp_source, scene)
            filmed = measured(shot.filmed, task, neutral)
            laid, pose = warp_source.laid_over(track.mesh[row])
            head = pose.undo(laid)
            each = list[tuple[list[float], Floats]]()
            for gain in GAINS if filmed is not None else ():
                further = head + (gain - 1) * driven * (head - rest)
                vertices = scene.mesh.from_tracked(pose.apply(further).astype(np.float32), pose)
                crop = move(scene, vertices)
                completer.complete([crop], [vertices], [shot.mouth])
                away = np.abs(crop.astype(np.float32) - shot.filmed).mean(-1) / 255
                areas = around_brows(to_68(vertices)), shot.area == MOUTH
                seen = measured(crop, task, neutral)
                if seen is not None:
                    each.append(([float(away[area].mean()) for area in areas], seen))
            if filmed is not None and len(each) == len(GAINS):
                errors.append([one for one, _ in each])
                measures.append([[filmed, seen] for _, seen in each])
    return (np.array(errors), np.array(measures)) if errors else None


def driven_part(head: Floats) -> Floats:
    """Return how much of each vertex (478, 1) of a head is driven: brows and forehead, mouth."""
    points = to_68(head)
    unit = interocular(points)
    eyes, nose = points[[36, 45], 1].mean(), points[33, 1]
    above = ((eyes - 0.12 * unit - head[:, 1]) / (0.15 * unit)).clip(0, 1)
    below = ((head[:, 1] - nose + 0.02 * unit) / (0.1 * unit)).clip(0, 1)
    return (smoothstep(above) + smoothstep(below))[:, None]


def around_brows(points: Floats) -> NDArray[np.bool_]:
    """Return where brows (68 points, crop pixels) are, and the skin over them."""
    brows = points[17:27, :2]
    over = brows - [0, 0.25 * float(np.linalg.norm(points[36, :2] - points[45, :2]))]
    area = np.zeros((CROP, CROP), np.uint8)
    hull = cv2.convexHull(np.concatenate([brows, over]).astype(np.int32))
    return cv2.fillConvexPoly(area, hull, (1,)).astype(bool)


def measured(crop: Pixels, task: FaceLandmarker, neutral: Floats) -> Floats | None:
    """Return MEASURES as the tracker sees them, on a head as it stands in the neutral face."""
    faces = faces_in(task, crop, None)
    if not faces:
        return None
    rigid, points = list(RIGID), to_68(faces[0].mesh)
    placed = align(neutral[rigid], points[rigid]).undo(points)
    return np.array([float(np.ravel(of(placed[None]))[0]) for of in MEASURES.values()])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
