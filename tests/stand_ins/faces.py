"""Stand-ins made of formulas: motions, styles, recordings, tracked faces."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch

from stylehead.face.articulation import usual_way
from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import EYES, INNER_LOWER, INNER_UPPER, REGIONS, to_68
from stylehead.media.audio import loudness, piece_energies
from stylehead.models.motion_generator import MotionConfig
from stylehead.models.pose_generator import PoseConfig, PoseGenerator
from stylehead.motion.models import Networks
from stylehead.pipeline.run import Predictor
from stylehead.progress import SILENT
from stylehead.speech.encoders import LogMelEncoder
from stylehead.speech.listen import Listener
from stylehead.speech.mel import LOUDNESS
from stylehead.speech.separation import Voice
from stylehead.style.learn import style_statistics
from stylehead.types import (
    MOTION_FPS,
    SPEECH_RATE,
    TEMPLATES,
    Face,
    FaceTrack,
    Motion,
    Portrait,
    Style,
    StyleReference,
)

STILL = np.eye(3, dtype=np.float32)


def mean_mesh() -> np.ndarray:
    return FaceModel.embedded().mean


def mean_face() -> np.ndarray:
    return to_68(mean_mesh())


def wave(seconds: np.ndarray, hertz: float, phase: float = 0.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * seconds + phase)


def performed_motion(
    seconds: float = 20.0,
    *,
    fps: int = 30,
    spread: dict[str, tuple[float, float, float]] | None = None,
    degrees: tuple[float, float, float] = (2.0, 3.0, 1.5),
    shift: float = 0.03,
    hertz: float = 0.3,
    blinks: int = 6,
    opening: float = 0.1,
) -> Motion:
    """Return a person who nods, talks and blinks; `spread` is the std of regions by axis."""
    times = np.arange(round(seconds * fps)) / fps
    landmarks = np.zeros((len(times), 68, 3), np.float32)
    spreads = {name: (0.01, 0.01, 0.01) for name in REGIONS} | (spread or {})
    for number, (name, points) in enumerate(REGIONS.items()):
        for axis in range(3):
            curve = np.sqrt(2) * wave(times, 1.1 + 0.37 * number, axis)
            landmarks[:, list(points), axis] += (spreads[name][axis] * curve)[:, None]
    gape = opening * (0.5 - 0.5 * np.cos(2 * np.pi * 2.5 * times))
    landmarks += gape[:, None, None] * usual_way()
    angles = np.column_stack(
        [np.sqrt(2) * size * wave(times, hertz, i) for i, size in enumerate(degrees)]
    )
    place = np.column_stack([np.sqrt(2) * shift * wave(times, hertz, 3 + i) for i in range(3)])
    blink = np.zeros(len(times), np.float32)
    for centre in (np.arange(blinks) + 0.5) / max(blinks, 1) * seconds:
        blink = np.maximum(blink, 1 - np.abs(times - centre) / 0.1)
    return Motion(
        landmarks,
        rotation_from_angles(angles),
        place.astype(np.float32),
        blink.astype(np.float32),
        Fraction(fps),
        mean_face(),
    )


def make_style(motion: Motion | None = None, *, name: str = "made up"):
    """Return a style around a motion; its references are the first frames."""
    motion = motion or performed_motion()
    references = tuple(
        StyleReference(
            template,
            float(row),
            0.5 * row,
            (motion.landmarks[row] + motion.neutral).astype(np.float32),
            motion.rotation[row],
            np.linspace(0, 1, 52, dtype=np.float32),
        )
        for row, template in enumerate(TEMPLATES)
    )
    times = np.arange(len(motion), dtype=np.float32) / np.float32(motion.fps)
    return Style(
        name,
        references,
        motion,
        times,
        style_statistics(motion),
        {"source_sha256": "ab" * 32, "stylehead_version": "0"},
    )


@cache
def syllables(seconds: float, *, pauses: tuple[tuple[float, float], ...] = ()) -> np.ndarray:
    """Return (N,) a buzz at 140 Hz whose loudness and colour go with four syllables a second."""
    times = np.arange(round(seconds * SPEECH_RATE)) / SPEECH_RATE
    beat = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * times)
    dark, bright = (
        sum(wave(times[:800], 140 * k, k) / k**slope for k in range(1, 30)) for slope in (1.5, 0.8)
    )  # both repeat every 800 samples, seven periods
    repeats = -(-len(times) // 800)
    dark, bright = (np.tile(buzz, repeats)[: len(times)] for buzz in (dark, bright))
    loud = 0.075 * (0.15 + 0.85 * beat)
    for start, end in pauses:
        loud[(times >= start) & (times < end)] = 0
    samples = (loud * ((1 - beat) * dark + beat * bright)).astype(np.float32)
    samples.flags.writeable = False
    return samples


@dataclass(frozen=True, eq=False)
class Recording:
    """What motion needs of a media.Sound, from memory."""

    samples: np.ndarray
    block: int = SPEECH_RATE
    path: Path = Path("voice.wav")
    start: float = 0.0
    chosen: bool = False

    @property
    def seconds(self) -> float:
        return len(self.samples) / SPEECH_RATE

    @cached_property
    def loudness(self) -> float:
        return loudness(piece_energies(self.samples))

    @property
    def silent(self) -> bool:
        return float(np.abs(self.samples).max()) < 1e-3

    def blocks(self, rate=SPEECH_RATE, channels=1):
        assert (rate, channels) == (SPEECH_RATE, 1)
        for start in range(0, len(self.samples), self.block):
            yield self.samples[start : start + self.block]


class Parrot:
    """A net that opens the mouth by the loudness it hears, and is late as real ones are.

    It hears with LogMelEncoder.
    """

    def __init__(self, shape=None, delay=7):
        self.config = MotionConfig(encoder="log-mel", features=LogMelEncoder.width, delay=delay)
        self.spread = self.predicted_spread = torch.full((68, 3), 0.02)
        self.shape = torch.from_numpy(gape(0.2) if shape is None else shape)

    def __call__(self, features, state=None):
        loud = features.mean(2)
        state = torch.zeros(1, self.config.delay) if state is None else state
        queue = torch.cat([state, loud], 1)
        now, later = queue[:, : loud.shape[1]], queue[:, loud.shape[1] :]
        return now[..., None, None] * self.shape, later


class EveryVoice:
    """A voice listener that takes all sound for a voice, 10 s at a time."""

    def activity(self, seconds):
        return np.ones_like(seconds)

    name, files = "every voice", ("voice_filter",)

    def choose(self, sound, reporter=SILENT):
        return self

    def separate(self, sound):
        gain = np.float32(LOUDNESS / sound.loudness)
        samples, length = gain * np.concatenate(list(sound.blocks())), 10 * SPEECH_RATE
        for start in range(0, len(samples), length):
            piece = samples[start : start + length]
            frames = np.arange(-(-len(piece) * MOTION_FPS // SPEECH_RATE))
            seconds = start / SPEECH_RATE + frames / MOTION_FPS
            yield Voice(piece, self.activity(seconds).astype(np.float32), piece)


@cache
def tiny_pose(seed: int = 0) -> PoseGenerator:
    """Return an untrained pose generator that is quick to draw from."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PoseGenerator(PoseConfig(width=4, skip=4, layers=2, blocks=1)).eval()


