"""What a run would make, found without making it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stylehead.compute.device import choose_device, usable_cores
from stylehead.face.face_model import generic_neutral
from stylehead.options import MotionOptions, Options, Renderer
from stylehead.pipeline.deliver import check_delivery, in_frame, size_of, try_encoder
from stylehead.pipeline.singers import Take, find_faces
from stylehead.pipeline.song import check_heard, files_of, listened_to, open_song
from stylehead.pipeline.staging import stage
from stylehead.pipeline.unused import check_options
from stylehead.progress import SILENT, Reporter, clock
from stylehead.rendering.renderer import load_renderer
from stylehead.speech.listen import refuse_silent
from stylehead.style.mix import as_mix
from stylehead.types import Motion, StyleMix


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would make."""

    frames: int
    fps: float
    seconds: float
    """Length of what would be made."""
    width: int | None = None
    """Pixels; None for a motion alone."""
    height: int | None = None
    faces: tuple[int, ...] = ()
    """Numbers of the faces that would move, from the left."""
    estimate: str | None = None
    """A sentence with the time that rendering takes here; None where only the whole work tells."""
    writes: tuple[str, ...] = ()
    """Names of the files that would be written."""

    def as_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    def summary(self) -> str:
        """Return one sentence: what would be written."""
        size = f" of {self.width} x {self.height}" if self.width else ""
        named = " and ".join(self.writes)
        return (
            f"Nothing was written: {named} would be, {self.frames} frames{size} at {self.fps:g} a "
            f"second ({clock(self.seconds)})."
        )


def plan_video(
    image: Path,
    audio: Path,
    output: Path,
    *,
    mix: StyleMix,
    motion: Motion | None = None,
    options: Options,
    writes: Sequence[Path],
    reporter: Reporter = SILENT,
) -> Plan:
    """Return the plan of a video after all checks of `animate` that come before long work.

    Time is measured on a face at rest, or on the saved motion. Raises what `animate` raises.
    """
    check_options(options, saved=motion is not None, output=output)
    given = (image, audio, *files_of(options))
    check_delivery(output, options, inputs=given)
    device = choose_device(options.device)
    style = as_mix(mix, strength=options.style_strength)
    song = open_song(audio, style, options)
    if motion is None:
        check_heard(song)
    found = find_faces(image, song.faces, options, reporter)
    portraits, frame = in_frame(found, options, reporter)
    fps = options.rate
    frames = math.ceil(round(song.played.seconds * fps, 6))
    width, height = size_of(portraits, frame, options)
    try_encoder(output, (width, height), options)
    estimate = None
    if options.renderer is Renderer.EMBEDDED:  # others may have to be downloaded first
        renderer = load_renderer(options.renderer, device, reporter=reporter)
        moves = _at_rest(frames, fps) if motion is None else motion
        rows = np.arange(frames).clip(max=len(moves) - 1)
        takes = [Take(motion=moves[rows].with_(fps=fps), mix=style)] * len(portraits)
        shot = stage(portraits, takes, frame, options).shot(renderer)
        estimate = shot.scene.estimate(shot.motions, options.workers or usable_cores())
        reporter.say(estimate)
    return Plan(
        frames=frames,
        fps=float(fps),
        seconds=float(frames / fps),
        width=width,
        height=height,
        faces=tuple(portrait.number for portrait in portraits),
        estimate=estimate,
        writes=tuple(map(str, writes)),
    )


def plan_motion(audio: Path, *, options: MotionOptions, writes: Sequence[Path]) -> Plan:
    """Return the plan of a motion alone; raises what `make_motion` raises before long work."""
    check_options(options)
    choose_device(options.device)
    fps = options.rate
    voice = listened_to(audio, options)
    refuse_silent(voice)
    frames = math.ceil(round(voice.seconds * fps, 6))
    return Plan(
        frames=frames,
        fps=float(fps),
        seconds=float(frames / fps),
        writes=tuple(map(str, writes)),
    )


def _at_rest(frames: int, fps: Fraction) -> Motion:
    """Return the motion of a face that does not move."""
    return Motion(
        np.zeros((frames, 68, 3), np.float32),
        np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1)),
        np.zeros((frames, 3), np.float32),
        np.zeros(frames, np.float32),
        fps,
        generic_neutral(),
    )
