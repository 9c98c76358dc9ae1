"""Sound + style -> Motion: what the net hears, brought to the style's range."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from stylehead.blend import Blend, Share, blended_blink_rate, blended_head, points_of
from stylehead.blinks import sample_blinks
from stylehead.brows import sample_brows
from stylehead.device import to_array
from stylehead.errors import MediaError
from stylehead.expression import UPPER, sample_expression
from stylehead.face_model import FaceModel
from stylehead.features import FLOOR, LOUDNESS, log_mel, mel_filters
from stylehead.gaze import sample_gaze
from stylehead.geometry import angles_from_rotation, rotation_from_angles
from stylehead.hearing import CHUNK
from stylehead.landmarks import MOUTH_PAIRS, to_68
from stylehead.media import SPEECH_RATE, Sound
from stylehead.models import pose_generator
from stylehead.models.motion_generator import FPS, ROWS_PER_FRAME, MotionGenerator
from stylehead.motion_models import MotionModels
from stylehead.openness import match_opening
from stylehead.options import MotionControls
from stylehead.progress import SILENT, Reporter
from stylehead.style_ranges import apply_style, hold_style
from stylehead.tuning import tuned_generator
from stylehead.types import Floats, Motion, Style

SILENT_LEVEL, VOICED_LEVEL = -42.0, -30.0  # dB under the loud parts: gate shut, gate open
UNLIKELY, LIKELY = 0.3, 0.7  # probabilities of a voice: gate shut, gate open
# Frames at 60 fps by which the gate opens early and shuts late: what lips do in a fifth of a second
# around a voice is left to the net, which has heard breaths and pauses.
ATTACK, RELEASE = 12, 14
GATE_SMOOTHING = 2.5  # frames at 60 fps
SMOOTHING = 1.2  # frames at 60 fps of Gaussian, on what the net says
QUIETEST = 10 ** (-60 / 20)  # loudness below which a recording counts as silent
REST = 0.12  # seconds at both ends in which the face leaves and reaches its rest


def predict_motion(
    sound: Sound,
    models: MotionModels,
    style: Style | Blend,
    *,
    fps: Fraction,
    controls: MotionControls = MotionControls(),  # noqa: B008 (frozen)
    reporter: Reporter = SILENT,
) -> Motion:
    """Return the motion of a recording in a style or a blend, never shorter than the sound.

    Memory grows by 1.5 MB a minute for the motion itself, and by as much for each style of a blend.
    Raises MediaError for a silent recording, StyleError for a style tuned for other weights.
    """
    blend = (Share(style),) if isinstance(style, Style) else style
    nets = [_generator(share.style, models.generator) for share in blend]
    heard = hear(sound, models, fps, nets=nets, reporter=reporter)
    voice = heard.voice
    landmarks = heard.landmarks
    faces = [
        _styled(heard, made, net, share.style, fps, controls.seed)
        for share, net, made in zip(blend, nets, heard.made, strict=True)
    ]
    _mix(landmarks, faces, blend)
    frames = len(landmarks)
    head, blinking, _, eyes = _streams(controls.seed)
    landmarks *= controls.expression
    neutral = to_68(FaceModel.embedded().mean)
    _keep_lips_apart(landmarks, neutral)
    _from_rest(landmarks, fps)
    rotation, translation = blended_head(
        models.pose, heard.prosody, frames, blend, fps, controls.pose, head
    )
    rate = controls.blinks_per_minute
    rate = blended_blink_rate(blend) if rate is None else rate
    blink = sample_blinks(frames, voice, fps, rate, blinking)
    gaze = sample_gaze(rotation, blink, fps, eyes)
    return Motion(landmarks, rotation, translation, blink, fps, neutral, gaze)


def _generator(style: Style, usual: MotionGenerator) -> MotionGenerator:
    return tuned_generator(usual, style.tuning, style.name) if style.tuning else usual


def _styled(
    heard: Heard, landmarks: Floats, net: MotionGenerator, style: Style, fps: Fraction, seed: int
) -> Floats:
    """Return the face (T, 68, 3) of a style, from what its own or the usual generator says.

    A tuned generator articulates as the style does; its mouth is opened as wide as the style's as
    far as that keeps the tempo, and the style's expression is played with it.
    Otherwise the usual one is brought to the style's statistics.
    """
    if style.tuning:
        landmarks[:, UPPER] = 0
        neutral = to_68(FaceModel.embedded().mean)
        match_opening(landmarks, heard.voice, style.motion, neutral, fps)
        landmarks += sample_expression(style, len(landmarks), fps, _streams(seed)[2])
        return landmarks
    apply_style(landmarks, heard.voice, net, style, fps)
    brows = sample_brows(heard.voice, heard.stress, style, fps, _streams(seed)[2])
    hold_style(landmarks, heard.voice, brows, style)
    return landmarks


def _mix(landmarks: Floats, faces: list[Floats], blend: Blend) -> None:
    """Add up styled faces region by region by their shares; the un-styled face fills up; in place.

    Outputs are mixed and not weights: they are linear in each share, so that a style's strength
    works alike from 0 to 1.5, and styles of different tunings can meet in one face.
    """
    for region, points in points_of().items():
        rest = 1 - sum(share.of(region) for share in blend)
        mixed = np.float32(rest) * landmarks[:, points]
        for share, face in zip(blend, faces, strict=True):
            mixed += np.float32(share.of(region)) * face[:, points]
        landmarks[:, points] = mixed


class Heard(NamedTuple):
    """What the net makes of a recording, before any style."""

    landmarks: Floats
    """(T, 68, 3) offsets of an average person, head space."""
    voice: Floats
    """(T,) 1 where a voice is heard, 0 in silence."""
    stress: Floats
    """(T,) stressed syllables, about 0 to 1."""
    prosody: Floats
    """(P, 80) mean log-mel row of the voice at each pose, at the pose generator's rate."""
    made: list[Floats]
    """What each of the other generators makes of it, as `landmarks`."""


