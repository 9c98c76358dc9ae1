"""Motion files: npz with plain arrays, to keep, edit and render again."""

from __future__ import annotations

import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from stylehead import files
from stylehead.errors import StyleError
from stylehead.types import Floats, Motion

FIELDS = ("landmarks", "neutral", "rotation", "translation", "blink", "fps")


def save_motion(motion: Motion, path: Path) -> None:
    """Write a motion; `fps` is stored as numerator and denominator."""
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
    """Read a motion; raises StyleError naming the field that is missing or misshapen."""
    if not path.is_file():
        raise StyleError(f"{path} does not exist.", remedy="Check the motion file's path.")
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file) as arrays:
            missing = [name for name in FIELDS if name not in arrays]
            if missing:
                raise StyleError(
                    f"{path} lacks {', '.join(missing)}.",
                    remedy="Make it with stylehead motion; docs/motion-file.md lists the fields.",
                )
            fields: dict[str, Floats] = {name: arrays[name] for name in FIELDS}
            straight = np.zeros((len(fields["blink"]), 2), np.float32)
            fields["gaze"] = arrays.get("gaze", straight)
    except (
        OSError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
    ) as error:
        raise StyleError(
            f"{path} is not a motion file, or is damaged.",
            remedy="Make one with stylehead motion; see docs/motion-file.md.",
        ) from error
    try:
        parts = [Fraction(part) for part in np.atleast_1d(fields["fps"]).tolist()]
        if len(parts) not in (1, 2):
            raise ValueError("fps is not one or two numbers")
        fps = parts[0] if len(parts) == 1 else parts[0] / parts[1]
        fps = fps.limit_denominator(1001)  # 29.97 means 30000/1001
        names = ("landmarks", "rotation", "translation", "blink", "neutral", "gaze")
        arrays32 = {name: np.asarray(fields[name], np.float32) for name in names}
        bad = [name for name, array in arrays32.items() if not np.isfinite(array).all()]
        if bad or fps <= 0 or len(arrays32["landmarks"]) == 0:
            raise ValueError(f"{', '.join(bad) or 'fps or length'} is not usable")
        return Motion(
            arrays32["landmarks"],
            arrays32["rotation"],
            arrays32["translation"],
            arrays32["blink"],
            fps,
            arrays32["neutral"],
            arrays32["gaze"],
        )
    except (ValueError, TypeError, ArithmeticError) as error:
        raise StyleError(
            f"{path} is not a usable motion: {error}.",
            remedy="Correct it; docs/motion-file.md lists the fields.",
        ) from error
