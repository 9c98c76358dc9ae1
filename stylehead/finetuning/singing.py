"""Is a recording sung? Held notes in its voice say so, or music that plays all along behind it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylehead.finetuning.speech import EncodedSpeech, encode_speech
from stylehead.media.audio import Sound
from stylehead.models.pose_generator import FPS as ROW_RATE
from stylehead.progress import SILENT, Reporter
from stylehead.speech.listen import ACTIVE, Listener
from stylehead.speech.separation import music_level
from stylehead.types import CHUNK, SPEECH_RATE, Floats

PITCHES = (80.0, 900.0)  # Hz
WINDOW = 1024  # samples in which a pitch is looked for
CLEAR = 0.6  # height of the autocorrelation's peak from which there is a pitch
PITCH_RATE = 2 * ROW_RATE  # Hz
SEMITONE, NOTE = 1.0, 0.4  # most a held note's pitch moves in so many seconds
BANDS = 4  # mel bands that are taken as one: a vibrato stays in its band
STEADY = 0.055  # mean change of those bands over two rows, log-mel; half of what it is in speech
STEADY_ROWS = 5  # a third of a second
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
    voices = list(listener.separators.choose(sound, reporter).separate(sound))
    speech = encode_speech(sound, listener)
    singing = measure_singing(np.concatenate([voice.samples for voice in voices]), speech)
    return Heard(speech, singing, music_level(voices))


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
    notes = held_notes(pitch_track(voice, 2 * rows, PITCH_RATE), round(NOTE * PITCH_RATE))
    held = (notes.reshape(rows, 2).any(1) | steady_sounds(prosody, voiced)) & voiced
    return Singing(
        held=float(held.sum() / max(int(voiced.sum()), 1)),
        seconds=float(held.sum() / ROW_RATE),
        music=float((rest > float(np.percentile(level, 95)) + AUDIBLE).mean()),
    )


def pitch_track(samples: Floats, frames: int, rate: float) -> Floats:
    """Return the pitch (T,) in Hz of a voice (N,) at 16 kHz, at `rate`; NaN where there is none.

    The highest peak of the autocorrelation, where it is clear.
    """
    padded = np.pad(samples, WINDOW)
    shortest, longest = (round(SPEECH_RATE / pitch) for pitch in PITCHES[::-1])
    pitches: list[Floats] = []
    for first in range(0, frames, CHUNK):
        times = np.arange(first, min(first + CHUNK, frames)) / rate
        starts = (times * SPEECH_RATE).astype(int) + WINDOW // 2
        starts = starts.clip(max=len(padded) - WINDOW)
        cut = padded[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
        spectrum = np.abs(np.fft.rfft(cut, 2 * WINDOW)) ** 2
        likeness = np.fft.irfft(spectrum)[:, :WINDOW]
        likeness /= likeness[:, :1] + 1e-9
        best = likeness[:, shortest:longest].argmax(1) + shortest
        clear = likeness[np.arange(len(best)), best] > CLEAR * (1 - best / WINDOW)
        pitches.append(np.where(clear, SPEECH_RATE / best, np.nan))
    return np.concatenate(pitches)


def held_notes(pitch: Floats, count: int) -> NDArray[np.bool_]:
    """Return where a pitch (T,) in Hz stays within a semitone for `count` values: (T,) bool."""
    held = np.zeros(len(pitch), bool)
    if len(pitch) < count:
        return held
    windows = np.lib.stride_tricks.sliding_window_view(12 * np.log2(pitch), count)
    steady = np.ptp(windows, axis=1) <= SEMITONE  # NaN, where a window has no pitch, is not
    for start in np.flatnonzero(steady):
        held[start : start + count] = True
    return held


def steady_sounds(prosody: Floats, voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a voice keeps its spectrum, as a note with vibrato does: (P,) bool.

    prosody (P, 80) are log-mel rows at the pose generator's rate. Speech changes all the time.
    """
    bands = prosody.reshape(len(prosody), -1, BANDS).mean(2)
    change = np.full(len(prosody), np.inf)
    change[1:-1] = np.abs(bands[2:] - bands[:-2]).mean(1)
    flags = (change < STEADY) & voiced
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    held = np.zeros(len(flags), bool)
    for begin, end in edges.reshape(-1, 2):
        held[begin:end] = end - begin >= STEADY_ROWS
    return held
