"""A picture's faces rendered on a device: vertices go there, and finished frames come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from stylehead.compute.device import channels_first, to_tensor
from stylehead.rendering.batched.eyes import BatchedEyes
from stylehead.rendering.batched.mouth import BatchedMouths
from stylehead.rendering.batched.pixels import to_bytes, upload
from stylehead.rendering.batched.skin import BatchedSkin
from stylehead.rendering.batched.warp import BatchedWarp
from stylehead.rendering.mesh_renderer import Area, MeshScene, posed_frames
from stylehead.rendering.still.cut import Layer
from stylehead.types import Floats, Motion, Pixels

MOST_FRAMES = 16
"""Frames of a 512-pixel crop that are made at once; of larger ones fewer, for the same memory."""


def frames_at_once(size: int) -> int:
    """Return how many frames with crops of that many pixels a side are made at once."""
    return max(1, min(MOST_FRAMES, MOST_FRAMES * 512**2 // size**2))


class BatchedFace:
    """One face of a picture, ready to be rendered in batches."""

    def __init__(self, scene: MeshScene, device: torch.device, area: Area) -> None:
        """`area` is the part of the picture that is drawn."""
        size = scene.mesh.size
        self._scene, self._device = scene, device
        self._warp = BatchedWarp(scene, device)
        self._skin = BatchedSkin(scene.skin, size, device) if scene.skin else None
        self._eyes = BatchedEyes(scene.eyes, size, device)
        self._mouths = BatchedMouths(scene.completer, size, device)
        self._front = _Front(scene.layer, device) if scene.layer else None
        self._paste = _Paste(scene, scene.paste, area, device) if scene.paste is not None else None
        self._area = area

    @torch.inference_mode()
    def lay_into(self, frames: Tensor, motion: Motion) -> Tensor:
        """Return frames (B, C, h, w), the picture's area, with the face in its motion in them."""
        crops = self._crops(motion)
        return self._paste(frames, crops) if self._paste else crops[(..., *self._area)]

    def _crops(self, motion: Motion) -> Tensor:
        """Return moved crops (B, C, S, S), 0 to 255; C as in the scene's picture."""
        posed = list(posed_frames(self._scene.mesh, motion))
        vertices = np.stack([one.vertices for one in posed])
        crops, cover = self._warp.move(vertices, upload([*vertices], self._device))
        if self._skin:
            rotations = np.stack([one.rotation for one in posed])
            crops = self._skin.shade(crops, vertices, motion.landmarks, rotations)
        self._eyes.complete(crops, vertices)
        self._mouths.complete(crops, vertices, [one.mouth for one in posed])
        if self._front is None or cover is None:
            return crops
        crops = self._front.over(crops)
        return self._front.lift(crops, cover) if self._scene.cut_out else crops


class _Front:
    """What is in front of a person, and how they are lifted off what is behind them."""

    def __init__(self, layer: Layer, device: torch.device) -> None:
        self._plate = channels_first(layer.plate[None], device)
        self._front: Tensor | None = None
        if layer.front is not None:
            self._front = channels_first(layer.front[None], device)

    def over(self, crops: Tensor) -> Tensor:
        """Lay it over finished crops (B, 3, S, S), as Layer.under_front does."""
        if self._front is None:
            return crops
        return to_bytes(crops * (1 - self._front[:, 3:] / 255) + self._front[:, :3])

    def lift(self, crops: Tensor, cover: Tensor) -> Tensor:
        """Return (B, 4, S, S), as Layer.lift does, of crops and the person's cover (B, 1, S, S)."""
        if self._front is not None:
            laid = self._front[:, 3:]
            cover = to_bytes(cover * (1 - laid / 255) + laid)
        behind = (((255 - cover) * self._plate + 127) / 255).floor()
        return torch.cat([torch.minimum((crops - behind).clamp(min=0), cover), cover], 1)


class _Paste:
    """Adds what a moved crop changes in the still picture, as warp.add_crop does."""

    def __init__(self, scene: MeshScene, weight: Floats, area: Area, device: torch.device) -> None:
        rows, columns = area
        still = scene.picture[area]
        left, top = scene.mesh.corner.astype(int) - [columns.start, rows.start]
        height, width = still.shape[:2]
        first, last = max(0, top), min(height, top + len(weight))
        begin, end = max(0, left), min(width, left + len(weight))
        self._frame = np.s_[first:last, begin:end]
        self._crop = np.s_[first - top : last - top, begin - left : end - left]
        self._still = channels_first(still[self._frame][None], device)
        self._weight = to_tensor(weight[self._crop], device)

    def __call__(self, frames: Tensor, crops: Tensor) -> Tensor:
        """Return frames (B, C, h, w) with crops (B, C, S, S) in them."""
        frames = frames.clone()
        change = self._weight * (crops[(..., *self._crop)] - self._still)
        frames[(..., *self._frame)] = to_bytes(frames[(..., *self._frame)] + change)
        return frames


class BatchedPicture:
    """A picture with one face or several, each in a motion of its own."""

    def __init__(self, scenes: Sequence[MeshScene], area: Area, device: torch.device) -> None:
        self._faces = [BatchedFace(scene, device, area) for scene in scenes]
        self._device = device
        self._before = channels_first(scenes[0].picture[area][None], device)
        self.batch = min(frames_at_once(scene.mesh.size) for scene in scenes)

    def draw(self, motions: Sequence[Motion]) -> Iterator[Pixels]:
        """Yield the area (h, w, C) of one frame after the other; memory does not grow with them."""
        for start in range(0, len(motions[0]), self.batch):
            rows = slice(start, start + self.batch)
            yield from self._host(self.frames([motion[rows] for motion in motions]))

    @torch.inference_mode()
    def frames(self, motions: Sequence[Motion]) -> Tensor:
        """Return the area of frames (B, h, w, C), bytes on the device, all made at once."""
        frames = self._before.expand(len(motions[0]), -1, -1, -1)
        for face, motion in zip(self._faces, motions, strict=True):
            frames = face.lay_into(frames, motion)
        return frames.permute(0, 2, 3, 1).to(torch.uint8).contiguous()

    def _host(self, frames: Tensor) -> Pixels:
        """Return frames (B, h, w, C) in the host's memory: the one copy back."""
        if self._device.type != "cuda":
            return frames.numpy()
        there = torch.empty(frames.shape, dtype=frames.dtype, pin_memory=True)
        there.copy_(frames, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return there.numpy()
