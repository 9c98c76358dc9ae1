"""Does a mouth sing, whatever plays behind the voice? Voices over bands, at several levels.

    python benchmarks/mixes.py --voices FOLDER --bands FOLDER [--separate auto]... [--files 12]

Every voice is mixed with a band of the other folder, the band so many dB over the voice. What is
printed for each `--separate`: the correlation of the mouth's opening with that of the voice alone
(taken as it is), mean and least over the voices; how the bands alone open the mouth. Both folders
are spread over evenly; a voice and its band stay the same for every separator and level.
"""

from __future__ import annotations

import argparse
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch

from stylehead.errors import MediaError
from stylehead.evaluation.mouth import OPEN, opening_correlation, silence_leak
from stylehead.face.face_model import generic_neutral
from stylehead.face.landmarks import mouth_opening
from stylehead.media.audio import Sound, open_audio
from stylehead.options import Encoding, Separate, Separation
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.training.data.audio import SUFFIXES
from stylehead.types import Floats
from stylehead.weights.networks import CPU

RATE = 44_100
LEVELS = (-9.0, -3.0, 0.0, 3.0, 6.0)
"""dB of the band against the voice."""
SECONDS = 12.0
BAND_FROM = 20.0  # seconds into a piece: introductions are often quiet
LEAST_SECONDS = 3.0
FPS = Fraction(30)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--voices", type=Path, required=True)
    parser.add_argument("--bands", type=Path, required=True)
    parser.add_argument("--separate", type=Separate, action="append")
    parser.add_argument("--files", type=int, default=12, help="voices, spread over the folder")
    asked = parser.parse_args()
    choices: list[Separate] = asked.separate or [Separate.AUTO, Separate.SPLEETER]
    predictors = {choice: predictor_of(choice) for choice in {*choices, Separate.OFF}}
    voices, bands = (spread(folder, asked.files) for folder in (asked.voices, asked.bands))
    found: dict[tuple[Separate, float], list[float]] = {}
    leaks: dict[Separate, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mix.wav"
        for number, place in enumerate(voices):
            band_place = bands[number % len(bands)]
            voice, band = mixable(place, band_place)
            alone = opening(predictors[Separate.OFF], written(path, voice))
            for choice in choices:
                row: list[float] = []
                for level in LEVELS:
                    mix = voice + band * np.float32(10 ** (level / 20))
                    opened = opening(predictors[choice], written(path, mix))
                    row.append(opening_correlation(alone, opened) if opened.std() > 1e-6 else 0.0)
                    found.setdefault((choice, level), []).append(row[-1])
                opened = opening(predictors[choice], written(path, band))
                leaks.setdefault(choice, []).append(
                    silence_leak(opened, np.ones(len(opened), bool))
                )
                shown = " ".join(f"{value:5.2f}" for value in row)
                print(f"{choice.value}\t{shown}\t{place.name} over {band_place.name}", flush=True)
    print("\nopening r with the voice alone, mean (least)")
    print("\t".join(("separator", *(f"{level:+g} dB" for level in LEVELS))))
    for choice in choices:
        cells = (found[choice, level] for level in LEVELS)
        print("\t".join((choice.value, *(f"{np.mean(c):.2f} ({min(c):.2f})" for c in cells))))
    print(f"\nbands alone: mouth open by more than {OPEN}, % of frames, mean (most)")
    for choice in choices:
        percent = 100 * np.array(leaks[choice])
        print(f"{choice.value}\t{percent.mean():.1f} ({percent.max():.1f}) of {len(percent)}")


def predictor_of(choice: Separate) -> Predictor:
    """Return a predictor with that separator."""
    return load_predictor(Encoding(), CPU, separation=Separation(separate=choice))


def spread(folder: Path, count: int) -> list[Path]:
    """Return so many recordings that are long enough, spread evenly over a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    usable: list[Path] = []
    for path in paths:
        try:
            if open_audio(path).seconds >= LEAST_SECONDS:
                usable.append(path)
        except MediaError:
            continue
    places = np.linspace(0, len(usable) - 1, min(count, len(usable))).astype(int)
    return [usable[place] for place in places]


def mixable(voice: Path, band: Path) -> tuple[Floats, Floats]:
    """Return voice and band (N, 2) at RATE, equally loud; the band repeated where it is short."""
    sung = stereo(open_audio(voice, duration=SECONDS))
    whole = open_audio(band)
    start = BAND_FROM if whole.seconds > BAND_FROM + SECONDS else 0.0
    played = stereo(open_audio(band, start=start, duration=SECONDS))
    repeats = -(-len(sung) // len(played))
    return sung, np.tile(played, (repeats, 1))[: len(sung)]


def stereo(sound: Sound) -> Floats:
    """Return samples (N, 2) at RATE, their loud parts at 0.1."""
    return np.concatenate(list(sound.blocks(RATE, 2))) * np.float32(0.1 / sound.loudness)


def written(path: Path, samples: Floats) -> Path:
    """Write samples (N, 2) to a file and return it."""
    soundfile.write(path, samples / max(1.0, float(np.abs(samples).max())), RATE)
    return path


def opening(predictor: Predictor, path: Path) -> Floats:
    """Return the mouth's opening (T,) beyond the shut mouth's, in interocular distances."""
    neutral = generic_neutral()
    landmarks = predictor.unstyled(open_audio(path), FPS).landmarks[0]
    return mouth_opening(neutral + landmarks) - mouth_opening(neutral[None])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
