"""One portrait, one recording, one clip whose style you like: a video of the portrait in it.

`animate` and `extract_style` are the whole of it; the names below load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from stylehead.version import __version__

if TYPE_CHECKING:
    from stylehead.errors import StyleheadError
    from stylehead.options import MotionControls, Options
    from stylehead.pipeline import animate
    from stylehead.style import extract_style, find_style, load_style, save_style
    from stylehead.types import Motion, Style

_PLACES = {
    "animate": "pipeline",
    "extract_style": "style",
    "find_style": "style",
    "load_style": "style",
    "save_style": "style",
    "Motion": "types",
    "MotionControls": "options",
    "Options": "options",
    "Style": "types",
    "StyleheadError": "errors",
}

__all__ = [
    "Motion",
    "MotionControls",
    "Options",
    "Style",
    "StyleheadError",
    "__version__",
    "animate",
    "extract_style",
    "find_style",
    "load_style",
    "save_style",
]


def __getattr__(name: str) -> object:
    if name in _PLACES:
        return getattr(import_module(f"stylehead.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'stylehead' has no attribute {name!r}")
