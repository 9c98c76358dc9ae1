"""The whole corridor on one screen: portrait + sound + style -> video."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stylehead import files, images, media, tracking, weights
from stylehead.blend import Blend, references_of
from stylehead.device import choose_device
from stylehead.motion import adjust, predict_motion
from stylehead.motion_file import at_rate, load_motion, save_motion
from stylehead.motion_models import load_motion_models
from stylehead.options import DEFAULT_STYLE, Options
from stylehead.progress import SILENT, Reporter, track
from stylehead.references import Retrieval
from stylehead.renderers import Stage, load_renderer
from stylehead.sheet import draw_sheet
from stylehead.style import SUFFIX, find_style, learn_style, save_style, style_folders
from stylehead.style_choice import choose_blend, name_of, source_of
from stylehead.style_mapping import check_patterns, save_patterns
from stylehead.types import Motion, Portrait, Style
from stylehead.version import __version__

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov")
FACE_FILES = ("face_landmarker", "face_model", "style_mapping", "style_generator")
"""Model files that every video needs."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was made."""

    output: str
    seconds: float
    frames: int
    fps: int
    width: int
    height: int
    style: str
    seed: int
    device: str
    renderer: str
    stages: dict[str, float]
    """Wall seconds of each stage."""

    def as_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))


def animate(
    image: Path | str,
    audio: Path | str,
    output: Path | str = "talking.mp4",
    *,
    style: Style | str | Sequence[str] | None = None,
    style_video: Path | str | None = None,
    style_region: str | None = None,
    motion: Path | None = None,
    save_motion_to: Path | None = None,
    save_patterns_to: Path | None = None,
    options: Options = Options(),  # noqa: B008 (frozen)
    reporter: Reporter = SILENT,
) -> Result:
    """Write a video in which the portrait speaks or sings the audio in the given style.

    `style` is a Style, a style file or a style's name, or several names with weights
    (`["a:0.7", "b:0.3"]`); `style_region` gives parts a style of their own (`"head=b"`);
    `style_video` is a clip to learn a style from; `motion` a saved motion to render instead;
    `save_patterns_to` a folder for the portrait's four intermediate style patterns.
    Raises StyleheadError with a remedy.
    """
    clock = _Clock()
    image, audio, output = Path(image), Path(audio), Path(output)
    files.check_output(output, overwrite=options.overwrite, suffixes=VIDEO_SUFFIXES)
    if save_motion_to:
        files.check_output(save_motion_to, overwrite=options.overwrite, suffixes=(".npz",))
    if save_patterns_to:
        check_patterns(save_patterns_to, overwrite=options.overwrite)
    device = choose_device(options.device)
    # Cheap refusals come before long work.
    moves = load_motion(motion) if motion else None
    strength = options.style_strength
    chosen = None if motion or style_video else choose_blend(style, style_region, strength)
    sound = media.open_sound(audio, start=options.start, duration=options.duration)
    weights.resolve("face_landmarker", reporter=reporter)
    renderer = load_renderer(options.renderer, device, reporter=reporter)
    portrait = _find_portrait(image, options, reporter)
    clock.lap("portrait")
    if style_video:
        learned = learn_style(Path(style_video), Path(style_video).stem, reporter=reporter)[0]
        chosen = choose_blend(learned, style_region, strength)
    clock.lap("style")
    fps = Fraction(options.fps)
    heard_by, used = "saved motion", FACE_FILES + renderer.weights
    if moves:
        moves = adjust(_lasting(at_rate(moves, fps), sound.seconds), options.controls)
    else:
        assert chosen is not None  # without a motion there is always a style
        models = load_motion_models(options.encoder, device, reporter=reporter)
        heard_by, used = models.encoder, used + models.files
        moves = predict_motion(
            sound, models, chosen, fps=fps, controls=options.controls, reporter=reporter
        )
    if save_motion_to:
        save_motion(moves, save_motion_to)
    clock.lap("motion")
    crop_size = options.size if options.crop else None
    references = references_of(chosen or choose_blend(None))  # a saved motion carries none
    stage = renderer.set_stage(portrait, references, crop_size=crop_size, device=device)
    if save_patterns_to:
        save_patterns(stage.patterns, save_patterns_to)
    _estimate(stage, moves, renderer.trial_frames, device, reporter)
    clock.lap("preparing")
    style_name = name_of(chosen) if chosen else "saved motion"
    frames = track(stage.show(moves), "Rendering", len(moves), reporter)
    count = media.write_video(
        output,
        frames,
        fps=fps,
        sound=sound,
        metadata=_metadata(
            image, style_name, chosen, heard_by, renderer.name, used, options.controls.seed
        ),
    )
    clock.lap("rendering")
    return Result(
        str(output),
        count / options.fps,
        count,
        options.fps,
        stage.width // 2 * 2,
        stage.height // 2 * 2,
        style_name,
        options.controls.seed,
        device.type,
        renderer.name,
        clock.laps,
    )


def write_motion(
    audio: Path,
    output: Path,
    *,
    style: Style | str | Sequence[str] | None = None,
    style_video: Path | None = None,
    style_region: str | None = None,
    options: Options = Options(),  # noqa: B008 (frozen)
    reporter: Reporter = SILENT,
) -> Motion:
    """Write the motion of a recording in a style, without a picture."""
    files.check_output(output, overwrite=options.overwrite, suffixes=(".npz",))
    sound = media.open_sound(audio, start=options.start, duration=options.duration)
    device = choose_device(options.device)
    if style_video:
        style = learn_style(style_video, style_video.stem, reporter=reporter)[0]
    chosen = choose_blend(style, style_region, options.style_strength)
    fps = Fraction(options.fps)
    models = load_motion_models(options.encoder, device, reporter=reporter)
    moves = predict_motion(
        sound, models, chosen, fps=fps, controls=options.controls, reporter=reporter
    )
    save_motion(moves, output)
    return moves


