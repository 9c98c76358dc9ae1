"""Log-mel rows of a stream of sound."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from stylehead.media.audio import Sound
from stylehead.types import MEL_ROWS_PER_FRAME, MOTION_FPS, SPEECH_RATE, Floats

WINDOW = SPEECH_RATE // MOTION_FPS  # 266 samples: one frame of 1/60 s (paper, Implementation)
N_FFT = 512  # paper, Implementation
FLOOR = 1e-5  # magnitude that counts as silence (authors' code)
MEL_RANGE = (90.0, 7600.0)  # Hz (authors' code)
LOUDNESS = 0.1  # RMS of the loud parts that recordings are brought to before they are encoded
_HANN = torch.hann_window(WINDOW, periodic=False)


def log_mel(samples: Tensor, filters: Tensor, *, first_row: int = 0) -> Tensor:
    """Return log-mel rows at 120 Hz: (N,) at 16 kHz in [-1, 1] -> (rows, 80) in about [0, 1].

    Row i starts at floor(i / 120 s): a fixed hop of 133 samples would drift 150 ms a minute.
    1/60 s window in 512 points, magnitude, floor 1e-5. `samples` begins where row `first_row` does;
    rows whose window would pass the end are left out.
    """
    rate = MOTION_FPS * MEL_ROWS_PER_FRAME
    begin = first_row * SPEECH_RATE // rate
    last_start = begin + len(samples) - WINDOW
    after = -(-(last_start + 1) * rate // SPEECH_RATE)  # first row that starts beyond it
    starts = torch.arange(first_row, max(first_row, after)) * SPEECH_RATE // rate - begin
    overlapping_windows = samples[starts[:, None] + torch.arange(WINDOW)] * _HANN
    magnitude = torch.fft.rfft(overlapping_windows, N_FFT).abs()
    mel = magnitude @ filters.T
    return 1 - mel.clamp(min=FLOOR).log() / math.log(FLOOR)


def mel_chunks(
    blocks: Iterable[Floats], filters: Tensor, *, gain: float, frames: int
) -> Iterator[Tensor]:
    """Yield log-mel rows of a stream, `frames` video frames (2 rows each) at a time.

    The end is filled with silence up to a whole frame. Rows are the same wherever blocks split.
    """
    rate = MOTION_FPS * MEL_ROWS_PER_FRAME
    held = np.zeros(0, np.float32)
    total = row = 0
    wanted = frames * MEL_ROWS_PER_FRAME
    for block in blocks:
        held = np.concatenate([held, block * np.float32(gain)])
        total += len(block)
        while len(held) >= _span(row, wanted):
            need = _span(row, wanted)
            yield log_mel(torch.from_numpy(held[:need]), filters, first_row=row)[:wanted]
            held = held[(row + wanted) * SPEECH_RATE // rate - row * SPEECH_RATE // rate :]
            row += wanted
    whole = -(-total * MOTION_FPS // SPEECH_RATE) * MEL_ROWS_PER_FRAME
    if whole > row:
        rest = np.zeros(_span(row, whole - row), np.float32)
        rest[: len(held)] = held[: len(rest)]
        yield log_mel(torch.from_numpy(rest), filters, first_row=row)[: whole - row]


def overlapping_windows(
    blocks: Iterable[Floats], *, body: int, before: int, after: int, shape: tuple[int, ...] = ()
) -> Iterator[tuple[Floats, int]]:
    """Yield overlapping windows of a stream, and how many samples of each body the stream filled.

    Window i holds samples from body * i - before to body * (i + 1) + after, silence where the
    stream has none; places are fixed, so that blocks do not matter. Blocks are (N, *shape).
    """
    span = before + body + after
    held, count, left = [np.zeros((before, *shape), np.float32)], before, 0
    for block in blocks:
        held.append(block)
        count += len(block)
        left += len(block)
        if count < span:  # joining them is what costs: only when there is something to give
            continue
        joined = np.concatenate(held)
        while len(joined) >= span:
            yield joined[:span], body
            joined, left = joined[body:], left - body
        held, count = [joined], len(joined)
    joined = np.concatenate(held)
    while left > 0:
        window = np.zeros((span, *shape), np.float32)
        window[: len(joined)] = joined[:span]
        yield window, min(left, body)
        joined, left = joined[body:], left - body


def _span(row: int, rows: int) -> int:
    """Samples from the start of one row to the end of the last of `rows` rows."""
    rate = MOTION_FPS * MEL_ROWS_PER_FRAME
    return (row + rows - 1) * SPEECH_RATE // rate - row * SPEECH_RATE // rate + WINDOW


def mel_filters(
    n_fft: int = N_FFT, bands: int = 80, span: tuple[float, float] = MEL_RANGE
) -> Floats:
    """Return a (bands, n_fft / 2 + 1) filter bank, Slaney scale and normalisation.

    Triangles between neighbouring band edges, each of unit area in Hz.
    """
    low, high = _mel(np.array(span))
    edges = _hertz(np.linspace(low, high, bands + 2))
    bins = np.arange(n_fft // 2 + 1) * SPEECH_RATE / n_fft
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.minimum(rising, falling).clip(0, None)
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


_KNEE = 1000.0  # Hz below which the Slaney scale is linear, 200 / 3 Hz a mel
_STEP = math.log(6.4) / 27  # of the logarithm of the frequency, a mel above it


def _mel(hertz: Floats) -> Floats:
    above = np.log(np.maximum(hertz, _KNEE) / _KNEE) / _STEP
    return np.minimum(hertz, _KNEE) * 3 / 200 + above


def _hertz(mel: Floats) -> Floats:
    knee = _KNEE * 3 / 200
    return np.minimum(mel, knee) * 200 / 3 * np.exp(np.maximum(mel - knee, 0) * _STEP)


CONTEXT = range(-24, 25, 4)  # frames at 60 fps whose mel rows the regression sees: +-0.4 s


def frame_rows(sound: Sound, filters: Floats) -> Floats:
    """Return the mean log-mel row (T, 80) of each frame at 60 fps."""
    bank = torch.from_numpy(np.ascontiguousarray(filters, np.float32))
    chunks = mel_chunks(sound.blocks(), bank, gain=LOUDNESS / sound.loudness, frames=MOTION_FPS)
    rows = torch.cat(list(chunks)).numpy()
    return rows.reshape(-1, MEL_ROWS_PER_FRAME, rows.shape[1]).mean(1)


def context(rows: Floats) -> Floats:
    """Put the rows around each frame side by side: (T, 80) in, (T, 80 * len(CONTEXT)) out."""
    frames = np.arange(len(rows))
    return np.concatenate(
        [rows[(frames + shift).clip(0, len(rows) - 1)] for shift in CONTEXT], axis=1
    )
