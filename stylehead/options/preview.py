"""Options of a preview: the same things, short and small."""

from __future__ import annotations

from dataclasses import replace

from stylehead.options.choices import StyleEffort
from stylehead.options.picture import Options
from stylehead.options.style import Effort

SECONDS, SIZE = 3.0, 256


def previewed(options: Options, effort: Effort, *, clip: bool) -> tuple[Options, Effort]:
    """Return options of no more than 3 s and 256 pixels; a frame that is asked for keeps its size.

    clip: whether the style is learned from one; of that the ranges alone are learned then.
    """
    options = replace(options, duration=min(options.duration or SECONDS, SECONDS))
    if not options.frame:
        options = replace(options, crop=True, size=min(options.size, SIZE))
    return options, replace(effort, style_effort=StyleEffort.FAST) if clip else effort
