"""Video out: segments laid together with the recording's sound, in MP4 or Matroska."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.subtitles.stream import SubtitleStream

from stylehead.errors import MediaError
from stylehead.files import atomic
from stylehead.media.audio import Sound, mono
from stylehead.media.container import cause_of
from stylehead.media.copied_sound import CopiedSound, Packets
from stylehead.media.cues import Subtitle
from stylehead.media.formats import MATROSKA, MP4, Format, format_of
from stylehead.media.h264 import H264, X264
from stylehead.media.segment import Segment, set_up
from stylehead.media.sound_stream import aac_layout, read_sound, sound_format
from stylehead.types import Floats


def missing_encoders() -> list[str]:
    """Return the names of needed encoders that this build of PyAV lacks."""
    return [name for name in ("libx264", "aac") if name not in av.codecs_available]


CONTAINERS = {
    MP4.container: {"movflags": "faststart+use_metadata_tags"},
    MATROSKA.container: {"fflags": "+bitexact"},  # else it gets a random number
}
PIPED = {
    MP4.container: {
        "movflags": "frag_keyframe+empty_moov+default_base_moof+use_metadata_tags",
    },
    MATROSKA.container: CONTAINERS[MATROSKA.container],
}
MOST_WORDS = 65_535  # bytes of one subtitle, whose length has two
MILLISECONDS = 1000  # of a second: the times of subtitles
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


def write_video(
    path: Path,
    segments: Iterable[Segment],
    *,
    size: tuple[int, int],
    fps: Fraction,
    sound: Sound,
    metadata: dict[str, str],
    shown: Sequence[Subtitle] = (),
    packets: Packets | None = None,
    kind: Format | None = None,
    by: H264 = X264,
    to: BinaryIO | None = None,
    finish: Callable[[Path], None] | None = None,
) -> int:
    """Lay segments together as they come, with the recording's own sound; return their frames.

    H.264 and AAC in MP4, playable before it is fully loaded, or in Matroska, by the path's ending.
    size: width and height of the segments' frames; `by`: what encoded them all. Sound is copied
    where its `packets` are given; else it keeps its rate and channels where AAC can carry them.
    What is `shown` as subtitles is a track of its own, which players show or hide. The file appears
    only when everything was written and `finish` has done the last thing to it; raises MediaError
    when it cannot be. With `to` the video goes there as it is made, as a `kind` of file.
    """
    kind = kind or format_of(path)
    options = (PIPED if to else CONTAINERS)[kind.container]
    whole = nullcontext(Pipe(to)) if to else atomic(path)
    with whole as part:
        with opened(path, part, kind.container, options) as container:
            container.metadata.update(metadata)
            video = cast("av.VideoStream", container.add_stream(by.codec, rate=fps))
            set_up(video.codec_context, *size, fps, by)
            track = sound_track_of(container, sound, packets, kind)
            words = WordTrack(container, shown, kind.words) if shown and kind.words else None
            count = 0
            for segment in segments:
                if by.hardware:
                    _check_header(by, segment, video, container)
                for packet, seconds in segment.packets(count, fps):
                    packet.stream = video
                    container.mux(packet)
                    track.write_until(seconds)
                    if words:
                        words.write_until(seconds)
                count += segment.frames
            track.write_until(None)
            if words:
                words.write_until(count / fps)
        if finish and isinstance(part, Path):
            finish(part)
    return count


def _check_header(
    by: H264, segment: Segment, video: av.VideoStream, container: OutputContainer
) -> None:
    """Raise MediaError for a segment that players could not decode after the others."""
    container.start_encoding()
    if segment.header != video.codec_context.extradata:
        raise MediaError(
            f"The video encoder {by.name} changes its parameters from segment to segment.",
            remedy="Encode with --video-encoder x264.",
        )


class Pipe:
    """What is written to as it comes; remembers whether nobody reads it any more."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = to
        self.broken = False

    def write(self, data: bytes) -> int:
        """Write to it."""
        try:
            return self._to.write(data)
        except BrokenPipeError:
            self.broken = True
            raise


