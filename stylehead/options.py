"""What a user may choose, with its defaults; imported by the command line, so nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Device(str, Enum):
    """Where networks and sampling run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Encoder(str, Enum):
    """What the motion generator hears with."""

    AUTO = "auto"
    """Whisper, or the distilled encoder where Whisper cannot be fetched."""
    WHISPER = "whisper"
    """Whisper-tiny's audio encoder, 75 MB, fetched once."""
    DISTILLED = "distilled"
    """The paper's encoder that also learned what Whisper hears; comes along."""
    APC = "apc"
    """The paper's encoder: autoregressive predictive coding alone; comes along."""


class Renderer(str, Enum):
    """What turns a portrait and a motion into frames."""

    EMBEDDED = "embedded"
    """The portrait's own pixels, moved; comes along."""
    LIVEPORTRAIT = "liveportrait"
    """A warping network at 512 pixels; its weights are fetched."""
    VID2VID = "vid2vid"
    """The paper's own warping network, at 256 pixels; its weights are fetched."""


@dataclass(frozen=True, slots=True)
class MotionControls:
    """What may be turned about a motion; 1 is as the style has it."""

    expression: float = 1.0
    """Factor on all landmark offsets."""
    pose: float = 1.0
    """Factor on head rotation and displacement; 0 keeps the head still."""
    blinks_per_minute: float | None = None
    """None takes the style's rate."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """What may be chosen about a video."""

    fps: int = 30
    size: int = 512
    """Side of the face crop in pixels, used with `crop`."""
    crop: bool = False
    """Write the face crop instead of the whole picture."""
    face: int | None = None
    """Which face, counted from left to right; None takes the largest."""
    start: float = 0.0
    """Seconds of the sound to skip."""
    duration: float | None = None
    """Seconds of the sound to use; None takes all."""
    style_strength: float = 1.0
    """How much of the style: 0 is lips alone, 1 the style, above it is exaggerated."""
    device: Device = Device.AUTO
    encoder: Encoder = Encoder.AUTO
    renderer: Renderer = Renderer.EMBEDDED
    overwrite: bool = False
    controls: MotionControls = field(default_factory=MotionControls)


DEFAULT_STYLE = "plain"
