"""Delivery: what may be asked for, the frame of a video, and what is behind the person."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from stylehead import files
from stylehead.errors import ConfigError
from stylehead.media.formats import (
    GIF,
    MATROSKA,
    MP4,
    NUMBERED,
    VIDEO_SUFFIXES,
    Format,
    format_of,
)
from stylehead.media.image import LONGEST_SIDE, filling, read_colour, read_image
from stylehead.media.outside import check_encoder_args, try_outside
from stylehead.options import STDOUT, Options, Piped, Renderer, VideoEncoder, named
from stylehead.progress import Reporter
from stylehead.provenance.seal import check_signing
from stylehead.rendering.framed import Frame, before, frame_around, framed, scaled, straight
from stylehead.rendering.renderer import Scene
from stylehead.types import Pixels, Portrait

SHAPE = re.compile(r"([1-9]\d{0,3}):([1-9]\d{0,3})")
SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
LEAST_SIDE = 64  # pixels of a frame
MOST_RATIO = 4.0  # of its longer side to its shorter
ENLARGED = 1.05  # times, from which on it is said
EXTENSIONS = ("blur", "edge")


def check_delivery(
    output: Path | str, options: Options, *, inputs: Iterable[Path | str | None] = ()
) -> Path:
    """Return the path of a video that can be written so; its ending decides the format.

    Raises MediaError or ConfigError for what cannot be, and for options that exclude each other.
    """
    _check_options(options)
    output = _check_output(named(output), options, list(inputs))
    kind = kind_of(output, options)
    if options.video_encoder is not VideoEncoder.AUTO and not (kind and kind.segmented):
        raise ConfigError(
            "--video-encoder changes nothing: what is written is not laid together from H.264.",
            remedy="Leave it out, or write .mp4, .m4v, .mov or .mkv.",
        )
    return output


def _check_output(output: Path, options: Options, inputs: list[Path | str | None]) -> Path:
    if output == STDOUT:
        _check_pipe(options)
        return output
    if options.format:
        raise ConfigError(
            f"--format says what is written to standard output, and {output} is a file.",
            remedy="Leave out --format: a file's ending decides; or write -o -.",
        )
    if NUMBERED.fullmatch(output.name):
        if options.encoder_args:
            raise ConfigError(
                "--encoder-args makes one file, and a folder of pictures was asked for.",
                remedy="Name a file, or leave out --encoder-args.",
            )
        holds = re.sub(r"%0?\d*d", "[0-9]*", output.name)
        folder, over = output.parent, options.overwrite
        files.check_folder(folder, overwrite=over, holds=holds, inputs=inputs)
        return output
    if options.encoder_args:
        check_encoder_args(options.encoder_args)
        return files.check_output(output, overwrite=options.overwrite, inputs=inputs)
    files.check_output(output, overwrite=options.overwrite, suffixes=VIDEO_SUFFIXES, inputs=inputs)
    format_of(output, alpha=options.alpha)
    return output


def kind_of(output: Path, options: Options) -> Format | None:
    """Return the format of a video; None for plain frames, and for what an ffmpeg outside makes."""
    if options.format:
        return {Piped.MP4: MP4, Piped.MKV: MATROSKA, Piped.Y4M: None}[options.format]
    return None if options.encoder_args else format_of(output, alpha=options.alpha)


def markable(output: Path, options: Options) -> Options:
    """Return options without the mark for a GIF: among 255 colours it would be seen to flicker."""
    gif = not options.encoder_args and output.suffix.lower() in GIF.endings
    return replace(options, mark=False) if gif else options


def _check_options(options: Options) -> None:
    if options.alpha and options.background:
        raise ConfigError(
            "--alpha leaves the background out, and --background puts one there.",
            remedy="Leave out one of them.",
        )
    if options.cut_out and options.renderer is not Renderer.EMBEDDED:
        raise ConfigError(
            f"The renderer {options.renderer.value} does not tell the person from the background.",
            remedy="Leave out --renderer, or --alpha and --background.",
        )
    if options.background:
        _behind(options.background)
    if options.frame:
        if options.crop:
            raise ConfigError(
                "--crop shows a square around the face, and --frame another part.",
                remedy="Leave out one of them.",
            )
        _shape(options.frame)
    if options.sign_key and not options.sign_cert:
        raise ConfigError(
            "--sign-key needs the certificate of that key.", remedy="Give it with --sign-cert."
        )
    check_signing(options)
    if options.extend:
        if not options.frame or options.cut_out:
            raise ConfigError(
                "--extend says what a --frame shows beyond the picture, and nothing is there.",
                remedy="Leave out --extend; beyond a person who is cut out is the background.",
            )
        _beyond(options.extend)


def _check_pipe(options: Options) -> None:
    if not options.format:
        raise ConfigError(
            "-o - does not say what is written to standard output.",
            remedy="Add --format y4m, mp4 or mkv.",
        )
    if needing := [
        flag
        for flag, given in (
            ("--alpha", options.alpha),
            ("--encoder-args", options.encoder_args),
            ("--sign-key", options.sign_key),
        )
        if given
    ]:
        raise ConfigError(
            f"{needing[0]} needs a file.",
            remedy="Leave it out, or name a file with -o.",
        )
    if sys.stdout is None or sys.stdout.isatty():
        raise ConfigError(
            "Nobody takes the video from standard output.",
            remedy="Pipe it to a program, as in -o - --format mkv | ffplay -.",
        )


def backdrop(options: Options) -> Pixels | None:
    """Return what is put behind the person: a picture (H, W, 3), a colour (3,) or nothing."""
    return _behind(options.background) if options.background else None


def _behind(background: str) -> Pixels:
    path = Path(background)
    if path.is_file():
        return _picture(path, path.stat().st_mtime_ns)
    colour = read_colour(background)
    if colour is None:
        raise ConfigError(
            f"--background {background} is neither a colour nor a picture that is there.",
            remedy="Write a name (green), a number (#00ff00) or the path of a picture.",
        )
    return colour


@lru_cache(maxsize=1)
def _picture(path: Path, changed: int) -> Pixels:
    """Return a picture, kept until another is asked for: a video's is checked more than once."""
    del changed  # a time, by which a file that was written again is another
    pixels = read_image(path)
    pixels.setflags(write=False)
    return pixels


