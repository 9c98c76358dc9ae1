"""Source picture and two sets of keypoints -> the source in the driving pose."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from stylehead.models.layers import CONV, PreActivationBlock, UpBlock, named_blocks
from stylehead.models.spade import SpadeDecoder
from stylehead.models.vid2vid.keypoint_extractor import KEYPOINTS
from stylehead.models.warping import DECODED, AppearanceEncoder, DenseMotion, VolumeWarper


class Generated(NamedTuple):
    """A picture and the motion it was made with."""

    picture: Tensor
    """(B, 3, 256, 256) in [0, 1]."""
    motion: DenseMotion


class _Generator(AppearanceEncoder, VolumeWarper):
    """Encoder and warper in one module: the published names have no prefix between them."""

    def __init__(self, *, kernel: int) -> None:
        super().__init__(kernel=kernel, keypoints=KEYPOINTS)

    def decode(self, features: Tensor) -> Tensor:
        """Return pictures of warped features."""
        raise NotImplementedError

    def forward(self, picture: Tensor, source: Tensor, driving: Tensor) -> Generated:
        """Return picture (B, 3, 256, 256) moved from source to driving keypoints (B, K, 3)."""
        return self.move(self.encode(picture), source, driving)

    def move(self, volume: Tensor, source: Tensor, driving: Tensor) -> Generated:
        """Return the picture of an encoded volume, moved."""
        features, motion = self.warp(volume, source, driving)
        return Generated(self.decode(features), motion)


class SpadeGenerator(_Generator):
    """The form whose weights are published."""

    def __init__(self) -> None:
        super().__init__(kernel=3)
        self.decoder = SpadeDecoder()

    def decode(self, features: Tensor) -> Tensor:
        """Return pictures of warped features."""
        return self.decoder(features)


class PlainGenerator(_Generator):
    """The form that the paper describes: six residual blocks and two upsamplings."""

    def __init__(self) -> None:
        super().__init__(kernel=7)
        self.resblocks_2d = named_blocks("2dr", (PreActivationBlock(2, DECODED) for _ in range(6)))
        self.up_blocks = nn.ModuleList([UpBlock(2, DECODED, 128), UpBlock(2, 128, 64)])
        self.final = CONV[2](64, 3, 7, padding=3)

    def decode(self, features: Tensor) -> Tensor:
        """Return pictures of warped features."""
        x = self.resblocks_2d(features)
        for up in self.up_blocks:
            x = up(x)
        return self.final(x).sigmoid()
