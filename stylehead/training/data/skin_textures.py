"""Tracked clips -> textures: faces at rest and in expression, eyes open and shut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylehead import files
from stylehead.errors import FaceError, MediaError
from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import angles_from_rotation
from stylehead.face.landmarks import EYES, FACE, mouth_opening, to_68
from stylehead.face.performance import Performance, neutral_frames, recover_performance
from stylehead.media.video import read_frames
from stylehead.progress import SILENT, Reporter, track
from stylehead.rendering.eyes.eye_texture import eye_texture
from stylehead.rendering.eyes.lid_motion import close_lids, iris_points
from stylehead.rendering.skin.face_texture import face_texture
from stylehead.training.data.clips import Clip, load_clips
from stylehead.training.data.mouth_pairs import LEAST_UNIT
from stylehead.training.data.prepared import open_prepared
from stylehead.types import FaceTrack, Floats, Frame, Pixels

FRONTAL = 25.0  # degrees of yaw or pitch beyond which a frame is not used
AT_REST, SHOWN, OPEN, SHUT = 7, 48, 3, 16  # frames of a clip at most, of each kind
BLINKING, SHUT_FROM = 0.3, 0.93
"""Closure from which eyes are not open, and from which they are shut."""
TRACKED_CLOSURE = 0.7  # of the lids' way that the tracker sees: outlines of shut lids stay apart
LEAST_FRAMES = 20  # frontal frames with open eyes that a clip needs


@dataclass(frozen=True, slots=True, eq=False)
class SkinTextures:
    """What the skin of one clip's person looks like."""

    person: str
    rest: Pixels
    """(R, S, S, 3) faces without expression, in the face's texture space."""
    rest_offsets: Floats
    """(R, 68, 3) their landmarks from neutral."""
    rest_angles: Floats
    """(R, 3) pitch, yaw and roll of the head, degrees."""
    shown: Pixels
    """(N, S, S, 3) faces whose expressions are as different as the clip has them."""
    shown_offsets: Floats
    shown_angles: Floats
    open_eyes: Pixels
    """(A, 2, S, S, 3) right and left, in the eyes' texture space."""
    shut_eyes: Pixels
    """(B, 2, S, S, 3)"""


def prepare_textures(clips: Path, data: Path, *, reporter: Reporter = SILENT) -> int:
    """Make the textures of every tracked clip of `data` whose film is in `clips`.

    What is there already is left alone. Returns the number of clips. Raises DataError for a folder
    without tracked clips, or for a damaged file.
    """
    folder = data / "textures"
    folder.mkdir(parents=True, exist_ok=True)
    tracked = [clip for clip in load_clips(data / "clips") if (clips / clip.name).is_file()]
    count = 0
    for clip in track(tracked, "Unwrapping faces", len(tracked), reporter):
        target = folder / f"{clip.name}.npz"
        if not target.exists():
            try:
                textures = make_textures(read_frames(clips / clip.name), clip)
            except (MediaError, FaceError) as error:
                reporter.say(f"Left out: {error}")
                continue
            if textures is None:
                reporter.say(f"Left out: {clip.name} shows no large, frontal face.")
                continue
            save_textures(target, textures)
        count += 1
    return count


def make_textures(frames: Iterable[Frame], clip: Clip) -> SkinTextures | None:
    """Return the textures of one clip, whose frames are read once; None without frontal faces."""
    performance = recover_performance(clip.track, name=clip.name)
    chosen = _choose(clip.track, performance)
    if chosen is None:
        return None
    wanted = {row for rows in chosen for row in rows}
    seen: dict[int, Pixels] = {}
    for frame in frames:
        row = int(np.argmin(np.abs(clip.track.seconds - frame.seconds)))
        if row in wanted and row not in seen:
            seen[row] = frame.pixels
        if len(seen) == len(wanted):
            break
    rest, shown, opened, shut = ([row for row in rows if row in seen] for rows in chosen)
    if not rest or not shown:
        return None
    offsets = to_68(performance.mesh) - to_68(performance.neutral)
    angles = angles_from_rotation(performance.rotation)
    meshes, blink = clip.track.mesh, performance.blink
    face = face_texture()
    return SkinTextures(
        clip.person,
        np.stack([face.unwrap(seen[row], meshes[row][:FACE]) for row in rest]),
        offsets[rest],
        angles[rest],
        np.stack([face.unwrap(seen[row], meshes[row][:FACE]) for row in shown]),
        offsets[shown],
        angles[shown],
        _eyes([(seen[row], meshes[row], 0.0) for row in opened]),
        _eyes([(seen[row], meshes[row], float(blink[row])) for row in shut]),
    )