def hear(
    sound: Sound,
    models: MotionModels,
    fps: Fraction,
    *,
    nets: Sequence[MotionGenerator] = (),
    reporter: Reporter = SILENT,
) -> Heard:
    """Return the un-styled motion of a recording at a frame rate; silence shuts the mouth.

    `nets` are generators that hear the same at once. Raises MediaError for a silent recording.
    """
    if sound.loudness < QUIETEST:
        raise MediaError(
            f"{sound.path} is silent.", remedy="Give a recording in which a voice can be heard."
        )
    # What stays is allocated first: what is freed after it can then go back to the system.
    frames = math.ceil(round(sound.seconds * fps, 6))
    found = [np.zeros((frames, 68, 3), np.float32) for _ in (models.generator, *nets)]
    distinct = list(dict.fromkeys((models.generator, *nets)))
    offsets, gate, stress, prosody = _listen(sound, models, distinct, reporter)
    for landmarks, net in zip(found, (models.generator, *nets), strict=True):
        for rows, values in _resampled(offsets[distinct.index(net)], gate, FPS, fps, frames):
            landmarks[rows] = values
    del offsets
    voice, stressed = _at_rate(gate, fps, frames), _at_rate(stress, fps, frames)
    return Heard(found[0], voice, stressed, prosody, found[1:])


def features_of(sound: Sound, models: MotionModels, *, reporter: Reporter = SILENT) -> torch.Tensor:
    """Return what the generator hears of a recording: (T, F) at 60 Hz, music lowered."""
    voiced = _Voiced(sound, models, reporter)
    return torch.cat(list(models.ears.listen(voiced.blocks())))


def adjust(motion: Motion, controls: MotionControls) -> Motion:
    """Turn the controls on a finished motion; its own blinks stay unless a rate is set."""
    blink = motion.blink
    if controls.blinks_per_minute is not None:
        voice = np.ones(len(motion), np.float32)
        rng = _streams(controls.seed)[1]
        blink = sample_blinks(len(motion), voice, motion.fps, controls.blinks_per_minute, rng)
    angles = angles_from_rotation(motion.rotation) * controls.pose
    landmarks = motion.landmarks * np.float32(controls.expression)
    if controls.expression != 1:
        _keep_lips_apart(landmarks, motion.neutral)
    return motion.with_(
        landmarks=landmarks,
        rotation=motion.rotation if controls.pose == 1 else rotation_from_angles(angles),
        translation=motion.translation * np.float32(controls.pose),
        blink=blink,
    )


