"""The neural renderers: published warping networks, driven by the embedded renderer's frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stylehead.compute.device import channels_first, to_array
from stylehead.errors import WeightsError
from stylehead.models.keypoints import Source
from stylehead.models.layers import fold_spectral_norms
from stylehead.models.liveportrait.portrait_animator import PortraitAnimator
from stylehead.models.vid2vid.style_mapper import StyleMapper
from stylehead.progress import SILENT, Reporter
from stylehead.rendering import mesh_renderer
from stylehead.rendering.mesh_renderer import MeshScene, MouthNetworks
from stylehead.types import Floats, Motion, Pixels, Portrait, StyleReference
from stylehead.weights.networks import load_published
from stylehead.weights.store import load_state

DRIVING_SIZE = 256
"""Side of the pictures that the networks of this family take."""
BATCH = {"cpu": 1, "cuda": 8}
"""Frames at once: on a CPU more of them only cost memory."""


class Animator(Protocol):
    """A warping network: re-poses an encoded source image to match a driving image."""

    def encode_source(self, picture: Tensor) -> Source:
        """Encode a source image (1, 3, 256, 256) in [0, 1], once."""
        ...

    def drive(self, source: Source, driving: Tensor) -> Tensor:
        """Return the source (B, 3, S, S), posed as driving images (B, 3, 256, 256), in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NeuralScene:
    """A portrait that a warping network has encoded."""

    still: MeshScene
    """The picture that frames are pasted into."""
    driver: MeshScene
    """The same crop at the network's size, which renders the driving images."""
    network: Animator
    source: Source
    """The driver's picture, encoded."""
    device: torch.device


def prepare_neural(
    portrait: Portrait,
    references: tuple[StyleReference, ...],
    network: Animator,
    mouths: MouthNetworks,
    *,
    crop_size: int | None,
    device: torch.device,
    neighbours: Sequence[Floats] = (),
    appearance: bool = True,
) -> NeuralScene:
    """Encode the portrait's face crop once; arguments as in mesh_renderer.prepare.

    The portrait is prepared at the size of its frames and at the network's, where its mouths are
    completed: patterns are made of each size's own pixels.
    """
    still, driver = (
        mesh_renderer.prepare(
            portrait,
            references,
            mouths,
            crop_size=size,
            device=device,
            neighbours=neighbours,
            appearance=appearance,
        )
        for size in (crop_size, DRIVING_SIZE)
    )
    with torch.inference_mode():
        source = network.encode_source(_pictures([driver.picture], device))
    return NeuralScene(still=still, driver=driver, network=network, source=source, device=device)


def neural_crops(scene: NeuralScene, motion: Motion) -> Iterator[Pixels]:
    """Yield the moved crop (S, S, 3) for each frame of motion; memory does not grow with it."""
    drivers = mesh_renderer.render(scene.driver, motion)
    while batch := list(islice(drivers, BATCH[scene.device.type])):
        for crop in _drive(scene, batch):
            yield _placed(_fitted(crop, scene.still.mesh.size), scene)


@torch.inference_mode()
def _drive(scene: NeuralScene, drivers: list[Pixels]) -> Pixels:
    """Return the network's crops (B, S, S, 3) for driving ones (256, 256, 3)."""
    with _half(scene.device):
        driven = scene.network.drive(scene.source, _pictures(drivers, scene.device))
    return (to_array(driven.permute(0, 2, 3, 1)) * 255 + 0.5).astype(np.uint8)


def _pictures(crops: list[Pixels], device: torch.device) -> Tensor:
    return channels_first(np.stack(crops), device) / 255


def _half(device: torch.device) -> torch.autocast | nullcontext[None]:
    """Compute in half precision where that is faster; the networks keep coordinates in single."""
    return torch.autocast("cuda", torch.float16) if device.type == "cuda" else nullcontext()


def _fitted(crop: Pixels, size: int) -> Pixels:
    if len(crop) == size:
        return crop
    way = cv2.INTER_AREA if size < len(crop) else cv2.INTER_CUBIC
    resized: NDArray[np.generic] = cv2.resize(crop, (size, size), interpolation=way)
    return np.asarray(resized, np.uint8)


def _placed(crop: Pixels, scene: NeuralScene) -> Pixels:
    """Return a crop of the driver's square in the still's, which may begin over the picture."""
    still = scene.still.mesh
    down = round(float(scene.driver.mesh.corner[1] - still.corner[1]) * still.scale)
    return np.concatenate([crop[:1].repeat(down, 0), crop[: len(crop) - down]]) if down else crop


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
            state = load_state(name, section, reporter=reporter)
        except WeightsError as failure:
            raise WeightsError(
                f"The renderer {profile} lacks its weights. {failure}",
                remedy=f"Run stylehead weights get --profile {profile}. {failure.remedy}",
            ) from failure
        load_published(net.get_submodule(part), state, name)
    fold_spectral_norms(net)
