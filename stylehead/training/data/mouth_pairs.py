"""Tracked clips -> pairs of mouth patches: what the warp shows, and what was filmed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stylehead import files
from stylehead.errors import MediaError
from stylehead.face.face_model import FaceModel
from stylehead.face.geometry import Similarity, angles_from_rotation
from stylehead.face.landmarks import mouth_opening, to_68
from stylehead.face.performance import Performance, recover_performance
from stylehead.media.video import read_frames
from stylehead.progress import SILENT, Reporter, track
from stylehead.rendering.mouth.crop import CROP_POINTS, MouthCrop, mouth_middle
from stylehead.rendering.portrait_mesh import PortraitMesh, build_portrait_mesh
from stylehead.rendering.rasterize import displacement_map
from stylehead.rendering.warp import Sampler, crop_of
from stylehead.style.references import retrieve
from stylehead.training.data.clips import Clip, load_clips
from stylehead.training.data.prepared import open_prepared
from stylehead.types import Face, FaceTrack, Floats, Frame, Pixels, Portrait

CROP = 512  # pixels of the working crop
SOURCES = 3  # closed mouths of a clip that pictures are made from
TARGETS = 36  # target frames of a clip, from closed to wide open
CLOSED_TARGETS = 10  # of them, those also made from themselves with the mouth closed by the mesh
FRONTAL = 30.0  # degrees of yaw or pitch beyond which a frame is no target
QUALITY = 92  # of the JPEG patches: 64 MiB for 129 clips
LEAST_UNIT = 45.0  # pixels between the outer eye corners that a clip needs


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of one clip, and its reference frames warped from each source."""

    person: str
    warped: list[Pixels]
    """(CROP_SIZE, CROP_SIZE, 3) each: the source moved by the mesh."""
    filmed: list[Pixels]
    """The same patch of the target frame."""
    points: Floats
    """(N, 88, 2) where the facial map's points are in the patch."""
    source: NDArray[np.int64]
    """(N,) number of the pair's source; the patterns are made from it."""
    references: list[Pixels]
    """Sources x 4: the source moved to the clip's frames None, M, R and O."""
    reference_points: Floats
    """(sources x 4, 88, 2)"""


def prepare_pictures(clips: Path, data: Path, *, reporter: Reporter = SILENT) -> int:
    """Make the pairs of every tracked clip of `data`, from the films in `clips`.

    What is there already is left alone. Returns the number of pairs. Raises DataError for a folder
    without tracked clips, or for a damaged file.
    """
    folder = data / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    tracked = load_clips(data / "clips")
    count = 0
    for clip in track(tracked, "Cutting patches", len(tracked), reporter):
        target = folder / f"{clip.name}.npz"
        if not target.exists():
            try:
                pairs = make_pairs(read_frames(clips / clip.name), clip)
            except MediaError as error:
                reporter.say(f"Left out: {error}")
                continue
            if pairs is None:
                reporter.say(f"Left out: {clip.name} shows no large, frontal, closed mouth.")
                continue
            save_pairs(target, pairs)
        with open_prepared(target) as arrays:
            count += len(arrays["source"])
    return count


def make_pairs(frames: Iterable[Frame], clip: Clip) -> Pairs | None:
    """Return the pairs of one clip, whose frames are read once; None when none can be a source."""
    performance = recover_performance(clip.track, name=clip.name)
    chosen = choose_frames(clip.track, performance)
    if chosen is None:
        return None
    sources, targets, references = chosen
    wanted = {*sources, *targets, *references}
    shown: dict[int, Pixels] = {}
    for frame in frames:
        row = int(np.argmin(np.abs(clip.track.seconds - frame.seconds)))
        if row in wanted and row not in shown:
            shown[row] = frame.pixels
    if wanted - set(shown):
        return None
    movable = [WarpSource.of(shown[row], clip.track, row) for row in sources]
    closable = [row for row in targets if row not in sources][-CLOSED_TARGETS:]
    plan = [(number % len(movable), row) for number, row in enumerate(targets)]
    warped = [movable[number].warped_to(clip.track.mesh[row]) for number, row in plan]
    warped += [WarpSource.of(shown[row], clip.track, row).closed_and_reopened() for row in closable]
    plan += [(number % len(movable), row) for number, row in enumerate(closable)]
    filmed = [
        crop_in_frame(clip.track.mesh[row], movable[number]).cut(shown[row]) for number, row in plan
    ]
    turned = [source.warped_to(clip.track.mesh[row]) for source in movable for row in references]
    return Pairs(
        clip.person,
        [patch for patch, _ in warped],
        filmed,
        np.stack([points for _, points in warped]),
        np.array([number for number, _ in plan]),
        [patch for patch, _ in turned],
        np.stack([points for _, points in turned]),
    )


