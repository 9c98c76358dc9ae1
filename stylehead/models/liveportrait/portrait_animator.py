"""LivePortrait's networks together: a source image, re-posed to match driving images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stylehead.models.keypoints import Pose, Source, transform_keypoints
from stylehead.models.layers import single
from stylehead.models.liveportrait.motion_extractor import (
    KEYPOINTS,
    MotionExtractor,
    liveportrait_pose,
)
from stylehead.models.liveportrait.stitching import OFFSETS, stitching_net
from stylehead.models.spade import SpadeDecoder
from stylehead.models.warping import AppearanceEncoder, VolumeWarper


class PortraitAnimator(nn.Module):
    """Appearance, motion, warping, decoder and stitching.

    Takes images (B, 3, 256, 256) in [0, 1] and gives (B, 3, 512, 512).
    """

    def __init__(self) -> None:
        super().__init__()
        self.appearance = AppearanceEncoder()
        self.motion = MotionExtractor()
        self.warping = VolumeWarper(keypoints=KEYPOINTS)
        self.decoder = SpadeDecoder(upscale=2)
        self.stitching = stitching_net()

    def pose(self, picture: Tensor) -> Pose:
        """Estimate head pose and expression of images (B, 3, 256, 256) in [0, 1]."""
        with single(picture):
            return liveportrait_pose(self.motion(picture))

    def encode_source(self, picture: Tensor) -> Source:
        """Encode a source image (1, 3, 256, 256) in [0, 1], once."""
        with single(picture):
            motion = self.motion(picture)
            pose = liveportrait_pose(motion)
            keypoints = transform_keypoints(motion.keypoints, pose)
            return Source(self.appearance.encode(picture), motion.keypoints, pose, keypoints)

    def drive(self, source: Source, driving: Tensor) -> Tensor:
        """Render the source with the absolute pose and expression of each driving image.

        driving (B, 3, 256, 256) in [0, 1]; (B, 3, 512, 512) out.
        """
        return self._render(source, self.pose(driving))

    def _render(self, source: Source, pose: Pose) -> Tensor:
        count = len(pose.rotation)
        keypoints = source.keypoints.expand(count, -1, -1)
        with single(keypoints):
            moved = self._stitch(keypoints, transform_keypoints(source.canonical, pose))
        volume = source.volume.expand(count, -1, -1, -1, -1)
        return self.decoder(self.warping.warp(volume, keypoints, moved)[0])

    def _stitch(self, source: Tensor, moved: Tensor) -> Tensor:
        """Correct moved keypoints so that shoulders and the edge stay as the picture has them."""
        given = torch.cat([source.flatten(1), moved.flatten(1)], 1)
        offsets, shift = self.stitching(given).split([OFFSETS, 2], 1)
        moved = moved + offsets.view_as(moved)
        return torch.cat([moved[..., :2] + shift[:, None], moved[..., 2:]], -1)