def _choose(track: FaceTrack, performance: Performance) -> tuple[list[int], ...] | None:
    """Return rows at rest, in many expressions, with open and with shut eyes."""
    unit = np.linalg.norm(track.mesh[:, 263, :2] - track.mesh[:, 33, :2], axis=1)
    angles = np.abs(angles_from_rotation(performance.rotation))
    frontal = track.found & (angles[:, :2] < FRONTAL).all(1)
    awake = np.flatnonzero(frontal & (performance.blink < BLINKING))
    if len(awake) < LEAST_FRAMES or np.nanmedian(unit) < LEAST_UNIT:
        return None
    opening = mouth_opening(to_68(performance.mesh[awake]))
    rest = awake[neutral_frames(track.expression[awake], opening)]
    offsets = to_68(performance.mesh[awake]) - to_68(performance.neutral)
    different = awake[_different(offsets.reshape(len(awake), -1))]
    parts = np.array_split(awake[performance.blink[awake] < 0.05], OPEN)
    opened = [int(part[np.argmax(track.sharpness[part])]) for part in parts if len(part)]
    shut = np.flatnonzero(frontal & (performance.blink > SHUT_FROM))
    return _thinned(rest, AT_REST), sorted(different.tolist()), opened, _thinned(shut, SHUT)


def _different(offsets: Floats) -> NDArray[np.intp]:
    """Return up to SHOWN rows of offsets (T, D), each as far as can be from those before it."""
    candidates = np.arange(len(offsets))[:: max(1, len(offsets) // 400)]
    points = offsets[candidates]
    chosen = [int(np.argmin(np.linalg.norm(points, axis=1)))]
    distance = np.full(len(points), np.inf)
    while len(chosen) < min(SHOWN, len(points)):
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(np.argmax(distance)))
    return candidates[np.unique(chosen)]


def _thinned(rows: NDArray[np.intp], most: int) -> list[int]:
    """Return up to `most` rows, evenly spread."""
    count = min(most, len(rows))
    return rows[np.linspace(0, len(rows) - 1, count).astype(int)].tolist() if count else []


def _eyes(frames: list[tuple[Pixels, Floats, float]]) -> Pixels:
    """Return both eyes (N, 2, S, S, 3) of pictures with meshes (478, 3) and lid closures."""
    textures = [eye_texture(number) for number in range(len(EYES))]
    size = textures[0].size
    eyes = np.zeros((len(frames), len(EYES), size, size, 3), np.uint8)
    for both, (pixels, mesh, blink) in zip(eyes, frames, strict=True):
        vertices = shut_vertices(mesh, blink)
        for number, texture in enumerate(textures):
            both[number] = texture.unwrap(pixels, vertices)
    return eyes


def shut_vertices(mesh: Floats, blink: float) -> Floats:
    """Return the vertices of both eyes (482, 3) of a tracked mesh (478, 3), its lids really shut.

    They are closed by what the tracker has left open of a closure, 0 to 1.
    """
    pose = FaceModel.embedded().pose(mesh)
    face = pose.undo(mesh)[:FACE]
    for eye in EYES:
        face = close_lids(face, eye, left_open(blink))
    points = np.concatenate([face, iris_points(face, np.zeros(2, np.float32))])
    return pose.apply(points).astype(np.float32)


def left_open(blink: float) -> float:
    """Return the part of a tracked opening by which lids are closer than the tracker sees them."""
    return 1 - (1 - blink) / (1 - TRACKED_CLOSURE * blink)


def save_textures(path: Path, textures: SkinTextures) -> None:
    """Write the textures of one clip."""
    arrays: dict[str, NDArray[np.generic]] = {
        item.name: np.asarray(getattr(textures, item.name)) for item in fields(textures)
    }
    with files.atomic(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]


def load_textures(path: Path) -> SkinTextures:
    """Read the textures of one clip; DataError when their file is damaged."""
    names = [item.name for item in fields(SkinTextures)]
    with open_prepared(path) as arrays:
        return SkinTextures(str(arrays["person"]), *(arrays[name] for name in names[1:]))
