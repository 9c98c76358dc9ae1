"""What can be measured on one video by itself: landmarks over time, sharpness, sound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import uniform_filter1d

from stylehead.errors import MediaError
from stylehead.evaluation.mouth import excess_opening, silence_leak
from stylehead.evaluation.sharpness import cpbd
from stylehead.face.geometry import angles_from_rotation, face_crop
from stylehead.face.landmarks import interocular, mouth_opening, to_68
from stylehead.face.performance import recover_performance
from stylehead.media.audio import PIECE, open_audio
from stylehead.media.video import read_frames
from stylehead.progress import SILENT, Reporter
from stylehead.speech.av_offset import measure_offset
from stylehead.style.learn import style_statistics
from stylehead.tracking.clip import track_video
from stylehead.tracking.detector import faces_in, landmarker
from stylehead.types import SPEECH_RATE, Face, FaceTrack, Floats, Pixels

FPS = Fraction(30000, 1001)
"""The rate the authors' scripts compare at."""
SIDE = 512
"""Pixels of the square frame landmarks are counted in, aspect ignored as by the authors."""
SHARPNESS_FRAMES = 12  # spread over the video, on which CPBD is taken
MOUTH_CROP, FACE_CROP = 48, 64  # pixels of the aligned crops that steadiness is measured on
SEAM_SIDE = 256  # pixels the frame is scaled to before a seam is looked for
LONGEST_LAG = 0.4  # seconds between two curves that are tried
HIGHEST_MOTION = 5.0  # Hz above which landmark motion counts as jitter
VOICED_LEVEL, SILENT_LEVEL = -30.0, -42.0  # dB under the loud parts


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VideoMeasurements:
    """One video, measured."""

    name: str
    landmarks: Floats
    """(T, 68, 2) pixels of a SIDE x SIDE frame at FPS; gaps bridged."""
    opening: Floats
    """(T,) mouth opening, interocular."""
    angles: Floats
    """(T, 3) pitch, yaw, roll in degrees."""
    level: Floats | None
    """(T,) loudness in dB under the loud parts; None without sound."""
    rate: float
    """Frames a second of the video itself."""
    numbers: dict[str, float]
    """Measures of this video alone."""


def measure_video(path: Path, *, reporter: Reporter = SILENT) -> VideoMeasurements:
    """Track a video and measure it; raises MediaError or FaceError when it cannot be used."""
    track = track_video(path, reporter=reporter)
    performance = recover_performance(track, name=str(path))
    motion, _ = performance.motion(FPS)
    angles = angles_from_rotation(performance.rotation)
    rows = np.flatnonzero(track.found)
    scale = np.array([SIDE / track.size[0], SIDE / track.size[1]])
    flat = to_68(track.mesh[rows])[..., :2] * scale
    times = track.seconds[0] + np.arange(len(motion)) / float(FPS)
    landmarks = _at(track.seconds[rows], flat, times)
    opening = mouth_opening(landmarks) / interocular(landmarks)
    level = _level(path, times)
    statistics = style_statistics(motion)
    numbers = {
        "blinks a minute": statistics["blinks_per_minute"],
        "pitch range, degrees": statistics["pitch_range_degrees"],
        "yaw range, degrees": statistics["yaw_range_degrees"],
        "roll range, degrees": statistics["roll_range_degrees"],
        "mouth opening range": statistics["mouth_opening_range"],
        "face found": float(track.found.mean()),
        "jitter": jitter(landmarks),
    }
    numbers |= _appearance_measures(path, track)
    if level is not None:
        numbers |= _sound_measures(opening, level)
    return VideoMeasurements(
        name=path.name,
        landmarks=landmarks,
        opening=opening,
        angles=_at(track.seconds, angles, times),
        level=level,
        rate=1 / float(np.median(np.diff(track.seconds))),
        numbers=numbers,
    )


def jitter(landmarks: Floats) -> float:
    """Return the root mean square of landmark motion above 5 Hz, percent of the interocular.

    (T, 68, 2) at FPS; lower is steadier, speech itself reaches a little above 5 Hz.
    """
    spectrum = np.fft.rfft(landmarks - landmarks.mean(0), axis=0)
    frequencies = np.fft.rfftfreq(len(landmarks), 1 / float(FPS))
    spectrum[frequencies <= HIGHEST_MOTION] = 0
    fast = np.fft.irfft(spectrum, len(landmarks), axis=0)
    return 100 * float(np.sqrt(np.square(fast).mean()) / interocular(landmarks).mean())


def lag_of(a: Floats, b: Floats) -> tuple[float, float]:
    """Return the best correlation of two curves (T,) at FPS, and by how many seconds b is later.

    Lags up to LONGEST_LAG are tried; both are NaN when a curve does not move.
    """
    offset = measure_offset(a, b, reach=round(LONGEST_LAG * FPS))
    if math.isnan(offset.correlation):
        return math.nan, math.nan
    return offset.correlation, offset.frames / float(FPS)