def _streams(seed: int) -> tuple[np.random.Generator, ...]:
    """Return chance for head, blinks, brows and eyes: one control leaves the others alone."""
    return tuple(np.random.default_rng([seed, part]) for part in range(4))


class _Voiced:
    """Passes a recording's voice on, block by block, and notes when it was there and how loud."""

    def __init__(self, sound: Sound, models: MotionModels, reporter: Reporter) -> None:
        self._sound, self._models, self._reporter = sound, models, reporter
        self._filters = torch.from_numpy(mel_filters())
        self._gain = np.float32(LOUDNESS / sound.loudness)
        self._level: list[Floats] = []
        self._activity: list[Floats] = []
        self._prosody: list[Floats] = []

    def blocks(self) -> Iterator[Floats]:
        """Yield the voice, 10 s at a time."""
        loud = (block * self._gain for block in self._sound.blocks())
        for samples, activity in self._models.voice.separate(loud):
            frames = len(activity)
            padded = np.zeros(frames * SPEECH_RATE // FPS + 2 * SPEECH_RATE // FPS, np.float32)
            padded[: len(samples)] = samples
            rows = log_mel(torch.from_numpy(padded), self._filters)[: frames * ROWS_PER_FRAME]
            magnitude = torch.exp((1 - rows) * math.log(FLOOR)).mean(1)
            self._level.append(to_array(magnitude.unflatten(0, (-1, ROWS_PER_FRAME)).mean(1)))
            self._activity.append(activity)
            per_pose = FPS // pose_generator.FPS * ROWS_PER_FRAME
            missing = -len(rows) % per_pose
            rows = torch.cat([rows, rows[-1:].expand(missing, -1)])
            self._prosody.append(to_array(rows.unflatten(0, (-1, per_pose)).mean(1)))
            self._reporter.advance()
            yield samples

    def noted(self) -> tuple[Floats, Floats, Floats]:
        """Return level in dB and activity, both (T,) at 60 fps, and the prosody (P, 80)."""
        level = 20 * np.log10(np.concatenate(self._level) + 1e-9)
        level -= np.percentile(level, 95)
        return level, np.concatenate(self._activity), np.concatenate(self._prosody)


@torch.inference_mode()
def _listen(
    sound: Sound, models: MotionModels, nets: list[MotionGenerator], reporter: Reporter
) -> tuple[list[NDArray[np.float16]], Floats, Floats, Floats]:
    """Run the networks over the recording: offsets (T, 68, 3) of each generator, gate and stress.

    All at 60 fps; the last value is the prosody.
    """
    total = math.ceil(round(sound.seconds * FPS, 6)) + 1
    streams = [_Offsets(net, total) for net in nets]
    reporter.start("Listening", math.ceil((total - 1) / CHUNK))
    voiced = _Voiced(sound, models, reporter)
    delay = models.generator.config.delay
    for features in _then_tail(models.ears.listen(voiced.blocks()), delay):
        for stream in streams:
            stream.take(features)
    level, activity, prosody = voiced.noted()
    heard = ((activity - UNLIKELY) / (LIKELY - UNLIKELY)).clip(0, 1)
    gate = voice_gate(level, heard)
    offsets = [stream.finished() for stream in streams]
    return offsets, np.append(gate, gate[-1]), _stress(level) * heard, prosody


class _Offsets:
    """What one generator says of a stream, at the frames it belongs to."""

    def __init__(self, net: MotionGenerator, total: int) -> None:
        self._net, self._state = net, None
        self._offsets = np.zeros((total, 68, 3), np.float16)
        self._done, self._skipped = 0, net.config.delay

    def take(self, features: torch.Tensor) -> None:
        """Hear the next features (T, F)."""
        device = self._net.spread.device
        predicted, self._state = self._net(features[None].to(device), self._state)
        ready = to_array(predicted[0])
        early = min(self._skipped, len(ready))  # said before it has heard `delay` frames
        ready, self._skipped = ready[early:], self._skipped - early
        count = min(len(ready), len(self._offsets) - self._done)
        self._offsets[self._done : self._done + count] = ready[:count]
        self._done += count

    def finished(self) -> NDArray[np.float16]:
        """Return (T, 68, 3), the last frame held for interpolation beyond it."""
        self._offsets[self._done :] = self._offsets[self._done - 1]
        return self._offsets


def _then_tail(chunks: Iterator[torch.Tensor], delay: int) -> Iterator[torch.Tensor]:
    """Yield the chunks, the last one followed by `delay` repeats of its last row."""
    held = None
    for features in chunks:
        if held is not None:
            yield held
        held = features
    if held is not None:
        yield torch.cat([held, held[-1:].expand(delay, -1)])


def voice_gate(level: Floats, heard: Floats) -> Floats:
    """Return how much the mouth may move, 0 to 1, from the level in dB at 60 fps.

    heard (T,) in [0, 1] says where that level is a voice's.

    Opens a little before the sound, as lips do, and shuts a little after it.
    """
    gate = ((level - SILENT_LEVEL) / (VOICED_LEVEL - SILENT_LEVEL)).clip(0, 1) * heard
    shift = (RELEASE - ATTACK) // 2
    gate = maximum_filter1d(gate, ATTACK + RELEASE + 1, origin=shift)
    return gaussian_filter1d(gate, GATE_SMOOTHING).astype(np.float32)


def _stress(level: Floats) -> Floats:
    """Return the loudness of stressed syllables, about 0 to 1, at 60 fps."""
    voiced = ((level + 30) / 30).clip(0, 1)
    slow, fast = gaussian_filter1d(voiced, 45), gaussian_filter1d(voiced, 6)
    return (fast - slow).clip(0, None).astype(np.float32) * 2


def _at_rate(values: Floats, fps: Fraction, frames: int) -> Floats:
    times = np.arange(frames) / float(fps) * FPS
    return np.interp(times, np.arange(len(values)), values).astype(np.float32)


def _resampled(
    offsets: NDArray[np.float16], gate: Floats, rate: int, fps: Fraction, frames: int
) -> Iterator[tuple[slice, Floats]]:
    """Smooth, gate and resample offsets in pieces: (rows of the output, their values)."""
    margin = 12
    # Below 60 fps the smoothing also keeps motion that the rate cannot show from folding back.
    sigma = max(SMOOTHING, 0.4 * rate / float(fps))
    for start in range(0, frames, CHUNK):
        rows = np.arange(start, min(start + CHUNK, frames))
        times = rows / float(fps) * rate
        first = max(0, int(times[0]) - margin)
        last = min(len(offsets), int(times[-1]) + margin + 2)
        piece = offsets[first:last].astype(np.float32)
        piece *= gate[first:last, None, None]
        piece = gaussian_filter1d(piece, sigma, axis=0, mode="nearest")
        low = np.floor(times).astype(int).clip(0, len(offsets) - 1)
        high = (low + 1).clip(max=len(offsets) - 1)
        share = (times - low).astype(np.float32)[:, None, None]
        yield (
            slice(rows[0], rows[-1] + 1),
            piece[low - first] * (1 - share) + piece[high - first] * share,
        )


def _from_rest(landmarks: Floats, fps: Fraction) -> None:
    """Let the face leave the portrait's own rest at the start and reach it at the end; in place."""
    frames = len(landmarks)
    from_ends = np.minimum(np.arange(frames), np.arange(frames)[::-1])
    reach = min(REST, frames / float(fps) / 4) * float(fps)
    ramp = (from_ends[from_ends < reach] / reach).astype(np.float32)
    landmarks[from_ends < reach] *= (ramp * ramp * (3 - 2 * ramp))[:, None, None]


def _keep_lips_apart(landmarks: Floats, neutral: Floats) -> None:
    """Where inner lips would cross, let them meet half way; outer lips follow by half; in place.

    Method notes, 3.3, with the overlap taken frame by frame.
    """
    placed = landmarks[..., 1] + neutral[:, 1]
    overlaps: list[Floats] = []
    for upper, lower in MOUTH_PAIRS:
        overlap = (placed[:, upper] - placed[:, lower]).clip(0, None) / 2
        landmarks[:, upper, 1] -= overlap
        landmarks[:, lower, 1] += overlap
        overlaps.append(overlap)
    mean = np.mean(overlaps, axis=0)[:, None] / 2
    landmarks[:, 49:54, 1] -= mean
    landmarks[:, 55:60, 1] += mean
