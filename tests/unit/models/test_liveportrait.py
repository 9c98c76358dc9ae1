from __future__ import annotations

import pytest
import torch

from stylehead.models.liveportrait.motion_extractor import MotionExtractor
from stylehead.models.liveportrait.stitching import stitching_net
from stylehead.models.spade import SpadeDecoder
from stylehead.models.warping import AppearanceEncoder, VolumeWarper
from tests.golden.parity_cases import case, check_all, fill, noise, picture, same_form, watched

NETS = {
    "F.appearance_feature_extractor": AppearanceEncoder,
    "M.motion_extractor": MotionExtractor,
    "W.warping_module": lambda: VolumeWarper(keypoints=21),
    "G.spade_generator": lambda: SpadeDecoder(upscale=2),
    "S.stitching": stitching_net,
}


@pytest.mark.parametrize("name", NETS)
def test_a_network_has_the_published_names_and_shapes(name):
    with torch.device("meta"):
        net = NETS[name]()
    same_form(net, "liveportrait", name)


@torch.inference_mode()
def test_the_appearance_encoder_gives_the_published_numbers():
    wanted = case("liveportrait_F")
    net = fill(AppearanceEncoder(), wanted["fill_rule"])
    with watched(net, wanted["intermediate_module_outputs"]) as seen:
        volume = net.encode(picture("source"))
    check_all([(volume, "out"), *((seen[name], name) for name in seen)], wanted)


@torch.inference_mode()
def test_the_motion_extractor_gives_the_published_numbers():
    wanted = case("liveportrait_M")
    net = fill(MotionExtractor(), wanted["fill_rule"])
    with watched(net, wanted["intermediate_module_outputs"]) as seen:
        found = net(picture("source"))
    named = [(seen[name], name) for name in seen]
    named += [
        (found.keypoints.flatten(1), "kp"),
        (found.scale, "scale"),
        (found.yaw, "yaw"),
        (found.pitch, "pitch"),
        (found.roll, "roll"),
        (found.translation, "t"),
        (found.expression.flatten(1), "exp"),
    ]
    check_all(named, wanted)


@pytest.mark.slow
@torch.inference_mode()
def test_the_warper_gives_the_published_numbers():
    wanted = case("liveportrait_W")
    net = fill(VolumeWarper(keypoints=21), wanted["fill_rule"])
    source = noise("kp_source", (1, 21, 3), 0.5)
    driving = source + noise("kp_driving_delta", (1, 21, 3), 0.1)
    with watched(net, wanted["intermediate_module_outputs"]) as seen:
        features, motion = net.warp(noise("feature_3d", (1, 32, 16, 64, 64)), source, driving)
    named = [(seen[name], name) for name in seen]
    named += [
        (features, "out"),
        (motion.deformation, "deformation"),
        (motion.occlusion, "occlusion_map"),
    ]
    check_all(named, wanted)


@pytest.mark.slow
@torch.inference_mode()
def test_the_decoder_gives_the_published_numbers():
    wanted = case("liveportrait_G")
    net = fill(SpadeDecoder(upscale=2), wanted["fill_rule"])
    with watched(net, wanted["intermediate_module_outputs"]) as seen:
        made = net(noise("warped", (1, 256, 64, 64)))
    check_all([(made, "out"), *((seen[name], name) for name in seen)], wanted)


@torch.inference_mode()
def test_stitching_gives_the_published_numbers():
    wanted = case("liveportrait_S_stitching")
    net = fill(stitching_net(), wanted["fill_rule"])
    check_all([(net(noise("retarget_in", (2, 126), 0.5)), "out")], wanted)
