"""Motion files: npz with plain arrays, to keep, edit and render again; and what others take."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

from stylehead import files
from stylehead.errors import ConfigError, StyleError
from stylehead.media import bounds
from stylehead.motion.exchange.formats import WRITERS, read_table
from stylehead.options.choices import MotionFormat
from stylehead.types import Floats, Motion

MOST_BYTES = 900 * bounds.MOST_FRAMES
"""Of all arrays together: a frame takes 876 in single precision."""
DAMAGED = (
    *(OSError, ValueError, EOFError, NotImplementedError, RuntimeError, MemoryError, TypeError),
    *(zipfile.BadZipFile, zlib.error, struct.error, OverflowError),
)
"""What zipfile and numpy raise for bytes that are no archive of arrays."""
FIELDS = ("landmarks", "neutral", "rotation", "translation", "blink", "fps")


ENDINGS = {
    MotionFormat.NPZ: ".npz",
    MotionFormat.LIVELINK: ".csv",
    MotionFormat.CSV: ".csv",
    MotionFormat.GLTF: ".glb",
}


def format_of(path: Path) -> MotionFormat:
    """Return the format that a file's ending says; raises ConfigError for two, or none."""
    meant = [kind for kind, ending in ENDINGS.items() if ending == path.suffix.lower()]
    if len(meant) > 1:
        raise ConfigError(
            f"{path} could be {' or '.join(kind.value for kind in meant)}.",
            remedy=f"Say which: --to {' or --to '.join(kind.value for kind in meant)}.",
        )
    if not meant:
        raise ConfigError(
            f"{path} does not end in {' or '.join(dict.fromkeys(ENDINGS.values()))}.",
            remedy="Change the file's name.",
        )
    return meant[0]


def save_motion(motion: Motion, path: Path, to: MotionFormat = MotionFormat.NPZ) -> None:
    """Write a motion, by default all of it; `fps` is stored as numerator and denominator."""
    if to is not MotionFormat.NPZ:
        WRITERS[to](motion, path)
        return
    with files.atomic(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            landmarks=motion.landmarks,
            neutral=motion.neutral,
            rotation=motion.rotation,
            translation=motion.translation,
            blink=motion.blink,
            gaze=motion.gaze,
            fps=np.array([motion.fps.numerator, motion.fps.denominator]),
        )


def load_motion(path: Path) -> Motion:
    """Read a motion, from a table where the file ends in .csv.

    Raises StyleError naming the field or line that is missing, misshapen or too large.
    """
    if not files.is_file(path):
        raise StyleError(f"{path} does not exist.", remedy="Check the motion file's path.")
    if path.suffix.lower() == ".csv":
        return read_table(path)
    try:
        _check_sizes(path)
        with path.open("rb") as file, np.lib.npyio.NpzFile(file) as arrays:
            missing = [name for name in FIELDS if name not in arrays]
            if missing:
                raise StyleError(
                    f"{path} lacks {', '.join(missing)}.",
                    remedy="Make it with stylehead motion; docs/motion-file.md lists the fields.",
                )
            fields: dict[str, Floats] = {name: arrays[name] for name in FIELDS}
            straight = np.zeros((np.size(fields["blink"]), 2), np.float32)
            fields["gaze"] = arrays.get("gaze", straight)
    except DAMAGED as error:
        raise StyleError(
            f"{path} is not a motion file, or is damaged.",
            remedy="Make one with stylehead motion; see docs/motion-file.md.",
        ) from error
    try:
        for name, array in fields.items():
            if name != "fps":
                bounds.check_numbers(name, array)
        fps = _rate(fields.pop("fps"))
        floats = {name: np.asarray(array, np.float32) for name, array in fields.items()}
        motion = Motion(fps=fps, **floats)
        bounds.check_length(motion)
    except (ValueError, ArithmeticError) as error:
        raise StyleError(
            f"{path} is not a usable motion: {error}.",
            remedy="Correct it; docs/motion-file.md lists the fields.",
        ) from error
    return motion


def _check_sizes(path: Path) -> None:
    """Raise ValueError where arrays unpack to more than the longest motion has.

    An array's own header says how much memory is taken for it, whatever then follows.
    """
    whole = 0
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        for name in (f"{field}.npy" for field in (*FIELDS, "gaze")):
            if name in names:
                with archive.open(name) as file:
                    whole += _size(file)
    if whole > MOST_BYTES:
        raise ValueError(f"{whole} bytes are more than {MOST_BYTES}")


def _size(file: IO[bytes]) -> int:
    """Return the bytes of an array by its header."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    shape, _, kind = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
    if any(length < 0 for length in shape):
        raise ValueError(f"an array of shape {shape}")
    return math.prod(shape) * kind.itemsize


def _rate(stored: Floats) -> Fraction:
    """Return the frame rate that is stored as one number, or as numerator and denominator."""
    if stored.dtype.kind not in "iuf" or stored.size not in (1, 2):
        raise ValueError("fps is not one or two numbers")
    parts = [Fraction(part) for part in np.atleast_1d(stored).ravel().tolist()]
    fps = parts[0] if len(parts) == 1 else parts[0] / parts[1]
    fps = fps.limit_denominator(1001)  # 29.97 means 30000/1001
    bounds.check_rate(fps)
    return fps
