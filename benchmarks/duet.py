"""Does each face of a picture sing its own voice? Two singers, tracked in the finished video.

    python benchmarks/duet.py LEFT RIGHT --stems ONE TWO [--style NAME]... [--seconds 24]
        [--height 480] [--overlap 0] [--cues FILE] [--keep FOLDER]

LEFT and RIGHT are portraits; they are joined to one picture, with --overlap of their width cut
away on the inner sides. ONE and TWO are recordings of a voice each; their sum is what is played.
Prints, for each mouth that the tracker sees in the video, the correlation of its opening with its
own motion's and with the other's, that of the two motions with each other, which is chance, and how
far it is open while only the other sings; then, whether a second run gives the same frames.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import soundfile
from PIL import Image

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import interocular, mouth_opening, to_68
from stylehead.media.audio import open_audio
from stylehead.media.image import read_image
from stylehead.media.video import read_frames
from stylehead.options import Options
from stylehead.pipeline.result import Result
from stylehead.pipeline.run import animate
from stylehead.tracking.detector import faces_in, landmarker
from stylehead.types import SPEECH_RATE, Floats, Pixels

FPS = 25
SILENT = 0.25  # seconds around a voice that still count as its own


def main() -> None:
    """Make the video twice and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("portraits", nargs=2, type=Path)
    parser.add_argument("--stems", nargs=2, type=Path, required=True)
    parser.add_argument("--style", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=24.0)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--overlap", type=float, default=0.0)
    parser.add_argument("--cues", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for picture, sound and video")
    asked = parser.parse_args()
    styles = [*asked.style, "plain", "plain"][:2]
    with tempfile.TemporaryDirectory() as made:
        folder = asked.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        halves = [read_image(path) for path in asked.portraits]
        picture, middle = joined(halves, asked.height, asked.overlap)
        Image.fromarray(picture).save(folder / "duet.png")
        stems = save_stems(asked.stems, asked.seconds, folder)
        sing = [
            f"{face}={stem}:{style}"
            for face, (stem, style) in enumerate(zip(stems, styles, strict=True), 1)
        ]
        options = Options(sing=sing, cues=asked.cues, fps=FPS, overwrite=True)
        runs: list[str] = []
        for name in ("duet.mp4", "again.mp4"):
            result = animate(
                folder / "duet.png", folder / "mix.wav", folder / name, options=options
            )
            runs.append(digest(folder / name))
        report(result, folder / "duet.mp4", middle)
        print("a second run gives the same frames:", "yes" if runs[0] == runs[1] else "NO")


def joined(halves: list[Pixels], height: int, overlap: float) -> tuple[Pixels, int]:
    """Return two portraits (H, W, 3) side by side, and the column where the second begins."""
    sides: list[Pixels] = []
    for pixels in halves:
        size = (round(pixels.shape[1] * height / pixels.shape[0]), height)
        sides.append(np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8))
    left, right = sides
    left = left[:, : round(left.shape[1] * (1 - overlap))]
    right = right[:, round(right.shape[1] * overlap) :]
    return np.ascontiguousarray(np.concatenate([left, right], 1)), left.shape[1]


def save_stems(paths: list[Path], seconds: float, folder: Path) -> list[Path]:
    """Write stems of one length, and their sum as mix.wav; return the stems' files."""
    voices = [np.concatenate(list(open_audio(path, duration=seconds).blocks())) for path in paths]
    longest = max(len(voice) for voice in voices)
    padded = [np.pad(voice, (0, longest - len(voice))) for voice in voices]
    files = [folder / "one.wav", folder / "two.wav"]
    for path, voice in zip(files, padded, strict=True):
        soundfile.write(path, voice, SPEECH_RATE)
    soundfile.write(folder / "mix.wav", np.sum(padded, 0) / 2, SPEECH_RATE)
    return files


def digest(video: Path) -> str:
    """Return the sha256 of a video's frames."""
    hasher = hashlib.sha256()
    for frame in read_frames(video):
        hasher.update(frame.pixels.tobytes())
    return hasher.hexdigest()


def report(result: Result, video: Path, middle: int) -> None:
    """Print a row for each face."""
    motions = [take.motion for take in result.takes]
    asked = np.stack([mouth_opening(motion.landmarks + motion.neutral) for motion in motions])
    rest = np.array([mouth_opening(motion.neutral) for motion in motions])
    sings = np.abs(asked - rest[:, None]) > 0.01
    reach = np.ones(2 * round(SILENT * FPS) + 1)
    heard = np.stack([np.convolve(row, reach, "same") > 0 for row in sings])
    seen = tracked(video, middle)
    print("face\town r\tother's r\tchance r\tfound\topen while the other sings, motion\ttracked")
    for face in (0, 1):
        found = np.isfinite(seen[face])
        own, other = (
            np.corrcoef(seen[face][found], asked[number][found])[0, 1]
            for number in (face, 1 - face)
        )
        chance = np.corrcoef(*asked)[0, 1]
        alone, away = heard[1 - face] & ~heard[face] & found, (np.nan, np.nan)
        if alone.any():
            shut = np.median(seen[face][found & ~heard[face]])
            stirred = np.percentile(np.abs(seen[face][alone] - shut), 95)
            away = (np.abs(asked[face] - rest[face])[alone].max(), stirred)
        values = (own, other, chance, found.mean(), *away)
        print("\t".join((str(face + 1), *(f"{value:.3f}" for value in values))))


def tracked(video: Path, middle: int) -> Floats:
    """Return the openings (2, T) of both mouths as the tracker sees them; NaN where it does not."""
    rows: list[list[float]] = [[], []]
    with landmarker(video=True) as left, landmarker(video=True) as right:
        for number, frame in enumerate(read_frames(video)):
            parts = (frame.pixels[:, :middle], frame.pixels[:, middle:])
            for row, task, pixels in zip(rows, (left, right), parts, strict=True):
                stamp = round(1000 * Fraction(number, FPS))
                faces = faces_in(task, np.ascontiguousarray(pixels), stamp)
                row.append(opening_of(faces[0].mesh) if faces else float("nan"))
    return np.array(rows)


def opening_of(mesh: Floats) -> float:
    """Return the mouth opening of a tracked mesh (478, 3), its head turned to the front."""
    frontal = to_68(FaceModel.embedded().pose(mesh).undo(mesh))
    return float(mouth_opening(frontal) / interocular(frontal))


if __name__ == "__main__":
    main()