def predictor(net=None, *, voice=None, encoder=None) -> Predictor:
    """Return networks that need no weights: a parrot that hears everything, and a nervous head."""
    listener = Listener("log-mel", voice or EveryVoice(), encoder or LogMelEncoder())
    return Predictor(listener, Networks(net or Parrot(), tiny_pose()))


def gape(size):
    """Landmark offsets of an open mouth; negative presses the lips into each other."""
    return np.float32(size) * usual_way()


def shut_lids(heads: np.ndarray, closure: np.ndarray) -> np.ndarray:
    """Lower the upper lids of meshes (T, 478, 3) onto the lower ones by closure (T,)."""
    out = heads.copy()
    for upper, lower, *_ in EYES:
        gap = heads[:, lower] - heads[:, upper]
        out[:, upper[1:-1]] += 0.9 * closure[:, None, None] * gap[:, 1:-1]
    return out


def face_track(
    heads: np.ndarray,
    *,
    fps: float = 30.0,
    angles: np.ndarray | None = None,
    place: np.ndarray | None = None,
    scale: np.ndarray | float = 200.0,
    centre: tuple[float, float] = (320.0, 240.0),
    expression: np.ndarray | None = None,
    seconds: np.ndarray | None = None,
    sharpness: np.ndarray | None = None,
    cuts: np.ndarray | None = None,
    size: tuple[int, int] = (640, 480),
) -> FaceTrack:
    """Film meshes (T, 478, 3) in head space: turned by angles (T, 3), shifted by place (T, 3)."""
    count = len(heads)
    turned = np.zeros((count, 3)) if angles is None else angles
    moved = np.zeros((count, 3)) if place is None else place
    scales = np.broadcast_to(np.asarray(scale, float), (count,))[:, None, None]
    mesh = heads @ rotation_from_angles(turned) + moved[:, None]
    mesh = scales * mesh + np.array([*centre, 0.0])
    return FaceTrack(
        mesh.astype(np.float32),
        np.zeros((count, 52), np.float32) if expression is None else expression,
        np.full(count, 100, np.float32) if sharpness is None else sharpness,
        np.arange(count) / fps if seconds is None else seconds,
        np.zeros(count, bool) if cuts is None else cuts,
        size,
    )


