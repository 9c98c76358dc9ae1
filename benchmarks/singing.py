"""Does a mouth sing? Held notes, breaths, a head's phrases, and lips that round.

    python benchmarks/singing.py FOLDER... --table TABLE.tsv... [--style NAME_OR_FILE]...

FOLDERs hold tracked clips, as `stylehead prepare` makes them; TABLEs say which of them are songs
(columns `file` and `kind`). Tracked faces stand beside the un-tuned generator and each style, with
and without what the options add. Prints, as means over the clips in which there is any: how still
the mouth is in held notes, against the same length outside them, and how its opening follows
loudness there; the opening and the head's pitch around the beginning of phrases that follow a
pause; and the width of the mouth.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from stylehead.evaluation.mouth import OPEN, VOICED_GATE, opening_correlation
from stylehead.face.face_model import generic_neutral
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import mouth_opening, mouth_width
from stylehead.face.performance import recover_performance
from stylehead.media.audio import Sound, open_audio
from stylehead.models.pose_generator import FPS as ROWS
from stylehead.motion.head import PITCH
from stylehead.motion.singing import LEAD, Spans, held_notes, hold, open_vowels, sung_phrases
from stylehead.motion.stream import UnstyledMotion
from stylehead.options import Encoding, MotionControls
from stylehead.pipeline.run import Predictor, load_predictor
from stylehead.style.file import find_style
from stylehead.training.data.clips import Clip, load_clip
from stylehead.types import SPEECH_RATE, Floats
from stylehead.weights.networks import CPU

FPS = Fraction(30)
TRACKED = "tracked face"
UNTUNED, UNHELD = "un-tuned", "un-tuned, --hold 0"
WITHOUT = MotionControls(hold=0, breath=0, phrasing=0)
AROUND = (-0.6, -0.45, -0.3, -0.15, 0.0)
"""Seconds from the first sound of a phrase at which openings are printed."""
PITCHES = (-0.9, -0.5, 0.0, 0.5, 1.0)
"""The same for the head's pitch."""
NEUTRAL = generic_neutral()


class Face(NamedTuple):
    """What is measured on a face, (T,) each at FPS."""

    opening: Floats
    """Beyond the shut mouth, interocular."""
    width: Floats
    """Beyond the neutral mouth's, interocular."""
    pitch: Floats | None
    """Degrees, downwards; None where there is no head."""


class Song(NamedTuple):
    """A clip, where its notes and phrases are, and its faces by name."""

    name: str
    heard: UnstyledMotion
    notes: Spans
    phrases: Spans
    faces: dict[str, Face]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--table", type=Path, action="append", required=True)
    parser.add_argument("--style", action="append", default=[])
    asked = parser.parse_args()
    models = load_predictor(Encoding(), CPU)
    songs: list[Song] = []
    for path in songs_of(asked.folders, asked.table):
        songs.append(measured(load_clip(path), models, asked.style))
        last = songs[-1]
        held = sum(end - start for start, end in last.notes) / len(last.heard.voice)
        print(
            f"{len(last.notes)} notes, {held:.0%} of the time, {len(last.phrases)} phrases",
            end="\t",
        )
        print(last.name, flush=True)
    held_table(songs)
    phrase_tables(songs)
    width_table(songs)


def songs_of(folders: list[Path], tables: list[Path]) -> Iterator[Path]:
    """Yield the tracked clips that a table calls songs."""
    names: set[str] = set()
    for table in tables:
        with table.open(encoding="utf-8") as file:
            rows = csv.DictReader(file, delimiter="\t")
            names |= {row["file"] for row in rows if row["kind"] == "song"}
    for folder in folders:
        yield from (path for path in sorted(folder.glob("*.npz")) if path.stem in names)


