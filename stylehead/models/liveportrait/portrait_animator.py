"""LivePortrait's networks together: a picture moved as another picture's face is held."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stylehead.models.keypoints import Pose, Source, relative_pose, transform_keypoints
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
    """Appearance, motion, warping, decoder and stitching, in the paper's family.

    Takes pictures (B, 3, 256, 256) in [0, 1], makes (B, 3, 512, 512). It can also stand in for
    the style mapper, with patterns of twice the size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.appearance = AppearanceEncoder()
        self.motion = MotionExtractor()
        self.warping = VolumeWarper(keypoints=KEYPOINTS)
        self.decoder = SpadeDecoder(upscale=2)
        self.stitching = stitching_net()

    def pose(self, picture: Tensor) -> Pose:
        """Return how the faces in pictures are held and what they do."""
        with single(picture):
            return liveportrait_pose(self.motion(picture))

    def remember(self, picture: Tensor) -> Source:
        """Return all that is needed of the picture (1, 3, 256, 256) to move it."""
        with single(picture):
            found = self.motion(picture)
            pose = liveportrait_pose(found)
            keypoints = transform_keypoints(found.keypoints, pose)
            return Source(self.appearance.encode(picture), found.keypoints, pose, keypoints)

    def drive(self, source: Source, driving: Tensor) -> Tensor:
        """Return the source held as the face in each driving picture is, exactly."""
        return self._show(source, self.pose(driving))

    def forward(self, neutral: Tensor, reference: Tensor) -> Tensor:
        """Return patterns: the neutral's person with the references' turn and expression.

        Size and place in the picture stay the neutral's, of which there is one row.
        """
        source, pose = self.remember(neutral), self.pose(reference)
        stays = Pose(
            pose.rotation,
            source.pose.translation.expand_as(pose.translation),
            pose.expression,
            source.pose.scale.expand_as(pose.scale),
        )
        return self._show(source, stays)

    def relative(self, neutral: Tensor, reference: Tensor, rest: Tensor) -> Tensor:
        """Return patterns: the neutral's person, moved as the references differ from `rest`.

        `rest` is the reference person's own neutral (template none); it and `neutral` of one row.
        """
        source = self.remember(neutral)
        moved = relative_pose(source.pose, self.pose(reference), self.pose(rest))
        return self._show(source, moved)

    def _show(self, source: Source, pose: Pose) -> Tensor:
        count = len(pose.rotation)
        places = source.keypoints.expand(count, -1, -1)
        with single(places):
            moved = self._stitch(places, transform_keypoints(source.canonical, pose))
        volume = source.volume.expand(count, -1, -1, -1, -1)
        return self.decoder(self.warping.warp(volume, places, moved)[0])

    def _stitch(self, source: Tensor, moved: Tensor) -> Tensor:
        """Correct moved keypoints so that shoulders and the edge stay as the picture has them."""
        given = torch.cat([source.flatten(1), moved.flatten(1)], 1)
        offsets, shift = self.stitching(given).split([OFFSETS, 2], 1)
        moved = moved + offsets.view_as(moved)
        return torch.cat([moved[..., :2] + shift[:, None], moved[..., 2:]], -1)
