"""Style mapping, the learned form: neutral image + style reference -> intermediate pattern."""

from __future__ import annotations

from torch import Tensor, nn

from stylehead.models.keypoints import (
    Pose,
    Source,
    hull_scale,
    relative_keypoints,
    transform_keypoints,
)
from stylehead.models.layers import single
from stylehead.models.vid2vid.generator import PlainGenerator, SpadeGenerator
from stylehead.models.vid2vid.keypoint_extractor import KeypointExtractor
from stylehead.models.vid2vid.pose_estimator import PoseEstimator, vid2vid_pose


class StyleMapper(nn.Module):
    """The paper's style mapping, which is face-vid2vid (method notes, 5).

    Its parts carry the names under which their weights are published together. Pictures are
    (B, 3, 256, 256) in [0, 1], made ones too.
    """

    def __init__(self, *, generator: SpadeGenerator | PlainGenerator | None = None) -> None:
        super().__init__()
        self.kp_detector = KeypointExtractor()
        self.he_estimator = PoseEstimator()
        self.generator = generator or SpadeGenerator()

    def pose(self, picture: Tensor) -> Pose:
        """Return how the faces in pictures are held and what they do."""
        with single(picture):
            return vid2vid_pose(self.he_estimator(picture))

    def remember(self, picture: Tensor) -> Source:
        """Return all that is needed of the picture (1, 3, 256, 256) to move it."""
        with single(picture):
            canonical, pose = self.kp_detector(picture), self.pose(picture)
            keypoints = transform_keypoints(canonical, pose)
            return Source(self.generator.encode(picture), canonical, pose, keypoints)

    def drive(self, source: Source, driving: Tensor) -> Tensor:
        """Return the source held as the face in each driving picture is, exactly (Eq. 1-2)."""
        return self._show(source, self._placed(source, driving))

    def forward(self, neutral: Tensor, reference: Tensor) -> Tensor:
        """Return patterns: the neutral's person as the references are held; neutral of one row.

        Traces of the reference person's size and place in the picture come along; `relative`
        leaves them out.
        """
        return self.drive(self.remember(neutral), reference)

    def relative(self, neutral: Tensor, reference: Tensor, rest: Tensor) -> Tensor:
        """Return patterns: the neutral's person, moved as the references differ from `rest`.

        `rest` is the reference person's own neutral (template none); it and `neutral` of one row.
        """
        source = self.remember(neutral)
        driving, first = (self._placed(source, picture) for picture in (reference, rest))
        scale = hull_scale(source.keypoints[0], first[0])
        return self._show(source, relative_keypoints(source.keypoints, driving, first, scale))

    def _placed(self, source: Source, picture: Tensor) -> Tensor:
        with single(picture):
            return transform_keypoints(source.canonical, self.pose(picture))

    def _show(self, source: Source, keypoints: Tensor) -> Tensor:
        count = len(keypoints)
        volume = source.volume.expand(count, -1, -1, -1, -1)
        places = source.keypoints.expand(count, -1, -1)
        return self.generator.move(volume, places, keypoints).picture
