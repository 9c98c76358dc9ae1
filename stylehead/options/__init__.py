"""Every option once: its default, its help, its bounds. Python and the command line read them here.

Imported by the command line before anything else, so nothing heavy.
"""

from stylehead.options.choices import (
    Device,
    Encoder,
    Piped,
    Renderer,
    Separate,
    StyleEffort,
    VideoEncoder,
)
from stylehead.options.delivery import STDOUT, Delivery, named, sidecar_of
from stylehead.options.motion import (
    Encoding,
    Hearing,
    MotionControls,
    MotionOptions,
    StyleStrength,
)
from stylehead.options.picture import Options, Picture, VoiceOptions
from stylehead.options.preview import previewed
from stylehead.options.shared import (
    DELIVERY,
    INPUT,
    LOOKS,
    MOVES,
    Compute,
    FrameRate,
    Overwrite,
    share,
)
from stylehead.options.sound import AudioRange, Separation, Singing, Stem
from stylehead.options.style import DEFAULT_STYLE, Effort, TuningOptions

__all__ = [
    "DEFAULT_STYLE",
    "DELIVERY",
    "INPUT",
    "LOOKS",
    "MOVES",
    "STDOUT",
    "AudioRange",
    "Compute",
    "Delivery",
    "Device",
    "Effort",
    "Encoder",
    "Encoding",
    "FrameRate",
    "Hearing",
    "MotionControls",
    "MotionOptions",
    "Options",
    "Overwrite",
    "Picture",
    "Piped",
    "Renderer",
    "Separate",
    "Separation",
    "Singing",
    "Stem",
    "StyleEffort",
    "StyleStrength",
    "TuningOptions",
    "VideoEncoder",
    "VoiceOptions",
    "named",
    "previewed",
    "share",
    "sidecar_of",
]
