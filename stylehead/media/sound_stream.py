"""The samples of a recording's sound track, block by block, in their places in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler

from stylehead.errors import MediaError
from stylehead.media.container import (
    beginning,
    film_track,
    open_container,
    sound_track,
    until_damaged,
)
from stylehead.types import Floats

GAP = 0.04  # seconds by which time stamps may run ahead of the samples: beyond it some are missing
LONGEST_GAP = 3600.0  # seconds; a larger step means that time stamps began anew
LEAST_LEAD = 0.001  # seconds between the picture's and the sound's beginning that count


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How a sound track is stored."""

    rate: int
    """Hz."""
    channels: int
    layout: str
    """FFmpeg's name of the channels' places, or "N channels" when they have none."""

    @property
    def has_places(self) -> bool:
        """Whether it is known which channel belongs where."""
        return not self.layout.startswith((f"{self.channels} channels", "ambisonic"))


def sound_format(path: Path) -> SoundFormat:
    """Return how a recording's sound is stored; raises MediaError for a file without any."""
    with open_container(path, "recording") as container:
        stream = sound_track(container)
        if stream is None:
            raise MediaError(f"{path} has no sound.", remedy="Give a recording of a voice.")
        return format_of_track(stream)


def format_of_track(track: av.AudioStream) -> SoundFormat:
    """Return how a sound track is stored."""
    context = track.codec_context
    return SoundFormat(context.sample_rate, context.channels, context.layout.name)


AAC_PLACES = {
    "mono": "FC",
    "stereo": "FL FR",
    "3.0": "FL FR FC",
    "4.0": "FL FR FC BC",
    "5.0": "FL FR FC BL BR",
    "5.1": "FL FR FC LFE BL BR",
    "7.1": "FL FR FC LFE BL BR SL SR",
}
"""Layouts that AAC names, and the channels of each."""
UNNAMED = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""What so many channels are, where a file does not name their places."""


def aac_layout(stored: SoundFormat) -> str:
    """Return the smallest layout AAC has a name for that holds all channels, else stereo.

    Side channels are the back ones of a layout with one pair. Channels without places are mono,
    but for the counts that everybody uses for one layout.
    """
    if not stored.has_places:
        return UNNAMED.get(stored.channels, "mono")
    places = {channel.name for channel in av.AudioLayout(stored.layout).channels}
    if not places & {"BL", "BR"}:
        places = {{"SL": "BL", "SR": "BR"}.get(place, place) for place in places}
    fitting = (name for name, held in AAC_PLACES.items() if places <= set(held.split()))
    return next(fitting, "stereo")


def read_sound(
    path: Path, *, rate: int | None = None, layout: str | None = None
) -> Iterator[Floats]:
    """Yield blocks (N, C) of the default sound track; None keeps the recording's rate or layout.

    Time counts from the file's beginning: a track that starts later, and a hole in its time
    stamps, are filled with silence. A damaged tail ends the sound quietly.
    """
    with open_container(path, "recording") as container:
        stream = sound_track(container)
        if stream is None:
            return
        film = film_track(path, container)
        zero = beginning(container, stream, film)
        rate = rate or stream.codec_context.sample_rate
        layout = layout or stream.codec_context.layout.name
        converter = _Converter(layout, rate)
        clock: float | None = None  # seconds at which the next frame is due
        for frame in until_damaged(container.decode(stream)):
            time = frame.time
            if clock is None and time is not None:
                zero = time if film is None else zero
                yield from converter.move_to(time - zero, LEAST_LEAD)
            elif clock is not None and time is not None and GAP < time - clock < LONGEST_GAP:
                yield from converter.move_to(time - zero, GAP)
            elif clock is not None and time is not None and abs(time - clock) > GAP:
                zero += time - clock  # time stamps that began anew: sound goes on as it comes
            yield from converter.convert(frame)
            length = frame.samples / frame.sample_rate
            # From the time stamps, or rounding would add up; from the samples where there are none.
            clock = (clock or 0.0) + length if time is None else time + length
        yield from converter.finish()


class _Converter:
    """Brings frames to one layout and rate as packed float32; planes end at eight channels."""

    def __init__(self, layout: str, rate: int) -> None:
        self._layout, self._rate = layout, rate
        self._channels = av.AudioLayout(layout).nb_channels
        self._resampler: AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None
        self._given = 0  # samples; below zero while what lies before time zero is dropped

    def move_to(self, seconds: float, tolerance: float) -> Iterator[Floats]:
        """Yield silence up to a time; the first frame may lie before zero, and is cut."""
        yield from self.finish()
        missing = round(seconds * self._rate) - self._given
        if missing >= tolerance * self._rate:
            for start in range(0, missing, self._rate):
                count = min(self._rate, missing - start)
                yield np.zeros((count, self._channels), np.float32)
            self._given += missing
        elif self._given == 0:
            self._given = min(missing, 0)

    def convert(self, frame: av.AudioFrame) -> Iterator[Floats]:
        """Yield a frame's samples (N, C); some come with a later one."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:  # broadcasts change within one track
            yield from self.finish()
            self._kind = kind
        if self._resampler is None:
            self._resampler = AudioResampler("flt", self._layout, self._rate)
        frame.pts = None
        yield from self._blocks(self._resampler.resample(frame))

    def finish(self) -> Iterator[Floats]:
        """Yield what is still held back."""
        if self._resampler is not None:
            held, self._resampler = self._resampler.resample(None), None
            yield from self._blocks(held)

    def _blocks(self, frames: list[av.AudioFrame]) -> Iterator[Floats]:
        for frame in frames:
            samples = np.asarray(frame.to_ndarray(), np.float32).reshape(-1, self._channels)
            before = min(max(-self._given, 0), len(samples))
            self._given += len(samples)
            if before < len(samples):
                yield np.nan_to_num(samples[before:], posinf=1.0, neginf=-1.0)
