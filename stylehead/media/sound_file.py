"""Sound out: samples as WAV or FLAC, written as they come."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from stylehead.errors import MediaError
from stylehead.files import atomic
from stylehead.types import Floats

SOUND_SUFFIXES = (".wav", ".flac")


def write_sound(path: Path, blocks: Iterable[Floats], rate: int) -> None:
    """Write mono blocks (N,) as 16-bit samples; full scale is 1, and what is louder is clipped.

    The file appears whole or not at all. Raises MediaError when it cannot be written.
    """
    with atomic(path) as part:
        try:
            with soundfile.SoundFile(part, "w", rate, 1, "PCM_16") as file:
                for block in blocks:
                    file.write(np.clip(block, -1, 1))
        except soundfile.SoundFileError as error:
            raise MediaError(
                f"{path} cannot be written ({error}).",
                remedy="Choose another place, or make room on the disk.",
            ) from error
