"""The RAVDESS benchmark: of motion against tracked landmarks, and of whole videos.

RAVDESS (CC BY-NC-SA 4.0) is for benchmarks only, the paper's own rule: nothing is learned from it,
and no checkpoint is chosen on it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stylehead import files
from stylehead.errors import FaceError, MediaError
from stylehead.evaluation.baselines import NEUTRAL_FACE, Baselines
from stylehead.evaluation.compare import compare
from stylehead.evaluation.measurements import FPS
from stylehead.evaluation.measures import Measure, Measures, mean_measures
from stylehead.evaluation.metrics import FRAME_METRICS, style_distance
from stylehead.evaluation.mouth import (
    SILENT_GATE,
    VOICED_GATE,
    excess_opening,
    opening_correlation,
    silence_leak,
)
from stylehead.face.geometry import align
from stylehead.face.landmarks import RIGID, interocular, mouth_opening
from stylehead.face.performance import NEUTRAL_SHARE, SHUT_SHARE
from stylehead.files.locks import temporary_folder
from stylehead.media.audio import open_audio
from stylehead.media.image import write_image
from stylehead.media.video import read_frames
from stylehead.motion.finishing import at_rate
from stylehead.options import AudioRange, Options
from stylehead.pipeline import run as pipeline
from stylehead.pipeline.run import Predictor, learn_from_clip
from stylehead.progress import SILENT, Reporter, track
from stylehead.types import Floats, Motion, Style

log = logging.getLogger(__name__)

FACE_WIDTH = 128.0
"""Pixels of the frontal face that LMD is counted in: a quarter of the paper's 512-pixel frame."""
CONFIDENT = 0.8  # tracker's confidence that a frame needs
CONFIDENT_LEAST = 0.9  # fraction of confident frames that a clip needs
PUBLISHED: dict[str, tuple[float, float, float, float, float, float, float]] = {
    "MakeItTalk": (2.28, 2.78, 0.88, 14.52, 3.00, 0.94, 5.03),
    "PC-AVS": (3.22, 3.27, 0.86, 36.84, 3.58, 0.93, 7.28),
    "Live Speech Portraits": (3.29, 5.43, 0.85, 30.65, 5.40, 0.91, 6.89),
    "AD-NeRF": (2.43, 2.67, 0.85, 13.34, 4.69, 0.92, 5.48),
    "MetaPortrait": (2.02, 3.42, 0.84, 17.69, 3.73, 0.90, 4.97),
    "Diffused Heads": (2.13, 2.72, 0.84, 11.23, 3.01, 0.90, 4.66),
    "the paper": (1.83, 2.65, 0.83, 10.53, 2.84, 0.89, 4.26),
}
"""LMD, D-L, D-V, D-A, SLD, SLV, SMD of the paper's Tables 1 and 2."""
PUBLISHED_COLUMNS = (*FRAME_METRICS, "SLD", "SLV", "SMD")
COLUMNS = (*PUBLISHED_COLUMNS, "opening r", "silence leak", "excess opening")
"""The last three: correlation of the mouth's opening with the actor's; fraction of silent frames
with the mouth open; mean opening in voiced frames beyond the actor's, hundredths of the
interocular."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Recording:
    """One clip of the benchmark: how the actor moved, and the sound on disk."""

    name: str
    actor: str
    landmarks: Floats
    """(T, 68, 3) offsets from the actor's neutral, head space."""
    neutral: Floats
    """(68, 3)"""
    sound: Path


def actor_of(name: str) -> str:
    """Return the last field of a RAVDESS file name without its ending: the actor's number."""
    return name.split("-")[-1]


def read_recordings(root: Path, actors: list[str] | None = None) -> list[Recording]:
    """Read landmark files (`landmarks_mm` (T, 68, 3), `confidence`) with their sound beside them.

    Of all actors or of some. Clips the tracker was not sure of are left out, which is logged.
    Raises MediaError when none is left.
    """
    recordings: list[Recording] = []
    for path in sorted(root.glob("*.npz")):
        if actors and actor_of(path.stem) not in actors:
            continue
        with np.load(path) as arrays:
            points, confident = arrays["landmarks_mm"], arrays["confidence"] >= CONFIDENT
        sound = next(
            (s for end in (".flac", ".wav") if (s := path.with_suffix(end)).exists()), None
        )
        if sound is None or confident.mean() < CONFIDENT_LEAST:
            cause = "the tracker was unsure of the face" if sound else "there is no sound to it"
            log.warning("%s is left out: %s", path.name, cause)
            continue
        offsets, neutral = frontal_motion(points)
        recordings.append(
            Recording(
                name=path.stem,
                actor=actor_of(path.stem),
                landmarks=offsets,
                neutral=neutral,
                sound=sound,
            )
        )
    if not recordings:
        raise MediaError(
            f"{root} holds no landmark files with sound, or none of these actors.",
            remedy="Give a folder with NAME.npz beside NAME.flac or NAME.wav, and actors in it.",
        )
    return recordings


