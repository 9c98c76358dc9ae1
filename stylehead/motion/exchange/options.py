"""The options of a motion's file.

Imported by the command line before anything else, so nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass

from stylehead.options import LOOKS
from stylehead.options.choices import MotionFormat, option


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What a motion is written as."""

    to: MotionFormat | None = option(
        None,
        "What the motion is written as: `npz`, `livelink` (a Live Link Face take, csv), `csv` (a "
        "plain table) or `gltf` (glb). Default: what the file's ending says; csv may be two.",
        panel=LOOKS,
    )