def measured(clip: Clip, models: Predictor, styles: list[str]) -> Song:
    """Return a clip's notes, phrases and faces."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.wav"
        soundfile.write(path, clip.samples, SPEECH_RATE)
        sound = open_audio(path)
        heard = models.unstyled(sound, FPS)
        notes = held_notes(heard.prosody, heard.voice, FPS)
        phrases = sung_phrases(heard.voice, notes, FPS)
        plain = heard.landmarks[0]
        faces = {TRACKED: tracked(clip, len(plain))}
        faces[UNHELD] = face(plain, NEUTRAL)
        opened = open_vowels(plain, NEUTRAL, heard.voice, heard.prosody, notes, FPS, 1.0)
        faces[UNTUNED] = face(hold(opened, notes, FPS, 1.0), NEUTRAL)
        for name in styles:
            faces |= styled(sound, models, name)
    return Song(clip.name, heard, notes, phrases, faces)


def styled(sound: Sound, models: Predictor, name: str) -> dict[str, Face]:
    """Return the faces of a style, without and with what singing adds."""
    found: dict[str, Face] = {}
    for suffix, controls in ((", without", WITHOUT), ("", MotionControls())):
        motion = models.predict(sound, find_style(name), fps=FPS, controls=controls)
        found[Path(name).stem + suffix] = face(motion.landmarks, motion.neutral, motion.rotation)
    return found


def tracked(clip: Clip, frames: int) -> Face:
    """Return the clip's own face, at the times of the sound."""
    motion, seconds = recover_performance(clip.track, name=clip.name).motion(FPS)
    own = face(motion.landmarks, motion.neutral, motion.rotation)
    assert own.pitch is not None
    times = np.arange(frames) / float(FPS)
    opening, width, pitch = (
        np.interp(times, seconds, values) for values in (own.opening, own.width, own.pitch)
    )
    return Face(opening, width, pitch)


def face(landmarks: Floats, neutral: Floats, rotation: Floats | None = None) -> Face:
    """Return the measures of offsets (T, 68, 3) and rotations (T, 3, 3)."""
    placed = landmarks + neutral
    return Face(
        mouth_opening(placed) - mouth_opening(neutral),
        mouth_width(placed) - mouth_width(neutral),
        None if rotation is None else angles_from_rotation(rotation)[:, PITCH],
    )


def print_table(title: str, columns: tuple[str, ...], rows: dict[str, list[list[float]]]) -> None:
    """Print a table: a row for each face, means over what was measured."""
    print(f"\n{title}")
    print("\t".join(("face", *columns)))
    for name, values in rows.items():
        means = np.nanmean(np.array(values, float), axis=0)
        print("\t".join((name, *(f"{value:.3f}" for value in means))))


# ---- held notes -----------------------------------------------------------------------------


def held_table(songs: list[Song]) -> None:
    """Print how still the mouth is in held notes, how open, and how it follows loudness."""
    rows: dict[str, list[list[float]]] = {}
    chosen = [song for song in songs if len(song.notes)]
    for song in chosen:
        inside = mask(song.notes, len(song.heard.voice))
        rate = float(FPS) / ROWS
        middles = (np.arange(len(song.heard.prosody)) + 0.5) * rate
        level = np.interp(np.arange(len(inside)), middles, song.heard.prosody.mean(1))
        for name, own in song.faces.items():
            still, moving = spread(own.opening, song.notes, inside, song.heard.voice)
            rows.setdefault(name, []).append(
                [
                    still,
                    moving,
                    100 * float((own.opening[inside] > OPEN).mean()),
                    opening_correlation(level[inside], own.opening[inside]),
                    against_others(own.opening, inside, song.heard.voice),
                ]
            )
    columns = (
        "sd in notes, of range",
        "sd outside",
        "open in notes, %",
        "r with level in notes",
        "opening in notes / elsewhere",
    )
    print_table(f"held notes of {len(chosen)} of {len(songs)} songs", columns, rows)


