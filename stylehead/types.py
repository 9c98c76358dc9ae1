"""The values that walk down the corridor: portrait, track, style, motion.

Conventions, for everything public:

* Landmarks are the 68 iBUG points; the tracker's 478-point mesh stays in tracking and rendering.
  The subject's right is on the left of the picture.
* Image space: pixels, x right, y down, z away from the camera, all in the same unit.
* Head space: frontal, origin at the mean of the rigid points (nose bridge, eye corners), unit = the
  distance of the outer eye corners of the neutral face, axes as in image space.
* Points are rows: `image = scale * (head @ rotation) + translation`.
* Pictures are uint8 RGB, (H, W, 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""float32 unless a docstring says otherwise."""
Pixels = NDArray[np.uint8]

TEMPLATES = ("none", "M", "R", "O")
"""The four key motion templates, in the paper's order (section 4.1 of the method notes)."""


def check_shape(name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
    """Raise ValueError unless the array has this shape; None stands for any length."""
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")


def _shown(value: Any) -> str:
    return f"{value.dtype}{list(value.shape)}" if hasattr(value, "dtype") else repr(value)


class _ShowsShapes:
    """Prints an array's shape and type instead of its numbers."""

    __slots__ = ()

    def __repr__(self) -> str:
        parts: list[str] = []
        for item in fields(self):  # pyright: ignore[reportArgumentType]
            shown = _shown(getattr(self, item.name))
            parts.append(f"{item.name}={shown}")
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Frame(_ShowsShapes):
    """One picture of a video and the moment it is shown."""

    pixels: Pixels
    """(H, W, 3) RGB, upright."""
    seconds: float
    """Time since the start of the file, stream start times honoured."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Face(_ShowsShapes):
    """One tracked face in one picture."""

    mesh: Floats
    """(478, 3) tracker mesh, image space."""
    expression: Floats
    """(52,) blendshape scores in [0, 1], in the tracker's order."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Portrait(_ShowsShapes):
    """The picture to animate and the face chosen in it."""

    pixels: Pixels
    """(H, W, 3) the whole picture."""
    face: Face
    """The chosen face, in pixels of the whole picture."""
    rotation: Floats
    """(3, 3) head rotation in the picture."""
    number: int
    """The face's place from left to right, from 1."""
    count: int
    """How many faces the picture shows."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FaceTrack(_ShowsShapes):
    """One face followed through a clip, one row per frame of the clip."""

    mesh: Floats
    """(T, 478, 3) tracker mesh, image space; NaN where no face was found."""
    expression: Floats
    """(T, 52) blendshape scores; NaN where no face was found."""
    sharpness: Floats
    """(T,) variance of the Laplacian of the face crop at 256 pixels."""
    seconds: NDArray[np.float64]
    """(T,) presentation times, rising."""
    cuts: NDArray[np.bool_]
    """(T,) True where the picture changes abruptly from the frame before."""
    size: tuple[int, int]
    """Width and height of the upright frame in pixels."""

    @property
    def found(self) -> NDArray[np.bool_]:
        """(T,) True where a face was tracked."""
        return ~np.isnan(self.mesh[:, 0, 0])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Motion(_ShowsShapes):
    """Facial motion over T frames; phi_mg of the paper when it was predicted from sound."""

    landmarks: Floats
    """(T, 68, 3) offsets from the person's own neutral, head space."""
    rotation: Floats
    """(T, 3, 3) head rotation from the rest pose, for row vectors."""
    translation: Floats
    """(T, 3) head displacement from the rest place, head-space unit."""
    blink: Floats
    """(T,) closure of both lids: 0 as open as at rest, 1 shut."""
    fps: Fraction
    """Frames per second."""
    neutral: Floats
    """(68, 3) the neutral face the offsets belong to, head space."""
    gaze: Floats = field(default=None)  # pyright: ignore[reportAssignmentType]
    """(T, 2) turn of the eyes in the head, degrees to image right and down; straight by default."""

    def __post_init__(self) -> None:
        """Check every shape against the number of frames."""
        frames = len(self.landmarks)
        if self.gaze is None:  # pyright: ignore[reportUnnecessaryComparison]
            object.__setattr__(self, "gaze", np.zeros((frames, 2), np.float32))
        check_shape("landmarks", self.landmarks, (frames, 68, 3))
        check_shape("rotation", self.rotation, (frames, 3, 3))
        check_shape("translation", self.translation, (frames, 3))
        check_shape("blink", self.blink, (frames,))
        check_shape("neutral", self.neutral, (68, 3))
        check_shape("gaze", self.gaze, (frames, 2))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.landmarks)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float(len(self) / self.fps)

    def with_(self, **changes: Floats | Fraction) -> Motion:
        """Return a copy with some fields replaced."""
        return replace(self, **changes)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StyleReference(_ShowsShapes):
    """The clip's frame nearest to one key motion template."""

    template: str
    """none, M, R or O."""
    seconds: float
    """Time in the source clip."""
    score: float
    """Distance from the template in robust z-scores; lower is nearer."""
    landmarks: Floats
    """(68, 3) head space, the person's own shape included."""
    rotation: Floats
    """(3, 3) head rotation."""
    expression: Floats
    """(52,) blendshape scores."""
    pixels: Pixels | None = None
    """(256, 256, 3) face crop, kept only on request."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tuning(_ShowsShapes):
    """What `finetune-style` learned: a change of one motion generator."""

    encoder: str
    """What that generator hears with."""
    generator_sha256: str
    """Digest of its file."""
    arrays: dict[str, Floats]
    """The adapter's arrays by name."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Style(_ShowsShapes):
    """How somebody moves: four reference frames, statistics and the motion itself. No pixels."""

    name: str
    references: tuple[StyleReference, ...]
    motion: Motion
    """phi_s, the clip's own motion, gaps bridged; rotation about its own rest pose."""
    times: Floats
    """(T,) seconds in the source clip of each row of the motion."""
    statistics: dict[str, float] = field(default_factory=dict[str, float])
    """Named scalars of `style_statistics`, with units in their names."""
    provenance: dict[str, str] = field(default_factory=dict[str, str])
    """Source digest, duration, face coverage, tool version."""
    tuning: Tuning | None = None
    """The change of the motion generator, of a style that was tuned."""

    def __post_init__(self) -> None:
        """Check that there are four references and a time for each row."""
        if tuple(reference.template for reference in self.references) != TEMPLATES:
            raise ValueError(f"a style has the references {TEMPLATES}")
        check_shape("times", self.times, (len(self.motion),))
