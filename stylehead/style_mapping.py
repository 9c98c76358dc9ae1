"""Style mapping: portrait + four style references -> four intermediate style patterns (ISP)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from stylehead.device import channels_first, to_array
from stylehead.face_model import FaceModel
from stylehead.facial_map import facial_map
from stylehead.files import check_output, make_folder
from stylehead.geometry import Similarity
from stylehead.images import write_image
from stylehead.models.compact_generator import CompactGenerator
from stylehead.mouth_interior import mouth_interiors
from stylehead.mouth_patch import DRAWN, SIZE, Place, mouth_middle
from stylehead.rasterise import displacement_map
from stylehead.rig import Rig
from stylehead.sampling import Sampler
from stylehead.types import TEMPLATES, Floats, Pixels, StyleReference

PATTERN = 512
"""Side of a pattern in pixels, as it is saved."""
LEAST_COLOUR = 3.0  # mean difference of a pixel's channels, of 255, that a coloured portrait has


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """I_o: the portrait in the pose and with the mouth of one style reference."""

    template: str
    """none, M, R or O."""
    pixels: Pixels
    """(S, S, 3) the working crop."""
    vertices: Floats
    """(N, 3) the mesh in it, in its pixels."""
    place: Place
    """Where the mouth's patch lies in it."""

    def patch(self) -> Pixels:
        """Return the mouth's patch."""
        return self.place.cut(self.pixels)


class Completer:
    """Lays what a network makes of the mouth over moved crops."""

    def __init__(
        self, net: CompactGenerator, device: torch.device, *, colourless: bool = False
    ) -> None:
        """`colourless` paints in greys, for a portrait that has no colour."""
        self._net = net
        self._colourless = colourless
        self._device = device
        self._memory: list[torch.Tensor] | None = None

    @property
    def wants_patterns(self) -> bool:
        """Whether the network has to remember patterns first."""
        return self._net.config.patterns > 0

    @torch.inference_mode()
    def remember(self, patterns: list[Pattern]) -> None:
        """Look at the portrait's patterns, once."""
        patches = np.concatenate([one.patch() for one in patterns], -1)
        self._memory = self._net.remember(self._pictures([patches]))

    @torch.inference_mode()
    def complete(
        self, crops: Sequence[Pixels], vertices: Sequence[Floats], places: Sequence[Place]
    ) -> None:
        """Complete moved crops (S, S, 3), in place; vertices (N, 3) of each in crop pixels."""
        warped = [place.cut(crop) for crop, place in zip(crops, places, strict=True)]
        points = [
            place.in_patch(one[DRAWN, :2]) for one, place in zip(vertices, places, strict=True)
        ]
        maps = [facial_map(one, SIZE) for one in points]
        interior = channels_first(mouth_interiors(points, warped, maps), self._device)
        layers = self._net(self._pictures(warped), self._pictures(maps), self._memory, interior)
        values = to_array(layers.permute(0, 2, 3, 1))
        if self._colourless:
            values[..., 1:] = values[..., 1:].mean(-1, keepdims=True)
        values[..., 1:] *= 255
        for crop, place, layer in zip(crops, places, values, strict=True):
            place.blend(crop, layer)

    def _pictures(self, pictures: list[Pixels]) -> torch.Tensor:
        return channels_first(np.stack(pictures), self._device) / 255


def map_styles(
    rig: Rig, sampler: Sampler, references: tuple[StyleReference, ...], completer: Completer
) -> list[Pattern]:
    """Return the patterns of a portrait in the order of TEMPLATES (Eq. 1, 2, 8, 9).

    The explicit back end: keypoints are the mesh's vertices. c_k is the portrait's neutral face,
    C_k the vertices of the portrait as it is, Cbar_k those with the reference's expression and
    head pose relative to the style person's own None frame, so that no identity comes along. The
    triangles' barycentric weights compose the warp (they sum to one), the depth test decides what
    is hidden, and `completer` is the intermediate generator.
    """
    model = FaceModel.embedded()
    none = references[TEMPLATES.index("none")]
    patterns: list[Pattern] = []
    for reference in references:
        offsets = model.mesh_offsets((reference.landmarks - none.landmarks)[None])[0]
        rotation = reference.rotation @ none.rotation.T
        vertices = rig.pose_vertices(offsets, rotation, np.zeros(3, np.float32), 0.0)
        moved = sampler(
            displacement_map(
                rig.triangles, vertices, rig.source, size=rig.size, cells=min(rig.size, PATTERN)
            )
        )
        place = frame_place(rig, rig.posed(rotation, np.zeros(3, np.float32)))
        completer.complete([moved], [vertices], [place])
        patterns.append(Pattern(reference.template, moved, vertices, place))
    return patterns


def is_colourless(crop: Pixels) -> bool:
    """Whether a portrait's crop (S, S, 3) is grey throughout."""
    small = cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    return bool(np.ptp(small, axis=-1).mean() < LEAST_COLOUR)


def frame_place(rig: Rig, pose: Similarity) -> Place:
    """Return where the mouth's patch of a posed head lies."""
    return Place.of(pose, mouth_middle(rig.rest))


def check_patterns(folder: Path, *, overwrite: bool) -> None:
    """Raise MediaError when save_patterns would replace pictures of a folder unasked."""
    if folder.exists():
        for template in TEMPLATES:
            check_output(folder / f"{template}.png", overwrite=overwrite)


def save_patterns(patterns: list[Pattern], folder: Path) -> None:
    """Write the patterns as PNG at PATTERN pixels: none.png, M.png, R.png and O.png."""
    make_folder(folder)
    for one in patterns:
        way = cv2.INTER_AREA if len(one.pixels) > PATTERN else cv2.INTER_CUBIC
        resized = cv2.resize(one.pixels, (PATTERN, PATTERN), interpolation=way)
        write_image(folder / f"{one.template}.png", np.asarray(resized, np.uint8))