@dataclass(frozen=True, slots=True)
class ExtractedStyle:
    """A style written to disk, and how it was found."""

    path: Path
    style: Style
    retrieval: Retrieval

    def tables(self) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
        """Return (title, columns, rows) of what was found and what was rejected."""
        found, numbers = self.retrieval, self.style.statistics
        references = [
            (one.template, media.clock(one.seconds), f"{one.score:.1f}")
            for one in self.style.references
        ]
        rejected = [
            (reason, f"{count}", f"{count / found.frames:.0%}")
            for reason, count in found.rejected.items()
        ]
        rejected.append(("usable", f"{found.usable}", f"{found.usable / found.frames:.0%}"))
        shown = [
            (name.replace("_", " "), f"{value:.3g}")
            for name, value in numbers.items()
            if not name.startswith("spread_") and "_speed_" not in name
        ]
        return [
            ("Style references", ("template", "time", "distance (lower is nearer)"), references),
            (
                "Frames not considered (one may have several reasons)",
                ("reason", "frames", ""),
                rejected,
            ),
            ("Motion (lengths in interocular distances)", ("measure", "value"), shown),
        ]


def write_style(
    video: Path,
    output: Path | None,
    *,
    sheet: Path | None = None,
    start: float = 0.0,
    duration: float | None = None,
    keep_frames: bool = False,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> ExtractedStyle:
    """Learn a style from a clip and write it; without `output` it joins the user's styles."""
    if output is None:
        output = style_folders()[1] / f"{video.stem}{SUFFIX}"
        files.make_folder(output.parent)
    files.check_output(output, overwrite=overwrite, suffixes=(SUFFIX,))
    if sheet:
        files.check_output(sheet, overwrite=overwrite, suffixes=(".png",))
    weights.resolve("face_landmarker", reporter=reporter)
    style, retrieval, found = learn_style(
        video,
        output.stem,
        start=start,
        duration=duration,
        keep_frames=keep_frames,
        reporter=reporter,
    )
    if sheet:
        draw_sheet(sheet, video, style, retrieval, found)
    save_style(style, output)
    return ExtractedStyle(output, style, retrieval)


def choose_style(style: Style | str | None) -> Style:
    """Return the style: given, found by name or file, or the default."""
    return style if isinstance(style, Style) else find_style(style or DEFAULT_STYLE)


def _find_portrait(image: Path, options: Options, reporter: Reporter) -> Portrait:
    pixels = images.read_image(image)
    fitted = images.fit_video(pixels)
    if fitted is not pixels:
        reporter.say(f"{image.name} is scaled down to {fitted.shape[1]} x {fitted.shape[0]}")
    portrait = tracking.find_portrait(fitted, name=str(image), number=options.face)
    if portrait.count > 1:
        side = "" if options.face else ", the largest"
        reporter.say(f"Animating face {portrait.number} of {portrait.count}{side}; see --face")
    return portrait


def _lasting(motion: Motion, seconds: float) -> Motion:
    """Hold a motion's last frame until the sound ends; a longer one is cut there."""
    frames = math.ceil(round(seconds * motion.fps, 6))
    return _rows(motion, np.arange(frames).clip(max=len(motion) - 1))


def _rows(motion: Motion, rows: NDArray[np.intp]) -> Motion:
    return motion.with_(
        landmarks=motion.landmarks[rows],
        rotation=motion.rotation[rows],
        translation=motion.translation[rows],
        blink=motion.blink[rows],
        gaze=motion.gaze[rows],
    )


def _estimate(
    stage: Stage, motion: Motion, trial_frames: int, device: torch.device, reporter: Reporter
) -> None:
    """Say what will be made and how long it takes, from a few frames rendered now.

    The first one is apart, for it starts the compiler; with no more of them it has to do.
    """

    def showing(some: NDArray[np.intp]) -> float:
        began = time.perf_counter()
        for _ in stage.show(_rows(motion, some)):
            pass
        return time.perf_counter() - began

    rows = np.linspace(0, len(motion) - 1, trial_frames + 1).astype(int)
    each = showing(rows[:1])
    if trial_frames:
        each = showing(rows[1:]) / trial_frames
    # Seconds a frame, measured for x264 veryfast on 2 cores.
    encoding = 1.2e-8 * stage.width * stage.height
    seconds = (each + encoding) * len(motion)
    slow = f" ({each:.1f} s a frame)" if each > 1 else ""
    reporter.say(
        f"{len(motion)} frames of {stage.width} x {stage.height} ({media.clock(motion.seconds)}), "
        f"about {max(1, round(seconds))} s on {device.type}{slow}"
    )


def _metadata(
    image: Path,
    name: str,
    blend: Blend | None,
    encoder: str,
    renderer: str,
    used: Sequence[str],
    seed: int,
) -> dict[str, str]:
    """Return what the video says about itself."""
    source = source_of(blend) if blend else ""
    entries = weights.read_manifest()
    hashes = {key: (entries[key].sha256 or "unknown")[:16] for key in used}
    return {
        "title": f"{os.fsencode(image.stem).decode(errors='replace')} (AI-generated)",
        "comment": f"AI-generated: a portrait animated by stylehead {__version__}; "
        "what it shows was never filmed.",
        "software": f"stylehead {__version__}",
        "stylehead_weights": json.dumps(hashes),
        "stylehead_style": json.dumps({"name": name, "source_sha256": source}),
        "stylehead_encoder": encoder,
        "stylehead_renderer": renderer,
        "stylehead_seed": str(seed),
    }


class _Clock:
    """Wall time of each stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = round(now - self._last, 3)
        self._last = now
