"""Video out by an ffmpeg outside, for encoders that PyAV's build lacks."""

from __future__ import annotations

import shlex
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain, repeat
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import numpy as np
import soundfile

from stylehead.errors import ConfigError, DeviceError, MediaError
from stylehead.files import atomic
from stylehead.files.locks import temporary_folder
from stylehead.media.audio import Sound
from stylehead.media.muxer import SoundTrack, opened
from stylehead.types import Pixels

TRIED = 10
"""Frames of a trial."""


def find_ffmpeg() -> str:
    """Return the ffmpeg of IMAGEIO_FFMPEG_EXE, of imageio-ffmpeg, or on PATH."""
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise DeviceError(
            "There is no ffmpeg for --encoder-args.",
            remedy="Install one, or say where it is in IMAGEIO_FFMPEG_EXE.",
        ) from error


def check_encoder_args(text: str) -> list[str]:
    """Return the words of encoder arguments; raises ConfigError or DeviceError before any work."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(
            f"--encoder-args cannot be read ({error}).", remedy="Close every quotation mark."
        ) from error
    find_ffmpeg()
    return words


def write_outside(
    path: Path,
    frames: Iterator[Pixels],
    arguments: str,
    *,
    size: tuple[int, int],
    fps: Fraction,
    sound: Sound,
    metadata: dict[str, str],
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Hand frames (H, W, C) and sound to ffmpeg, which encodes them as its arguments say.

    Four channels are straight alpha. The file appears only when ffmpeg has ended well, and `finish`
    has done to it what comes last; raises MediaError with what ffmpeg says when it has not.
    """
    first = next(frames)
    with atomic(path) as part, temporary_folder() as folder:
        heard = folder / "sound.wav"
        with opened(heard, heard, "wav", {}) as container:
            SoundTrack(container, sound, "pcm_s16le").write_until(None)
        words = _given(size, first.shape[2], fps, heard) + check_encoder_args(arguments)
        words += [word for pair in metadata.items() for word in ("-metadata", "=".join(pair))]
        _run(path, [*words, str(part.absolute())], chain([first], frames))
        if finish:
            finish(part)


def try_outside(
    path: Path, arguments: str, *, size: tuple[int, int], fps: Fraction, alpha: bool
) -> None:
    """Have ffmpeg encode a few grey frames and silence, as it is to encode `path`, and forget them.

    Raises MediaError with what ffmpeg says when it cannot.
    """
    grey = np.full((size[1], size[0], 4 if alpha else 3), 128, np.uint8)
    with temporary_folder() as folder:
        heard = folder / "sound.wav"
        soundfile.write(heard, np.zeros((TRIED * 4800, 2), np.float32), 48_000)
        words = _given(size, grey.shape[2], fps, heard) + check_encoder_args(arguments)
        _run(path, [*words, f"{folder}/trial{path.suffix}"], repeat(grey, TRIED))


def _given(size: tuple[int, int], channels: int, fps: Fraction, heard: Path) -> list[str]:
    """Return the words of a command up to what the frames and the sound are."""
    words = [find_ffmpeg(), "-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo"]
    words += ["-pix_fmt", "rgba" if channels == 4 else "rgb24"]
    words += ["-video_size", f"{size[0]}x{size[1]}", "-framerate", str(fps), "-i", "pipe:0"]
    return [*words, "-i", str(heard), "-map", "0:v", "-map", "1:a"]


def _run(path: Path, command: list[str], frames: Iterable[Pixels]) -> None:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        said: list[bytes] = []
        listener = threading.Thread(target=_listen, args=(process.stderr, said), daemon=True)
        listener.start()
        try:
            for frame in frames:
                process.stdin.write(np.ascontiguousarray(frame).data)
            process.stdin.close()
            code = process.wait()
        except BrokenPipeError:  # it has ended, and says why
            with suppress(BrokenPipeError):
                process.stdin.close()
            code = process.wait() or 1
        except BaseException:  # an interrupt, too: ffmpeg must not outlive this
            process.kill()
            with suppress(BrokenPipeError):
                process.stdin.close()
            raise
        listener.join()
    if code:
        lines = b"".join(said).decode(errors="replace").strip().splitlines()
        raise MediaError(
            f"{path} was not written: ffmpeg says {lines[0] if lines else f'exit code {code}'!r}.",
            remedy="Change --encoder-args.",
        )


def _listen(stream: IO[bytes], said: list[bytes]) -> None:
    said.extend(stream)
