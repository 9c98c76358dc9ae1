from __future__ import annotations

import torch

from stylehead.models.keypoints import (
    LIVEPORTRAIT_FIRST,
    VID2VID_FIRST,
    Pose,
    axis_rotation,
    expected_degrees,
    transform_keypoints,
)
from stylehead.models.liveportrait.motion_extractor import (
    FaceMotion,
    liveportrait_pose,
    liveportrait_rotation,
)
from stylehead.models.vid2vid.pose_estimator import HeadPose, vid2vid_pose, vid2vid_rotation
from tests.golden.parity_cases import case, noise

CASES = case("functions")
LOGITS = noise("logits", (2, 66), 2.0)


def close(found, wanted, atol=1e-5):
    torch.testing.assert_close(found, torch.tensor(wanted).reshape(found.shape), rtol=0, atol=atol)


def pose(degrees: float = 0.0, x: float = 0.0, bend: float = 0.0, scale: float = 1.0) -> Pose:
    return Pose(
        axis_rotation(torch.tensor([degrees]), 2),
        torch.tensor([[x, 0.0, 0.0]]),
        torch.full((1, 2, 3), bend),
        torch.tensor([[scale]]),
    )


def test_quarter_turn_sends_x_to_y():
    turned = torch.tensor([[[1.0, 0.0, 0.0]]]) @ axis_rotation(torch.tensor([90.0]), 2)
    close(turned, [0.0, 1.0, 0.0], 1e-6)


def test_angles_are_the_published_ones():
    close(expected_degrees(LOGITS, VID2VID_FIRST), CASES["vid2vid_degrees"]["degrees"])
    close(expected_degrees(LOGITS, LIVEPORTRAIT_FIRST), CASES["liveportrait_degrees"]["degrees"])


def test_rotations_are_the_published_ones():
    wanted = CASES["vid2vid_rotation"]
    yaw, pitch, roll = (torch.tensor([each]) for each in wanted["yaw_pitch_roll_deg"])
    close(vid2vid_rotation(yaw, pitch, roll).mT, wanted["R"], 1e-6)  # theirs is for columns
    wanted = CASES["liveportrait_rotation"]
    pitch, yaw, roll = (torch.tensor([each]) for each in wanted["pitch_yaw_roll_deg"])
    close(liveportrait_rotation(yaw, pitch, roll), wanted["R"], 1e-6)
    # Live Speech Portraits' camera turns columns in the same order.
    wanted = CASES["lsp_angle2matrix"]
    pitch, yaw, roll = (torch.tensor([each]) for each in wanted["xyz_deg"])
    close(liveportrait_rotation(yaw, pitch, roll).mT, wanted["R"], 1e-6)


def test_placed_keypoints_are_the_published_ones():
    wanted = CASES["vid2vid_kp_transform"]
    found = HeadPose(
        LOGITS[:1],
        LOGITS[1:],
        0.5 * LOGITS[:1],
        torch.tensor(wanted["t"]),
        noise("exp", (1, 45), 0.05).unflatten(1, (15, 3)),
    )
    canonical = noise("kp_can", (1, 15, 3), 0.4)
    close(transform_keypoints(canonical, vid2vid_pose(found)), wanted["value"])


def test_a_pose_scales_bends_turns_and_then_shifts():
    points = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
    placed = transform_keypoints(points, pose(90, x=10.0, bend=0.5, scale=2.0))
    close(placed, [[11.0, 3.0, 1.0], [7.0, 1.0, 1.0]])


def test_liveportrait_ignores_depth_shifts():
    found = FaceMotion(
        torch.zeros(1, 2, 3),
        torch.ones(1, 1),
        LOGITS[:1],
        LOGITS[1:],
        LOGITS[:1],
        torch.tensor([[1.0, 2.0, 3.0]]),
        torch.zeros(1, 2, 3),
    )
    assert liveportrait_pose(found).translation.tolist() == [[1.0, 2.0, 0.0]]
