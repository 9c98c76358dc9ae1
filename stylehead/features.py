"""Sound -> log-mel rows, streamed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from stylehead.errors import DeviceError
from stylehead.media import SPEECH_RATE
from stylehead.models.motion_generator import FPS, ROWS_PER_FRAME
from stylehead.types import Floats

WINDOW = SPEECH_RATE // FPS  # 266 samples: one frame of 1/60 s (paper, Implementation)
N_FFT = 512  # paper, Implementation
FLOOR = 1e-5  # magnitude that counts as silence (authors' code)
MEL_RANGE = (90.0, 7600.0)  # Hz (authors' code)
LOUDNESS = 0.1  # RMS of voiced sound that recordings are brought to before the net hears them
_HANN = torch.hann_window(WINDOW, periodic=False)


def log_mel(samples: Tensor, filters: Tensor, *, first_row: int = 0) -> Tensor:
    """Return log-mel rows at 120 Hz: (N,) at 16 kHz in [-1, 1] -> (rows, 80) in about [0, 1].

    Row i starts at floor(i / 120 s): a fixed hop of 133 samples would drift 150 ms a minute.
    1/60 s window in 512 points, magnitude, floor 1e-5. `samples` begins where row `first_row` does;
    rows whose window would pass the end are left out.
    """
    rate = FPS * ROWS_PER_FRAME
    begin = first_row * SPEECH_RATE // rate
    last_start = begin + len(samples) - WINDOW
    after = -(-(last_start + 1) * rate // SPEECH_RATE)  # first row that starts beyond it
    starts = torch.arange(first_row, max(first_row, after)) * SPEECH_RATE // rate - begin
    windows = samples[starts[:, None] + torch.arange(WINDOW)] * _HANN
    magnitude = torch.fft.rfft(windows, N_FFT).abs()
    mel = magnitude @ filters.T
    return 1 - mel.clamp(min=FLOOR).log() / math.log(FLOOR)


def mel_chunks(
    blocks: Iterable[Floats], filters: Tensor, *, gain: float, frames: int
) -> Iterator[Tensor]:
    """Yield log-mel rows of a stream, `frames` video frames (2 rows each) at a time.

    The end is filled with silence up to a whole frame. Rows are the same wherever blocks split.
    """
    rate = FPS * ROWS_PER_FRAME
    held = np.zeros(0, np.float32)
    total = row = 0
    wanted = frames * ROWS_PER_FRAME
    for block in blocks:
        held = np.concatenate([held, block * np.float32(gain)])
        total += len(block)
        while len(held) >= _span(row, wanted):
            need = _span(row, wanted)
            yield log_mel(torch.from_numpy(held[:need]), filters, first_row=row)[:wanted]
            held = held[(row + wanted) * SPEECH_RATE // rate - row * SPEECH_RATE // rate :]
            row += wanted
    whole = -(-total * FPS // SPEECH_RATE) * ROWS_PER_FRAME
    if whole > row:
        rest = np.zeros(_span(row, whole - row), np.float32)
        rest[: len(held)] = held[: len(rest)]
        yield log_mel(torch.from_numpy(rest), filters, first_row=row)[: whole - row]


def _span(row: int, rows: int) -> int:
    """Samples from the start of one row to the end of the last of `rows` rows."""
    rate = FPS * ROWS_PER_FRAME
    return (row + rows - 1) * SPEECH_RATE // rate - row * SPEECH_RATE // rate + WINDOW


def mel_filters() -> Floats:
    """Return the (80, 257) filter bank, Slaney scale and normalisation; needs librosa."""
    try:
        import librosa
    except ImportError as error:
        raise DeviceError(
            "Training needs librosa.", remedy="Install it with pip install '.[train]'."
        ) from error
    return librosa.filters.mel(
        sr=SPEECH_RATE, n_fft=N_FFT, n_mels=80, fmin=MEL_RANGE[0], fmax=MEL_RANGE[1]
    ).astype(np.float32)
