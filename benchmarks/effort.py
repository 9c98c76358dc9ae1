"""Is vocal effort heard, whatever the level? Raised voices, usual ones, and the same whispered.

    python benchmarks/effort.py --usual FOLDER --raised FOLDER [--style plain] [--files 20]

FOLDERs hold recordings of one voice each. Whispers are made of the usual ones: linear prediction,
its filters excited by noise. Prints for each kind how far the voice is raised (0 is usual), in how
many recordings at all, and the 95th percentile of the mouth's opening in a style, with --effort 0
and as it is by default.
"""

from __future__ import annotations

import argparse
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from stylehead.face.landmarks import mouth_opening
from stylehead.media.audio import Sound, open_audio
from stylehead.motion.styling import raised_voice
from stylehead.options import Encoding, MotionControls
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.style.file import find_style
from stylehead.types import SPEECH_RATE, Floats, Style
from stylehead.weights.networks import CPU

FPS = Fraction(30)
LONGEST = 10.0  # seconds of each recording
WINDOW, HOP, ORDER = 400, 160, 18
EMPHASIS = 0.97


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--usual", type=Path, required=True)
    parser.add_argument("--raised", type=Path, required=True)
    parser.add_argument("--style", default="plain")
    parser.add_argument("--files", type=int, default=20, help="so many, spread over each folder")
    asked = parser.parse_args()
    models, style = load_predictor(Encoding(), CPU), find_style(asked.style)
    print("voice\tfiles\traised\traised at all, %\topening, --effort 0\topening")
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("usual", "raised", "whispered"):
            folder = asked.raised if name == "raised" else asked.usual
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            chosen = np.linspace(0, len(paths) - 1, min(asked.files, len(paths))).astype(int)
            rows: list[list[float]] = []
            for path in (paths[number] for number in chosen):
                sound = open_audio(path, duration=LONGEST)
                if name == "whispered":
                    sound = whispered(sound, Path(scratch) / "whisper.wav")
                rows.append(measured(sound, models, style))
            values = np.array(rows)
            raised, *openings = values.mean(0)
            some = 100 * float((values[:, 0] > 0).mean())
            shown = "\t".join(f"{value:.3f}" for value in openings)
            print(f"{name}\t{len(rows)}\t{raised:.3f}\t{some:.0f}\t{shown}", flush=True)


def measured(sound: Sound, models: Predictor, style: Style) -> list[float]:
    """Return how far a voice is raised, and its openings without and with effort."""
    heard = models.unstyled(sound, FPS)
    raised = raised_voice(heard.prosody, FPS, len(heard.voice))
    found = [float(raised[heard.voice > 0.5].mean())]
    for controls in (MotionControls(effort=0), MotionControls()):
        motion = models.predict(sound, style, fps=FPS, controls=controls)
        opened = mouth_opening(motion.landmarks + motion.neutral) - mouth_opening(motion.neutral)
        found.append(float(np.percentile(opened, 95)))
    return found


def whispered(sound: Sound, path: Path) -> Sound:
    """Return a recording whose vocal tract is kept and whose glottis is replaced by noise.

    Emphasis flattens the voice's own source, so that what remains is the tract; turbulence is flat.
    """
    samples = np.concatenate(list(sound.blocks()))
    emphasised = lfilter([1, -EMPHASIS], [1], samples)
    noise = np.random.default_rng(0).standard_normal(len(samples))
    window, made = np.hanning(WINDOW), np.zeros(len(samples))
    for start in range(0, len(samples) - WINDOW, HOP):
        piece = slice(start, start + WINDOW)
        made[piece] += window * breathed(emphasised[piece] * window, noise[piece])
    soundfile.write(path, 0.5 * made / np.abs(made).max(), SPEECH_RATE)
    return open_audio(path)


def breathed(piece: Floats, noise: Floats) -> Floats:
    """Return noise through a windowed piece's all-pole filter, as strong as the piece."""
    energies = np.correlate(piece, piece, "full")[WINDOW - 1 : WINDOW + ORDER]
    if energies[0] < 1e-8:
        return np.zeros(WINDOW)
    energies[0] *= 1.0001  # a little noise keeps the equations solvable
    poles = solve_toeplitz(energies[:-1], energies[1:])
    gain = np.sqrt(max(energies[0] - poles @ energies[1:], 0.0) / WINDOW)
    return np.asarray(lfilter([gain], [1, *-poles], noise))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
