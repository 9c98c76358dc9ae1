"""What can go wrong for a user: one class for each thing the user must change."""

from __future__ import annotations


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


class DeviceError(StyleheadError):
    """The asked-for device, or a system library this program needs, is not there."""


def missing_library(error: Exception) -> DeviceError:
    """Return the failure of an import that lacks one of the system's shared libraries."""
    return DeviceError(
        f"A system library is missing ({error}).",
        remedy="On Debian or Ubuntu: apt install libgl1 libegl1 libgles2 libglib2.0-0",
    )
