"""All pairs of a prepared folder in memory, and batches drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead.errors import MediaError
from stylehead.face.landmarks import mirror_68
from stylehead.rendering.facial_map import facial_map
from stylehead.rendering.mouth_crop import DRAWN, SIZE
from stylehead.training.data.mouth_pairs import load_pairs
from stylehead.training.data.region_weights import region_weights
from stylehead.types import TEMPLATES, Floats, Pixels

MIRRORED = np.concatenate([mirror_68(), 68 + np.roll(np.arange(len(DRAWN) - 68)[::-1], 11)])
"""Order of a facial map's points in the mirror; the inner lips' outline starts at a corner."""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Pairs of many clips."""

    warped: Pixels
    """(N, S, S, 3)"""
    filmed: Pixels
    """(N, S, S, 3)"""
    points: Floats
    """(N, 88, 2)"""
    weights: Pixels
    """(N, S, S) W of Eq. 3 for the filmed face."""
    people: list[str]
    """N names."""
    source: NDArray[np.int64]
    """(N,) row of the references."""
    references: Pixels
    """(M, 4, S, S, 3) sources moved to None, M, R and O of their clip."""
    reference_points: Floats
    """(M, 4, 88, 2)"""

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.source)


def load_patches(data: Path, *, people: set[str] | None = None, without: set[str]) -> Patches:
    """Read the pairs of all clips of a prepared folder: of these people, but for those `without`.

    Raises MediaError when nothing is left.
    """
    found = [load_pairs(path) for path in sorted((data / "pictures").glob("*.npz"))]
    found = [
        one
        for one in found
        if one.person not in without and (people is None or one.person in people)
    ]
    if not found:
        raise MediaError(
            f"{data} holds no pictures to learn from.",
            remedy="Run stylehead prepare CLIPS --as pictures first.",
        )
    sources = [len(one.references) // len(TEMPLATES) for one in found]
    firsts = np.cumsum([0, *sources[:-1]])
    points = np.concatenate([one.points for one in found])
    shape = (sum(sources), len(TEMPLATES))
    return Patches(
        np.stack([patch for one in found for patch in one.warped]),
        np.stack([patch for one in found for patch in one.filmed]),
        points,
        np.stack([region_weights(one, SIZE) for one in points]),
        [one.person for one in found for _ in one.source],
        np.concatenate([one.source + first for one, first in zip(found, firsts, strict=True)]),
        np.stack([patch for one in found for patch in one.references]).reshape(
            *shape, SIZE, SIZE, 3
        ),
        np.concatenate([one.reference_points for one in found]).reshape(*shape, -1, 2),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step learns from; pictures (B, 3, S, S) in [0, 1]."""

    warped: Tensor
    filmed: Tensor
    facial_map: Tensor
    """(B, 2, S, S)"""
    points: Tensor
    """(B, 88, 2)"""
    weights: Tensor
    """(B, 1, S, S) W of Eq. 3."""
    patterns: Tensor
    """(B, 4, 3, S, S); the warped references until there are patterns."""
    pattern_points: Tensor
    """(B, 4, 88, 2)"""

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How pairs are disturbed: what is predicted and photographed is never as clean."""

    jitter: float = 0.7
    """Pixels of noise on the facial map's points."""
    colour: float = 0.15
    """Largest change of each channel's gain; the same for both pictures of a pair."""
    light: float = 0.08
    """Largest shift of brightness."""
    grey: float = 0.12
    """Share of pairs without colour: portraits are drawn and old, too."""
    tint: float = 0.15
    """Largest share of a pair's colour that is turned into that of other channels."""
    blur: float = 0.3
    """Share of pairs whose warped picture is softened: portraits differ in sharpness."""


def balanced(patches: Patches) -> Tensor:
    """Return how often each pair is drawn: people equally often up to the root of their pairs."""
    names, index, counts = np.unique(patches.people, return_inverse=True, return_counts=True)
    del names
    return torch.from_numpy((counts**-0.5)[index])


def batch_of(
    patches: Patches,
    rows: list[int],
    patterns: Pixels | None = None,
    *,
    how: Augmentation | None = None,
    generator: torch.Generator | None = None,
) -> Batch:
    """Gather pairs, mirrored and disturbed when `how` is given.

    patterns (M, 4, S, S, 3) are those made of the references.
    """
    shown = patches.references if patterns is None else patterns
    source = patches.source[rows]
    points = patches.points[rows].copy()
    pattern_points = patches.reference_points[source].copy()
    pictures = [_tensor(one) for one in (patches.warped[rows], patches.filmed[rows], shown[source])]
    weights = torch.from_numpy(patches.weights[rows]).float()[:, None]
    drawn = points
    if how is not None:
        assert generator is not None
        flip = torch.rand(len(rows), generator=generator) < 0.5
        pictures = [_flipped(one, flip) for one in pictures]
        weights = _flipped(weights, flip)
        for row in flip.nonzero().flatten().tolist():
            points[row], pattern_points[row] = _mirror(points[row]), _mirror(pattern_points[row])
        noise = torch.randn(points.shape, generator=generator).numpy() * how.jitter
        drawn = points + noise
        pictures = _recoloured(pictures, how, generator)
        pictures[0] = _softened(pictures[0], how, generator)
    maps = np.stack([facial_map(one, SIZE) for one in drawn])
    return Batch(
        pictures[0],
        pictures[1],
        _tensor(maps),
        torch.from_numpy(points),
        weights,
        pictures[2],
        torch.from_numpy(pattern_points),
    )


def _tensor(pictures: Pixels) -> Tensor:
    return torch.from_numpy(np.moveaxis(pictures, -1, -3).copy()).float() / 255


def _flipped(pictures: Tensor, flip: Tensor) -> Tensor:
    shape = (-1, *[1] * (pictures.ndim - 1))
    return torch.where(flip.view(shape), pictures.flip(-1), pictures)


def _mirror(points: Floats) -> Floats:
    turned = points[..., MIRRORED, :].copy()
    turned[..., 0] = SIZE - 1 - turned[..., 0]
    return turned


def _recoloured(
    pictures: list[Tensor], how: Augmentation, generator: torch.Generator
) -> list[Tensor]:
    """Change light and tint of all pictures of a pair alike."""
    count = len(pictures[0])
    gain = 1 + how.colour * (2 * torch.rand(count, 3, 1, 1, generator=generator) - 1)
    shift = how.light * (2 * torch.rand(count, 1, 1, 1, generator=generator) - 1)
    # A channel mix whose rows sum to one: identity, a little of the others, or all alike.
    mix = torch.eye(3) + how.tint * (2 * torch.rand(count, 3, 3, generator=generator) - 1)
    mix[torch.rand(count, generator=generator) < how.grey] = 1.0
    mix = mix / mix.sum(2, keepdim=True)
    found: list[Tensor] = []
    for one in pictures:
        shape = (-1, *[1] * (one.ndim - 4))
        mixed = torch.einsum("bij,b...jhw->b...ihw", mix, one)
        bright = mixed * gain.view(*shape, 3, 1, 1) + shift.view(*shape, 1, 1, 1)
        found.append(bright.clamp(0, 1))
    return found


def _softened(pictures: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    chosen = torch.rand(len(pictures), generator=generator) < how.blur
    soft = torch.nn.functional.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    return torch.where(chosen[:, None, None, None], soft, pictures)