@contextmanager
def opened(
    path: Path, part: Path | Pipe, kind: str, options: dict[str, str]
) -> Generator[OutputContainer]:
    """Open a container to be written to `part`; an error inside the block names `path`.

    A pipe that nobody reads any more is a BrokenPipeError.
    """
    file = str(part.absolute()) if isinstance(part, Path) else part
    try:
        with av.open(file, "w", format=kind, options=options) as container:
            yield container
    except FFmpegError as error:
        if isinstance(part, Pipe) and part.broken:
            raise BrokenPipeError from error
        raise MediaError(
            f"{path} cannot be written ({cause_of(error)}).",
            remedy="Choose another --output, or free some space on the disk.",
        ) from error


class WordTrack:
    """Subtitles, each written when its time has come; the container fills the gaps."""

    def __init__(self, container: OutputContainer, shown: Sequence[Subtitle], codec: str) -> None:
        self._container = container
        self._counted = codec == "mov_text"
        self._stream = cast("SubtitleStream", container.add_stream(codec))
        self._stream.codec_context.subtitle_header = b""  # the player's own look; None is an error
        self._left = list(shown)

    def write_until(self, seconds: Fraction) -> None:
        """Write what is shown from before this time on."""
        while self._left and self._left[0].start < seconds:
            start, end, text = self._left.pop(0)
            encoded = text.encode()[:MOST_WORDS].decode(errors="ignore").encode()
            length = len(encoded).to_bytes(2, "big") if self._counted else b""
            packet = av.Packet(length + encoded)
            packet.stream = self._stream
            packet.time_base = Fraction(1, MILLISECONDS)
            packet.pts = packet.dts = round(start * MILLISECONDS)
            packet.duration = round(end * MILLISECONDS) - packet.pts
            self._container.mux(packet)


def sound_track_of(
    container: OutputContainer, sound: Sound, packets: Packets | None, kind: Format
) -> SoundTrack | CopiedSound:
    """Return what writes a recording's sound: its `packets` as they are, or encoded anew."""
    if packets:
        return CopiedSound(container, sound, packets, kind)
    assert kind.sound  # what is silent gets no track
    return SoundTrack(container, sound, kind.sound)


class SoundTrack:
    """The recording's sound, written alongside the pictures so that memory stays flat."""

    def __init__(self, container: OutputContainer, sound: Sound, codec: str) -> None:
        stored = sound_format(sound.path)
        kept = codec == "pcm_s16le" or (codec == "aac" and sound.sample_rate in AAC_RATES)
        rate = sound.sample_rate if kept else 48_000
        self._layout = aac_layout(stored)
        self._container = container
        made = container.add_stream(codec, rate=rate, layout=self._layout)
        self._stream = cast("av.AudioStream", made)
        if codec != "pcm_s16le":
            channels = self._stream.codec_context.channels
            self._stream.codec_context.bit_rate = (96_000 if rate >= 32_000 else 48_000) * channels
        self._mixed = self._layout == "mono" and stored.channels > 1
        self._signs = sound.signs
        self._blocks = read_sound(
            sound.path, rate=rate, layout=None if self._mixed else self._layout
        )
        self._skip = round(sound.start * rate)
        self._left = round(sound.seconds * rate)
        self._written = 0
        self._rate = rate

    def write_until(self, seconds: Fraction | None) -> None:
        """Write sound up to this time; None writes the rest and closes the track."""
        while self._left and (seconds is None or self._written < seconds * self._rate):
            block = next(self._blocks, None)
            if block is None:
                self._left = 0
                break
            samples = block[self._skip : self._skip + self._left]
            self._skip -= min(self._skip, len(block))
            if len(samples):
                self._encode(mono(samples, self._signs)[:, None] if self._mixed else samples)
        if seconds is None:
            self._container.mux(self._stream.encode(None))

    def _encode(self, samples: Floats) -> None:
        packed = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts = self._written
        frame.time_base = Fraction(1, self._rate)
        self._container.mux(self._stream.encode(frame))
        self._written += len(samples)
        self._left -= len(samples)
