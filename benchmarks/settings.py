"""Settings of lids, folds and mouth shapes, compared on people who are trained on.

    python benchmarks/settings.py lids folds mouths --data DATA --clips CLIPS
    python benchmarks/settings.py brows --data DATA

DATA is what `stylehead prepare` made of CLIPS, as clips; held-out people are left out, for a
setting must not be chosen on those it is then judged by. One clip of each person counts, the one
with the largest face; of mouths, one that is long enough and speaks. Lids and folds are compared
with film as benchmarks/picture_parts.py does: error of the eyes' region in blinks and with open
eyes; error of the skin, and how folds go with the film's. Mouths: styles from first halves speak
the sound of second halves, with once and twice the expression, measured as benchmarks/mouths.py
does. Prints a table for each: differences to what is shipped, half of a 95 % interval. Brows: how
far people raise and lower them, the limits of stylehead/face/brows.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import soundfile
import torch
from motion import shown
from mouths import COLUMNS as MOUTH_COLUMNS
from mouths import SECONDS, columns
from picture import CPU, shoot
from picture_parts import (
    BANDS,
    BLINK,
    OPEN,
    band_area,
    expressive_rows,
    eye_error,
    frontal,
    skin_area,
    skin_light,
    spread,
    stage_clip,
    with_lids,
)

from stylehead.errors import MediaError
from stylehead.face import shapes
from stylehead.face.brows import BROWS
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import to_68
from stylehead.face.performance import recover_performance
from stylehead.finetuning.holdout import unstyled_motion
from stylehead.finetuning.speech import encode_speech
from stylehead.media.audio import open_audio
from stylehead.motion.finishing import adjust
from stylehead.motion.generate import predict_motion
from stylehead.motion.stream import generate
from stylehead.options import Encoding, MotionControls
from stylehead.pipeline.run import load_predictor
from stylehead.rendering.eyes import completer, lid_motion, lids
from stylehead.rendering.eyes.lids import LidModel
from stylehead.rendering.mesh_renderer import move
from stylehead.rendering.skin import folds
from stylehead.style.learn import STYLE_FPS, learn_style
from stylehead.style.mix import as_mix
from stylehead.training.data.clips import PEOPLE, Clip, load_clips
from stylehead.training.face_shapes import PERCENTILES
from stylehead.types import SPEECH_RATE, Face, Floats, Portrait

Setting = tuple[ModuleType, str, float]
LIDS: tuple[Setting, ...] = (
    (completer, "LID_FROM", 0.0),
    (completer, "LID_FROM", 0.15),
    (completer, "LID_FULL", 0.4),
    (completer, "LID_FULL", 0.8),
    (completer, "SHADOW", 0.0),
    (completer, "SHADOW", 0.6),
    (lids, "OWN_HUE", 0.0),
    (lids, "OWN_HUE", 0.8),
    (lids, "LID_SKIN", 0.7),
    (lids, "LID_SKIN", 1.0),
    (lids, "LASH_WIDTH", 0.6),
    (lids, "LASH_WIDTH", 1.8),
    (lid_motion, "LOWER_LID", 0.0),
    (lid_motion, "LOWER_LID", 0.25),
    (lid_motion, "EYELID_CREASE", 0.3),
    (lid_motion, "EYELID_CREASE", 0.7),
    (lid_motion, "BROW_SKIN", 0.0),
    (lid_motion, "BROW_SKIN", 0.2),
)
FOLDS: tuple[Setting, ...] = (
    (folds, "DARKER", 0.25),
    (folds, "DARKER", 0.6),
    (folds, "LIGHTER", 0.08),
    (folds, "LIGHTER", 0.3),
)
MOUTHS: tuple[Setting, ...] = (
    (shapes, "FAR_BEYOND", 1.2),
    (shapes, "FAR_BEYOND", 2.0),
    (shapes, "FAR_BEYOND", 3.0),
    (shapes, "SWEEPS", 1),
    (shapes, "SWEEPS", 2),
    (shapes, "SWEEPS", 8),
)
SHIPPED = "as shipped"
SEEN_LEAST, TURNED, BROW_FRAMES = 30, 20.0, 100
"""Frames of a clip that counts, degrees of turn up to which brows are measured, frames a person."""
Columns = dict[str, list[float]]
"""Setting -> columns."""


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="+", choices=(*TABLES, "brows"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=Path, help="not for brows")
    parser.add_argument("--people", type=int, default=25, help="at most, of each table")
    asked = parser.parse_args()
    clips = [clip for clip in load_clips(asked.data / "clips") if clip.person not in PEOPLE]
    for what in asked.what:
        if what == "brows":
            print_brows(clips)
            continue
        judge, names = TABLES[what]
        rows: dict[str, list[list[float]]] = {}
        people: set[str] = set()
        for clip in sorted(clips, key=face_size, reverse=True):
            if clip.person in people or len(people) == asked.people:
                continue
            found = judge(asked.clips / clip.name, clip)
            if found:
                people.add(clip.person)
                print(f"{what}: {clip.person}", file=sys.stderr, flush=True)
            for name, values in found.items():
                rows.setdefault(name, []).append(values)
        print_differences(what, names, {name: np.array(values) for name, values in rows.items()})


def face_size(clip: Clip) -> float:
    """Return the width of a clip's face in pixels, the median over its frames."""
    mesh = clip.track.mesh[clip.track.found]
    return float(np.median(np.ptp(mesh[..., 0], axis=1))) if len(mesh) else 0.0


