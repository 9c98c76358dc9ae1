"""One portrait, one recording, one clip whose style you like: a video of the portrait in it.

`animate`, `make_motion` and `extract_style` are the verbs; the names below load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from stylehead.version import __version__

if TYPE_CHECKING:
    from stylehead.errors import StyleheadError
    from stylehead.finetuning.clip_style import extract_style
    from stylehead.motion.file import load_motion, save_motion
    from stylehead.options import AudioRange, MotionOptions, Options, StyleEffort
    from stylehead.pipeline.result import Result
    from stylehead.pipeline.run import animate, make_motion
    from stylehead.style.file import find_style, load_style, save_style
    from stylehead.style.mix import mix_styles
    from stylehead.types import Motion, Style, StyleMix
    from stylehead.weights.store import demo_files

_ROOMS = {
    "errors": "StyleheadError",
    "finetuning.clip_style": "extract_style",
    "motion.file": "load_motion save_motion",
    "options": "AudioRange MotionOptions Options StyleEffort",
    "pipeline.result": "Result",
    "pipeline.run": "animate make_motion",
    "style.file": "find_style load_style save_style",
    "style.mix": "mix_styles",
    "types": "Motion Style StyleMix",
    "weights.store": "demo_files",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}

__all__ = [
    "AudioRange",
    "Motion",
    "MotionOptions",
    "Options",
    "Result",
    "Style",
    "StyleEffort",
    "StyleMix",
    "StyleheadError",
    "__version__",
    "animate",
    "demo_files",
    "extract_style",
    "find_style",
    "load_motion",
    "load_style",
    "make_motion",
    "mix_styles",
    "save_motion",
    "save_style",
]


def __getattr__(name: str) -> object:
    if name in _ROOM_OF:
        return getattr(import_module(f"stylehead.{_ROOM_OF[name]}"), name)
    raise AttributeError(f"module 'stylehead' has no attribute {name!r}")
