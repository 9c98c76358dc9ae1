"""Which format a motion's file has, and reading and writing it."""

from __future__ import annotations

from pathlib import Path

from stylehead.errors import StyleError
from stylehead.motion.exchange.gltf import write_gltf
from stylehead.motion.exchange.livelink import read_livelink, write_livelink
from stylehead.motion.exchange.plain import read_plain, write_plain
from stylehead.motion.exchange.table import opened
from stylehead.options.choices import MotionFormat
from stylehead.types import Motion

WRITERS = {
    MotionFormat.LIVELINK: write_livelink,
    MotionFormat.CSV: write_plain,
    MotionFormat.GLTF: write_gltf,
}


def read_table(path: Path) -> Motion:
    """Read a motion from a CSV file; its first column says which of the two it is.

    Raises StyleError naming the file, the line and what is wrong there.
    """
    try:
        with opened(path) as table:
            first = table.header[0].lower() if table.header else ""
            if first == "timecode":
                return read_livelink(table)
            if first == "seconds":
                return read_plain(table)
            raise table.refusal("its first column is neither Timecode nor seconds")
    except OSError as error:
        raise StyleError(
            f"{path} cannot be read ({error.strerror or error}).",
            remedy="Check the motion file and its permissions.",
        ) from error
