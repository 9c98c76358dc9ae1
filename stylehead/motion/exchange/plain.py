"""Plain tables of a motion: landmarks, head, lids and gaze, one row a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylehead import files
from stylehead.face.face_model import generic_neutral
from stylehead.face.geometry import angles_from_rotation, rotation_from_angles
from stylehead.motion.exchange.table import Table, steady
from stylehead.types import Motion

HEAD = ("head_pitch", "head_yaw", "head_roll", "head_x", "head_y", "head_z")
EYES = ("blink", "gaze_right", "gaze_down")
POINTS = tuple(f"{axis}{point}" for point in range(68) for axis in "xyz")
LATEST = 1e9
"""Seconds that a table may begin at: a clock's, too."""
HEADER = ("seconds", *HEAD, *EYES, *POINTS)


def write_plain(motion: Motion, path: Path) -> None:
    """Write a motion's landmarks on the generic face, and its head, lids and gaze."""
    points = (generic_neutral() + motion.landmarks).reshape(len(motion), -1)
    seconds = np.arange(len(motion)) / float(motion.fps)
    values = np.column_stack(
        [
            seconds,
            angles_from_rotation(motion.rotation),
            motion.translation,
            motion.blink,
            motion.gaze,
            points,
        ]
    )
    with files.atomic(path) as part, part.open("w", encoding="ascii", newline="") as file:
        file.write(",".join(HEADER) + "\n")
        for row in values:
            file.write(",".join(f"{value:.6f}" for value in row) + "\n")


def read_plain(table: Table) -> Motion:
    """Read a motion; raises StyleError naming the line."""
    first, *places = table.places(HEADER)
    times: list[float] = []
    rows: list[NDArray[np.float64]] = []
    for row in table.rows():
        values = table.numbers(row, places)
        (time,) = table.numbers(row, [first], most=LATEST)
        if times and time <= times[-1]:
            raise table.refusal("its time is not after the one before")
        if not 0 <= values[6] <= 1:
            raise table.refusal(f"blink is {values[6]:g}, and lids go from 0, open, to 1, shut")
        times.append(time)
        rows.append(values)
    fps, values = steady(table.path, np.array(times), np.array(rows))
    neutral = generic_neutral()
    return Motion(
        values[:, 9:].reshape(-1, 68, 3) - neutral,
        rotation_from_angles(values[:, :3]),
        values[:, 3:6],
        values[:, 6],
        fps,
        neutral,
        values[:, 7:9],
    )
