"""What is left of a motion in a Live Link Face take: write one, read it with csv, drive the face.

    python benchmarks/exchange.py SOUND... [--style NAME]

Prints, for each recording and at last the least of all, the correlation, gain and share of the
variance of the inner lips' opening, and the share of the landmark offsets' energy.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np

from stylehead.face.face_model import FaceModel
from stylehead.face.landmarks import mouth_opening, to_68
from stylehead.motion.exchange.shapes import rows_of_basis
from stylehead.motion.file import save_motion
from stylehead.options import DEFAULT_STYLE, MotionOptions
from stylehead.options.choices import MotionFormat
from stylehead.pipeline.run import make_motion
from stylehead.types import Floats, Motion


def driven(path: Path) -> Floats:
    """Return the landmarks (T, 68, 3) of the generic face, driven by the columns of a take."""
    model = FaceModel.embedded()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    mesh = np.tile(model.mean.ravel(), (len(rows), 1))
    for name, number in rows_of_basis().items():
        mesh += np.outer([float(row[name]) for row in rows], model.basis[number])
    return to_68(mesh.reshape(-1, 478, 3))


def left(motion: Motion) -> tuple[float, float, float, float]:
    """Return r, gain and R2 of the inner lips' opening, and R2 of all offsets."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "take.csv"
        save_motion(motion, path, MotionFormat.LIVELINK)
        found = driven(path)
    neutral = to_68(FaceModel.embedded().mean)
    one, other = mouth_opening(neutral + motion.landmarks), mouth_opening(found)
    r = np.corrcoef(one, other)[0, 1]
    gain = np.polyfit(one, other, 1)[0]
    lips = 1 - np.square(other - one).sum() / np.square(one - one.mean()).sum()
    gap = found - neutral - motion.landmarks
    return r, gain, lips, 1 - np.square(gap).sum() / np.square(motion.landmarks).sum()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sounds", nargs="+", type=Path)
    parser.add_argument("--style", default=DEFAULT_STYLE)
    asked = parser.parse_args()
    found: list[tuple[float, float, float, float]] = []
    for sound in asked.sounds:
        motion = make_motion(sound, style=asked.style, options=MotionOptions(duration=10))
        found.append(left(motion))
        print(f"{sound.name:40} {' '.join(f'{value:.3f}' for value in found[-1])}", flush=True)
    low, high = np.min(found, 0), np.max(found, 0)
    print(f"{'least, and largest gain':40} {low.round(3)} {high[1]:.3f}")


if __name__ == "__main__":
    main()
