"""Does the picture do what the motion asks? Track rendered frames again and compare.

    python benchmarks/retrack.py PORTRAIT... [--audio SOUND] [--style NAME] [--motion FILE]

Prints, for each portrait, the mean distance of the 68 landmarks from where the motion puts them, in
percent of the face's width, and the correlation of the mouth's opening.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import mouth_opening, to_68
from stylehead.media.audio import open_audio
from stylehead.media.image import read_image
from stylehead.motion.file import load_motion
from stylehead.motion.finishing import at_rate
from stylehead.options import DEFAULT_STYLE, Encoder, Encoding
from stylehead.pipeline.run import load_predictor
from stylehead.rendering.mesh_renderer import MeshScene, load_mouth_networks, prepare, render
from stylehead.style.file import find_style
from stylehead.tracking.detector import faces_in, landmarker
from stylehead.tracking.portrait import find_portrait
from stylehead.types import FaceTrack, Floats, Motion, Pixels
from stylehead.weights.store import demo_files

FPS = Fraction(25)
SIZE = 512


def asked_landmarks(scene: MeshScene, motion: Motion) -> Floats:
    """Return where the motion puts the 68 landmarks, (T, 68, 2) in crop pixels."""
    offsets = FaceModel.embedded().mesh_offsets(motion.landmarks)
    placed = [
        scene.mesh.pose_vertices(
            offsets[t], motion.rotation[t], motion.translation[t], float(motion.blink[t])
        )
        for t in range(len(motion))
    ]
    return to_68(np.stack(placed))[..., :2]


def tracked_landmarks(scene: MeshScene, motion: Motion) -> Floats:
    """Render the motion and return where the tracker sees the landmarks; NaN where it sees none."""
    found: list[Floats] = []
    with landmarker(video=True) as task:
        for number, frame in enumerate(render(scene, motion)):
            faces = faces_in(task, frame, round(1000 * number / FPS))
            found.append(
                to_68(faces[0].mesh)[:, :2] if faces else np.full((68, 2), np.nan, np.float32)
            )
    return np.stack(found)


def tracked(frames: Iterable[Pixels], fps: Fraction) -> FaceTrack:
    """Return the face that the tracker sees in pictures (H, W, 3) of one size."""
    meshes, scores = list[Floats](), list[Floats]()
    size = (0, 0)
    with landmarker(video=True) as task:
        for number, frame in enumerate(frames):
            size = frame.shape[1], frame.shape[0]
            faces = faces_in(task, frame, round(1000 * number / fps))
            meshes.append(faces[0].mesh if faces else np.full((478, 3), np.nan, np.float32))
            scores.append(faces[0].expression if faces else np.full(52, np.nan, np.float32))
    count = len(meshes)
    seconds = np.arange(count) / float(fps)
    still = np.zeros(count, bool)
    return FaceTrack(
        np.stack(meshes), np.stack(scores), np.ones(count, np.float32), seconds, still, size
    )


def main() -> None:
    """Compare asked and tracked landmarks for each portrait."""
    parser = argparse.ArgumentParser()
    parser.add_argument("portraits", nargs="+", type=Path)
    parser.add_argument("--audio", type=Path)
    parser.add_argument("--style", default="lively")
    parser.add_argument("--motion", type=Path)
    asked = parser.parse_args()
    device = torch.device("cpu")
    networks = load_mouth_networks(device)
    style = find_style(asked.style or DEFAULT_STYLE)
    if asked.motion:
        motion = at_rate(load_motion(asked.motion), FPS)
    else:
        sound = open_audio(asked.audio or demo_files()[1])
        motion = load_predictor(Encoding(encoder=Encoder.WHISPER), device).predict(
            sound, style, fps=FPS
        )
    print(f"{'portrait':24} {'error %':>8} {'p95 %':>8} {'opening r':>10} {'found':>6}")
    for path in asked.portraits:
        portrait = find_portrait(read_image(path), name=str(path))
        scene = prepare(portrait, style.references, networks, crop_size=SIZE, device=device)
        want, have = asked_landmarks(scene, motion), tracked_landmarks(scene, motion)
        seen = ~np.isnan(have[:, 0, 0])
        width = np.ptp(want[..., :17, 0], axis=1)
        error = 100 * np.linalg.norm(want - have, axis=-1)[seen] / width[seen, None]
        opening = np.corrcoef(mouth_opening(want)[seen], mouth_opening(have)[seen])[0, 1]
        print(
            f"{path.name:24} {error.mean():8.2f} {np.percentile(error, 95):8.2f} "
            f"{opening:10.3f} {seen.mean():6.0%}"
        )


if __name__ == "__main__":
    main()
