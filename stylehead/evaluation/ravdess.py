"""The RAVDESS motion benchmark: tracked landmarks against what the model makes of the sound.

RAVDESS (CC BY-NC-SA 4.0) is for benchmarks only, the paper's own rule: nothing is learned from it,
and no checkpoint is chosen on it.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stylehead import files, pipeline
from stylehead.errors import FaceError, MediaError
from stylehead.evaluation.baselines import Baselines
from stylehead.evaluation.compare import Cell, compare
from stylehead.evaluation.metrics import FRAME_METRICS, style_distance
from stylehead.face.geometry import align
from stylehead.face.landmarks import RIGID, interocular, mouth_opening
from stylehead.face.performance import NEUTRAL_SHARE, SHUT_SHARE
from stylehead.media.audio import Sound, open_audio
from stylehead.media.image import write_image
from stylehead.media.video import read_frames
from stylehead.motion.finishing import at_rate
from stylehead.motion.stream import UnstyledMotion
from stylehead.options import Options
from stylehead.pipeline import Predictor, extract_style
from stylehead.progress import SILENT, Reporter, track
from stylehead.types import Floats, Motion, Style

log = logging.getLogger(__name__)

FPS = Fraction(30000, 1001)
FACE_WIDTH = 128.0
"""Pixels of the frontal face that LMD is counted in: a quarter of the paper's 512-pixel frame."""
CONFIDENT = 0.8  # tracker's confidence that a frame needs
SEEN_LEAST = 0.9  # share of confident frames that a clip needs
OPEN = 0.03  # interocular of inner-lip gap above the person's shut mouth that counts as open
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
COLUMNS = (*FRAME_METRICS, "SLD", "SLV", "SMD", "opening r", "silence leak", "excess opening")
"""The last three: correlation of the mouth's opening with the actor's; share of silent frames with
the mouth open; mean opening in voiced frames beyond the actor's, hundredths of the interocular."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One clip of the benchmark: how the actor moved, and the sound on disk."""

    name: str
    actor: str
    landmarks: Floats
    """(T, 68, 3) offsets from the actor's neutral, head space."""
    neutral: Floats
    """(68, 3)"""
    sound: Path


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One row of the table: (clips, columns), its name, and the actor of each clip."""

    name: str
    values: Floats
    actors: tuple[str, ...]

    def mean(self) -> Floats:
        """Return the mean over clips of each column."""
        return _nan_mean(self.values)

    def by_actor(self) -> list[Scores]:
        """Return the row split by actor."""
        split: list[Scores] = []
        for actor in sorted(set(self.actors)):
            rows = [row for row, one in enumerate(self.actors) if one == actor]
            name = f"{self.name}, actor {actor}"
            split.append(Scores(name, self.values[rows], (actor,) * len(rows)))
        return split

    def interval(self, seed: int = 0) -> Floats:
        """Return half the width of a 95 % bootstrap interval of each mean."""
        rng = np.random.default_rng(seed)
        rows = rng.integers(len(self.values), size=(1000, len(self.values)))
        means = np.stack([_nan_mean(self.values[row]) for row in rows])
        low, high = np.percentile(means, [2.5, 97.5], axis=0)
        return (high - low) / 2


def _nan_mean(values: Floats) -> Floats:
    """Mean over clips of what is a number; NaN where nothing is."""
    numbers = np.isfinite(values)
    total = np.where(numbers, values, 0).sum(0)
    return np.where(numbers.any(0), total / np.maximum(numbers.sum(0), 1), np.nan)


def actor_of(name: str) -> str:
    """Return the last field of a RAVDESS file name without its ending: the actor's number."""
    return name.split("-")[-1]


def read_recordings(root: Path) -> list[Recording]:
    """Read landmark files (`landmarks_mm` (T, 68, 3), `confidence`) with their sound beside them.

    Clips the tracker was not sure of are left out, which is logged. Raises MediaError for a folder
    without any.
    """
    found: list[Recording] = []
    for path in sorted(root.glob("*.npz")):
        with np.load(path) as arrays:
            points, sure = arrays["landmarks_mm"], arrays["confidence"] >= CONFIDENT
        sounds = [path.with_suffix(end) for end in (".flac", ".wav")]
        sound = next((one for one in sounds if one.exists()), None)
        if sound is None or sure.mean() < SEEN_LEAST:
            log.warning("%s left out: %s", path.name, "no sound" if sound is None else "unsure")
            continue
        offsets, neutral = frontal_motion(points)
        found.append(Recording(path.stem, actor_of(path.stem), offsets, neutral, sound))
    if not found:
        raise MediaError(
            f"{root} holds no landmark files with sound.",
            remedy="Give a folder of NAME.npz with NAME.flac or NAME.wav.",
        )
    return found


