from __future__ import annotations

import pytest
import torch

from stylehead.models.reference.vid2vid_discriminator import PatchDiscriminator
from stylehead.models.vid2vid.generator import SpadeGenerator
from stylehead.models.vid2vid.keypoint_extractor import KeypointExtractor, Shrink
from stylehead.models.vid2vid.pose_estimator import PoseEstimator
from tests.golden.parity_cases import case, check_all, fill, noise, picture, same_form, watched

NETS = {
    "generator": SpadeGenerator,
    "kp_detector": KeypointExtractor,
    "he_estimator": PoseEstimator,
    "discriminator": PatchDiscriminator,
}


@pytest.mark.parametrize("name", NETS)
def test_a_network_has_the_published_names_and_shapes(name):
    with torch.device("meta"):
        net = NETS[name]()
    same_form(net, "vid2vid", name)


@torch.inference_mode()
def test_a_smaller_picture_keeps_its_brightness_and_has_no_stripes():
    shrink = Shrink(4)
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1
    small = shrink(stripes)
    assert small.shape == (1, 3, 16, 16)
    assert (small[..., 2:-2, 2:-2] - 0.5).abs().max() < 0.01


@torch.inference_mode()
def test_the_keypoint_extractor_gives_the_published_numbers():
    wanted = case("facevid2vid_kp_detector")
    net = fill(KeypointExtractor(), wanted["fill_rule"])
    with watched(net, wanted["intermediate_module_outputs"]) as seen:
        keypoints = net(picture("source"))
    check_all([(keypoints, "value"), *((seen[name], name) for name in seen)], wanted)


@torch.inference_mode()
def test_the_pose_estimator_gives_the_published_numbers():
    wanted = case("facevid2vid_he_estimator")
    net = fill(PoseEstimator(), wanted["fill_rule"])
    with watched(net, wanted["intermediate_module_outputs"]) as seen:
        found = [("", net(picture("source")))]
    named = [(seen[name], name) for name in seen]
    found.append(("(driving)", net(picture("driving"))))
    for tag, pose in found:
        named += [
            (pose.yaw, f"yaw{tag}"),
            (pose.pitch, f"pitch{tag}"),
            (pose.roll, f"roll{tag}"),
            (pose.translation, f"t{tag}"),
            (pose.expression.flatten(1), f"exp{tag}"),
        ]
    check_all(named, wanted)


@pytest.mark.slow
@torch.inference_mode()
def test_the_generator_gives_the_published_numbers():
    wanted = case("facevid2vid_generator")
    net = fill(SpadeGenerator(), wanted["fill_rule"])
    source = noise("kp_source", (1, 15, 3), 0.5)
    driving = source + noise("kp_driving_delta", (1, 15, 3), 0.1)
    names = [name for name in wanted["intermediate_module_outputs"] if ":" not in name]
    with watched(net, names) as seen:
        found = net(picture("source"), source, driving)
    named = [(seen[name], name) for name in names]
    for prefix in ("", "dense_motion_network:"):
        named += [
            (found.motion.mask, f"{prefix}mask"),
            (found.motion.occlusion, f"{prefix}occlusion_map"),
        ]
    named += [
        (found.motion.deformation, "dense_motion_network:deformation"),
        (found.picture, "prediction"),
    ]
    check_all(named, wanted)


@torch.inference_mode()
def test_the_discriminator_gives_the_maps_of_four_blocks_and_logits():
    maps = PatchDiscriminator().eval()(torch.rand(1, 3, 256, 256))
    sizes = [(64, 126, 126), (128, 61, 61), (256, 29, 29), (512, 26, 26), (1, 26, 26)]
    assert [tuple(one.shape[1:]) for one in maps] == sizes
