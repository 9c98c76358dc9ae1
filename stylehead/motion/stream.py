"""Run the motion generator over a stream of speech, and gate it by the voice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from stylehead.compute.device import to_array
from stylehead.models.motion_generator import MotionGenerator
from stylehead.motion.beat import Beats, find_beats
from stylehead.motion.finishing import resample_curve, resample_offsets
from stylehead.types import MEL_ROWS_PER_FRAME, MOTION_FPS, VOICE, Floats, Speech

SILENT_LEVEL, VOICED_LEVEL = -42.0, -30.0  # dB under the loud parts: gate shut, gate open
UNLIKELY, LIKELY = 0.3, 0.7  # probabilities of a voice: gate shut, gate open
# Frames at 60 fps by which the gate opens early and shuts late: what lips do in a fifth of a second
# around a voice is left to the network, which has learned breaths and pauses.
ATTACK, RELEASE = 12, 14
GATE_SMOOTHING = 2.5  # frames at 60 fps
MUSIC_LEVEL = -24.0  # dB against the loud parts of the voice from which what is no voice is music
MUSIC_GAP = 121  # frames at 60 fps around such a moment that count as music, too


class UnstyledMotion(NamedTuple):
    """What the motion generators make of a recording, before any style."""

    landmarks: list[Floats]
    """(T, 68, 3) offsets of an average person, head space; of each generator."""
    voice: Floats
    """(T,) 1 where a voice is heard, 0 in silence."""
    stress: Floats
    """(T,) stressed syllables, about 0 to 1."""
    prosody: Floats
    """(P, 80) mean log-mel row of the voice at each pose, at the pose generator's rate."""
    music: Floats
    """(T,) 1 where music plays, 0 where only a voice does."""
    beats: Beats
    """Of that music."""
    energy: Floats
    """(T,) loudness of the voice, 0 to 1."""

    @property
    def contour(self) -> Floats:
        """(T, 3) energy, voice and stress, as a Style has them of its clip."""
        return np.column_stack([self.energy, self.voice, self.stress])

    def within(self, opened: Floats) -> UnstyledMotion:
        """Return what is left where the mouth may open only as far as (T,) says, 0 to 1."""
        return self._replace(
            landmarks=[offsets * opened[:, None, None] for offsets in self.landmarks],
            voice=self.voice * opened,
            stress=self.stress * opened,
            energy=self.energy * opened,
        )


def generate(
    speech: Speech, generators: Sequence[MotionGenerator], fps: Fraction
) -> UnstyledMotion:
    """Return the un-styled motion of a recording at a frame rate; silence shuts the mouth.

    `generators` run on the same features; one that comes twice runs once.
    """
    # What stays is allocated first: what is freed after it can then go back to the system.
    frames = math.ceil(round(speech.seconds * fps, 6))
    landmarks = [np.zeros((frames, 68, 3), np.float32) for _ in generators]
    distinct = list(dict.fromkeys(generators))
    offsets, measures = _run(speech, distinct)
    gate = measures.contour[:, VOICE]
    for target, net in zip(landmarks, generators, strict=True):
        own = offsets[distinct.index(net)]
        for rows, values in resample_offsets(own, gate, MOTION_FPS, fps, frames):
            target[rows] = values
    del offsets
    energy, voice, stress, music = (
        resample_curve(curve, fps, frames) for curve in (*measures.contour.T, measures.music)
    )
    return UnstyledMotion(landmarks, voice, stress, measures.prosody, music, measures.beats, energy)


class _Measures(NamedTuple):
    """What a recording is besides features; curves (T,) at 60 fps."""

    contour: Floats
    """(T, 3)"""
    prosody: Floats
    music: Floats
    beats: Beats


@torch.inference_mode()
def _run(
    speech: Speech, nets: list[MotionGenerator]
) -> tuple[list[NDArray[np.float16]], _Measures]:
    """Run the generators over a stream: offsets (T, 68, 3) of each at 60 fps, and measures."""
    total = math.ceil(round(speech.seconds * MOTION_FPS, 6)) + 1
    streams = [_Offsets(net, total) for net in nets]
    chunks: list[tuple[Floats, ...]] = []

    def features() -> Iterator[torch.Tensor]:
        for chunk in speech.chunks:
            chunks.append(chunk[1:])
            yield chunk.features

    for some in _then_tail(features(), nets[0].config.delay):
        for stream in streams:
            stream.take(some)
    activity, level, prosody, rest, onsets = (
        np.concatenate(part) for part in zip(*chunks, strict=True)
    )
    contour = contour_of(activity, level)
    offsets = [stream.finished() for stream in streams]
    rest = rest - np.percentile(level, 95)
    music = maximum_filter1d((rest > MUSIC_LEVEL).astype(np.float32), MUSIC_GAP)
    beats = find_beats(onsets * music.repeat(MEL_ROWS_PER_FRAME))
    contour = np.concatenate([contour, contour[-1:]])
    return offsets, _Measures(contour, prosody, music, beats)


def contour_of(activity: Floats, level: Floats) -> Floats:
    """Return energy, voice and stress (T, 3) at 60 fps, 0 to 1.

    From the probability of a voice (T,) and its level (T,) in dB. Energy is 0 where the gate shuts
    and 1 in the loud parts.
    """
    level = level - np.percentile(level, 95)
    voiced = ((activity - UNLIKELY) / (LIKELY - UNLIKELY)).clip(0, 1)
    energy = (1 - level / SILENT_LEVEL).clip(0, 1) * voiced
    gate, stress = voice_gate(level, voiced), _stress(level) * voiced
    return np.column_stack([energy, gate, stress]).astype(np.float32)


class _Offsets:
    """One generator's output over a stream, at the frames it belongs to."""

    def __init__(self, net: MotionGenerator, total: int) -> None:
        self._net, self._state = net, None
        self._offsets = np.zeros((total, 68, 3), np.float16)
        self._done, self._skipped = 0, net.config.delay

    def take(self, features: torch.Tensor) -> None:
        """Run on the next features (T, F)."""
        device = self._net.spread.device
        predicted, self._state = self._net(features[None].to(device), self._state)
        ready = to_array(predicted[0])
        early = min(self._skipped, len(ready))  # predicted before `delay` frames were seen
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


def voice_gate(level: Floats, voiced: Floats) -> Floats:
    """Return how much the mouth may move, 0 to 1, from the level in dB at 60 fps.

    voiced (T,) in [0, 1] says where that level is a voice's.

    Opens a little before the sound, as lips do, and shuts a little after it.
    """
    gate = ((level - SILENT_LEVEL) / (VOICED_LEVEL - SILENT_LEVEL)).clip(0, 1) * voiced
    shift = (RELEASE - ATTACK) // 2
    gate = maximum_filter1d(gate, ATTACK + RELEASE + 1, origin=shift)
    return gaussian_filter1d(gate, GATE_SMOOTHING).astype(np.float32)


def _stress(level: Floats) -> Floats:
    """Return the loudness of stressed syllables, about 0 to 1, at 60 fps."""
    voiced = ((level + 30) / 30).clip(0, 1)
    slow, fast = gaussian_filter1d(voiced, 45), gaussian_filter1d(voiced, 6)
    return (fast - slow).clip(0, None).astype(np.float32) * 2
