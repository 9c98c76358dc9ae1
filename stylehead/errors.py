"""What can go wrong for a user: one class for each thing the user must change."""

from __future__ import annotations

import re

MEMORY = re.compile(r"(can't allocate|not enough|[Ii]nsufficient|out of) memory")
"""What libraries say when they get none, each by an exception of its own."""


class StyleheadError(Exception):
    """A failure the user can mend: what is wrong, and what to do about it."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


class MediaError(StyleheadError):
    """A picture, recording, video or output file cannot be read or written."""


class FaceError(StyleheadError):
    """A picture or clip does not show one usable face."""


class StyleError(StyleheadError):
    """A style or motion file is missing, damaged or unusable."""


class WeightsError(StyleheadError):
    """A model file is missing, damaged or cannot be fetched."""


class ConfigError(StyleheadError):
    """A recipe or an option has a value that does not fit, or belongs to another run."""


class DataError(StyleheadError):
    """A folder of training data lacks something, or what it holds cannot be learned from."""


class UnfinishedError(StyleheadError):
    """A part of a video is made, and others still have to make theirs."""


class DeviceError(StyleheadError):
    """The asked-for device, or a system library this program needs, is not there."""


def missing_library(error: Exception) -> DeviceError:
    """Return the failure of an import that lacks one of the system's shared libraries."""
    return DeviceError(
        f"A system library is missing ({error}).",
        remedy="On Debian or Ubuntu: apt install libgl1 libegl1 libgles2 libglib2.0-0",
    )


def of_the_machine(error: Exception) -> StyleheadError | None:
    """Return what the user can mend of an unforeseen error, or None: then it is our mistake.

    Libraries with compiled parts fail at any import where they lack another; memory ends, and
    disks fail, wherever they are used.
    """
    if isinstance(error, ImportError | OSError) and re.search(r"\blib\w+\.so", str(error)):
        return missing_library(error)
    if isinstance(error, MemoryError) or MEMORY.search(str(error)):
        return DeviceError(
            "There is not enough memory for this.",
            remedy="Close other programs; use a part of the recording (--duration) or a smaller "
            "picture.",
        )
    if isinstance(error, OSError) and error.strerror:
        return MediaError(
            f"{error.filename or 'A file'} cannot be read or written ({error.strerror}).",
            remedy="Check the disk and your permissions, or use a copy elsewhere.",
        )
    return None