def choose_frames(
    track: FaceTrack, performance: Performance
) -> tuple[list[int], list[int], list[int]] | None:
    """Return rows of sources, of targets by rising opening, and of None, M, R and O."""
    points = to_68(performance.mesh)
    opening = mouth_opening(points)
    angles = np.abs(angles_from_rotation(performance.rotation))
    unit = np.linalg.norm(track.mesh[:, 263, :2] - track.mesh[:, 33, :2], axis=1)
    usable = track.found & (angles[:, :2] < FRONTAL).all(1) & (np.nan_to_num(unit) > LEAST_UNIT)
    if usable.sum() < 2:
        return None
    shut = usable & (opening <= np.percentile(opening[usable], 15)) & (performance.blink < 0.3)
    rows = np.flatnonzero(shut)
    if not len(rows):
        return None
    # The sharpest of each part of the clip: light and pose differ between them.
    parts = np.array_split(rows, min(SOURCES, len(rows)))
    sources = [int(part[np.argmax(track.sharpness[part])]) for part in parts]
    order = np.flatnonzero(usable)
    order = order[np.argsort(opening[order], kind="stable")]
    # Evenly over what the mouth does, not over time, in which it is mostly shut.
    levels = np.linspace(opening[order[0]], opening[order[-1]], TARGETS // 2)
    by_opening = order[np.searchsorted(opening[order], levels).clip(max=len(order) - 1)]
    by_time = order[np.linspace(0, len(order) - 1, TARGETS // 2).astype(int)]
    chosen = np.unique(np.concatenate([by_opening, by_time]))
    targets = chosen[np.argsort(opening[chosen], kind="stable")].tolist()
    retrieval = retrieve(track, performance)
    references = [
        int(np.argmin(np.abs(track.seconds - reference.seconds)))
        for reference in retrieval.references
    ]
    return sources, targets, references


@dataclass(frozen=True, slots=True, eq=False)
class WarpSource:
    """A frame that can be warped to other frames' meshes."""

    crop: Pixels
    portrait_mesh: PortraitMesh
    head: Similarity
    """Mean face -> crop pixels: what other meshes are laid over."""

    @staticmethod
    def of(pixels: Pixels, track: FaceTrack, row: int) -> WarpSource:
        """Prepare one frame of a track."""
        face = Face(track.mesh[row], track.expression[row])
        model = FaceModel.embedded()
        rotation = model.pose(face.mesh).rotation
        portrait_mesh = build_portrait_mesh(Portrait(pixels, face, rotation, 1, 1), size=CROP)
        return WarpSource(
            crop_of(pixels, portrait_mesh),
            portrait_mesh,
            model.pose(portrait_mesh.in_crop(face.mesh)),
        )

    def laid_over(self, mesh: Floats) -> tuple[Floats, Similarity]:
        """Return another frame's mesh with its head where this one's is, and its pose there.

        (478, 3) image space in, crop pixels out: the head keeps its rotation alone.
        """
        there = FaceModel.embedded().pose(mesh)
        ratio = self.head.scale / there.scale
        moved = (mesh - there.translation) * ratio + self.head.translation
        pose = Similarity(self.portrait_mesh.pose.scale, there.rotation, self.head.translation)
        return moved.astype(np.float32), pose

    def warped_to(self, mesh: Floats) -> tuple[Pixels, Floats]:
        """Return this frame's patch, warped to another's mesh (478, 3), and its points (88, 2)."""
        laid, pose = self.laid_over(mesh)
        vertices = self.portrait_mesh.from_tracked(laid, pose)
        mouth = MouthCrop.of(pose, mouth_middle(self.portrait_mesh.neutral))
        moved = self._sampled(self.crop, self.portrait_mesh.source, vertices)
        return mouth.cut(moved), mouth.in_crop(vertices[CROP_POINTS, :2])

    def closed_and_reopened(self) -> tuple[Pixels, Floats]:
        """Return this frame's patch, its mouth closed by the mesh and reopened, and its points."""
        portrait_mesh = self.portrait_mesh
        still = np.eye(3, dtype=np.float32)
        shut = portrait_mesh.pose_vertices(np.zeros((478, 3), np.float32), still, np.zeros(3), 0.0)
        closed = self._sampled(self.crop, portrait_mesh.source, shut)
        again = self._sampled(closed, shut, portrait_mesh.source)
        mouth = MouthCrop.of(portrait_mesh.pose, mouth_middle(portrait_mesh.neutral))
        return mouth.cut(again), mouth.in_crop(portrait_mesh.source[CROP_POINTS, :2])

    def _sampled(self, crop: Pixels, source: Floats, vertices: Floats) -> Pixels:
        displacement = displacement_map(
            self.portrait_mesh.triangles, vertices, source, size=CROP, cells=CROP
        )
        return Sampler(crop)(displacement)


def crop_in_frame(mesh: Floats, warp_source: WarpSource) -> MouthCrop:
    """Return the patch of a tracked frame in its own pixels, for comparison with a moved one."""
    _, pose = warp_source.laid_over(mesh)
    mouth = MouthCrop.of(pose, mouth_middle(warp_source.portrait_mesh.neutral))
    there = FaceModel.embedded().pose(mesh)
    ratio = there.scale / warp_source.head.scale
    centre = (mouth.centre - warp_source.head.translation[:2]) * ratio + there.translation[:2]
    return MouthCrop(centre, mouth.right, mouth.unit * ratio)


# ---- files ----------------------------------------------------------------------------------


def save_pairs(path: Path, pairs: Pairs) -> None:
    """Write the pairs of one clip, patches as JPEG."""
    arrays: dict[str, NDArray[np.generic]] = {
        "person": np.array(pairs.person),
        "points": pairs.points.astype(np.float16),
        "reference_points": pairs.reference_points.astype(np.float16),
        "source": pairs.source,
    }
    for name in ("warped", "filmed", "references"):
        coded = [_jpeg(patch) for patch in getattr(pairs, name)]
        arrays[name] = np.concatenate(coded)
        arrays[f"{name}_lengths"] = np.array([len(patch) for patch in coded])
    with files.atomic(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]


def load_pairs(path: Path) -> Pairs:
    """Read the pairs of one clip; DataError when their file is damaged."""
    with open_prepared(path) as arrays:
        coded = {
            name: np.split(arrays[name], np.cumsum(arrays[f"{name}_lengths"])[:-1])
            for name in ("warped", "filmed", "references")
        }
        return Pairs(
            str(arrays["person"]),
            points=arrays["points"].astype(np.float32),
            reference_points=arrays["reference_points"].astype(np.float32),
            source=arrays["source"],
            **{name: [_pixels(jpeg) for jpeg in jpegs] for name, jpegs in coded.items()},
        )


def _jpeg(patch: Pixels) -> Pixels:
    bgr = cv2.cvtColor(patch, cv2.COLOR_RGB2BGR)
    return np.asarray(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1], np.uint8)


def _pixels(coded: Pixels) -> Pixels:
    bgr = cv2.imdecode(coded, cv2.IMREAD_COLOR) if len(coded) else None
    if bgr is None:
        raise ValueError("not a JPEG")
    return np.ascontiguousarray(np.asarray(bgr, np.uint8)[..., ::-1])
