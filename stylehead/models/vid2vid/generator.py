"""Source picture and two sets of keypoints -> the source in the driving pose."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from stylehead.models.spade import SpadeDecoder
from stylehead.models.vid2vid.keypoint_extractor import KEYPOINTS
from stylehead.models.warping import AppearanceEncoder, DenseMotion, VolumeWarper


class Generated(NamedTuple):
    """A picture and the motion it was made with."""

    picture: Tensor
    """(B, 3, 256, 256) in [0, 1]."""
    motion: DenseMotion


class SpadeGenerator(AppearanceEncoder, VolumeWarper):
    """Encoder, warper and decoder in one module: the published names have no prefix between them.

    The form whose weights are published; the authors' text describes a plain decoder instead.
    """

    def __init__(self) -> None:
        super().__init__(keypoints=KEYPOINTS)
        self.decoder = SpadeDecoder()

    def forward(self, picture: Tensor, source: Tensor, driving: Tensor) -> Generated:
        """Return picture (B, 3, 256, 256) moved from source to driving keypoints (B, K, 3)."""
        return self.move(self.encode(picture), source, driving)

    def move(self, volume: Tensor, source: Tensor, driving: Tensor) -> Generated:
        """Return the picture of an encoded volume (B, 32, 16, 64, 64), moved likewise."""
        features, motion = self.warp(volume, source, driving)
        return Generated(self.decoder(features), motion)