def frontal_motion(points: Floats) -> tuple[Floats, Floats]:
    """Take head pose off tracked points (T, 68, 3): offsets (T, 68, 3) and the neutral (68, 3).

    Both in head space, in interocular distances of the neutral. The neutral face is the mean of the
    frames with the mouth most shut that are nearest to the clip's median face.
    """
    rigid = list(RIGID)
    neutral = points[0] - points[0][rigid].mean(0)
    heads = points
    for _ in range(3):
        heads = np.stack([align(neutral[rigid], face[rigid]).undo(face) for face in points])
        opening = mouth_opening(heads)
        shut = np.flatnonzero(opening <= np.percentile(opening, 100 * SHUT_SHARE))
        far = np.linalg.norm(heads[shut] - np.median(heads, axis=0), axis=-1).mean(-1)
        count = max(1, round(NEUTRAL_SHARE * len(points)))
        neutral = heads[shut[np.argsort(far, kind="stable")[:count]]].mean(0)
        neutral = neutral - neutral[rigid].mean(0)
        neutral = neutral / interocular(neutral)
    heads = np.stack([align(neutral[rigid], face[rigid]).undo(face) for face in points])
    return (heads - neutral).astype(np.float32), neutral.astype(np.float32)


def predict_all(
    recording: Recording, predictor: Predictor, style: Style, baselines: Baselines
) -> tuple[dict[str, Floats], Floats]:
    """Return name -> offsets (T, 68, 3) of every method, and the voice gate (T,) of a recording."""
    frames = len(recording.landmarks)
    sound = open_audio(recording.sound)
    unstyled = predictor.unstyled(sound, FPS)
    styled = predictor.predict(sound, style, fps=FPS)
    methods = {
        "ground truth": recording.landmarks,
        **baselines.predict(sound, FPS, frames),
        "un-styled generator": _fitted(unstyled.landmarks[0], frames),
        f"stylehead, style {style.name}": _fitted(styled.landmarks, frames),
    }
    return methods, _fitted(unstyled.voice, frames)


def _fitted(rows: Floats, frames: int) -> Floats:
    return rows[np.arange(frames).clip(max=len(rows) - 1)]


def motion_measures(
    recording: Recording, offsets: Floats, voice: Floats | None
) -> dict[str, Measure]:
    """Return COLUMNS for one recording and method: offsets (T, 68, 3) in head space.

    `voice` (T,) is the voice gate; without it every frame counts as voiced.
    """
    truth, points = (_pixels(recording.neutral + one) for one in (recording.landmarks, offsets))
    style = style_distance(truth, points)
    actor, opening = (_opening(recording, one) for one in (recording.landmarks, offsets))
    gate = np.ones(len(opening), np.float32) if voice is None else voice
    values = (
        *(metric(truth, points) for metric in FRAME_METRICS.values()),
        style.sld,
        style.slv,
        style.smd,
        opening_correlation(actor, opening),
        silence_leak(opening, gate < SILENT_GATE),
        100 * excess_opening(opening, gate > VOICED_GATE, reference=actor),
    )
    return {name: Measure(value) for name, value in zip(COLUMNS, values, strict=True)}


def _pixels(head: Floats) -> Floats:
    """Draw frontal head-space points at FACE_WIDTH pixels: (T, 68, 3) in, (T, 68, 2) out."""
    flat = head[..., :2].astype(np.float64)
    width = float(np.median(np.ptp(flat[..., 0], axis=-1)))
    return flat * FACE_WIDTH / width


def _opening(recording: Recording, offsets: Floats) -> Floats:
    return mouth_opening(recording.neutral + offsets) - mouth_opening(recording.neutral)


