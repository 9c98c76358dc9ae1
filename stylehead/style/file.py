"""Style files, and the folders of built-in and user styles."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from stylehead import files
from stylehead.errors import StyleError
from stylehead.media import bounds
from stylehead.style.learn import STATISTICS
from stylehead.types import TEMPLATES, Floats, Motion, Style, StyleReference, Tuning
from stylehead.weights.store import asset, home

FORMAT = "3"
Arrays = dict[str, NDArray[Any]]
SUFFIX = ".style"
OWN_VOICE = "own_voice."
MOST_BYTES = 300_000_000
"""Of a style file: three hours of a clip take half as many."""
DAMAGED = (SafetensorError, LookupError, ValueError, ArithmeticError, TypeError, OSError)
"""What its readers raise for bytes that are no style file."""


def _as_rate(text: object) -> Fraction:
    # No exponents: a few letters would be a number of a billion digits.
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,6}(/[0-9]{1,6})?", text):
        raise ValueError("no rate")
    fps = Fraction(text)
    bounds.check_rate(fps)
    return fps


Number = Annotated[float, Field(ge=-1e6, le=1e6)]  # which NaN is not
Rate = Annotated[Fraction, BeforeValidator(_as_rate)]


def save_style(style: Style, path: Path | str) -> None:
    """Write one safetensors file of numbers: no pixels."""
    arrays: dict[str, NDArray[np.generic]] = {
        "motion.landmarks": style.motion.landmarks.astype(np.float16),
        "motion.rotation": style.motion.rotation,
        "motion.translation": style.motion.translation,
        "motion.blink": style.motion.blink.astype(np.float16),
        "motion.neutral": style.motion.neutral,
        "motion.times": style.times,
        "motion.gaze": style.motion.gaze.astype(np.float16),
    }
    if style.contour is not None:
        arrays["contour"] = style.contour.astype(np.float16)
    scores: dict[str, dict[str, Any]] = {}
    for reference in style.references:
        key = f"reference.{reference.template}"
        arrays[f"{key}.landmarks"] = reference.landmarks
        arrays[f"{key}.rotation"] = reference.rotation
        arrays[f"{key}.expression"] = reference.expression
        found = _Found(seconds=reference.seconds, score=reference.score, in_clip=reference.in_clip)
        scores[reference.template] = found.model_dump()
    about: dict[str, Any] = {
        "format": FORMAT,
        "name": style.name,
        "fps": str(style.motion.fps),
        "references": scores,
        "statistics": style.statistics,
        "provenance": style.provenance,
    }
    if style.tuning:
        arrays |= {f"tuning.{key}": value for key, value in style.tuning.arrays.items()}
        for key, value in style.tuning.own_voice.items():
            arrays[f"{OWN_VOICE}{key}"] = value.astype(np.float16)
        fits = _TuningOf(
            encoder=style.tuning.encoder,
            generator_sha256=style.tuning.generator_sha256,
            projection=style.tuning.projection,
        )
        about["tuning"] = fits.model_dump(exclude_defaults=True)
    # One entry: several would be written in any order, and the same style in other bytes.
    metadata = {"stylehead_style": json.dumps(about, sort_keys=True)}
    with files.atomic(Path(path)) as part:
        arrays = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        part.write_bytes(save(arrays, metadata=metadata))


class _Found(BaseModel):
    seconds: Number
    score: Number
    in_clip: bool


class _TuningOf(BaseModel):
    encoder: str
    generator_sha256: str
    projection: Annotated[float, Field(ge=0, le=1)] = 0.0


class _About(BaseModel):
    """What a style file says beside its arrays."""

    format: Literal["2", "3"]
    """Files of format 2 have no contour and no gaze."""
    name: str
    fps: Rate
    references: dict[str, _Found]
    statistics: dict[str, Number]
    provenance: dict[str, str]
    tuning: _TuningOf | None = None


def load_style(path: Path | str) -> Style:
    """Read a style file; raises StyleError when it is not one or is damaged."""
    path = Path(path)
    if not files.is_file(path):
        raise StyleError(f"{path} does not exist.", remedy="Check the style file's path.")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("stylehead_style", "{}")
            arrays: Arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        about = _About.model_validate_json(text)
        if missing := STATISTICS - about.statistics.keys():
            raise ValueError(f"no {', '.join(sorted(missing))}")
        for key, array in arrays.items():
            bounds.check_numbers(key, array)
        style = _style(about, arrays)
        bounds.check_length(style.motion)
        return style
    except DAMAGED as error:
        raise StyleError(
            f"{path} is not a style file of this version, or is damaged.",
            remedy="Make it again with stylehead extract-style.",
        ) from error


def _style(about: _About, arrays: Arrays) -> Style:
    motion = Motion(
        arrays["motion.landmarks"].astype(np.float32),
        arrays["motion.rotation"],
        arrays["motion.translation"],
        arrays["motion.blink"].astype(np.float32),
        about.fps,
        arrays["motion.neutral"],
        *_under("motion.gaze", arrays).values(),
    )
    return Style(
        about.name,
        tuple(_reference(template, about.references[template], arrays) for template in TEMPLATES),
        motion,
        arrays["motion.times"],
        about.statistics,
        about.provenance,
        _tuning(about.tuning, arrays),
        arrays["contour"].astype(np.float32) if "contour" in arrays else None,
    )


def _reference(template: str, found: _Found, arrays: Arrays) -> StyleReference:
    key = f"reference.{template}"
    return StyleReference(
        template,
        found.seconds,
        found.score,
        arrays[f"{key}.landmarks"],
        arrays[f"{key}.rotation"],
        arrays[f"{key}.expression"],
        found.in_clip,
    )


def _tuning(about: _TuningOf | None, arrays: Arrays) -> Tuning | None:
    if about is None:
        return None
    return Tuning(
        about.encoder,
        about.generator_sha256,
        _under("tuning.", arrays),
        about.projection,
        _under(OWN_VOICE, arrays),
    )


def _under(prefix: str, arrays: Arrays) -> dict[str, Floats]:
    """Return the arrays whose names have a prefix, without it, in single precision."""
    return {
        key.removeprefix(prefix): value.astype(np.float32)
        for key, value in arrays.items()
        if key.startswith(prefix)
    }


def style_folders() -> tuple[Path, Path]:
    """Return the folders of built-in and of user styles."""
    return asset("styles"), home() / "styles"


def list_styles() -> list[tuple[str, Path, bool]]:
    """Return (name, file, built in) of every known style, built-in ones first."""
    found: list[tuple[str, Path, bool]] = []
    for folder, built_in in zip(style_folders(), (True, False), strict=True):
        found += [(path.stem, path, built_in) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return found


def find_style(name_or_file: str) -> Style:
    """Load a style by file or by the name of a built-in or user style."""
    path = Path(name_or_file)
    if files.is_file(path):
        return load_style(path)
    known = {name: file for name, file, _ in list_styles()}
    if name_or_file in known:
        return load_style(known[name_or_file])
    raise StyleError(
        f"There is no style {name_or_file}.",
        remedy=f"Use one of {', '.join(known)}; or a file made by stylehead extract-style.",
    )