def _beyond(extend: str) -> Pixels | str:
    if extend in EXTENSIONS:
        return extend
    colour = read_colour(extend)
    if colour is None:
        raise ConfigError(
            f"--extend {extend} is neither blur nor edge nor a colour.",
            remedy="Write blur, edge, a name (white) or a number (#ffffff).",
        )
    return colour


def _shape(frame: str) -> tuple[float, tuple[int, int] | None]:
    """Return width over height, and the size if it is asked for."""
    found = SHAPE.fullmatch(frame) or SIZE.fullmatch(frame)
    width, height = (int(side) for side in found.groups()) if found else (0, 0)
    sized = "x" in frame
    fits = found and max(width, height) <= MOST_RATIO * min(width, height)
    if sized:
        fits = fits and width % 2 == height % 2 == 0
        fits = fits and min(width, height) >= LEAST_SIDE and max(width, height) <= LONGEST_SIDE
    if not fits:
        raise ConfigError(
            f"--frame {frame} is no frame.",
            remedy=f"Write a shape, as 9:16, or a size of even numbers from {LEAST_SIDE} to "
            f"{LONGEST_SIDE}, as 1080x1920; one side is at most four times the other.",
        )
    return width / height, (width, height) if sized else None


def in_frame(
    portraits: list[Portrait], options: Options, reporter: Reporter
) -> tuple[list[Portrait], Frame | None]:
    """Return portraits at the scale of the frame that is asked for, and the frame."""
    if not options.frame:
        return portraits, None
    ratio, size = _shape(options.frame)
    frame = frame_around(portraits, ratio, size, LONGEST_SIDE)
    if frame.scale > ENLARGED:
        reporter.say(
            f"Note: the picture is enlarged {frame.scale:.1f} times for --frame {options.frame}; "
            "a larger picture would be sharper."
        )
    return [scaled(portrait, frame.scale) for portrait in portraits], frame


def size_of(portraits: list[Portrait], frame: Frame | None, options: Options) -> tuple[int, int]:
    """Return width and height of the video."""
    if frame:
        return frame.width, frame.height
    height, width = portraits[0].pixels.shape[:2]
    if options.crop_size:
        height = width = options.crop_size
    return width // 2 * 2, height // 2 * 2


def try_encoder(output: Path, size: tuple[int, int], options: Options) -> None:
    """Have an ffmpeg that is asked for make a trial before long work; raises MediaError."""
    if options.encoder_args:
        args, rate = options.encoder_args, options.rate
        try_outside(output, args, size=size, fps=rate, alpha=options.alpha)


def delivered(scene: Scene, frame: Frame | None, behind: Pixels | None, options: Options) -> Scene:
    """Return a scene in its frame, and before its background or transparent."""
    if frame:
        scene = framed(scene, frame, _beyond(options.extend or "blur"))
    if behind is not None:
        if behind.ndim == 3:
            return before(scene, filling(behind, scene.width, scene.height))
        return before(scene, np.broadcast_to(behind, (scene.height, scene.width, 3)).copy())
    return straight(scene) if options.alpha else scene


def written_to(output: Path) -> Path:
    """Return the file of a video, or the folder of its pictures."""
    return output.parent if NUMBERED.fullmatch(output.name) else output


def title_of(output: Path) -> str:
    """Return what a video is called."""
    return "video" if output == STDOUT else written_to(output).stem
