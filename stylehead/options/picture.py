"""Options of the picture, and of a video as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stylehead.options.choices import Renderer, option
from stylehead.options.delivery import Delivery
from stylehead.options.motion import MotionOptions
from stylehead.options.shared import INPUT, LOOKS, Compute, Overwrite
from stylehead.options.sound import AudioRange, Separation, Singing


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What may be chosen about the picture."""

    face: int | None = option(
        None, "Which face, counted from the left. Default: the largest.", panel=INPUT, low=1
    )
    matte: Path | None = option(
        None,
        "Picture of the portrait's size with the person white on black; black inside the face is "
        "something in front of it, such as a microphone. Default: the portrait's own "
        "transparency, else found by a network.",
        panel=INPUT,
    )
    crop: bool = option(
        False,
        "Show a square around the face instead of the whole picture.",
        flag="--crop/--no-crop",
        panel=LOOKS,
    )
    size: int = option(
        512, "With --crop: side of the square in pixels.", panel=LOOKS, low=128, high=2048
    )
    appearance: bool = option(
        True,
        "Add the folds and shading that expressions give to the skin; without, the skin is only "
        "moved.",
        flag="--appearance/--no-appearance",
        panel=LOOKS,
    )
    renderer: Renderer = option(
        Renderer.EMBEDDED,
        "How frames are made. `embedded` is built in; the others download weights and are slow "
        "without a GPU.",
        panel=LOOKS,
    )
    workers: int | None = option(
        None,
        "Number of frames rendered at once, each on one core; the video does not depend on it. "
        "Default: all cores that this process may use.",
        panel=LOOKS,
        low=1,
        high=1024,
    )

    @property
    def crop_size(self) -> int | None:
        """Side of the face crop in pixels; None for the whole picture at its own resolution."""
        return self.size if self.crop else None


@dataclass(frozen=True, kw_only=True)
class Options(Delivery, Picture, Singing, MotionOptions):
    """What may be chosen about a video."""


@dataclass(frozen=True, kw_only=True)
class VoiceOptions(Overwrite, Compute, Separation, AudioRange):
    """What may be chosen about the voice of a recording."""