def print_differences(what: str, names: tuple[str, ...], rows: dict[str, np.ndarray]) -> None:
    """Print what is shipped as it is, and how every other setting (P, C) differs from it."""
    print("\t".join((what, *names)))
    shipped = rows[SHIPPED]
    for name, values in rows.items():
        columns_of = (values if name == SHIPPED else values - shipped).T
        cells = (column[np.isfinite(column)] for column in columns_of)
        print("\t".join((name, *(shown(cell, 5) if len(cell) else "" for cell in cells))))
    print(f"{len(shipped)} people\n", flush=True)


def print_brows(clips: list[Clip]) -> None:
    """Print percentiles of how far brows are lowered while people face the camera."""
    people: dict[str, list[Floats]] = {}
    for clip in clips:
        if clip.track.found.sum() >= SEEN_LEAST:
            motion, _ = recover_performance(clip.track, name=clip.name).motion(STYLE_FPS)
            turned = np.hypot(*angles_from_rotation(motion.rotation)[:, :2].T)
            people.setdefault(clip.person, []).append(motion.landmarks[turned < TURNED])
    frames = [joined[:: max(1, len(joined) // BROW_FRAMES)] for joined in
              map(np.concatenate, people.values()) if len(joined)]  # fmt: skip
    heights = np.concatenate([face[:, brow, 1] for face in frames for brow in map(list, BROWS)])
    print("\t".join(("brows, from temple to nose", *(f"{at:g} %" for at in PERCENTILES))))
    for number, limits in enumerate(np.percentile(heights, PERCENTILES, axis=0).T):
        print("\t".join((str(number + 1), *(f"{value:.3f}" for value in limits))))
    print(f"{len(frames)} people\n")


@contextmanager
def setting(module: ModuleType, name: str, value: float) -> Generator[None]:
    """Give a module's constant another value for a while."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def each(settings: tuple[Setting, ...], judge: Callable[[], list[float]]) -> Columns:
    """Return the columns of what is shipped and of each setting."""
    found = {SHIPPED: judge()}
    for module, name, value in settings:
        with setting(module, name, value):
            found[f"{name} {value:g}"] = judge()
    return found


def judge_lids(film: Path, clip: Clip) -> Columns:
    """Return the errors of the eyes' region in blinks and with open eyes."""
    performance = recover_performance(clip.track, name=clip.name)
    usable = clip.track.found & frontal(performance)
    blinks = spread(np.flatnonzero(usable & (performance.blink > BLINK)))
    half = spread(
        np.flatnonzero(usable & (performance.blink > 0.25) & (performance.blink <= BLINK))
    )
    opened = spread(np.flatnonzero(usable & (performance.blink < OPEN)))
    staged = stage_clip(film, clip, performance, {*blinks, *half, *opened})
    if staged is None or not blinks or not opened:
        return {}
    scene, source, frames, row_of_source = staged
    face = Face(clip.track.mesh[row_of_source], clip.track.expression[row_of_source])
    portrait = Portrait(frames[row_of_source], face, np.eye(3, dtype=np.float32), 1, 1)
    kinds = [[row for row in rows if row in frames] for rows in (blinks, half, opened)]
    filmed = {
        row: shoot(frames[row], clip.track.mesh[row], source, scene).filmed
        for rows in kinds
        for row in rows
    }

    def errors() -> list[float]:
        eyes = completer.EyeCompleter(scene.picture, scene.mesh, portrait, LidModel.embedded())

        def error(row: int) -> float:
            mesh, blink = clip.track.mesh[row], float(performance.blink[row])
            vertices = with_lids(scene, source, mesh, blink)
            crop = move(scene, vertices)
            eyes.complete(crop, vertices)
            return eye_error(crop, filmed[row], with_lids(scene, source, mesh, 0.0))

        return [
            float(np.mean([error(row) for row in rows])) if rows else float("nan") for rows in kinds
        ]

    return each(LIDS, errors)


def judge_folds(film: Path, clip: Clip) -> Columns:
    """Return the skin's error and how folds go with the film's, in bands of the face."""
    performance = recover_performance(clip.track, name=clip.name)
    offsets = to_68(performance.mesh) - to_68(performance.neutral)
    rows = expressive_rows(clip, performance, offsets)
    staged = stage_clip(film, clip, performance, set(rows))
    if staged is None:
        return {}
    scene, source, frames, row_of_source = staged
    skin = scene.skin
    assert skin is not None
    before = skin_light(scene.picture, scene.mesh.source)
    shots = [
        (row, shoot(frames[row], clip.track.mesh[row], source, scene))
        for row in rows
        if row in frames
    ]
    if not shots:
        return {}
    warped = [move(scene, shot.vertices) for _, shot in shots]
    filmed = np.stack([skin_light(shot.filmed, shot.vertices) - before for _, shot in shots])
    lights = [
        skin_light(crop, shot.vertices) for crop, (_, shot) in zip(warped, shots, strict=True)
    ]

    def errors() -> list[float]:
        errors, told = [], []
        for (row, shot), crop, light in zip(shots, warped, lights, strict=True):
            made = crop.copy()
            turn = performance.rotation[row] @ performance.rotation[row_of_source].T
            skin.shade(made, shot.vertices, offsets[row], turn)
            area = skin_area(shot.vertices, shot)
            apart = np.abs(made.astype(np.float32) - shot.filmed).mean(-1)[area].mean() / 255
            errors.append(float(apart))
            told.append(skin_light(made, shot.vertices) - light)
        changes = np.stack(told)
        return [
            float(np.mean(errors)),
            *(
                float(np.corrcoef(changes[:, band].ravel(), filmed[:, band].ravel())[0, 1])
                for band in map(band_area, BANDS.values())
            ),
        ]

    return each(FOLDS, errors)


def judge_mouths(film: Path, clip: Clip) -> Columns:
    """Return the columns of benchmarks/mouths.py with once and twice the expression."""
    seconds = clip.track.seconds - clip.track.seconds[0]
    middle = float(seconds[-1]) / 2
    if len(clip.samples) < 2 * SECONDS * SPEECH_RATE or middle < 0.8 * SECONDS:
        return {}
    halves = seconds < middle, (seconds >= middle) & (seconds < middle + SECONDS)
    if any(clip.track.found[half].mean() < 0.9 for half in halves):
        return {}
    style, _ = learn_style(clip.track[halves[0]], clip.name)
    target = recover_performance(clip.track[halves[1]]).motion(STYLE_FPS)[0]
    path = film.with_suffix(".half.wav")
    samples = clip.samples[round((clip.track.seconds[0] + middle) * SPEECH_RATE) :]
    soundfile.write(path, samples[: round(SECONDS * SPEECH_RATE)], SPEECH_RATE)
    predictor = load_predictor(Encoding(), CPU)
    try:
        speech = encode_speech(open_audio(path), predictor.listener)
    except MediaError:  # a silent sound track
        return {}
    finally:
        path.unlink()
    plain = generate(speech.replay(), [predictor.networks.generator], STYLE_FPS)
    untuned = unstyled_motion(plain.landmarks[0], STYLE_FPS)
    free = predict_motion(
        speech.replay(), as_mix(replace(style, tuning=None)), predictor.networks,
        fps=STYLE_FPS, controls=MotionControls(shapes=0.0),
    )  # fmt: skip

    def values() -> list[float]:
        once, twice = (
            adjust(free, MotionControls(expression=times, shapes=1.0)) for times in (1.0001, 2.0)
        )
        return [*columns(once, untuned, target), *columns(twice, untuned, target)]

    return each(MOUTHS, values)


TABLES = {
    "lids": (judge_lids, ("L1 in blinks", "L1 half shut", "L1 with open eyes")),
    "folds": (judge_folds, ("skin L1", *(f"{name} r" for name in BANDS))),
    "mouths": (
        judge_mouths,
        (*MOUTH_COLUMNS, *(f"twice: {name}" for name in MOUTH_COLUMNS)),
    ),
}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