def frontal_motion(points: Floats) -> tuple[Floats, Floats]:
    """AlignedFeatures head pose off tracked points (T, 68, 3): offsets (T, 68, 3) and neutral (68, 3).

    The neutral face is the mean of the frames with the mouth most shut that are nearest to the
    clip's median face.
    """
    rigid = list(RIGID)
    neutral = points[0] - points[0][rigid].mean(0)
    heads = points
    for _ in range(3):
        heads = np.stack([align(neutral[rigid], one[rigid]).undo(one) for one in points])
        opening = mouth_opening(heads)
        shut = np.flatnonzero(opening <= np.percentile(opening, 100 * SHUT_SHARE))
        far = np.linalg.norm(heads[shut] - np.median(heads, axis=0), axis=-1).mean(-1)
        count = max(1, round(NEUTRAL_SHARE * len(points)))
        neutral = heads[shut[np.argsort(far, kind="stable")[:count]]].mean(0)
        neutral = neutral - neutral[rigid].mean(0)
        neutral = neutral / interocular(neutral)
    heads = np.stack([align(neutral[rigid], one[rigid]).undo(one) for one in points])
    return (heads - neutral).astype(np.float32), neutral.astype(np.float32)


def candidates(
    recording: Recording,
    sound: Sound,
    heard: UnstyledMotion,
    models: Predictor,
    style: Style,
    baselines: Baselines,
) -> dict[str, Floats]:
    """Return name -> offsets (T, 68, 3) of every method for one recording."""
    frames = len(recording.landmarks)
    found = {"ground truth": recording.landmarks}
    found |= baselines.predict(sound, FPS, frames)
    found["un-styled generator"] = _fitted(heard.landmarks[0], frames)
    styled = models.predict(sound, style, fps=FPS).landmarks
    found[f"stylehead, style {style.name}"] = _fitted(styled, frames)
    return found


def _fitted(offsets: Floats, frames: int) -> Floats:
    return offsets[np.arange(frames).clip(max=len(offsets) - 1)]


def score(recording: Recording, offsets: Floats, voice: Floats) -> list[float]:
    """Return the columns of the table for one recording and method; voice (T,) is the gate."""
    wanted, have = (_pixels(recording.neutral + one) for one in (recording.landmarks, offsets))
    style = style_distance(wanted, have)
    real, made = (_opening(recording, one) for one in (recording.landmarks, offsets))
    moving = made.std() > 1e-6
    correlation = float(np.corrcoef(real, made)[0, 1]) if moving else float("nan")
    silent, voiced = voice < 0.05, voice > 0.5
    leak = float((made[silent] > OPEN).mean()) if silent.any() else float("nan")
    excess = 100 * float((made - real)[voiced].mean()) if voiced.any() else float("nan")
    frame = [metric(wanted, have) for metric in FRAME_METRICS.values()]
    return [*frame, style.sld, style.slv, style.smd, correlation, leak, excess]


def _pixels(head: Floats) -> Floats:
    """Draw frontal head-space points at FACE_WIDTH pixels: (T, 68, 3) in, (T, 68, 2) out."""
    flat = head[..., :2].astype(np.float64)
    width = float(np.median(np.ptp(flat[..., 0], axis=-1)))
    return flat * FACE_WIDTH / width


def _opening(recording: Recording, offsets: Floats) -> Floats:
    return mouth_opening(recording.neutral + offsets) - mouth_opening(recording.neutral)


def judge_motion(motion: Motion, landmarks: Path) -> list[Scores]:
    """Score a saved motion against one landmark file, with the trivial rows.

    The motion's offsets are put on the person's own neutral; both are compared at FPS.
    """
    with np.load(landmarks) as arrays:
        if "landmarks_mm" not in arrays:
            raise MediaError(
                f"{landmarks} lacks landmarks_mm.", remedy="Give (T, 68, 3) landmarks by that name."
            )
        points = arrays["landmarks_mm"]
    offsets, neutral = frontal_motion(points)
    recording = Recording(landmarks.stem, "", offsets, neutral, landmarks)
    made = _fitted(at_rate(motion, FPS).landmarks, len(offsets))
    rows = {
        "motion": made,
        "ground truth": offsets,
        "frozen face": np.zeros_like(offsets),
        "mean face": np.repeat(offsets.mean(0, keepdims=True), len(offsets), 0),
    }
    voice = np.ones(len(offsets), np.float32)  # nothing is known of the sound
    return [
        Scores(name, np.array([score(recording, row, voice)]), ("",)) for name, row in rows.items()
    ]


