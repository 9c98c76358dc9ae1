"""Is a recording sung? Held notes in its voice say so, or music that plays all along behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylehead.finetuning.speech import EncodedSpeech, encode_speech
from stylehead.media.audio import Sound
from stylehead.models.pose_generator import FPS as ROW_RATE
from stylehead.motion.singing import steady_rows
from stylehead.progress import SILENT, Reporter
from stylehead.speech.listen import ACTIVE, Listener
from stylehead.speech.pitch import pitch_track
from stylehead.speech.separation import Separator, Voice, music_level
from stylehead.types import SPEECH_RATE, Floats

PITCH_RATE = 2 * ROW_RATE  # Hz
SEMITONE, NOTE = 1.0, 0.4  # most a held note's pitch moves in so many seconds
FAINT = 0.2  # log-mel under the loud rows; below it a row is an end or a breath
AUDIBLE = -24.0  # dB against the loud parts of the voice from which what is no voice is music
LEAST_HELD, LEAST_SECONDS = 0.1, 1.0  # of the voiced time, and in all, in held notes of a song
LEAST_MUSIC = 0.8  # of the time


class Singing(NamedTuple):
    """What tells song from speech."""

    held: float
    """Fraction of the voiced time in held notes."""
    seconds: float
    """Time in held notes."""
    music: float
    """Fraction of the time in which music plays behind the voice."""

    @property
    def sung(self) -> bool:
        """Whether it is taken for a song."""
        notes = self.held >= LEAST_HELD and self.seconds >= LEAST_SECONDS
        return notes or self.music >= LEAST_MUSIC

    def note(self) -> str:
        """Return one sentence for the user on what a sung clip is judged."""
        return (
            f"The clip is sung (held notes in {self.held:.0%} of the voice, music behind "
            f"{self.music:.0%} of the clip): the style is judged on singing."
        )


class Heard(NamedTuple):
    """A recording, encoded, and what it is."""

    speech: EncodedSpeech
    singing: Singing
    music_level: float
    """How loud everything but the voice is where there is a voice, in dB against it."""


def hear(sound: Sound, listener: Listener, *, reporter: Reporter = SILENT) -> Heard:
    """Separate a recording's voice, encode and measure it; raises MediaError for a silent one."""
    kept = _Kept(listener.separators.choose(sound, reporter))
    speech = encode_speech(sound, replace(listener, separators=kept))
    singing = measure_singing(np.concatenate([voice.samples for voice in kept.voices]), speech)
    return Heard(speech, singing, music_level(kept.voices))


class _Kept:
    """Another separator, chosen already, that keeps what it separates."""

    def __init__(self, separator: Separator) -> None:
        self._separator = separator
        self.name, self.files = separator.name, separator.files
        self.voices: list[Voice] = []

    def choose(self, sound: Sound, reporter: Reporter = SILENT) -> Separator:
        """Return itself."""
        return self

    def separate(self, sound: Sound) -> Iterator[Voice]:
        """Yield the voice in a recording, 10 s at a time."""
        for voice in self._separator.separate(sound):
            self.voices.append(voice)
            yield voice


def measure_singing(voice: Floats, speech: EncodedSpeech) -> Singing:
    """Measure a recording: its separated voice (N,) at 16 kHz, and what was measured on it."""
    activity, level, prosody, rest = (
        np.concatenate(part)
        for part in zip(
            *((one.activity, one.level, one.prosody, one.music) for one in speech.chunks),
            strict=True,
        )
    )
    rows = len(prosody)
    loudness = prosody.mean(1)
    active = activity[np.arange(rows) * len(activity) // rows] > ACTIVE
    voiced = active & (loudness > np.percentile(loudness, 95) - FAINT)
    places = np.arange(2 * rows) * SPEECH_RATE // PITCH_RATE
    held = steady_pitch(pitch_track(voice, places), round(NOTE * PITCH_RATE))
    held = held.reshape(rows, 2).any(1) & voiced
    for first, last in steady_rows(prosody, voiced):
        held[first:last] = True
    return Singing(
        held=float(held.sum() / max(int(voiced.sum()), 1)),
        seconds=float(held.sum() / ROW_RATE),
        music=float((rest > float(np.percentile(level, 95)) + AUDIBLE).mean()),
    )


def steady_pitch(pitch: Floats, count: int) -> NDArray[np.bool_]:
    """Return where a pitch (T,) in Hz stays within a semitone for `count` values: (T,) bool."""
    held = np.zeros(len(pitch), bool)
    if len(pitch) < count:
        return held
    windows = np.lib.stride_tricks.sliding_window_view(12 * np.log2(pitch), count)
    steady = np.ptp(windows, axis=1) <= SEMITONE  # NaN, where a window has no pitch, is not
    for start in np.flatnonzero(steady):
        held[start : start + count] = True
    return held