def against_others(opening: Floats, inside: NDArray[np.bool_], voice: Floats) -> float:
    """Return the mean opening (T,) in notes against that in the rest of the voice."""
    outside = ~inside & (voice > VOICED_GATE)
    return float(opening[inside].mean() / opening[outside].mean()) if outside.any() else np.nan


def mask(spans: Spans, frames: int) -> NDArray[np.bool_]:
    """Return where frames (T,) lie in spans."""
    inside = np.zeros(frames, bool)
    for first, last in spans:
        inside[first:last] = True
    return inside


def spread(
    opening: Floats, notes: Spans, inside: NDArray[np.bool_], voice: Floats
) -> tuple[float, float]:
    """Return the sd of an opening in notes, and in as long stretches of voice outside them.

    Both of its own range, 5th to 95th percentile; means over notes and stretches.
    """
    low, high = np.percentile(opening, [5, 95])
    still, moving = [float("nan")], [float("nan")]
    for first, last in notes:
        still.append(float(opening[first:last].std()))
        count = last - first
        for start in range(0, len(opening) - count, count):
            stretch = slice(start, start + count)
            if voice[stretch].min() > VOICED_GATE and not inside[stretch].any():
                moving.append(float(opening[stretch].std()))
    return float(np.nanmean(still) / (high - low)), float(np.nanmean(moving) / (high - low))


# ---- phrases --------------------------------------------------------------------------------


def phrase_tables(songs: list[Song]) -> None:
    """Print the opening and the head's pitch around the first sound of sung phrases."""
    openings: dict[str, list[list[float]]] = {}
    pitches: dict[str, list[list[float]]] = {}
    first_open: dict[str, list[list[float]]] = {}
    count, rate = 0, float(FPS)
    for song in songs:
        firsts = song.phrases[:, 0] + round(LEAD * rate)
        inside = firsts[(firsts > -PITCHES[0] * rate) & (firsts < len(song.heard.voice) - rate - 1)]
        count += len(inside)
        for first in inside:
            for name, own in song.faces.items():
                widest = np.percentile(own.opening[song.heard.voice > VOICED_GATE], 95)
                at = [float(own.opening[first + round(moment * rate)]) for moment in AROUND]
                openings.setdefault(name, []).append([value / float(widest) for value in at])
                before = own.opening[first - round(0.6 * rate) : first + round(0.6 * rate)]
                parted = before > OPEN
                begun = parted.argmax() / rate - 0.6 if parted.any() else float("nan")
                first_open.setdefault(name, []).append([float(begun)])
                if own.pitch is not None:
                    turned = [own.pitch[first + round(moment * rate)] for moment in PITCHES]
                    pitches.setdefault(name, []).append([float(v - turned[0]) for v in turned])
    if not count:
        print("\nno phrase follows a pause")
        return
    moments = tuple(f"{moment:+.2f} s" for moment in AROUND)
    print_table(f"opening around {count} beginnings, of its 95th percentile", moments, openings)
    print_table("seconds from the sound at which the mouth is open", ("begins",), first_open)
    moments = tuple(f"{moment:+.1f} s" for moment in PITCHES)
    print_table("pitch since then, degrees, down is positive", moments, pitches)


# ---- width ----------------------------------------------------------------------------------


def width_table(songs: list[Song]) -> None:
    """Print how far lips round: how narrow an open mouth gets, and when."""
    rows: dict[str, list[list[float]]] = {}
    for song in songs:
        voiced = song.heard.voice > VOICED_GATE
        real = song.faces[TRACKED].width
        for name, own in song.faces.items():
            open_ = voiced & (own.opening > OPEN)
            low, middle = np.percentile(own.width[open_], [5, 50])
            agreed = opening_correlation(real[voiced], own.width[voiced])
            rows.setdefault(name, []).append([float(low), float(middle - low), agreed])
    columns = ("5th percentile of width", "under its median", "r with the tracked width")
    print_table("width of an open mouth beyond the neutral one's, interocular", columns, rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
