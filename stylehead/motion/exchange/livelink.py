"""Takes of Epic's Live Link Face: 52 shapes, and how head and eyes are turned, 60ths of a second.

What is checked against recorded takes, and what is not, is in docs/motion-exchange.md.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stylehead import files
from stylehead.face.face_model import generic_neutral
from stylehead.motion.exchange.shapes import SHAPES, landmarks_of, shape_weights
from stylehead.motion.exchange.table import Table, refusal, steady
from stylehead.types import Floats, Motion

ANGLES = tuple(
    f"{part}{axis}" for part in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll")
)
HEADER = ("Timecode", "BlendshapeCount", *SHAPES, *ANGLES)
COUNTED = 60
"""Frames of a timecode's second, whatever the rate of the take."""
RATES = (24, 25, 30, 48, 50, 60)
"""Frames that other programs count in a second."""
TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,2}(?:\.\d+)?)")
DAY = 86_400


def write_livelink(motion: Motion, path: Path) -> None:
    """Write a motion as a take that begins at midnight; where the head is has no column."""
    angles = np.zeros((len(motion), len(ANGLES)))
    angles[:, :3] = head_angles(motion.rotation)
    # An eye's yaw goes to the subject's right, its pitch down.
    angles[:, 3:5] = angles[:, 6:8] = np.radians(motion.gaze * [-1, 1])
    values = np.hstack([shape_weights(motion), angles])
    with files.atomic(path) as part, part.open("w", encoding="ascii", newline="") as file:
        file.write(",".join(HEADER) + "\n")
        for frame, row in enumerate(values):
            numbers = ",".join(f"{value:.10f}" for value in row)
            file.write(f"{timecode(frame, motion.fps)},{values.shape[1]},{numbers}\n")


def timecode(frame: int, fps: Fraction) -> str:
    """Return HH:MM:SS:FF.mmm of a frame: FF and its thousandths are 60ths of a second."""
    thousandths = round(frame * COUNTED * 1000 / fps)
    seconds, rest = divmod(thousandths, COUNTED * 1000)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours:02}:{minutes:02}:{seconds % 60:02}:{rest / 1000:06.3f}"


def read_livelink(table: Table) -> Motion:
    """Read a take, a phone's or any other program's, on the generic face.

    Rows in which no face was found are bridged. Raises StyleError naming the line.
    """
    places = table.places((*SHAPES, *ANGLES))
    (count,) = table.places(("BlendshapeCount",))
    times: list[tuple[int, float]] = []  # whole seconds, and frames of one
    lines: list[int] = []
    rows: list[NDArray[np.float64]] = []
    for row in table.rows():
        if len(row) > count and row[count].strip() == "0":
            continue
        values = table.numbers(row, places)
        _check_units(table, values)
        times.append(_time(table, row[0]))
        lines.append(table.line)
        rows.append(values)
    if not rows:
        raise table.refusal("no row before it holds a face")
    seconds = _seconds(table, times, lines)
    fps, values = steady(table.path, seconds, np.stack(rows))
    weights, angles = values[:, : len(SHAPES)], values[:, len(SHAPES) :]
    blinks = weights[:, [SHAPES.index("EyeBlinkLeft"), SHAPES.index("EyeBlinkRight")]]
    yaw, pitch = angles[:, [3, 6]].mean(1), angles[:, [4, 7]].mean(1)
    return Motion(
        landmarks_of(weights),
        head_rotation(angles[:, :3]),
        np.zeros((len(values), 3), np.float32),
        blinks.mean(1).clip(0, 1),
        fps,
        generic_neutral(),
        np.degrees(np.stack([-yaw, pitch], 1)).astype(np.float32),
    )


def head_angles(rotation: Floats) -> Floats:
    """Return yaw, pitch and roll (T, 3) in radians of rotations (T, 3, 3) for row vectors.

    +yaw turns to the subject's right, +pitch looks up, +roll tilts to the subject's left,
    clockwise in the picture; about the picture's axes roll comes last, pitch first.
    """
    turn = np.swapaxes(rotation, -1, -2).astype(np.float64)
    yaw = -np.arcsin(turn[:, 2, 0].clip(-1, 1))
    pitch = -np.arctan2(turn[:, 2, 1], turn[:, 2, 2])
    roll = np.arctan2(turn[:, 1, 0], turn[:, 0, 0])
    return np.stack([yaw, pitch, roll], 1)


def head_rotation(angles: Floats) -> Floats:
    """Return rotations (T, 3, 3) for row vectors; the inverse of head_angles."""
    yaw, pitch, roll = np.asarray(angles, np.float64).T
    turn = Rotation.from_euler("ZYX", np.stack([roll, yaw, -pitch], 1)).as_matrix()
    return np.swapaxes(turn, -1, -2).astype(np.float32)


def _check_units(table: Table, values: NDArray[np.float64]) -> None:
    """Raise StyleError for weights in percent, or angles in degrees."""
    for name, value in zip((*SHAPES, *ANGLES), values, strict=True):
        if name in ANGLES and abs(value) > np.pi:
            raise table.refusal(f"{name} is {value:g}, and angles are in radians")
        if name in SHAPES and not -1 <= value <= 2:
            raise table.refusal(f"{name} is {value:g}, and weights go from 0 to 1")


def _time(table: Table, text: str) -> tuple[int, float]:
    match = TIMECODE.fullmatch(text.strip())
    if not match:
        raise table.refusal(f"{text[:20]!r} is not a timecode HH:MM:SS:FF.mmm")
    hours, minutes, seconds = (int(match[group]) for group in (1, 2, 3))
    return 3600 * hours + 60 * minutes + seconds, float(match[4])


def _seconds(table: Table, times: list[tuple[int, float]], lines: list[int]) -> NDArray[np.float64]:
    """Return the times (T,) of timecodes, which do not say how many frames their second has.

    Any take of a second or more shows it: the least usual rate that holds every frame number.
    """
    whole, frames = np.array(times, np.float64).T
    if frames.max() >= COUNTED:
        line = lines[int(frames.argmax())]
        raise refusal(table.path, line, "a second has 60 frames at most")
    counted = COUNTED
    if np.ptp(whole) > 1:
        counted = next(rate for rate in RATES if frames.max() < rate)
    seconds = whole + frames / counted
    seconds += DAY * np.cumsum(np.diff(seconds, prepend=seconds[0]) < -DAY / 2)
    late = np.flatnonzero(np.diff(seconds) <= 0)
    if len(late):
        raise refusal(table.path, lines[late[0] + 1], "its timecode is not after the one before")
    return seconds
