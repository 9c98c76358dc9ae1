"""Does a mouth sing? Held vowels stay open, and the opening follows loudness and pitch.

    python benchmarks/singing.py FOLDER [--style NAME_OR_FILE]... [--files 12]

FOLDER holds recordings of one voice each. For the un-tuned generator and each style: how much of a
held note (a pitch within a semitone for 0.4 s) the mouth is open at least half as wide as
usual while singing; how much slower than elsewhere it moves in it; and the correlation of the
opening with loudness in dB and with the logarithm of the pitch. Means over files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from stylehead.face.face_model import generic_neutral
from stylehead.face.landmarks import mouth_opening
from stylehead.finetuning.singing import NOTE, WINDOW, held_notes, pitch_track
from stylehead.media.audio import open_audio
from stylehead.options import Encoder, Encoding
from stylehead.pipeline import load_predictor
from stylehead.style.file import find_style
from stylehead.style.learn import STYLE_FPS
from stylehead.types import SPEECH_RATE, Floats

LONGEST = 20.0  # seconds of each file
HELD = round(NOTE * STYLE_FPS)  # frames
NEUTRAL = generic_neutral()
COLUMNS = ("open in held notes, %", "speed in them", "r loudness", "r pitch")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--style", action="append", default=[])
    parser.add_argument("--files", type=int, default=12, help="so many, spread over the folder")
    asked = parser.parse_args()
    models = load_predictor(Encoding(encoder=Encoder.WHISPER), torch.device("cpu"))
    paths = sorted(one for one in asked.folder.rglob("*") if one.is_file())
    chosen = np.linspace(0, len(paths) - 1, min(asked.files, len(paths))).astype(int)
    rows: dict[str, list[list[float]]] = {}
    for path in [paths[number] for number in chosen]:
        sound = open_audio(path, duration=LONGEST)
        samples = np.concatenate(list(sound.blocks()))
        plain = models.unstyled(sound, STYLE_FPS)
        pitch, level = pitch_and_level(samples, len(plain.landmarks[0]))
        if held_notes(pitch, HELD).sum() < 15:
            print(f"left out, no held note: {path.name}")
            continue
        found = {"un-tuned": plain.landmarks[0]}
        for name in asked.style:
            moved = models.predict(sound, find_style(name), fps=STYLE_FPS)
            found[Path(name).stem] = moved.landmarks
        for name, landmarks in found.items():
            values = validate(mouth_opening(landmarks + NEUTRAL), plain.voice, pitch, level)
            rows.setdefault(name, []).append(values)
    print("\t".join((f"{len(next(iter(rows.values())))} files", *COLUMNS)))
    for name, values in rows.items():
        print("\t".join((name, *(f"{value:.2f}" for value in np.nanmean(values, axis=0)))))


def pitch_and_level(samples: Floats, frames: int) -> tuple[Floats, Floats]:
    """Return pitch in Hz, NaN where there is none, and level in dB: (T,) at STYLE_FPS."""
    padded = np.pad(samples, WINDOW)
    starts = (np.arange(frames) * SPEECH_RATE / float(STYLE_FPS)).astype(int) + WINDOW // 2
    cut = np.stack([padded[start : start + WINDOW] for start in starts]) * np.hanning(WINDOW)
    level = 10 * np.log10(np.square(cut).mean(1) + 1e-9)
    return pitch_track(samples, frames, float(STYLE_FPS)), level


def validate(opening: Floats, voice: Floats, pitch: Floats, level: Floats) -> list[float]:
    """Return COLUMNS for one recording."""
    held, sung = held_notes(pitch, HELD), (voice > 0.5) & np.isfinite(pitch)
    usual = np.median(opening[voice > 0.5])
    speed = np.abs(np.gradient(opening))
    elsewhere = speed[(voice > 0.5) & ~held]
    smooth = gaussian_filter1d(opening, 2)
    return [
        100 * float((opening[held] > usual / 2).mean()),
        float(speed[held].mean() / elsewhere.mean()) if len(elsewhere) else float("nan"),
        float(np.corrcoef(smooth[sung], level[sung])[0, 1]),
        float(np.corrcoef(smooth[sung], np.log(pitch[sung]))[0, 1]),
    ]


if __name__ == "__main__":
    main()
