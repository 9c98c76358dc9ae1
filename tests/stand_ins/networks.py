"""Stand-ins for networks whose weights nobody may need for a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from stylehead.files import digest
from stylehead.models.keypoints import Pose, Source
from stylehead.models.liveportrait.portrait_animator import PortraitAnimator
from stylehead.models.vid2vid.style_mapper import StyleMapper
from stylehead.rendering.neural_renderer import LIVEPORTRAIT, VID2VID
from stylehead.weights.manifest import WeightsEntry
from tests.golden.parity_cases import case, fill

CASES = {
    ("liveportrait_appearance", None): "liveportrait_F",
    ("liveportrait_motion", None): "liveportrait_M",
    ("liveportrait_warping", None): "liveportrait_W",
    ("liveportrait_generator", None): "liveportrait_G",
    ("liveportrait_stitching", "stitching"): "liveportrait_S_stitching",
    ("vid2vid_00189", "kp_detector"): "facevid2vid_kp_detector",
    ("vid2vid_00189", "he_estimator"): "facevid2vid_he_estimator",
    ("vid2vid_00189", "generator"): "facevid2vid_generator",
}
"""Entry of weights.toml and section -> the parity case that says how to fill it."""


class Mirror:
    """A network that shows its driver, twice as large: what goes in must come out in place."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.encoded = torch.zeros(0)

    def encode_source(self, picture: Tensor) -> Source:
        self.encoded = picture
        nothing = torch.zeros(1, 1, 3)
        pose = Pose(torch.eye(3)[None], torch.zeros(1, 3), nothing, torch.ones(1, 1))
        return Source(picture, nothing, pose, nothing)

    def drive(self, source: Source, driving: Tensor) -> Tensor:
        del source
        self.batches.append(len(driving))
        return driving.repeat_interleave(2, 2).repeat_interleave(2, 3)


def made_up(name: str, section: str | None = None) -> dict[str, Tensor]:
    """Return tensors of a published network by the parity fill: right in form, noise in effect."""
    parts, build = (LIVEPORTRAIT, PortraitAnimator) if "live" in name else (VID2VID, StyleMapper)
    part = next(part for part, place in parts.items() if place == (name, section))
    with torch.device("meta"):
        net: nn.Module = build()
    wanted = net.get_submodule(part).to_empty(device="cpu")
    # The one buffer that the cases leave as it was made has no values here yet: filled as well.
    rule = case(CASES[name, section])["fill_rule"] | {"left_as_constructed": []}
    return fill(wanted, rule).state_dict()


def publish(entry: WeightsEntry, folder: Path) -> WeightsEntry:
    """Write made-up tensors in the published form of an entry's file; return the entry of that.

    A checkpoint of torch with the names' prefixes, nested by section where it has several.
    """
    content: dict[str, object] = {}
    for name, section in CASES:
        if name != entry.name:
            continue
        state = made_up(name, section)
        if section is None:
            content = {entry.prefix + key: value for key, value in state.items()}
        else:
            content[entry.sections[section].removesuffix(".")] = state
    path = folder / entry.file
    torch.save(content, path)
    return replace(
        entry, sha256=digest(path), bytes=path.stat().st_size, sources=(), sha256_start=None
    )
