"""Opening a container, its tracks and the time it begins at; decoding errors become ours."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import av
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.frame import Frame
from av.stream import Disposition

from stylehead.errors import MediaError
from stylehead.files import check_file
from stylehead.media.bounds import MOST_FRAME_PIXELS
from stylehead.media.kinds import of_another_kind

PRIMING = 0.1  # seconds of an encoder's warm-up by which sound may begin before its picture
BROADCAST = ("mpegts", "mpeg")
"""Containers that do not say how much of the sound is warm-up."""
FORMATS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "dtshd", "dv"),
    *(
        "eac3",
        "flac",
        "flv",
        "gif",
        "gxf",
        "h264",
        "hevc",
        "ivf",
        "m4v",
        "matroska",
        "mjpeg",
        "mov",
    ),
    *("mp3", "mpc", "mpc8", "mpeg", "mpegts", "mpegvideo", "mxf", "nut", "obu", "ogg", "qcp", "rm"),
    *("shn", "tak", "truehd", "tta", "voc", "w64", "wav", "wv", "yuv4mpegpipe"),
)
"""Containers that are opened. Others may name files or addresses that FFmpeg opens in turn
(playlists, scripts, session descriptions), and hardly anybody records in the rest."""
HIGHEST_RATE = 768_000  # Hz
MOST_CHANNELS = 64
FILM = 25  # pictures of one track after which a track without a second one is a still

Track = TypeVar("Track", av.AudioStream, av.VideoStream)


class _RefusedError(Exception):
    """A file or track that is not decoded, for what it says of itself."""


@contextmanager
def open_container(path: Path, kind: str) -> Generator[InputContainer]:
    """Open a container; any decoding error inside the block becomes a MediaError."""
    check_file(path, kind)
    try:
        with _opened(path) as container:
            yield container
    except (FFmpegError, UnicodeError, _RefusedError) as error:
        raise of_another_kind(path, kind) or MediaError(
            f"{path} is damaged or not a {kind} ({cause_of(error)}).",
            remedy=f"Convert it to a common {kind} format and try again.",
        ) from error


def _opened(path: Path) -> InputContainer:
    allowed = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
    try:
        return av.open(str(path.absolute()), options=allowed, metadata_errors="replace")
    except ArgumentError as error:
        raise _RefusedError("a container of another kind") from error


def cause_of(error: Exception) -> str:
    """Return the reason of a decoding error in a few words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def sound_track(container: InputContainer) -> av.AudioStream | None:
    """Return the sound track that players take: the default one, else the first."""
    track = _default(list(container.streams.audio))
    if track is not None:
        _check_decoder(track)
        context = track.codec_context
        if not 0 < context.sample_rate <= HIGHEST_RATE or not 0 < context.channels <= MOST_CHANNELS:
            problem = f"{context.channels} channels at {context.sample_rate} Hz"
            raise _RefusedError(problem)
    return track


def _check_decoder(track: av.AudioStream | av.VideoStream) -> None:
    if track.codec_context is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise _RefusedError("no decoder for it")


def film_track(path: Path, container: InputContainer) -> av.VideoStream | None:
    """Return the picture track that moves: the default one, else the first; covers are stills.

    A cover that its container does not mark as one is known by its single picture.
    """
    tracks = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if len(tracks) > 1:
        moving = _moving(path)
        tracks = [stream for stream in tracks if stream.index in moving] or tracks
    film = _default(tracks)
    if film is not None:
        _check_decoder(film)
        context = film.codec_context
        if context.width * context.height > MOST_FRAME_PIXELS:
            raise _RefusedError(f"{context.width} x {context.height} pixels a frame")
        # Frames may grow later on.
        context.options = {**context.options, "max_pixels": str(MOST_FRAME_PIXELS)}
    return film


def _default(tracks: list[Track]) -> Track | None:
    marked = [track for track in tracks if track.disposition & Disposition.default]
    return next(iter(marked or tracks), None)


def _moving(path: Path) -> set[int]:
    """Return the indices of picture tracks with more than one picture, from the file's start."""
    counts: dict[int, int] = {}
    with _opened(path) as container:
        for packet in container.demux(video=tuple(range(len(container.streams.video)))):
            if packet.size:
                index = packet.stream.index
                counts[index] = counts.get(index, 0) + 1
                if counts[index] == FILM:
                    break
    return {index for index, count in counts.items() if count > 1}


def beginning(
    container: InputContainer, sound: av.AudioStream | None, film: av.VideoStream | None
) -> float:
    """Return the time stamp in seconds that is a file's time zero, for sound and picture alike.

    Files begin at zero, but transport streams and cuts of longer recordings begin anywhere: there
    the earlier track's first time stamp counts. Where sound begins just before the picture of a
    transport stream, what comes before is the encoder's warm-up, which other containers leave out.
    """
    heard, seen = (_start(track) for track in (sound, film))
    if seen is None:
        return heard or 0.0
    broadcast = container.format.name in BROADCAST
    if broadcast and heard is not None and 0 < seen - heard < PRIMING:
        return seen
    earliest = seen if heard is None else min(heard, seen)
    return earliest if broadcast or abs(earliest) > PRIMING else 0.0


def _start(track: av.AudioStream | av.VideoStream | None) -> float | None:
    if track is None or track.start_time is None or track.time_base is None:
        return None
    return float(track.start_time * track.time_base)


DecodedFrame = TypeVar("DecodedFrame", bound=Frame)


def until_damaged(frames: Iterator[DecodedFrame]) -> Iterator[DecodedFrame]:
    """Yield decoded frames; a damaged packet after the first of them ends the stream quietly."""
    decoded_any = False
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            return
        except FFmpegError:
            if decoded_any:
                return
            raise
        decoded_any = True
        yield frame
