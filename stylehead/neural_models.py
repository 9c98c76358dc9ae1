"""The warping networks that a user fetches, loaded from their published files."""

from __future__ import annotations

import torch
from torch import nn

from stylehead import weights
from stylehead.errors import WeightsError
from stylehead.models.layers import fold_spectral_norms
from stylehead.models.liveportrait.portrait_animator import PortraitAnimator
from stylehead.models.load import load_published
from stylehead.models.style_mapper import StyleMapper
from stylehead.progress import SILENT, Reporter

Parts = dict[str, tuple[str, str | None]]
"""Part of a network -> entry of weights.toml, and the section of its file."""

LIVEPORTRAIT: Parts = {
    "appearance": ("liveportrait_appearance", None),
    "motion.detector": ("liveportrait_motion", None),
    "warping": ("liveportrait_warping", None),
    "decoder": ("liveportrait_generator", None),
    "stitching": ("liveportrait_stitching", "stitching"),
}
VID2VID: Parts = {
    part: ("vid2vid_00189", part) for part in ("kp_detector", "he_estimator", "generator")
}


def load_portrait_animator(
    device: torch.device, *, reporter: Reporter = SILENT
) -> PortraitAnimator:
    """Load LivePortrait's networks."""
    with torch.device("meta"):
        net = PortraitAnimator()
    _load_parts(net, LIVEPORTRAIT, "liveportrait", reporter)
    return net.to(device).eval()


def load_style_mapper(device: torch.device, *, reporter: Reporter = SILENT) -> StyleMapper:
    """Load face-vid2vid's networks: the learned style mapping."""
    with torch.device("meta"):
        net = StyleMapper()
    _load_parts(net, VID2VID, "vid2vid", reporter)
    return net.to(device).eval()


def _load_parts(net: nn.Module, parts: Parts, profile: str, reporter: Reporter) -> None:
    for part, (name, section) in parts.items():
        try:
            state = weights.load_state(name, section, reporter=reporter)
        except WeightsError as failure:
            raise WeightsError(
                f"The renderer {profile} lacks its weights. {failure}",
                remedy=f"stylehead weights get --profile {profile}. {failure.remedy}",
            ) from failure
        load_published(net.get_submodule(part), state, name)
    fold_spectral_norms(net)
