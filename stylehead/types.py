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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

SPEECH_RATE = 16_000
"""Sample rate in Hz that the motion model listens at (paper, section 2)."""
MOTION_FPS = 60
"""Frames per second the generator works at (paper, Implementation)."""
MEL_ROWS_PER_FRAME = 2  # 120 Hz (paper, Implementation)
ONSET_RATE = MOTION_FPS * MEL_ROWS_PER_FRAME
"""Onset strengths a second: one for each mel row."""
CHUNK = 600  # frames taken at once: 10 s

Floats = NDArray[np.floating[Any]]
"""float32 unless a docstring says otherwise."""
Pixels = NDArray[np.uint8]

TEMPLATES = ("none", "M", "R", "O")
"""The four key motion templates, in the paper's order (3.2)."""


ENERGY, VOICE, STRESS = range(3)
"""Columns of a contour."""


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
    notes: tuple[str, ...] = ()
    """What will look odd about its animation, one sentence each."""
    matte: Pixels | None = None
    """(H, W) how much of each pixel is the person, 0 to 255; None where that cannot be told."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FaceTrack(_ShowsShapes):
    """One face followed through a clip, one row per frame of the clip."""

    mesh: Floats
    """(T, 478, 3) tracker mesh, image space; NaN where no face was found."""
    expression: Floats
    """(T, 52) blendshape scores; NaN where no face was found."""
    sharpness: Floats
    """(T,) variance of the Laplacian of eyes and nose at one size, whatever the mouth does."""
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

    def __getitem__(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> FaceTrack:
        """Return the track of some frames; a cut before the first of them stays marked."""
        return replace(
            self,
            mesh=self.mesh[rows],
            expression=self.expression[rows],
            sharpness=self.sharpness[rows],
            seconds=self.seconds[rows],
            cuts=self.cuts[rows],
        )


PER_FRAME = ("landmarks", "rotation", "translation", "blink", "gaze")
"""What a Motion has a row of for each frame."""


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
        check_shape("landmarks", self.landmarks, (None, 68, 3))
        frames = len(self.landmarks)
        if self.gaze is None:  # pyright: ignore[reportUnnecessaryComparison]
            object.__setattr__(self, "gaze", np.zeros((frames, 2), np.float32))
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

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> Motion:
        """Return the motion of some frames, at the same rate."""
        return replace(self, **{name: getattr(self, name)[rows] for name in PER_FRAME})

    @staticmethod
    def joined(motions: Sequence[Motion]) -> Motion:
        """Return motions one after the other, as offsets from the first one's neutral face.

        Raises ValueError for motions at different frame rates.
        """
        first = motions[0]
        if any(motion.fps != first.fps for motion in motions):
            raise ValueError("motions at different frame rates cannot be joined")
        parts = {name: [getattr(motion, name) for motion in motions] for name in PER_FRAME}
        return replace(first, **{name: np.concatenate(part) for name, part in parts.items()})

    def with_(self, **changes: Floats | Fraction) -> Motion:
        """Return a copy with some fields replaced."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StyleReference(_ShowsShapes):
    """One key motion template as the person of a clip shows it."""

    template: str
    """none, M, R or O."""
    seconds: float
    """Time in the source clip of the frame nearest to it."""
    score: float
    """That frame's distance from the template; lower is nearer."""
    landmarks: Floats
    """(68, 3) head space, the person's own shape included."""
    rotation: Floats
    """(3, 3) head rotation of that frame."""
    expression: Floats
    """(52,) blendshape scores of that frame."""
    in_clip: bool = True
    """False: no frame shows the template, and the landmarks were made from the clip's motion."""

    @property
    def title(self) -> str:
        """The template's name in a sentence: None, M, R or O."""
        return self.template.capitalize()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tuning(_ShowsShapes):
    """What `finetune-style` learned: a change of one motion generator."""

    encoder: str
    """What that generator hears with."""
    generator_sha256: str
    """Digest of its file."""
    arrays: dict[str, Floats]
    """The adapter's arrays by name."""
    projection: float = 0.0
    """How far speech features are brought to those of the person's own voice, 0 to 1."""
    own_voice: dict[str, Floats] = field(default_factory=dict[str, Floats])
    """Those features, as `base`, `mean` and `scale` of a Manifold; empty without projection."""


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
    contour: Floats | None = None
    """(T, 3) energy, voice and stress of what is said at each row, 0 to 1; None in old files."""

    def __post_init__(self) -> None:
        """Check that there are four references, and a time and a contour for each row."""
        if tuple(reference.template for reference in self.references) != TEMPLATES:
            raise ValueError(f"a style has the references {TEMPLATES}")
        check_shape("times", self.times, (len(self.motion),))
        if self.contour is not None:
            check_shape("contour", self.contour, (len(self.motion), 3))


@dataclass(frozen=True, slots=True, eq=False)
class StyleWeight:
    """How much of a style each part of the face takes.

    1 is all of it; 0 leaves the part as the generator has it without a style: lips alone, a head
    that is still. Above 1 the style is exaggerated.
    """

    style: Style
    mouth: float = 1.0
    brows: float = 1.0
    eyes: float = 1.0
    head: float = 1.0

    def of(self, part: str) -> float:
        """Return the weight of one part: mouth, brows, eyes or head."""
        return {"mouth": self.mouth, "brows": self.brows, "eyes": self.eyes, "head": self.head}[
            part
        ]

    def scaled(self, strength: float) -> StyleWeight:
        """Return the same style with every weight times `strength`."""
        parts = (self.mouth, self.brows, self.eyes, self.head)
        return StyleWeight(self.style, *(strength * weight for weight in parts))


@dataclass(frozen=True, slots=True, eq=False)
class StyleMix:
    """Several styles in one face, each with its weights."""

    weights: tuple[StyleWeight, ...]

    @property
    def name(self) -> str:
        """The styles' names."""
        return " + ".join(dict.fromkeys(weight.style.name for weight in self.weights))

    @property
    def source_sha256(self) -> str:
        """The digests of the clips the styles were learned from."""
        return " ".join(weight.style.provenance.get("source_sha256", "") for weight in self.weights)

    @property
    def references(self) -> tuple[StyleReference, ...]:
        """The style references of the style that has most of the mouth."""
        return max(self.weights, key=lambda weight: weight.mouth).style.references

    def scaled(self, strength: float) -> StyleMix:
        """Return the mix with every weight times `strength`."""
        return StyleMix(tuple(weight.scaled(strength) for weight in self.weights))


class SpeechChunk(NamedTuple):
    """What a stretch of a recording gives the motion; rows join up over a recording's chunks.

    Encoders look ahead: features come later than what is measured on the voice itself.
    """

    features: Tensor
    """(T, F) speech features at 60 Hz, from a speech encoder."""
    activity: Floats
    """(N,) probability that a voice is heard, at 60 Hz."""
    level: Floats
    """(N,) level of the voice in dB, at 60 Hz; only differences mean something."""
    prosody: Floats
    """(P, 80) mean log-mel row of the voice at each pose of the pose generator."""
    music: Floats
    """(N,) level in dB of what is no voice, at 60 Hz, comparable with `level`."""
    onsets: Floats
    """(N * 2,) strength of onsets in what is no voice, at ONSET_RATE."""


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """A recording as the motion takes it: its length, and a stream that can be read once."""

    seconds: float
    chunks: Iterator[SpeechChunk]
