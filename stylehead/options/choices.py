"""How an option is declared, and what a user may choose among in the words of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from enum import Enum
from typing import Any


def option(
    default: Any,
    help: str,
    *,
    flag: str | None = None,
    panel: str | None = None,
    low: float | None = None,
    high: float | None = None,
    metavar: str | None = None,
    reads: Callable[[str], Any] | None = None,
) -> Any:
    """Return a dataclass field that is an option.

    Args:
        default: What counts when nothing is said; its type follows the field's annotation.
        help: The sentence that `--help` shows, and the field's documentation.
        flag: The command line's flag where it is not the field's name.
        panel: Heading of the help under which the option stands.
        low: Least value allowed on the command line.
        high: Largest value allowed on the command line.
        metavar: What the help calls a value, where its type does not say enough.
        reads: Makes a value of what stands on the command line; its ValueError says what is wrong.
    """
    metadata = {
        "help": help,
        "flag": flag,
        "panel": panel,
        "low": low,
        "high": high,
        "metavar": metavar,
        "reads": reads,
    }
    return field(default=default, metadata=metadata)


class Device(str, Enum):
    """Where networks and warping run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Encoder(str, Enum):
    """The speech encoder whose features drive the motion generator."""

    WHISPER = "whisper"
    """Whisper-tiny's audio encoder; built in."""
    APC = "apc"
    """The paper's encoder: autoregressive predictive coding; built in."""


class Engine(str, Enum):
    """Who does the jobs of a list."""

    LOCAL = "local"
    """Processes of this machine."""
    RAY = "ray"
    """The machines of a Ray cluster."""


class Separate(str, Enum):
    """What takes the voice out of a recording."""

    AUTO = "auto"
    """Spleeter where music plays behind the voice, else the voice filter."""
    OFF = "off"
    """Nothing: the recording is a voice and nothing else."""
    SPLEETER = "spleeter"
    """Spleeter's two U-Nets, whatever sounds."""
    FILTER = "filter"
    """The voice filter, whatever sounds: faster, and good against noise."""


class MotionFormat(str, Enum):
    """What a motion is written as."""

    NPZ = "npz"
    """All of it, for `animate --motion` and Python."""
    LIVELINK = "livelink"
    """A take of Epic's Live Link Face (CSV): ARKit's 52 shapes, head and eyes."""
    CSV = "csv"
    """A plain table of landmarks, head, lids and gaze."""
    GLTF = "gltf"
    """The generic face with morph targets, in motion (GLB)."""


class StyleEffort(str, Enum):
    """How much work the style of a clip gets."""

    FAST = "fast"
    """How far and how fast its person moves."""
    NORMAL = "normal"
    """Also how its person shapes sounds, where that measures nearer; half a minute."""
    FULL = "full"
    """The same, with three times as many steps."""


class Piped(str, Enum):
    """What a video is written as to standard output."""

    Y4M = "y4m"
    """Frames as they are, without sound."""
    MP4 = "mp4"
    """H.264 and AAC in fragments that can be played as they come."""
    MKV = "mkv"
    """H.264 and AAC in Matroska."""


class VideoEncoder(str, Enum):
    """What encodes H.264."""

    AUTO = "auto"
    """x264; beside a GPU that renders, its NVENC where that works."""
    X264 = "x264"
    """The processor."""
    NVENC = "nvenc"
    """A GPU of NVIDIA."""
    QSV = "qsv"
    """Intel's Quick Sync Video."""
    AMF = "amf"
    """A GPU of AMD."""
    VIDEOTOOLBOX = "videotoolbox"
    """An Apple computer's media engine."""


class Renderer(str, Enum):
    """What turns a portrait and a motion into frames."""

    EMBEDDED = "embedded"
    """The portrait's own pixels, moved with a mesh; built in."""
    LIVEPORTRAIT = "liveportrait"
    """LivePortrait's warping network at 512 pixels; its weights are downloaded."""
    VID2VID = "vid2vid"
    """face-vid2vid, the paper's own warping network, at 256 pixels; its weights are downloaded."""
