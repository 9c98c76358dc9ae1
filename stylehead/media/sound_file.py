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
    kind = path.suffix[1:].upper()
    with atomic(path) as part, part.open("wb") as opened:
        try:
            # Opened here: the library cannot encode every name that a file may have.
            with soundfile.SoundFile(
                opened.fileno(), "w", rate, 1, "PCM_16", format=kind, closefd=False
            ) as file:
                for block in blocks:
                    file.write(np.clip(block, -1, 1))
        except soundfile.SoundFileError as error:
            raise MediaError(
                f"{path} cannot be written ({error}).",
                remedy="Choose another place, or make room on the disk.",
            ) from error
