"""Segments: parts of a video, each encoded alone and closed, so that many can be made at once."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.plane import VideoPlane
from numba import njit
from numpy.typing import NDArray

from stylehead.errors import MediaError
from stylehead.media.container import cause_of
from stylehead.media.h264 import H264, X264
from stylehead.types import Pixels

SEGMENT = 300
"""Frames of a segment; the last one of a video has what is left."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Segment:
    """H.264 of up to SEGMENT frames that refers to no others."""

    frames: int
    data: bytes
    """All packets, one after the other."""
    table: NDArray[np.int64]
    """(P, 4) of each packet: bytes, when it is shown and decoded, in frames, and 1 for a key."""
    header: bytes = b""
    """Parameters of the stream, the same for all segments of a video; not stored."""

    def packets(self, start: int, fps: Fraction) -> Iterator[tuple[av.Packet[Any], Fraction]]:
        """Yield the packets of a segment that begins at frame `start` of its video.

        With each comes when it is decoded, in seconds.
        """
        place = 0
        for size, shown, decoded, key in self.table.tolist():
            packet = av.Packet(self.data[place : place + size])
            packet.pts, packet.dts, packet.duration = start + shown, start + decoded, 1
            packet.time_base = 1 / fps
            packet.is_keyframe = bool(key)
            place += size
            yield packet, (start + decoded) / fps

    def to_bytes(self) -> bytes:
        """Return the segment as it is stored or sent."""
        out = io.BytesIO()
        data = np.frombuffer(self.data, np.uint8)
        np.savez(out, frames=self.frames, data=data, table=self.table)
        return out.getvalue()

    @staticmethod
    def frames_in(path: Path) -> int:
        """Return how many frames a stored segment has, without reading all of it.

        Raises what `from_bytes` does for a file that is not whole; its contents are not checked.
        """
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if "data" not in arrays:
                raise KeyError("data")
            return int(arrays["frames"])

    @staticmethod
    def from_bytes(stored: bytes) -> Segment:
        """Return the segment that `to_bytes` has stored."""
        with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
            return Segment(
                frames=int(arrays["frames"]),
                data=arrays["data"].tobytes(),
                table=arrays["table"],
            )


def set_up(
    context: av.VideoCodecContext, width: int, height: int, fps: Fraction, by: H264 = X264
) -> av.VideoCodecContext:
    """Give an encoder the settings that all segments of a video share."""
    context.width, context.height = width, height
    context.pix_fmt = by.pixels
    context.time_base = 1 / fps
    context.framerate = fps
    # With more threads the same frames would give other bytes.
    context.thread_count = 1
    context.options = {**by.options, "g": str(SEGMENT)}
    context.flags |= Flags.global_header
    context.color_range = 1  # tv
    context.colorspace = 1  # bt709
    context.color_primaries = 1
    context.color_trc = 1
    return context


class SegmentEncoder:
    """Encodes one segment, picture by picture."""

    def __init__(self, width: int, height: int, fps: Fraction, by: H264 = X264) -> None:
        """Open an encoder; raises MediaError when one of hardware fails, here or later."""
        self._by = by
        with self._spoken_for():
            context = av.CodecContext.create(by.codec, "w")
            assert isinstance(context, av.VideoCodecContext)
            self._context = set_up(context, width, height, fps, by)
            self._context.open()
        self._time_base = 1 / fps
        self._frames = 0
        self._data = bytearray()
        self._table: list[tuple[int, int, int, int]] = []

    def add(self, picture: EncoderPicture) -> None:
        """Encode the next frame; the picture may be changed afterwards."""
        picture.frame.pts = self._frames
        picture.frame.time_base = self._time_base
        self._frames += 1
        with self._spoken_for():
            self._keep(self._context.encode(picture.frame))

    def finish(self) -> Segment:
        """Close the segment."""
        with self._spoken_for():
            self._keep(self._context.encode(None))
        return Segment(
            frames=self._frames,
            data=bytes(self._data),
            table=np.array(self._table, np.int64),
            header=self._context.extradata or b"",
        )

    def _keep(self, packets: Sequence[av.Packet[Any]]) -> None:
        for packet in packets:
            if packet.pts is None or packet.dts is None:
                raise ValueError("the encoder gave a packet without its time")
            self._table.append((packet.size, packet.pts, packet.dts, int(packet.is_keyframe)))
            self._data += memoryview(packet)

    @contextmanager
    def _spoken_for(self) -> Generator[None]:
        """Turn what an encoder of hardware raises into a MediaError."""
        try:
            yield
        except (FFmpegError, UnknownCodecError) as error:
            if not self._by.hardware:
                raise
            raise MediaError(
                f"The video encoder {self._by.name} failed ({cause_of(error)}).",
                remedy="Encode with --video-encoder x264.",
            ) from error


