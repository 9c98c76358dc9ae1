"""Sound out, not encoded again: a recording's own packets, where a video's container holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple, cast

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError

from stylehead.media.audio import Sound
from stylehead.media.container import (
    BROADCAST,
    beginning,
    film_track,
    open_container,
    sound_track,
)
from stylehead.media.formats import MATROSKA, Format
from stylehead.media.matroska_head import CODECS, matroska_head
from stylehead.media.sound_stream import LEAST_LEAD, aac_layout, format_of_track

UNEVEN = Fraction(2, 1000)  # seconds by which time stamps may be off: some containers round to 1 ms
CHANGES: tuple[Literal["new_extradata"], Literal["param_change"]] = (
    "new_extradata",
    "param_change",
)
"""What FFmpeg tells with a packet from which on a track is another."""
OLD_AAC = ("LC", "HE-AAC", "HE-AACv2")
"""Profiles of AAC that players know."""
LEAST_MP3 = 16_000  # Hz that an MP4 may have of MP3


@dataclass(frozen=True, slots=True)
class Packets:
    """Where a recording's packets belong in a video; times are ticks of its sound track."""

    zero: int
    """The first sample that is heard."""
    end: int
    """The last one's end."""
    warm_up: Fraction
    """Seconds that a decoder puts out before the first sample that is heard."""


class _Stamp(NamedTuple):
    start: int
    length: int


def packets_of(sound: Sound, kind: Format) -> Packets | None:
    """Return how a recording can be copied into a format; None where it has to be encoded.

    That is for a part of a recording, a codec or channels the container does not take, and for time
    stamps with gaps, a late beginning or another length than the samples have.
    """
    if sound.chosen or sound.lead or not kind.copied:
        return None
    with open_container(sound.path, "recording") as container:
        track = sound_track(container)
        if track is None or not _fits(track, container, kind):
            return None
        tick = cast("Fraction", track.time_base)
        film = film_track(sound.path, container)
        expected = None if film is None else beginning(container, track, film)
        zero = _first_sample(sound.path)
    stamps = _stamps(sound.path)
    if zero is None or not stamps or not _even(stamps, tick):
        return None
    if expected is not None and abs(float(zero) - expected) > LEAST_LEAD:
        return None
    end = zero + Fraction(sound.seconds)
    last, longest = stamps[-1], max(stamp.length for stamp in stamps)
    if not last.start * tick < end <= (last.start + longest) * tick + UNEVEN:
        return None
    return Packets(round(zero / tick), round(end / tick), zero - stamps[0].start * tick)


def _fits(track: av.AudioStream, container: InputContainer, kind: Format) -> bool:
    """Return whether a container can hold a track as it is, and players would play it."""
    context, name = track.codec_context, _codec_of(track)
    if name not in kind.copied or container.format.name in BROADCAST:
        return False
    if name == "aac" and (context.profile not in OLD_AAC or not context.extradata):
        return False  # without a header of its own, each packet may be of another kind
    if name == "mp3" and kind is not MATROSKA and context.sample_rate < LEAST_MP3:
        return False
    stored = format_of_track(track)
    return aac_layout(stored) == stored.layout


def _codec_of(track: av.AudioStream) -> str:
    return track.codec_context.codec.canonical_name


def _first_sample(path: Path) -> Fraction | None:
    """Return the time stamp of the first sample that is heard."""
    with open_container(path, "recording") as container:
        frame = next(container.decode(audio=_index(container)), None)
        if frame is None or frame.pts is None or frame.time_base is None:
            return None
        return frame.pts * frame.time_base


def _index(container: InputContainer) -> int:
    track = sound_track(container)
    assert track is not None  # as it was when the recording was measured
    return list(container.streams.audio).index(track)


def _stamps(path: Path) -> list[_Stamp]:
    """Return when each packet starts and how long it lasts, in ticks; nothing is decoded.

    None are returned where one does not say it, where the sound changes its kind on the way, and
    for a file that is damaged at its end.
    """
    with open_container(path, "recording") as container:
        index = _index(container)
        mp3 = _codec_of(container.streams.audio[index]) == "mp3"
        stamps: list[_Stamp] = []
        kinds: set[int] = set()
        try:
            for packet in container.demux(audio=index):
                if not packet.size:
                    continue
                if packet.pts is None or packet.duration is None or packet.is_corrupt:
                    return []
                if any(packet.has_sidedata(change) for change in CHANGES):
                    return []
                if mp3:
                    kinds.add(_kind_of_mp3(bytes(packet)[:4]))
                stamps.append(_Stamp(packet.pts, packet.duration))
        except FFmpegError:
            return []
    return stamps if len(kinds) < 2 else []


def _kind_of_mp3(header: bytes) -> int:
    """Return what says a packet's version, rate and whether it is mono: files are put together."""
    number = int.from_bytes(header, "big")
    mono = number >> 6 & 3 == 3
    return number & 0xFFFE0C00 | mono


def _even(stamps: list[_Stamp], tick: Fraction) -> bool:
    return all(
        abs(later.start - before.start - before.length) * tick <= UNEVEN
        for before, later in pairwise(stamps)
        if before.length  # which FFmpeg does not know of the first packet in Matroska
    )


class CopiedSound:
    """The recording's packets, written alongside the pictures."""

    def __init__(
        self, container: OutputContainer, sound: Sound, packets: Packets, kind: Format
    ) -> None:
        self._container = container
        self._packets = packets
        with open_container(sound.path, "recording") as recording:
            track = recording.streams.audio[_index(recording)]
            self._settles = _codec_of(track) == "vorbis"
            if kind is MATROSKA and packets.warm_up and _untold(track):
                with av.open(BytesIO(_head(track, packets.warm_up)), format="matroska") as told:
                    self._stream = container.add_stream_from_template(told.streams.audio[0])
            else:
                self._stream = container.add_stream_from_template(track)
        self._left = self._read(sound.path)
        self._next = next(self._left, None)

    def write_until(self, seconds: Fraction | None) -> None:
        """Write packets that start before this time; None writes the rest."""
        while self._next is not None:
            packet = self._next
            start = cast("int", packet.pts) * packet.time_base
            if seconds is not None and start >= seconds:
                return
            packet.stream = self._stream
            self._container.mux(packet)
            self._next = next(self._left, None)

    def _read(self, path: Path) -> Iterator[av.Packet[av.AudioStream]]:
        """Yield packets at their times in the video; the last one ends where the sound does."""
        length = self._packets.end - self._packets.zero
        with open_container(path, "recording") as recording:
            for packet in recording.demux(audio=_index(recording)):
                if not packet.size or packet.pts is None:
                    continue
                start = packet.pts - self._packets.zero
                packet.duration = min(packet.duration or 0, length - start)
                # Vorbis gives no sound for its first packet: it comes with the second.
                packet.pts = packet.dts = max(start, 0) if self._settles else start
                yield packet


def _untold(track: av.AudioStream) -> bool:
    """Return whether a muxer is not told of the warm-up by the track itself."""
    return _codec_of(track) in CODECS and not track.codec_context.delay


def _head(track: av.AudioStream, warm_up: Fraction) -> bytes:
    context = track.codec_context
    return matroska_head(
        _codec_of(track),
        rate=context.sample_rate,
        channels=context.channels,
        private=context.extradata or b"",
        warm_up=warm_up,
    )
