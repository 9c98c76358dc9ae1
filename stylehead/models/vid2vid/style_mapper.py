"""face-vid2vid's networks together: a source image, re-posed to match driving images."""

from __future__ import annotations

from torch import Tensor, nn

from stylehead.models.keypoints import Pose, Source, transform_keypoints
from stylehead.models.layers import single
from stylehead.models.vid2vid.generator import SpadeGenerator
from stylehead.models.vid2vid.keypoint_extractor import KeypointExtractor
from stylehead.models.vid2vid.pose_estimator import PoseEstimator, vid2vid_pose


class StyleMapper(nn.Module):
    """The paper's style mapping, which is face-vid2vid.

    Its parts carry the names under which their weights are published together. Images are
    (B, 3, 256, 256) in [0, 1], going in and coming out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kp_detector = KeypointExtractor()
        self.he_estimator = PoseEstimator()
        self.generator = SpadeGenerator()

    def pose(self, picture: Tensor) -> Pose:
        """Estimate head pose and expression of images (B, 3, 256, 256) in [0, 1]."""
        with single(picture):
            return vid2vid_pose(self.he_estimator(picture))

    def encode_source(self, picture: Tensor) -> Source:
        """Encode a source image (1, 3, 256, 256) in [0, 1], once."""
        with single(picture):
            canonical, pose = self.kp_detector(picture), self.pose(picture)
            keypoints = transform_keypoints(canonical, pose)
            return Source(self.generator.encode(picture), canonical, pose, keypoints)

    def drive(self, source: Source, driving: Tensor) -> Tensor:
        """Render the source with the absolute pose and expression of each driving image (Eq. 1-2).

        driving (B, 3, 256, 256) in [0, 1]; the same out.
        """
        with single(driving):
            keypoints = transform_keypoints(source.canonical, self.pose(driving))
        count = len(keypoints)
        volume = source.volume.expand(count, -1, -1, -1, -1)
        start = source.keypoints.expand(count, -1, -1)
        return self.generator.move(volume, start, keypoints).picture
