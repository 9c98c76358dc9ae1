"""Moving pixels by a displacement map, on the CPU and on a GPU."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from stylehead.device import to_array, to_tensor
from stylehead.types import Floats, Pixels

_NO_MAP = np.empty(0, np.float32)  # both coordinates are in the first map


class Sampler(Protocol):
    """Takes a coarse displacement map and returns the moved picture."""

    def __call__(self, displacement: Floats) -> Pixels:
        """(C, C, 2) displacements in pixels -> (S, S, 3); cubic in the map and in the picture."""
        ...


class CpuSampler:
    """OpenCV's cubic sampling: a millisecond or two at 512 pixels."""

    def __init__(self, crop: Pixels) -> None:
        self._crop = crop
        self._size = crop.shape[0]
        rows, columns = np.mgrid[: self._size, : self._size].astype(np.float32)
        self._still = np.stack([columns, rows], -1)

    def __call__(self, displacement: Floats) -> Pixels:
        """Return the moved picture."""
        size = (self._size, self._size)
        places = cv2.resize(displacement, size, interpolation=cv2.INTER_CUBIC) + self._still
        moved = cv2.remap(
            self._crop, places, _NO_MAP, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(moved, np.uint8)


class TorchSampler:
    """The same in torch, for CUDA; agrees with CpuSampler within 1/255 on average."""

    def __init__(self, crop: Pixels, device: torch.device) -> None:
        self._device = device
        self._size = crop.shape[0]
        self._crop = to_tensor(crop, device).permute(2, 0, 1)[None].float()
        steps = torch.arange(self._size, device=device, dtype=torch.float32)
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        self._still = torch.stack([columns, rows])[None]

    @torch.inference_mode()
    def __call__(self, displacement: Floats) -> Pixels:
        """Return the moved picture."""
        coarse = to_tensor(displacement, self._device).permute(2, 0, 1)[None]
        fine = F.interpolate(coarse, (self._size, self._size), mode="bicubic", align_corners=False)
        grid = (fine + self._still).permute(0, 2, 3, 1) * (2 / (self._size - 1)) - 1
        moved = F.grid_sample(
            self._crop, grid, mode="bicubic", padding_mode="border", align_corners=True
        )
        return to_array(moved[0].permute(1, 2, 0)).round().clip(0, 255).astype(np.uint8)


def make_sampler(crop: Pixels, device: torch.device) -> Sampler:
    """Return the sampler for the device."""
    return CpuSampler(crop) if device.type == "cpu" else TorchSampler(crop, device)
