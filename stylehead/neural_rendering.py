"""Portrait + Motion -> frames by a warping network, streamed.

The network is driven by the embedded renderer's frames, as the paper's own demo drives
face-vid2vid by rendered ones: it reads pose and expression off them. Handing it the motion's
rotations directly would need to know the axes, zero and expression space that its weights
learned; a picture says all of that in the network's own terms. The driver is the very person in
the very crop, so motion relative to the portrait and absolute motion are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylehead import rendering
from stylehead.device import channels_first, to_array
from stylehead.models.keypoints import Source
from stylehead.types import Motion, Pixels, Portrait, StyleReference

DRIVING_SIZE = 256
"""Side of the pictures that the networks of this family take."""
BATCH = {"cpu": 1, "cuda": 8}
"""Frames at once: on a CPU more of them only cost memory."""


class Animator(Protocol):
    """A warping network: a remembered picture, held as the face in another picture is."""

    def remember(self, picture: Tensor) -> Source:
        """Return what is needed of a picture (1, 3, 256, 256) in [0, 1]."""
        ...

    def drive(self, source: Source, driving: Tensor) -> Tensor:
        """Return pictures (B, 3, S, S) in [0, 1] of driving ones (B, 3, 256, 256)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class NeuralScene:
    """A portrait that a warping network remembers."""

    still: rendering.Scene
    """The picture that frames are pasted into."""
    driver: rendering.Scene
    """The same crop at the network's size."""
    network: Animator
    source: Source
    device: torch.device


def prepare(
    portrait: Portrait,
    references: tuple[StyleReference, ...],
    network: Animator,
    *,
    crop_size: int | None,
    device: torch.device,
) -> NeuralScene:
    """Have the network look at the portrait's face crop once; the rest is as in rendering."""
    still = rendering.prepare(portrait, references, crop_size=crop_size, device=device)
    driver = rendering.prepare(portrait, references, crop_size=DRIVING_SIZE, device=device)
    with torch.inference_mode():
        source = network.remember(_pictures([driver.picture], device))
    return NeuralScene(still, driver, network, source, device)


def render(scene: NeuralScene, motion: Motion) -> Iterator[Pixels]:
    """Yield one (H, W, 3) RGB frame per frame of motion; memory does not grow with its length."""
    drivers = rendering.render(scene.driver, motion)
    while batch := list(islice(drivers, BATCH[scene.device.type])):
        for made in _drive(scene, batch):
            yield rendering.compose(scene.still, _fitted(made, scene.still.rig.size))


@torch.inference_mode()
def _drive(scene: NeuralScene, drivers: list[Pixels]) -> Pixels:
    """Return crops (B, S, S, 3) of driving ones."""
    with _half(scene.device):
        made = scene.network.drive(scene.source, _pictures(drivers, scene.device))
    return (to_array(made.permute(0, 2, 3, 1)) * 255 + 0.5).astype(np.uint8)


def _pictures(crops: list[Pixels], device: torch.device) -> Tensor:
    return channels_first(np.stack(crops), device) / 255


def _half(device: torch.device) -> torch.autocast | nullcontext[None]:
    """Compute in half precision where that is faster; the networks keep places in single."""
    return torch.autocast("cuda", torch.float16) if device.type == "cuda" else nullcontext()


def _fitted(crop: Pixels, size: int) -> Pixels:
    if len(crop) == size:
        return crop
    way = cv2.INTER_AREA if size < len(crop) else cv2.INTER_CUBIC
    resized: NDArray[np.generic] = cv2.resize(crop, (size, size), interpolation=way)
    return np.asarray(resized, np.uint8)
