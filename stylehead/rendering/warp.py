"""Moving, cropping and pasting pixels."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from stylehead.device import to_array, to_tensor
from stylehead.rendering.portrait_mesh import PortraitMesh
from stylehead.rendering.rasterize import fold_mask
from stylehead.types import Floats, Pixels

FEATHER = 0.04  # of the crop's side, over which the moved crop fades into the still picture
OUT_OF_FOCUS = 0.02  # of the crop's side: the blur of what lies beyond the picture
FOLD = 2.5  # pixels of displacement between neighbouring cells that mark a fold


def crop_of(pixels: Pixels, mesh: PortraitMesh) -> Pixels:
    """Return the mesh's working square (S, S, 3) of its picture (H, W, 3).

    Beyond the picture its edge goes on, out of focus: nothing is shown there that could be a face.
    """
    scale = mesh.scale
    offset = -(mesh.corner - 0.5) * scale - 0.5
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    if scale < 0.5:  # averaging avoids the moire of leaping over pixels
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.4 / scale), np.uint8)
    crop = cv2.warpAffine(
        pixels,
        matrix,
        (mesh.size, mesh.size),
        flags=cv2.INTER_CUBIC if scale != 1 else cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    crop = np.asarray(crop, np.uint8)
    steps = mesh.corner[:, None] + (np.arange(mesh.size) + 0.5) / scale
    height, width = pixels.shape[:2]
    inside = [(at > 0) & (at < side) for at, side in zip(steps, (width, height), strict=True)]
    made_up = ~(inside[1][:, None] & inside[0])
    if made_up.any():
        soft = cv2.GaussianBlur(crop, (0, 0), OUT_OF_FOCUS * mesh.size)
        crop[made_up] = np.asarray(soft, np.uint8)[made_up]
    return crop


def soften_folds(moved: Pixels, displacement: Floats) -> None:
    """Blend the pixels along folds, where a turned face hides what is behind it.

    There the displacement (C, C, 2) jumps from one cell to the next, and the edge would show as
    stairs. Changes `moved` (S, S, 3) in place: the few pixels of the folds.
    """
    fold = fold_mask(displacement, FOLD)
    if not fold.any():
        return
    size = (moved.shape[1], moved.shape[0])
    weight = cv2.GaussianBlur(cv2.resize(fold, size, interpolation=cv2.INTER_NEAREST), (3, 3), 0)
    rows, columns = np.nonzero(weight)
    soft = cv2.GaussianBlur(moved, (3, 3), 0.8)
    alpha = np.asarray(weight, np.float32)[rows, columns, None] / 255
    mixed = moved[rows, columns] * (1 - alpha) + soft[rows, columns] * alpha
    moved[rows, columns] = mixed.round().astype(np.uint8)


def paste_crop(picture: Pixels, moved: Pixels, mesh: PortraitMesh, weight: Floats) -> Pixels:
    """Blend the moved crop (S, S, 3) into a copy of the picture (H, W, 3), at its resolution.

    weight (S, S, 1) of the crop, 1 in its middle.
    """
    height, width = picture.shape[:2]
    x, y = mesh.corner.astype(int)
    left, top = max(0, -x), max(0, -y)
    right, bottom = min(mesh.size, width - x), min(mesh.size, height - y)
    frame = picture.copy()
    target = frame[y + top : y + bottom, x + left : x + right]
    inside = moved[top:bottom, left:right]
    alpha = weight[top:bottom, left:right]
    edge = int(np.ceil(FEATHER * mesh.size))
    core = np.s_[
        max(0, edge - top) : mesh.size - edge - top, max(0, edge - left) : mesh.size - edge - left
    ]
    blended = target.copy()
    blended[core] = inside[core]
    for strip in _frame_strips(target.shape[:2], edge):
        part = target[strip] + alpha[strip] * (inside[strip].astype(np.float32) - target[strip])
        blended[strip] = (part + 0.5).astype(np.uint8)
    target[:] = blended
    return frame


def _frame_strips(shape: tuple[int, int], edge: int) -> list[tuple[slice, slice]]:
    height, width = shape
    return [
        (slice(0, edge), slice(0, width)),
        (slice(max(0, height - edge), height), slice(0, width)),
        (slice(0, height), slice(0, edge)),
        (slice(0, height), slice(max(0, width - edge), width)),
    ]


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
        coordinates: Floats = (
            cv2.resize(displacement, size, interpolation=cv2.INTER_CUBIC) + self._still
        )
        moved = cv2.remap(
            self._crop, coordinates, _NO_MAP, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
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
