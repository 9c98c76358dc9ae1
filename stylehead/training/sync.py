"""Are sound and picture of a clip in step? Asked of the shipped generator, for whoever prepares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stylehead.models.motion_generator import FPS
from stylehead.progress import SILENT, Reporter
from stylehead.training import sounds
from stylehead.training.data import load_clips
from stylehead.training.imagined import shipped_teacher
from stylehead.training.lags import LARGEST_LAG, SYNC_LEAST, measure_sync
from stylehead.training.speakers import hear_speakers, load_speakers

LATE = 0.1  # seconds from which a lag is worth saying


def check_sync(folder: Path, *, reporter: Reporter = SILENT) -> Iterator[str]:
    """Yield a line for each tracked clip that has no clear sync, or is out of it by LATE.

    Training measures lags itself, with nets that never saw the person, and corrects them.
    """
    teacher = shipped_teacher()
    speakers, _ = load_speakers(load_clips(folder))
    nothing = np.zeros(0, np.int16)
    tapes = sounds.Tapes(nothing, nothing, nothing)
    for one in hear_speakers(speakers, teacher.ears, tapes, tempi=(), reporter=reporter):
        best, lag = measure_sync(teacher.nets[0], one.takes[0])
        name = one.speaker.name
        if best < SYNC_LEAST or abs(lag) == LARGEST_LAG:
            yield f"{name}: no clear sync between mouth and sound (correlation {best:.2f})"
        elif abs(lag) > LATE * FPS:
            late = "later" if lag > 0 else "earlier"
            yield f"{name}: the picture is {abs(lag) / FPS:.2f} s {late} than the sound"
