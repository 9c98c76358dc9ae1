"""Style mapping, the learned form: neutral image + style reference -> intermediate pattern."""

from __future__ import annotations

from torch import Tensor, nn

from stylehead.models.keypoints import (
    Pose,
    hull_scale,
    relative_keypoints,
    transform_keypoints,
    vid2vid_pose,
)
from stylehead.models.vid2vid.generator import PlainGenerator, SpadeGenerator
from stylehead.models.vid2vid.keypoint_extractor import KeypointExtractor
from stylehead.models.vid2vid.pose_estimator import PoseEstimator


class StyleMapper(nn.Module):
    """The paper's style mapping, which is face-vid2vid (method notes, 5).

    Its parts carry the names under which their weights are published together.
    """

    def __init__(self, *, generator: SpadeGenerator | PlainGenerator | None = None) -> None:
        super().__init__()
        self.kp_detector = KeypointExtractor()
        self.he_estimator = PoseEstimator()
        self.generator = generator or SpadeGenerator()

    def pose(self, picture: Tensor) -> Pose:
        """Return how the face in pictures (B, 3, 256, 256) is held and what it does."""
        return vid2vid_pose(self.he_estimator(picture))

    def forward(self, neutral: Tensor, reference: Tensor) -> Tensor:
        """Return the pattern: the neutral's person exactly as the reference is held (Eq. 1-2).

        All (B, 3, 256, 256) in [0, 1]. Traces of the reference person's size and place in the
        picture come along; `relative` leaves them out.
        """
        canonical = self.kp_detector(neutral)
        source = transform_keypoints(canonical, self.pose(neutral))
        driving = transform_keypoints(canonical, self.pose(reference))
        return self.generator(neutral, source, driving).picture

    def relative(self, neutral: Tensor, reference: Tensor, rest: Tensor) -> Tensor:
        """Return the pattern: the neutral's person, moved as the reference differs from `rest`.

        `rest` is the reference person's own neutral (template none). All (B, 3, 256, 256); the
        scale is found for the first of the batch, who must all be one pair of people.
        """
        canonical = self.kp_detector(neutral)
        source, driving, first = (
            transform_keypoints(canonical, self.pose(picture))
            for picture in (neutral, reference, rest)
        )
        scale = hull_scale(source[0], first[0])
        moved = relative_keypoints(source, driving, first, scale)
        return self.generator(neutral, source, moved).picture