def _at(seconds: Floats, values: Floats, times: Floats) -> Floats:
    flat = values.reshape(len(values), -1)
    columns = [np.interp(times, seconds, column) for column in flat.T]
    return np.stack(columns, -1).reshape(len(times), *values.shape[1:])


def _level(path: Path, times: Floats) -> Floats | None:
    try:
        sound = open_audio(path)
    except MediaError:
        return None  # a video without sound is measured without sound
    if sound.loudness == 0:
        return None
    moments = (np.arange(len(sound.energies)) + 0.5) * PIECE / SPEECH_RATE
    decibels = 10 * np.log10(sound.energies + 1e-10) - 20 * np.log10(sound.loudness)
    return np.interp(times, moments, decibels)


def _sound_measures(opening: Floats, level: Floats) -> dict[str, float]:
    shut = float(np.percentile(opening, 5))
    silent, voiced = level < SILENT_LEVEL, level > VOICED_LEVEL
    _, offset = lag_of(np.maximum(level, -40), opening)
    return {
        "silence leak": silence_leak(opening, silent, shut=shut),
        "opening while voiced": excess_opening(opening, voiced, reference=shut),
        "picture after sound, s": offset,
    }


def _appearance_measures(path: Path, track: FaceTrack) -> dict[str, float]:
    """Return CPBD, mouth flicker, likeness to the first frame and seam, in one pass.

    The frames are read again: which of them CPBD is taken on is known once all are tracked.
    """
    chosen = set(np.linspace(0, len(track.seconds) - 1, SHARPNESS_FRAMES).astype(int).tolist())
    sharp: list[float] = []
    flicker: list[float] = []
    likeness: list[float] = []
    first, before = None, None
    seam = SeamMeter()
    for frame in read_frames(path):
        row = int(np.argmin(np.abs(track.seconds - frame.seconds)))
        grey = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        seam.add(grey)
        if not track.found[row]:
            before = None
            continue
        if row in chosen:
            square = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            sharp.append(cpbd(np.asarray(square, np.float64)))
        mesh = track.mesh[row]
        mouth = _aligned(grey, mesh[[61, 291]], MOUTH_CROP)
        if before is not None:
            flicker.append(float(np.abs(mouth - before).mean()))
        before = mouth
        face = _aligned(grey, mesh[[33, 263]], FACE_CROP)
        first = face if first is None else first
        likeness.append(float(np.corrcoef(face.ravel(), first.ravel())[0, 1]))
    return {
        "CPBD": float(np.mean(sharp)) if sharp else float("nan"),
        "mouth flicker": float(np.mean(flicker)) if flicker else float("nan"),
        "likeness to first frame": float(np.percentile(likeness, 5)),
        "seam": seam.visibility(),
    }


class SeamMeter:
    """The border of a part that was pasted into a still picture.

    Inside it pixels change over time, outside they do not: a visible border is a straight line
    along which the deviation over time jumps. Unit: grey levels of deviation; lower is better.
    """

    def __init__(self) -> None:
        self._count = 0
        self._sum = np.zeros((SEAM_SIDE, SEAM_SIDE))
        self._squares = np.zeros((SEAM_SIDE, SEAM_SIDE))

    def add(self, grey: Pixels) -> None:
        """Take the next frame (H, W)."""
        small = cv2.resize(grey, (SEAM_SIDE, SEAM_SIDE), interpolation=cv2.INTER_AREA)
        self._count += 1
        self._sum += small
        self._squares += np.square(small, dtype=np.float64)

    def visibility(self) -> float:
        """Return the largest mean jump along a line a quarter of the frame long."""
        mean = self._sum / self._count
        deviation = np.sqrt(np.maximum(self._squares / self._count - mean**2, 0))
        length = SEAM_SIDE // 4
        jumps: list[float] = []
        for steps in (np.diff(deviation, axis=1).T, np.diff(deviation, axis=0)):
            runs = uniform_filter1d(steps, length, axis=1)[:, length // 2 : -length // 2]
            jumps.append(float(np.abs(runs).max()))
        return max(jumps)


def _aligned(grey: Pixels, ends: Floats, size: int) -> Floats:
    """Cut a square around two points, which come to lie level, a third of its side apart."""
    left, right = ends[0, :2], ends[1, :2]
    across = right - left
    scale = size / 3 / max(float(np.linalg.norm(across)), 1e-3)
    angle = float(np.arctan2(across[1], across[0]))
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    shift = np.array([size / 2, size / 2]) - turn @ ((left + right) / 2)
    crop = cv2.warpAffine(grey, np.column_stack([turn, shift]), (size, size))
    return np.asarray(crop, np.float64)


def face_crops_at(path: Path, seconds: list[float], side: int = 200) -> list[Pixels]:
    """Return the face (side, side, 3) of a video at given times, where one is seen."""
    crops: list[Pixels] = []
    with landmarker(video=False) as task:
        for moment in seconds:
            for frame in read_frames(path, start=max(0.0, moment)):
                faces: list[Face] = faces_in(task, frame.pixels, None)
                if faces:
                    crops.append(face_crop(frame.pixels, faces[0].mesh, side))
                break
    return crops