class EncoderPicture:
    """A picture in an encoder's colours, in memory that is used for one frame after the other."""

    def __init__(self, picture: Pixels) -> None:
        """Begin with a picture (H, W, 3) RGB; an odd side loses its last pixels."""
        height, width = (side // 2 * 2 for side in picture.shape[:2])
        # The library's own memory: over an array of ours it takes a height that is no multiple of
        # four for the next lower one, and so the colours for rows of brightness.
        self.frame = av.VideoFrame(width, height, "yuv420p")
        self._planes = [_rows(plane) for plane in self.frame.planes]
        self.draw(picture, 0, 0)

    def draw(self, part: Pixels, top: int, left: int) -> None:
        """Replace a part (h, w, 3) RGB, whose corner is at an even row and column."""
        height = min(part.shape[0], self.frame.height - top)
        width = min(part.shape[1], self.frame.width - left)
        luma, bluish, reddish = self._planes
        part = np.ascontiguousarray(part)  # one type, so that one version is compiled
        _to_yuv(part, height, width, luma, bluish, reddish, top, left)

    def pixels(self) -> Pixels:
        """Return what it shows (H, W, 3) RGB, with colours at half resolution."""
        shown = self.frame.to_ndarray(
            format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG"
        )
        return np.asarray(shown, np.uint8)


def _rows(plane: VideoPlane) -> NDArray[np.uint8]:
    """Return a plane's memory, its rows (H, L) with what follows each until the next one."""
    memory = np.frombuffer(plane, np.uint8)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return memory.reshape(plane.height, plane.line_size)


@njit(cache=True, nogil=True)
def _to_yuv(
    part: Pixels,
    height: int,
    width: int,
    luma: NDArray[np.uint8],
    bluish: NDArray[np.uint8],
    reddish: NDArray[np.uint8],
    top: int,
    left: int,
) -> None:
    """Write BT.709 in TV range, the colour of each four pixels averaged."""
    for row in range(height // 2):
        y, at = 2 * row, top + 2 * row
        for column in range(width // 2):
            x, place = 2 * column, left + 2 * column
            red, green, blue = 0, 0, 0
            for i in range(2):
                for j in range(2):
                    r = np.int32(part[y + i, x + j, 0])
                    g = np.int32(part[y + i, x + j, 1])
                    b = np.int32(part[y + i, x + j, 2])
                    # The matrix times 2**15; half of 2**15 rounds.
                    value = (5983 * r + 20127 * g + 2032 * b + (16 << 15) + (1 << 14)) >> 15
                    luma[at + i, place + j] = np.uint8(value)
                    red, green, blue = red + r, green + g, blue + b
            offset = (128 << 17) + (1 << 16)  # of four pixels
            from_blue = (-3298 * red - 11094 * green + 14392 * blue + offset) >> 17
            from_red = (14392 * red - 13072 * green - 1320 * blue + offset) >> 17
            bluish[at // 2, place // 2] = np.uint8(from_blue)
            reddish[at // 2, place // 2] = np.uint8(from_red)
