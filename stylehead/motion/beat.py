"""The beat of the music behind a voice, and a head that moves with it."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stylehead.face.geometry import angles_from_rotation, rotation_from_angles, smoothstep
from stylehead.files.locks import lock
from stylehead.motion.head import ASIDE, DOWN, FADE, PITCH, ROLL, mix_range
from stylehead.types import ONSET_RATE, Floats, StyleMix
from stylehead.weights.store import home

WINDOW, MARGIN = 60.0, 8.0
"""Seconds in which one tempo is looked for, and around them: a tempogram of hours fills memory."""
TEMPOGRAM = 8.0  # seconds of onsets in which librosa looks for a period
PIECE = 500  # frames of a tempogram that are made at once
LEAST_SECONDS = 4.0  # of music in which a beat can be told
CLEAR = 0.55
"""Autocorrelation of onsets at the beat from which there is one; noise and talk lie under it."""
SMOOTHING = 1.5  # frames of Gaussian on onsets
BAR = 4  # beats; the strongest of four is taken for a bar's first


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """When the music beats."""

    seconds: Floats
    """(B,) since the beginning, rising."""
    strong: Floats
    """(B,) 1 on what is taken for a bar's first beat, else 0."""

    def __len__(self) -> int:
        """Return the number of beats."""
        return len(self.seconds)


def find_beats(onsets: Floats) -> Beats:
    """Return the beats of music by its onset strength (T,) at ONSET_RATE, librosa's beat tracker.

    Windows without a clear beat have none.
    """
    body, margin = round(WINDOW * ONSET_RATE), round(MARGIN * ONSET_RATE)
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(onsets), body):
        first = max(0, start - margin)
        window = onsets[first : start + body + margin]
        frames = _beats_of(window) + first
        found.append(frames[(frames >= start) & (frames < start + body)])
    frames = np.concatenate([*found, np.zeros(0, np.int64)]).astype(np.int64)
    phase = max(range(BAR), key=lambda phase: float(onsets[frames[phase::BAR]].sum()))
    strong = (np.arange(len(frames)) % BAR == phase).astype(np.float32)
    return Beats((frames / ONSET_RATE).astype(np.float32), strong)


def _beats_of(onsets: Floats) -> NDArray[np.int64]:
    """Return the frames (B,) of one window's beats; none where they are not clear."""
    if len(onsets) < LEAST_SECONDS * ONSET_RATE or onsets.std() < 1e-6:
        return np.zeros(0, np.int64)
    onsets = gaussian_filter1d(onsets, SMOOTHING)
    with librosa_alone() as librosa:
        tempogram = _mean_tempogram(onsets, librosa)
        tempo = librosa.feature.tempo(tg=tempogram, sr=ONSET_RATE, hop_length=1)
        _, frames = librosa.beat.beat_track(
            onset_envelope=onsets, sr=ONSET_RATE, hop_length=1, bpm=tempo, units="frames", trim=True
        )
    if len(frames) and clarity(onsets, 60 * ONSET_RATE / float(np.atleast_1d(tempo)[0])) >= CLEAR:
        return frames
    return np.zeros(0, np.int64)


def _mean_tempogram(onsets: Floats, librosa: Any) -> Floats:
    """Return the mean (L, 1) of onsets' tempogram over time, as librosa looks for a tempo in it.

    Piece by piece: all of a minute at once takes 400 MB.
    """
    lags = int(librosa.time_to_frames(TEMPOGRAM, sr=ONSET_RATE, hop_length=1))
    padded = np.pad(onsets, lags // 2, mode="linear_ramp")
    total = np.zeros(lags)
    for start in range(0, len(onsets), PIECE):
        count = min(PIECE, len(onsets) - start)
        total += librosa.feature.tempogram(
            onset_envelope=padded[start : start + count + lags - 1],
            sr=ONSET_RATE,
            hop_length=1,
            win_length=lags,
            center=False,
        ).sum(1)
    return (total / len(onsets))[:, None]


@contextmanager
def librosa_alone() -> Generator[Any]:
    """Yield librosa, which processes load and run one after the other.

    What it compiles is kept on disk by numba, whose index of it is wrong for good, and crashes
    every later process, once two have written it at the same time.
    """
    spec = find_spec("librosa")
    assert spec is not None
    compiled = Path(spec.origin or ".").with_name("__pycache__")  # where numba keeps it, if it can
    with lock(
        compiled / "stylehead.lock" if os.access(compiled, os.W_OK) else home() / "librosa.lock"
    ):
        import librosa  # a second, and only music needs it

        yield librosa


def clarity(onsets: Floats, period: float) -> float:
    """Return the largest autocorrelation of onsets (T,) near a period in frames, or two of them."""
    centred = onsets - onsets.mean()
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(centred))) ** 2
    correlation = np.fft.irfft(spectrum)[: len(centred)]
    correlation /= correlation[0] + 1e-12
    near: list[float] = []
    for lag in (period, 2 * period):
        low, high = round(0.95 * lag), round(1.05 * lag) + 1
        near.append(float(correlation[low:high].max(initial=0.0)))
    return max(near)


# ---- the head ---------------------------------------------------------------------------------

FASTEST = 135.0  # beats a minute; above it every second one is taken, as people do
WEAK = 0.7  # of a bar's first beat, on the others
ARRIVAL = 0.4  # seconds of Gaussian in which swaying comes and goes
SIDEWAYS = 0.5  # of its range, against a nod's part of its own


def sway(
    rotation: Floats,
    translation: Floats,
    beats: Beats,
    music: Floats,
    mix: StyleMix,
    fps: Fraction,
    amount: float,
) -> tuple[Floats, Floats]:
    """Return a head's rotation (T, 3, 3) and translation (T, 3), moved with the beat.

    A nod is lowest on the beat and `amount` of the style's own pitch range deep; roll and place
    go from one side to the other with each beat. `music` (T,) is 1 where there is any. A head that
    has no beat to follow is returned as it is.
    """
    ranges = mix_range(mix)
    if amount == 0 or len(beats) < 2 or not ranges.any():
        return rotation, translation
    step = 1 / float(fps)
    seconds = np.arange(len(rotation)) * step
    followed = _slowed(beats)
    phase = np.interp(seconds, followed.seconds, np.arange(len(followed)))
    accent = np.interp(seconds, followed.seconds, WEAK + (1 - WEAK) * followed.strong)
    inside = (seconds >= followed.seconds[0]) & (seconds <= followed.seconds[-1])
    there = gaussian_filter1d(music * inside, ARRIVAL * float(fps))
    ends = np.minimum(seconds, seconds[::-1]) / FADE
    there = amount * accent * there * smoothstep(ends.clip(0, 1))

    nod, aside = 0.5 * np.cos(2 * np.pi * phase), 0.5 * SIDEWAYS * np.cos(np.pi * phase)
    angles, moved = angles_from_rotation(rotation), translation.copy()
    angles[:, PITCH] += there * nod * ranges[PITCH]
    angles[:, ROLL] += there * aside * ranges[ROLL]
    moved[:, ASIDE] += there * aside * ranges[3 + ASIDE]
    moved[:, DOWN] += there * SIDEWAYS * nod * ranges[3 + DOWN]
    return rotation_from_angles(angles), moved


def _slowed(beats: Beats) -> Beats:
    """Return every second beat where they come too fast to be nodded."""
    if 60 / float(np.median(np.diff(beats.seconds))) <= FASTEST:
        return beats
    first = int(beats.strong.argmax()) % 2
    return Beats(beats.seconds[first::2], beats.strong[first::2])
