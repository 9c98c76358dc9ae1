"""Which stretch of a clip is played when: unit selection by prosody and by how well they join.

As in concatenative speech synthesis (Hunt and Black 1996): every piece of the new sound takes the
stretch of the clip with the least target cost, how unlike the two sound, and join cost, how far the
body is from where the last stretch left it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stylehead.types import ENERGY, Floats

RATE = 15
"""Rows a second at which sounds and bodies are compared."""
SHORTEST, LONGEST = 0.5, 1.5  # seconds of a piece: a nod or a raise of the brows fits into it
USUAL = 0.9  # seconds; a piece ends at the faintest sound near it
AROUND = 0.5  # seconds before and after a piece that are compared, too: pauses, a phrase's end
CANDIDATES = 300  # stretches that are compared; of a long clip only so many, evenly spread
SOUND = np.array([1.0, 1.0, 1.0])  # weights of energy, voice and stress in the target cost
JOIN = 0.25  # of the join cost against the target cost, both 1 in the mean
REPEAT = 6.0  # seconds in which nothing is played twice
AGAIN, FORGOTTEN = 0.2, 25.0  # cost of what was just played, and seconds in which it fades
RUN = 5.0  # seconds after which the clip does not just go on
NOTHING_FITS = 2.5  # cost of playing none of the clip; 1 is that of a stretch picked blindly
CHANCE = 0.1  # most that chance adds to a cost
BLOCK, SPARED, SPARE = 2.0, 0.4, 0.5
"""Seconds of the clip that chance spares together, how often it does, and what they then cost more:
each seed draws on other parts of a clip."""
AHEAD = 2  # pieces that the choice of one looks ahead
NEVER = 1e9


class Piece(NamedTuple):
    """A stretch of the new sound, and what is played to it; all at RATE."""

    begin: int
    end: int
    start: int | None
    """Row of the clip; None: nothing of it fits."""


class Material(NamedTuple):
    """What can be played; N rows at RATE."""

    contour: Floats
    """(N, 3) energy, voice and stress."""
    body: Floats
    """(N, J) what has to go on smoothly, places and speeds, each of about unit spread."""
    breaks: NDArray[np.intp]
    """Rows before which the clip does not go on from the row before: a stretch spans none."""


def choose_pieces(
    material: Material, contour: Floats, otherwise: Floats, rng: np.random.Generator
) -> list[Piece]:
    """Return what is played to a sound, piece by piece, without a gap.

    contour (P, 3) of the sound, otherwise (P, J) the body of what is played where nothing fits.
    """
    bounds = piece_bounds(contour[:, ENERGY])
    chooser = _Chooser(material, contour, otherwise, bounds, rng)
    pieces: list[Piece] = []
    for number, (begin, end) in enumerate(pairwise(bounds)):
        pieces.append(Piece(begin, end, chooser.next(number)))
    return pieces


def without_gaps(
    pieces: list[Piece], material: Material, voice: Floats, rng: np.random.Generator
) -> list[Piece]:
    """Return pieces that play any stretch where nothing fits a voice, if one is long enough.

    voice (P,) of the sound; where it is silent, nothing is played still.
    """
    rows = np.arange(len(material.contour))
    filled: list[Piece] = []
    for piece in pieces:
        start = piece.start
        if start is None and voice[piece.begin : piece.end].mean() > 0.5:
            fits = np.flatnonzero(_fitting(material, rows, piece.end - piece.begin))
            start = int(rng.choice(fits)) if len(fits) else None
        filled.append(piece._replace(start=start))
    return filled


def _fitting(material: Material, starts: NDArray[np.intp], length: int) -> NDArray[np.bool_]:
    """Return from which starts (S,) a stretch can be played whole."""
    ends = starts + length
    fits = ends <= len(material.contour)
    for row in material.breaks:
        fits &= (starts >= row) | (ends <= row)
    return fits


def piece_bounds(energy: Floats) -> list[int]:
    """Return the rows (B,) where pieces of a sound begin and end: at the faintest near USUAL."""
    calm = gaussian_filter1d(energy, 0.1 * RATE)
    least, most = round(SHORTEST * RATE), round(LONGEST * RATE)
    lengths = np.arange(least, most + 1) / RATE
    pull = 0.3 * np.square((lengths - USUAL) / (LONGEST - USUAL))
    bounds = [0]
    while len(energy) - bounds[-1] > most + least:
        near = calm[bounds[-1] + least : bounds[-1] + most + 1]
        bounds.append(bounds[-1] + least + int(np.argmin(near + pull)))
    rest = len(energy) - bounds[-1]
    if rest > most:
        bounds.append(bounds[-1] + rest // 2)
    return [*bounds, len(energy)]


class _Chooser:
    """Chooses one piece after the other, looking some ahead."""

    def __init__(
        self,
        material: Material,
        contour: Floats,
        otherwise: Floats,
        bounds: list[int],
        rng: np.random.Generator,
    ) -> None:
        self._material, self._bounds, self._rng = material, bounds, rng
        self._otherwise = otherwise
        rows = len(material.contour)
        stride = max(1, -(-rows // CANDIDATES))
        self._starts = np.arange(0, rows, stride)
        self._around = round(AROUND * RATE)
        weights = SOUND / (material.contour.var(0) + 0.01)
        self._scale = np.sqrt(weights / weights.sum())
        self._own = self._padded(material.contour, "edge")
        self._wanted = self._padded(contour, "constant")
        # What two rows differ by in the mean, so that costs are 1 for a stretch picked blindly.
        self._unlike = 2 * float((material.contour * self._scale).var(0).sum()) + 1e-6
        self._apart = 2 * float(material.body.var(0).sum()) + 1e-6
        self._played = np.full(rows, -np.inf)
        """When each row of the clip was played last."""
        self._body, self._last, self._run = otherwise[0], -1, 0
        blocks = self._starts // round(BLOCK * RATE)
        self._spared = SPARE * (rng.random(blocks[-1] + 1) < SPARED)[blocks]
        self._costs: dict[int, Floats] = {}
        self._joins: dict[int, Floats] = {}

    def _padded(self, contour: Floats, mode: str) -> Floats:
        calm = gaussian_filter1d(contour * self._scale, 0.7, axis=0)
        around = ((self._around, self._around), (0, 0))
        return np.pad(calm, around, mode="edge" if mode == "edge" else "constant")

    def next(self, number: int) -> int | None:
        """Return the row of the clip that the next piece is played from."""
        begin, end = self._bounds[number : number + 2]
        length = end - begin
        costs = self._cost(number) + self._repeated(begin, length)
        places = np.concatenate([self._material.body[self._starts], self._otherwise[begin][None]])
        costs = costs + JOIN * np.square(places - self._body).sum(1) / self._apart
        best = int(np.argmin(costs + self._onwards(number)))
        self._costs.pop(number, None)
        self._joins.pop(number, None)
        if best == len(self._starts):
            self._body, self._last, self._run = self._otherwise[end - 1], -1, 0
            return None
        start = int(self._starts[best])
        goes_on = self._last >= 0 and 0 <= start - self._last < round(0.3 * RATE)
        self._run = self._run + length if goes_on else length
        self._last = start + length
        self._played[start : start + length] = begin + np.arange(length)
        self._body = self._material.body[min(self._last, len(self._played) - 1)]
        return start

    def _onwards(self, number: int) -> Floats:
        """Return what the pieces after one cost at least, by what is played to it: (S + 1,)."""
        value = np.zeros(len(self._starts) + 1)
        last = min(number + AHEAD, len(self._bounds) - 2)
        for ahead in range(last, number, -1):
            after = self._cost(ahead) + value
            value = (self._join(ahead - 1) + after[None]).min(1)
        return value

    def _cost(self, number: int) -> Floats:
        """Return the target cost of each stretch for a piece and, last, of playing none."""
        if number not in self._costs:
            begin, end = self._bounds[number : number + 2]
            length = end - begin
            size = length + 2 * self._around
            costs = np.full(len(self._starts) + 1, NEVER)
            fits = _fitting(self._material, self._starts, length)
            if fits.any():
                windows = np.lib.stride_tricks.sliding_window_view(self._own, size, axis=0)
                wanted = self._wanted[begin : begin + size].T
                unlike = np.square(windows[self._starts[fits]] - wanted).mean(2).sum(1)
                costs[:-1][fits] = unlike / self._unlike
            costs[:-1] += CHANCE * self._rng.random(len(self._starts)) + self._spared
            costs[-1] = NOTHING_FITS
            self._costs[number] = costs
        return self._costs[number]

    def _repeated(self, now: int, length: int) -> Floats:
        """Return what it costs to play each stretch again, (S + 1,)."""
        ages = (now - self._played) / RATE
        padded = np.pad(ages, (0, length), constant_values=np.inf)
        youngest = np.lib.stride_tricks.sliding_window_view(padded, length)[self._starts].min(1)
        costs = AGAIN * np.exp(-youngest.clip(max=1e6) / FORGOTTEN)
        costs[youngest < REPEAT] = NEVER
        if self._last >= 0 and self._run + length > RUN * RATE:
            after = self._starts - self._last
            costs[(after >= 0) & (after < RATE)] = NEVER
        return np.append(costs, 0.0)

    def _join(self, number: int) -> Floats:
        """Return the cost (S + 1, S + 1) of going on from one stretch with another.

        The first is played to the piece of that number.
        """
        if number not in self._joins:
            begin, end = self._bounds[number : number + 2]
            length = end - begin
            body = self._material.body
            rows = (self._starts + length).clip(max=len(body) - 1)
            left = np.concatenate([body[rows], self._otherwise[end][None]])
            right = np.concatenate([body[self._starts], self._otherwise[end][None]])
            squares = np.square(left).sum(1)[:, None] + np.square(right).sum(1)
            costs = JOIN * (squares - 2 * left @ right.T).clip(0) / self._apart
            apart = self._starts - self._starts[:, None]
            costs[:-1, :-1][np.abs(apart) < length] = NEVER
            self._joins[number] = costs
        return self._joins[number]
