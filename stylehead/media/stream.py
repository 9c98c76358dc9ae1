"""Video out in one stream of frames, for all that is not laid together from segments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, cast

import av
import numpy as np
from av.container import OutputContainer
from PIL import Image

from stylehead.files import atomic, atomic_folder
from stylehead.media.audio import Sound
from stylehead.media.copied_sound import Packets
from stylehead.media.cues import Subtitle
from stylehead.media.formats import APNG, GIF, WEBP, Format
from stylehead.media.marks import mark_gif, mark_png, mark_webp
from stylehead.media.muxer import WordTrack, opened, sound_track_of
from stylehead.media.palette import Palette
from stylehead.media.segment import EncoderPicture
from stylehead.types import Pixels

FIRST, EVERY = 60, 10  # frames from whose beginning, and every which of them, a palette is chosen
MARKS = {GIF.name: mark_gif, APNG.name: mark_png, WEBP.name: mark_webp}
CONTAINERS = {
    "mov": {"movflags": "faststart+use_metadata_tags"},
    "webm": {"fflags": "+bitexact"},  # else it gets a random number
    "gif": {"loop": "0"},
    "webp": {"loop": "0"},
    "apng": {"plays": "0"},
}
THREADS = 4  # of an encoder that works on tiles of a frame; its bytes depend on nothing else


def write_stream(
    path: Path,
    frames: Iterable[Pixels],
    kind: Format,
    *,
    size: tuple[int, int],
    fps: Fraction,
    sound: Sound,
    metadata: dict[str, str],
    shown: Sequence[Subtitle] = (),
    packets: Packets | None = None,
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Encode frames as they come, with the recording's own sound where the format has any.

    Its `packets` are copied where there are any.
    frames (H, W, 3) RGB, or (H, W, 4) with straight alpha; size: width and height. The file appears
    only when everything was written, and `finish` has done to it what comes last; raises MediaError
    when it cannot be.
    """
    with atomic(path) as part:
        with opened(path, part, kind.container, CONTAINERS[kind.container]) as container:
            container.metadata.update(metadata)
            pictures = iter(frames)
            first = next(pictures)
            alpha = first.shape[2] == 4
            video = _picture_track(container, kind, size, fps, alpha=alpha)
            track = sound_track_of(container, sound, packets, kind) if kind.sound else None
            words = WordTrack(container, shown, kind.words) if shown and kind.words else None
            encoded = _encoded(chain([first], pictures), video.codec_context.pix_fmt or "")
            for number, frame in enumerate(encoded, 1):
                frame.pts, frame.time_base = number - 1, 1 / fps
                container.mux(video.encode(frame))
                for other in (track, words):
                    if other:
                        other.write_until(number / fps)
            container.mux(video.encode(None))
            if track:
                track.write_until(None)
        if mark := MARKS.get(kind.name):
            mark(part, metadata)
        if finish:
            finish(part)


def _picture_track(
    container: OutputContainer, kind: Format, size: tuple[int, int], fps: Fraction, *, alpha: bool
) -> av.VideoStream:
    video = cast("av.VideoStream", container.add_stream(kind.codec, rate=fps))
    context = video.codec_context
    context.width, context.height = size
    context.pix_fmt = kind.transparent if alpha and kind.transparent else kind.pixels
    context.time_base = 1 / fps
    context.options = dict(kind.options)
    if context.pix_fmt.startswith("yuv"):
        context.color_range = 1  # tv
        context.colorspace = context.color_primaries = context.color_trc = 1  # bt709
        context.thread_count = THREADS
    if alpha and kind.container == "webm":
        video.metadata["alpha_mode"] = "1"
    return video


def _encoded(frames: Iterator[Pixels], pixels: str) -> Iterator[av.VideoFrame]:
    """Yield frames in an encoder's colours."""
    if pixels == "pal8":
        first = list(islice(frames, FIRST))
        palette = Palette(first[::EVERY])
        for frame in chain(first, frames):
            drawn = (palette.drawn(frame), palette.argb)
            yield av.VideoFrame.from_ndarray(drawn, "pal8")  # pyright: ignore[reportArgumentType] (a pair, for this format)
        return
    for frame in frames:
        given = np.ascontiguousarray(frame)
        made = av.VideoFrame.from_ndarray(given, "rgba" if given.shape[2] == 4 else "rgb24")
        if pixels.startswith("yuv"):
            made = made.reformat(
                format=pixels,
                dst_colorspace="ITU709",
                src_color_range="JPEG",
                dst_color_range="MPEG",
            )
            made.colorspace = 1
        yield made if made.format.name == pixels else made.reformat(format=pixels)


def write_y4m(
    to: BinaryIO, frames: Iterable[Pixels], *, size: tuple[int, int], fps: Fraction
) -> None:
    """Write frames (H, W, 3) as YUV4MPEG2: BT.709 in TV range, no sound."""
    head = f"YUV4MPEG2 W{size[0]} H{size[1]} F{fps.numerator}:{fps.denominator} Ip A1:1 C420mpeg2"
    to.write(f"{head} XCOLORRANGE=LIMITED\n".encode())
    for frame in frames:
        to.write(b"FRAME\n")
        to.write(EncoderPicture(frame).frame.to_ndarray().tobytes())
    to.flush()


def write_pictures(
    path: Path,
    frames: Iterable[Pixels],
    *,
    metadata: dict[str, str],
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Write each frame as a PNG, counted from 1; `path` is FOLDER/%05d.png.

    The folder appears whole or not at all; raises MediaError when it cannot be written.
    """
    with atomic_folder(path.parent) as part:
        for number, frame in enumerate(frames, 1):
            picture = part / (path.name % number)
            Image.fromarray(frame).save(picture, format="PNG", compress_level=4)
            mark_png(picture, metadata)
        if finish:
            finish(part)
