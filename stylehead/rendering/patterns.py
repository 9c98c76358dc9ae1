"""Style mapping: portrait + four style references -> four intermediate style patterns (ISP)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import Similarity
from stylehead.files import check_output, make_folder
from stylehead.media.image import write_image
from stylehead.rendering.mouth.completer import MouthCompleter
from stylehead.rendering.mouth.crop import MouthCrop, mouth_middle
from stylehead.rendering.portrait_mesh import PortraitMesh
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
    mouth: MouthCrop
    """Where the mouth lies in it."""


def map_styles(
    mesh: PortraitMesh,
    move: Callable[[Floats], Pixels],
    references: tuple[StyleReference, ...],
    completer: MouthCompleter,
) -> list[Pattern]:
    """Return the patterns of a portrait in the order of TEMPLATES (Eq. 1, 2, 8, 9).

    `move` returns the portrait's crop (S, S, 3) with its mesh moved to vertices (N, 3).

    The explicit back end: keypoints are the mesh's vertices. c_k is the portrait's neutral face,
    C_k the vertices of the portrait as it is, Cbar_k those with the reference's expression and
    head pose relative to the style person's own None frame, so that no identity is carried over.
    The triangles' barycentric weights compose the warp (they sum to one), the depth test decides
    what is hidden, and `completer` is the intermediate generator.
    """
    model = FaceModel.embedded()
    none = references[TEMPLATES.index("none")]
    patterns: list[Pattern] = []
    for reference in references:
        offsets = model.mesh_offsets((reference.landmarks - none.landmarks)[None])[0]
        rotation = reference.rotation @ none.rotation.T
        vertices = mesh.pose_vertices(offsets, rotation, np.zeros(3, np.float32), 0.0)
        moved = move(vertices)
        mouth = frame_crop(mesh, mesh.head_pose(rotation, np.zeros(3, np.float32)))
        completer.complete([moved], [vertices], [mouth])
        patterns.append(Pattern(reference.template, moved, vertices, mouth))
    return patterns


def show_patterns(patterns: Sequence[Pattern], completer: MouthCompleter) -> None:
    """Have a completer, the style-aware generator, look at the patterns."""
    completer.encode_patterns(
        [pattern.pixels for pattern in patterns],
        [pattern.vertices for pattern in patterns],
        [pattern.mouth for pattern in patterns],
    )


def is_colourless(crop: Pixels) -> bool:
    """Whether a portrait's crop (S, S, 3) is grey throughout."""
    small = cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    return bool(np.ptp(small, axis=-1).mean() < LEAST_COLOUR)


def frame_crop(mesh: PortraitMesh, pose: Similarity) -> MouthCrop:
    """Return where the mouth of a posed head lies; pose takes head space to crop pixels."""
    return MouthCrop.of(pose, mouth_middle(mesh.neutral))


def check_patterns(folder: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise MediaError when save_patterns would replace pictures of a folder unasked, or inputs."""
    if folder.exists():
        for template in TEMPLATES:
            check_output(folder / f"{template}.png", overwrite=overwrite, inputs=inputs)


def save_patterns(patterns: list[Pattern], folder: Path) -> None:
    """Write the patterns as PNG at PATTERN pixels: none.png, M.png, R.png and O.png."""
    make_folder(folder)
    for pattern in patterns:
        way = cv2.INTER_AREA if len(pattern.pixels) > PATTERN else cv2.INTER_CUBIC
        resized = cv2.resize(pattern.pixels, (PATTERN, PATTERN), interpolation=way)
        write_image(folder / f"{pattern.template}.png", np.asarray(resized, np.uint8))
