"""All pairs of a prepared folder in memory, and batches drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead.errors import DataError
from stylehead.face.landmarks import mirror_68
from stylehead.rendering.mouth.crop import CROP_POINTS, CROP_SIZE
from stylehead.rendering.mouth.facial_map import facial_map
from stylehead.training.data.mouth_pairs import load_pairs
from stylehead.training.data.region_weights import region_weights
from stylehead.types import TEMPLATES, Floats, Pixels

MIRRORED = np.concatenate([mirror_68(), 68 + np.roll(np.arange(len(CROP_POINTS) - 68)[::-1], 11)])
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

    Raises DataError when nothing is left, or for a damaged file.
    """
    clips = [load_pairs(path) for path in sorted((data / "pictures").glob("*.npz"))]
    clips = [
        clip
        for clip in clips
        if clip.person not in without and (people is None or clip.person in people)
    ]
    if not clips:
        raise DataError(
            f"{data} holds no pictures to learn from.",
            remedy="Run stylehead prepare CLIPS --as pictures first.",
        )
    sources = [len(clip.references) // len(TEMPLATES) for clip in clips]
    firsts = np.cumsum([0, *sources[:-1]])
    points = np.concatenate([clip.points for clip in clips])
    shape = (sum(sources), len(TEMPLATES))
    return Patches(
        warped=np.stack([patch for clip in clips for patch in clip.warped]),
        filmed=np.stack([patch for clip in clips for patch in clip.filmed]),
        points=points,
        weights=np.stack([region_weights(face, CROP_SIZE) for face in points]),
        people=[clip.person for clip in clips for _ in clip.source],
        source=np.concatenate(
            [clip.source + first for clip, first in zip(clips, firsts, strict=True)]
        ),
        references=np.stack([patch for clip in clips for patch in clip.references]).reshape(
            *shape, CROP_SIZE, CROP_SIZE, 3
        ),
        reference_points=np.concatenate([clip.reference_points for clip in clips]).reshape(
            *shape, -1, 2
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one training step sees; pictures (B, 3, S, S) in [0, 1]."""

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
    """How pairs are augmented: predicted landmarks and portraits are never as clean as clips."""

    jitter: float = 0.7
    """Pixels of noise on the facial map's points."""
    colour: float = 0.15
    """Largest change of each channel's gain; the same for both pictures of a pair."""
    light: float = 0.08
    """Largest shift of brightness."""
    grey: float = 0.12
    """Fraction of pairs without colour: portraits may be drawings or old photographs."""
    tint: float = 0.15
    """Largest weight with which the other channels are mixed into each channel of a pair."""
    blur: float = 0.3
    """Fraction of pairs whose warped picture is softened: portraits differ in sharpness."""


def balanced(patches: Patches) -> Tensor:
    """Return sampling weights (N,), one a pair.

    A person is drawn in proportion to the square root of their number of pairs.
    """
    _, index, counts = np.unique(patches.people, return_inverse=True, return_counts=True)
    return torch.as_tensor((counts**-0.5)[index])


def batch_of(
    patches: Patches,
    rows: list[int],
    patterns: Pixels | None = None,
    *,
    augmentation: Augmentation | None = None,
    generator: torch.Generator | None = None,
) -> Batch:
    """Gather pairs by their rows; mirrored and augmented when `augmentation` is given.

    patterns (M, 4, S, S, 3) are the style patterns made of the references.
    """
    shown = patches.references if patterns is None else patterns
    source = patches.source[rows]
    points = patches.points[rows].copy()
    pattern_points = patches.reference_points[source].copy()
    pictures = [
        _tensor(patches.warped[rows]), _tensor(patches.filmed[rows]), _tensor(shown[source])
    ]  # fmt: skip
    weights = torch.as_tensor(patches.weights[rows]).float()[:, None]
    drawn = points
    if augmentation is not None:
        assert generator is not None
        flip = torch.rand(len(rows), generator=generator) < 0.5
        pictures = [_flipped(picture, flip) for picture in pictures]
        weights = _flipped(weights, flip)
        for row in np.flatnonzero(flip.numpy()):
            points[row], pattern_points[row] = _mirror(points[row]), _mirror(pattern_points[row])
        noise = torch.randn(points.shape, generator=generator).numpy() * augmentation.jitter
        drawn = points + noise
        pictures = _recoloured(pictures, augmentation, generator)
        pictures[0] = _softened(pictures[0], augmentation, generator)
    maps = np.stack([facial_map(face, CROP_SIZE) for face in drawn])
    return Batch(
        warped=pictures[0],
        filmed=pictures[1],
        facial_map=_tensor(maps),
        points=torch.as_tensor(points),
        weights=weights,
        patterns=pictures[2],
        pattern_points=torch.as_tensor(pattern_points),
    )


def _tensor(pictures: Pixels) -> Tensor:
    """Return pictures (..., H, W, C) of bytes as (..., C, H, W) in [0, 1]."""
    return torch.as_tensor(np.moveaxis(pictures, -1, -3).copy()).float() / 255


def _flipped(pictures: Tensor, flip: Tensor) -> Tensor:
    shape = (-1, *[1] * (pictures.ndim - 1))
    return torch.where(flip.view(shape), pictures.flip(-1), pictures)


def _mirror(points: Floats) -> Floats:
    mirrored = points[..., MIRRORED, :].copy()
    mirrored[..., 0] = CROP_SIZE - 1 - mirrored[..., 0]
    return mirrored


def _recoloured(
    pictures: list[Tensor], augmentation: Augmentation, generator: torch.Generator
) -> list[Tensor]:
    """Change light and tint of all pictures of a pair alike."""
    count = len(pictures[0])
    gain = 1 + augmentation.colour * (2 * torch.rand(count, 3, 1, 1, generator=generator) - 1)
    shift = augmentation.light * (2 * torch.rand(count, 1, 1, 1, generator=generator) - 1)
    # A channel mix whose rows sum to one: identity, a little of the others, or all alike.
    noise = 2 * torch.rand(count, 3, 3, generator=generator) - 1
    mix = torch.eye(3) + augmentation.tint * noise
    mix[torch.rand(count, generator=generator) < augmentation.grey] = 1.0
    mix = mix / mix.sum(2, keepdim=True)
    recoloured: list[Tensor] = []
    for picture in pictures:
        shape = (-1, *[1] * (picture.ndim - 4))
        mixed = torch.einsum("bij,b...jhw->b...ihw", mix, picture)
        bright = mixed * gain.view(*shape, 3, 1, 1) + shift.view(*shape, 1, 1, 1)
        recoloured.append(bright.clamp(0, 1))
    return recoloured


def _softened(pictures: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    chosen = torch.rand(len(pictures), generator=generator) < augmentation.blur
    soft = torch.nn.functional.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    return torch.where(chosen[:, None, None, None], soft, pictures)
