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
        "Format of the motion: `npz`, `livelink` (a Live Link Face take, csv), `csv` (a plain "
        "table) or `gltf` (glb). Default: as the file's ending says; .csv can be two formats and "
        "needs --to.",
        panel=LOOKS,
    )
