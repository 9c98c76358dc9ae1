"""Where a sound has a pitch, and which: it tells voices from noise, and notes from talk."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead.types import CHUNK, SPEECH_RATE, Floats

WINDOW = SPEECH_RATE // 20  # samples in which a pitch is looked for
PITCHES = (60.0, 900.0)  # Hz
CLEAR = 0.6  # normalised autocorrelation from which there is a pitch
SOONER = (
    0.7  # power of the correction for long lags: of two like peaks the shorter lag is the period
)
HOP = SPEECH_RATE // 50  # samples between the places that a fraction counts


def pitch_track(samples: Floats, places: NDArray[np.int64]) -> Floats:
    """Return the pitch (T,) in Hz around places in samples (N,) at 16 kHz; NaN where none is.

    The highest peak of the autocorrelation, where it is clear once freed from the window's own.
    """
    padded = torch.from_numpy(np.pad(samples, WINDOW))
    starts = places.clip(0, len(samples)) + WINDOW // 2
    window = torch.hann_window(WINDOW)
    shape = _autocorrelation(window[None])
    shape = shape[:, :1] / shape  # what the window takes from long lags
    shortest = round(SPEECH_RATE / PITCHES[1])
    found: list[Floats] = []
    for first in range(0, len(starts), CHUNK):
        rows = torch.from_numpy(starts[first : first + CHUNK])
        cut = padded[rows[:, None] + torch.arange(WINDOW)]
        likeness = _autocorrelation((cut - cut.mean(1, keepdim=True)) * window)
        likeness = likeness / likeness[:, :1].clamp(min=1e-8)
        best = (likeness * shape**SOONER)[:, shortest:].argmax(1) + shortest
        clear = (likeness * shape).gather(1, best[:, None])[:, 0] > CLEAR
        pitch = torch.where(clear, SPEECH_RATE / best, torch.nan)
        found.append(pitch.numpy().astype(np.float32))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _autocorrelation(windows: Tensor) -> Tensor:
    """Return the autocorrelation (B, L) of windows (B, N), to the lag of the lowest pitch."""
    power = torch.fft.rfft(windows, 2 * windows.shape[1]).abs().square()
    return torch.fft.irfft(power)[:, : round(SPEECH_RATE / PITCHES[0]) + 1]


def pitched_fraction(samples: Floats, around: NDArray[np.int64], reach: int) -> Floats:
    """Return the fraction (T,) of samples (N,) within `reach` of some places that has a pitch."""
    centres = np.arange(WINDOW // 2, len(samples) - WINDOW // 2 + 1, HOP)
    found = ~np.isnan(pitch_track(samples, centres))
    total = np.concatenate([[0.0], np.cumsum(found)])
    first, last = (np.searchsorted(centres, around + shift) for shift in (-reach, reach))
    return (total[last] - total[first]) / np.maximum(last - first, 1)