def measure_motion(motion: Motion, landmarks: Path) -> Measures:
    """Measure a saved motion against one landmark file, with the trivial rows.

    The motion's offsets are put on the person's own neutral; both are compared at FPS.
    Raises MediaError for a file without `landmarks_mm` (T, 68, 3).
    """
    with np.load(landmarks) as arrays:
        if "landmarks_mm" not in arrays:
            raise MediaError(
                f"{landmarks} lacks landmarks_mm.",
                remedy="Give an npz file with landmarks (T, 68, 3) by that name.",
            )
        points = arrays["landmarks_mm"]
    offsets, neutral = frontal_motion(points)
    recording = Recording(
        name=landmarks.stem, actor="", landmarks=offsets, neutral=neutral, sound=landmarks
    )
    rows = {
        "motion": _fitted(at_rate(motion, FPS).landmarks, len(offsets)),
        "ground truth": offsets,
        NEUTRAL_FACE: np.zeros_like(offsets),
        "mean face": np.repeat(offsets.mean(0, keepdims=True), len(offsets), 0),
    }
    return Measures({name: motion_measures(recording, row, None) for name, row in rows.items()})


def evaluate_motion(
    recordings: list[Recording], predictor: Predictor, style: Style, *, reporter: Reporter = SILENT
) -> dict[str, Measures]:
    """Measure every method on every recording: name of the recording -> table."""
    baselines = Baselines()
    tables: dict[str, Measures] = {}
    for recording in track(recordings, "RAVDESS", len(recordings), reporter):
        methods, voice = predict_all(recording, predictor, style, baselines)
        tables[recording.name] = Measures(
            {name: motion_measures(recording, row, voice) for name, row in methods.items()}
        )
    return tables


FULL_AUDIO_VIDEO = "01"  # first field of a file name: modality with picture and sound


def find_videos(root: Path, actors: list[str] | None) -> list[Path]:
    """Return the audio-video files of a published folder (Actor_NN/*.mp4), chosen actors only."""
    videos = [
        path
        for path in sorted(root.rglob("*.mp4"))
        if path.stem.split("-")[0] == FULL_AUDIO_VIDEO
        and (not actors or actor_of(path.stem) in actors)
    ]
    if not videos:
        raise MediaError(
            f"{root} holds no RAVDESS videos.",
            remedy="Give the folder that holds Actor_NN/01-*.mp4, and actors that are in it.",
        )
    return videos


def evaluate_video(path: Path, options: Options, *, reporter: Reporter = SILENT) -> Measures:
    """Animate a clip's first frame with its sound, in the style of the clip itself, and compare.

    The style reference is the clip of the same name, as in the authors' scripts.
    """
    style, _, _ = learn_from_clip(path, path.stem, clip=AudioRange())
    with temporary_folder() as folder:
        portrait, result = folder / "portrait.png", folder / path.name
        write_image(portrait, next(read_frames(path)).pixels)
        pipeline.animate(portrait, path, result, style=style, options=options, reporter=reporter)
        return compare(result, path, reporter=reporter).measures


def evaluate_videos(
    videos: list[Path], cache: Path, options: Options, *, reporter: Reporter = SILENT
) -> dict[str, Measures]:
    """Measure videos: name of the clip -> table; each is kept in `cache` for a run that goes on.

    Each encoder has its own file there. Clips without a usable face are left out, which is said.
    """
    files.make_folder(cache)
    tables: dict[str, Measures] = {}
    for number, path in enumerate(videos, 1):
        kept = cache / f"{path.stem}-{options.encoder.value}.json"
        if not kept.exists():
            reporter.say(f"{path.name} ({number} of {len(videos)})")
            try:
                measures = evaluate_video(path, options, reporter=reporter)
            except FaceError as error:
                reporter.say(f"Left out: {error}")
                continue
            with files.atomic(kept) as part:
                part.write_text(json.dumps(measures.values()), encoding="utf-8")
        tables[path.stem] = Measures.from_values(json.loads(kept.read_text(encoding="utf-8")))
    return tables


def summary(tables: dict[str, Measures], own: str, *, per_actor: bool) -> Measures:
    """Return the mean over clips (name -> table); `per_actor` adds row `own` for each actor."""
    rows = mean_measures(list(tables.values())).rows
    for actor in sorted({actor_of(name) for name in tables}) if per_actor else ():
        of_actor = [table for name, table in tables.items() if actor_of(name) == actor]
        rows[f"{own}, actor {actor}"] = mean_measures(of_actor).rows[own]
    return Measures(rows)


def published() -> Measures:
    """Return the rows of the paper's Tables 1 and 2."""
    return Measures(
        {
            f"published: {method}": {
                name: Measure(value) for name, value in zip(PUBLISHED_COLUMNS, values, strict=True)
            }
            for method, values in PUBLISHED.items()
        }
    )