def without_face(track: FaceTrack, rows) -> FaceTrack:
    """Return a track in which no face was found in some rows."""
    mesh, expression = track.mesh.copy(), track.expression.copy()
    mesh[rows], expression[rows] = np.nan, np.nan
    return FaceTrack(mesh, expression, track.sharpness, track.seconds, track.cuts, track.size)


def closed_mesh() -> np.ndarray:
    """Return the mean face with its lips shut."""
    mesh = mean_mesh().copy()
    gap = mesh[INNER_LOWER, 1] - mesh[INNER_UPPER, 1] - 0.002
    mesh[INNER_UPPER, 1] += 0.4 * gap
    mesh[INNER_LOWER, 1] -= 0.6 * gap
    return mesh


def drawn_portrait(
    head: np.ndarray | None = None,
    *,
    side: int = 256,
    skin: tuple[int, int, int] = (205, 160, 140),
    place: tuple[float, float] = (0.5, 0.45),
    unit: float = 0.22,
    scores: np.ndarray | None = None,
) -> Portrait:
    """Return a portrait in smooth colours whose mesh is known exactly, by default at rest.

    `place` of the face and `unit`, its interocular distance, are shares of the picture's side.
    """
    rows, columns = np.mgrid[:side, :side] / side
    waves = 0.08 * np.sin(9 * rows) * np.cos(7 * columns)
    pixels = (np.array(skin) * (1 + waves[..., None])).clip(0, 255).astype(np.uint8)
    mesh = unit * side * (closed_mesh() if head is None else head)
    mesh = mesh + np.array([place[0] * side, place[1] * side, 0.0])
    scores = FaceModel.embedded().neutral_scores.copy() if scores is None else scores
    return Portrait(pixels, Face(mesh.astype(np.float32), scores), STILL, 1, 1)


class RememberingReporter:
    """A reporter that remembers what it was told."""

    def __init__(self):
        self.said, self.total, self.stages = [], None, []

    def start(self, stage, total):
        self.total = total
        self.stages.append((stage, total))

    def advance(self):
        pass

    def say(self, message):
        self.said.append(message)


class Interrupting(RememberingReporter):
    """Stops the work, as a user would, after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def advance(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
