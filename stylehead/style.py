"""Style: the statistics and motion of one clip, saved as numbers only."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from stylehead import files, following, weights
from stylehead.capture import BLINK, capture
from stylehead.errors import StyleError
from stylehead.geometry import angles_from_rotation
from stylehead.landmarks import REGIONS, brow_height, mouth_opening, mouth_width
from stylehead.progress import SILENT, Reporter
from stylehead.references import Retrieval, retrieve
from stylehead.types import TEMPLATES, FaceTrack, Floats, Motion, Style, StyleReference, Tuning
from stylehead.version import __version__

STYLE_FPS = Fraction(30)
FORMAT = "1"
SUFFIX = ".style"
AXES = ("x", "y", "z")
ANGLES = ("pitch", "yaw", "roll")


def extract_style(
    video: Path | str,
    name: str | None = None,
    *,
    start: float = 0.0,
    duration: float | None = None,
) -> Style:
    """Learn a style from a clip: `start` and `duration`, in seconds, choose a part of it.

    Raises MediaError or FaceError for a clip that cannot be used.
    """
    path = Path(video)
    return learn_style(path, name or path.stem, start=start, duration=duration)[0]


def learn_style(
    video: Path,
    name: str,
    *,
    start: float = 0.0,
    duration: float | None = None,
    keep_frames: bool = False,
    reporter: Reporter = SILENT,
) -> tuple[Style, Retrieval, FaceTrack]:
    """Track a clip and learn how its person moves; returns what was found and rejected as well.

    `start` and `duration`, in seconds, choose a part of the clip.

    Raises MediaError or FaceError for a clip that cannot be used.
    """
    track = following.track_video(video, start=start, duration=duration, reporter=reporter)
    performance = capture(track, name=str(video))
    retrieval = retrieve(track, performance)
    references = retrieval.references
    if keep_frames:
        references = following.with_pixels(video, track, references)
    motion, times = performance.motion(STYLE_FPS)
    provenance = {
        "source_sha256": weights.digest(video),
        "seconds": f"{track.seconds[-1] - track.seconds[0]:.2f}",
        "face_coverage": f"{track.found.mean():.3f}",
        "frame_size": f"{track.size[0]}x{track.size[1]}",
        "stylehead_version": __version__,
    }
    style = Style(name, references, motion, times, style_statistics(motion), provenance)
    return style, retrieval, track


def style_statistics(motion: Motion) -> dict[str, float]:
    """Return named scalars of a motion; lengths in interocular distances, angles in degrees."""
    found: dict[str, float] = {}
    for region, points in REGIONS.items():
        offsets = motion.landmarks[:, list(points)]
        spread = np.sqrt(np.square(offsets - offsets.mean(0)).mean((0, 1)))
        for axis, value in zip(AXES, spread, strict=True):
            found[f"spread_{region}_{axis}"] = float(value)
    placed = motion.landmarks + motion.neutral
    opening, width = mouth_opening(placed), mouth_width(placed)
    found["mouth_opening_range"] = span(opening)
    found["mouth_opening_high"] = float(np.percentile(opening, 95))
    found["mouth_width_range"] = span(width)
    found["brow_range"] = span(brow_height(placed))
    seconds = 1 / float(motion.fps)
    for name, angle in zip(ANGLES, angles_from_rotation(motion.rotation).T, strict=True):
        found[f"{name}_range_degrees"] = span(angle)
        found[f"{name}_std_degrees"] = float(angle.std())
        found[f"{name}_speed_degrees_per_second"] = float(np.diff(angle).std() / seconds)
    for axis, place in zip(AXES, motion.translation.T, strict=True):
        found[f"head_{axis}_std"] = float(place.std())
        found[f"head_{axis}_speed_per_second"] = float(np.diff(place).std() / seconds)
    found["blinks_per_minute"] = blink_count(motion.blink) / (motion.seconds / 60)
    found["seconds"] = motion.seconds
    return found


def span(values: NDArray[np.floating]) -> float:
    """Return the distance from the 5th to the 95th percentile."""
    low, high = np.percentile(values, [5, 95])
    return float(high - low)


def blink_count(blink: Floats) -> int:
    """Count closures: lids that pass half way down after having been open."""
    shut, count = False, 0
    for value in blink:
        if not shut and value > 0.5:
            shut, count = True, count + 1
        elif shut and value < BLINK:
            shut = False
    return count


# ---- files ----------------------------------------------------------------------------------


def save_style(style: Style, path: Path | str) -> None:
    """Write one safetensors file; no pixels unless the references carry them."""
    arrays: dict[str, NDArray[np.generic]] = {
        "motion.landmarks": style.motion.landmarks.astype(np.float16),
        "motion.rotation": style.motion.rotation,
        "motion.translation": style.motion.translation,
        "motion.blink": style.motion.blink.astype(np.float16),
        "motion.neutral": style.motion.neutral,
        "motion.times": style.times,
    }
    scores: dict[str, dict[str, float]] = {}
    for reference in style.references:
        key = f"reference.{reference.template}"
        arrays[f"{key}.landmarks"] = reference.landmarks
        arrays[f"{key}.rotation"] = reference.rotation
        arrays[f"{key}.expression"] = reference.expression
        if reference.pixels is not None:
            arrays[f"{key}.pixels"] = reference.pixels
        scores[reference.template] = {"seconds": reference.seconds, "score": reference.score}
    about = {
        "format": FORMAT,
        "name": style.name,
        "fps": str(style.motion.fps),
        "references": scores,
        "statistics": style.statistics,
        "provenance": style.provenance,
    }
    if style.tuning:
        arrays |= {f"tuning.{key}": value for key, value in style.tuning.arrays.items()}
        about["tuning"] = {
            "encoder": style.tuning.encoder,
            "generator_sha256": style.tuning.generator_sha256,
        }
    # One entry: several would be written in any order, and the same style in other bytes.
    metadata = {"stylehead_style": json.dumps(about, sort_keys=True)}
    with files.atomic(Path(path)) as part:
        arrays = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        part.write_bytes(save(arrays, metadata=metadata))


def load_style(path: Path | str) -> Style:
    """Read a style file; raises StyleError when it is not one or is damaged."""
    path = Path(path)
    if not path.is_file():
        raise StyleError(f"{path} does not exist.", remedy="Check the style file's path.")
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get("stylehead_style", "{}"))
            if about.get("format") != FORMAT:
                raise StyleError(
                    f"{path} is not a style file of this version.",
                    remedy="Make it again with stylehead extract-style.",
                )
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        scores = about["references"]
        references = tuple(_reference(template, scores[template], arrays) for template in TEMPLATES)
        motion = Motion(
            arrays["motion.landmarks"].astype(np.float32),
            arrays["motion.rotation"],
            arrays["motion.translation"],
            arrays["motion.blink"].astype(np.float32),
            Fraction(about["fps"]),
            arrays["motion.neutral"],
        )
        statistics = about["statistics"]
        missing = style_statistics(motion).keys() - statistics.keys()
        finite = all(np.isfinite(array).all() for array in arrays.values())
        if missing or not finite:
            raise ValueError(f"unusable numbers, or no {', '.join(sorted(missing))}")
        return Style(
            about["name"],
            references,
            motion,
            arrays["motion.times"],
            statistics,
            dict(about["provenance"]),
            _tuning(about.get("tuning"), arrays),
        )
    except (
        SafetensorError,
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        ZeroDivisionError,
        OSError,
    ) as error:
        raise StyleError(
            f"{path} is not a style file, or is damaged.",
            remedy="Make it again with stylehead extract-style.",
        ) from error


def _reference(
    template: str, score: dict[str, float], arrays: dict[str, NDArray[np.generic]]
) -> StyleReference:
    key = f"reference.{template}"
    return StyleReference(
        template,
        score["seconds"],
        score["score"],
        arrays[f"{key}.landmarks"],  # pyright: ignore[reportArgumentType]
        arrays[f"{key}.rotation"],  # pyright: ignore[reportArgumentType]
        arrays[f"{key}.expression"],  # pyright: ignore[reportArgumentType]
        arrays.get(f"{key}.pixels"),  # pyright: ignore[reportArgumentType]
    )


def _tuning(about: dict[str, str] | None, arrays: dict[str, NDArray[np.generic]]) -> Tuning | None:
    if about is None:
        return None
    own = {
        key.removeprefix("tuning."): value.astype(np.float32)
        for key, value in arrays.items()
        if key.startswith("tuning.")
    }
    return Tuning(about["encoder"], about["generator_sha256"], own)


def style_folders() -> tuple[Path, Path]:
    """Return the folders of built-in and of user styles."""
    return weights.PACKAGE / "assets" / "styles", weights.home() / "styles"


def list_styles() -> list[tuple[str, Path, bool]]:
    """Return (name, file, built in) of every known style, built-in ones first."""
    found: list[tuple[str, Path, bool]] = []
    for folder, built_in in zip(style_folders(), (True, False), strict=True):
        found += [(path.stem, path, built_in) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return found


def find_style(name_or_file: str) -> Style:
    """Load a style by file or by the name of a built-in or user style."""
    path = Path(name_or_file)
    if path.is_file():
        return load_style(path)
    known = {name: file for name, file, _ in list_styles()}
    if name_or_file in known:
        return load_style(known[name_or_file])
    raise StyleError(
        f"There is no style file or built-in style {name_or_file}.",
        remedy=f"Use one of: {', '.join(known)}; or a file made by stylehead extract-style.",
    )
