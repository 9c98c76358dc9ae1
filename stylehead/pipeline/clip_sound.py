"""What is said in a clip, beside how its person moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from stylehead.compute.device import one_thread, usable_cores
from stylehead.errors import MediaError
from stylehead.media.audio import open_audio
from stylehead.motion.gestures.contour import clip_contour
from stylehead.options import AudioRange, Separation
from stylehead.speech.listen import measure_voice
from stylehead.speech.separators import Separators
from stylehead.types import Floats, Style
from stylehead.weights.networks import CPU

CONTOUR = "contour"
"""In a style's provenance: whether its contour is that of the `sound` or of the `mouth`."""


@one_thread()
def with_contour(style: Style, video: Path, part: AudioRange) -> Style:
    """Return a style learned from a part of a clip with what is said there."""
    try:
        sound = open_audio(video, start=part.start, duration=part.duration)
    except MediaError:  # a clip without a sound track
        sound = None
    activity = level = np.zeros(0, np.float32)
    if sound and not sound.silent:
        separators = Separators(Separation().separate, CPU, workers=usable_cores())
        activity, level = measure_voice(sound, separators)
    return said_with(style, style.times - np.float32(part.start), activity, level)


def said_with(style: Style, seconds: Floats, activity: Floats, level: Floats) -> Style:
    """Return a style with the contour of a sound; `clip_contour` has the arguments."""
    contour, heard = clip_contour(style.motion, seconds, activity, level)
    source = {CONTOUR: "sound" if heard else "mouth"}
    return replace(style, contour=contour, provenance=style.provenance | source)