def evaluate(
    root: Path,
    models: Predictor,
    style: Style,
    *,
    actors: list[str] | None = None,
    reporter: Reporter = SILENT,
) -> list[Scores]:
    """Score every method on every recording of a folder, or of some actors."""
    baselines = Baselines()
    rows: dict[str, list[list[float]]] = {}
    recordings = [one for one in read_recordings(root) if not actors or one.actor in actors]
    for recording in track(recordings, "RAVDESS", len(recordings), reporter):
        sound = open_audio(recording.sound)
        heard = models.unstyled(sound, FPS)
        voice = _fitted(heard.voice, len(recording.landmarks))
        for name, offsets in candidates(recording, sound, heard, models, style, baselines).items():
            rows.setdefault(name, []).append(score(recording, offsets, voice))
    actors_seen = tuple(one.actor for one in recordings)
    return [Scores(name, np.array(values), actors_seen) for name, values in rows.items()]


def _shown(mean: float, half: float) -> str:
    return "" if np.isnan(mean) else f"{mean:.2f} ±{half:.2f}"


def table(scores: list[Scores]) -> Iterator[tuple[str, ...]]:
    """Yield one row of text for each of the scores, under COLUMNS."""
    for one in scores:
        pairs = zip(one.mean(), one.interval(), strict=True)
        yield (one.name, *(_shown(mean, half) for mean, half in pairs))


FULL_AUDIO_VIDEO = "01"  # first field of a file name: modality with picture and sound


def find_videos(root: Path, actors: list[str] | None) -> list[Path]:
    """Return the audio-video files of a published folder (Actor_NN/*.mp4), chosen actors only."""
    found = [
        path
        for path in sorted(root.rglob("*.mp4"))
        if path.stem.split("-")[0] == FULL_AUDIO_VIDEO
        and (not actors or actor_of(path.stem) in actors)
    ]
    if not found:
        raise MediaError(
            f"{root} holds no RAVDESS videos.",
            remedy="Give the folder with Actor_NN/01-*.mp4, and actors that are in it.",
        )
    return found


def evaluate_video(
    path: Path, options: Options, *, reporter: Reporter = SILENT
) -> dict[str, dict[str, Cell]]:
    """Animate a clip's first frame with its sound, in the style of the clip itself, and compare.

    The style reference is the clip of the same name, as in the authors' scripts.
    """
    style = extract_style(path)
    with tempfile.TemporaryDirectory() as folder:
        portrait, made = Path(folder) / "portrait.png", Path(folder) / path.name
        write_image(portrait, next(read_frames(path)).pixels)
        pipeline.animate(portrait, path, made, style=style, options=options, reporter=reporter)
        return compare(made, path, reporter=reporter).rows


def evaluate_folder(
    videos: list[Path], cache: Path, options: Options, *, reporter: Reporter = SILENT
) -> dict[str, dict[str, dict[str, Cell]]]:
    """Score videos by name; each is kept in `cache`, so that a broken run goes on there.

    Each encoder has its own file there.
    """
    files.make_folder(cache)
    scored: dict[str, dict[str, dict[str, Cell]]] = {}
    for number, path in enumerate(videos, 1):
        kept = cache / f"{path.stem}-{options.encoder.value}.json"
        if not kept.exists():
            reporter.say(f"{path.name} ({number} of {len(videos)})")
            try:
                rows = evaluate_video(path, options, reporter=reporter)
            except FaceError as error:
                reporter.say(f"Left out: {error}")
                continue
            numbers = {
                row: {name: cell.value for name, cell in cells.items()}
                for row, cells in rows.items()
            }
            with files.atomic(kept) as part:
                part.write_text(json.dumps(numbers), encoding="utf-8")
        table = json.loads(kept.read_text(encoding="utf-8"))
        scored[path.stem] = {
            row: {name: Cell(value) for name, value in cells.items()}
            for row, cells in table.items()
        }
    return scored
