"""A song: who sings what and when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stylehead.errors import ConfigError
from stylehead.face.geometry import smoothstep
from stylehead.files import check_file, is_file
from stylehead.media.audio import Sound, open_together
from stylehead.media.cues import Cue, Subtitle, read_cues, subtitles
from stylehead.options import MotionOptions, Options
from stylehead.speech.listen import refuse_silent
from stylehead.style.mix import as_mix
from stylehead.types import Floats, StyleMix

AROUND = 0.15  # seconds around a line of the lyrics in which its mouth opens and shuts


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Singer:
    """A face, and the voice that its mouth follows."""

    face: int | None
    """Its number from the left; None: the one that is chosen in the picture."""
    sound: Sound
    mix: StyleMix
    stem: Path | None = None
    """The file of a voice of its own; None: it follows what all listen to."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Song:
    """What is sung, and by whom."""

    played: Sound
    """The recording of all that is heard."""
    mix: StyleMix
    """How those move who do not sing."""
    singers: tuple[Singer, ...]
    """From left to right."""
    cues: tuple[Cue, ...]
    """The lyrics of the part that is used, timed from its beginning."""

    @property
    def faces(self) -> list[int]:
        """Numbers of the faces that sing; empty when one sings that nobody has numbered."""
        return [one.face for one in self.singers if one.face is not None]

    @property
    def subtitles(self) -> list[Subtitle]:
        """What is shown, and when."""
        return subtitles(self.cues)

    def opened(self, face: int | None, frames: int, fps: Fraction) -> Floats | None:
        """Return how far a mouth may open at each frame (T,): 1 in its lines, 0 elsewhere.

        None for a face of which no line speaks: it follows its stem all through.
        """
        lines = [cue for cue in self.cues if not cue.faces or face in cue.faces]
        if not lines:
            return None
        times = np.arange(frames) / float(fps)
        near = np.zeros(frames, np.float32)
        for line in lines:
            outside = np.maximum(line.start - times, times - line.end)
            near = np.maximum(near, 1 - outside.clip(0, AROUND) / AROUND)
        return smoothstep(near).astype(np.float32)


def files_of(options: Options) -> list[Path]:
    """Return what is read beside picture and recording: matte, stems, lyrics, a background."""
    behind = Path(options.background) if options.background else None
    behind = behind if behind and is_file(behind) else None
    named = [path for path in (options.matte, options.vocals, options.cues, behind) if path]
    return named + [path for _, path, _ in map(asked, options.sing or ())]


def open_song(audio: Path, mix: StyleMix, options: Options) -> Song:
    """Return who sings what: faces of `--sing` their stems, others that the lyrics name the voice.

    Without either, it is whoever is chosen in the picture, to the recording.

    Raises MediaError, StyleError or ConfigError for stems, styles and lyrics that do not fit.
    """
    lines = read_cues(options.cues) if options.cues else ()
    named = [asked(text) for text in options.sing or ()]
    numbers = [face for face, _, _ in named]
    if doubled := {face for face in numbers if numbers.count(face) > 1}:
        raise ConfigError(
            f"Face {min(doubled)} has two stems.",
            remedy="Give each face one --sing, or mix its stems.",
        )
    cued = {face for line in lines for face in line.faces}.difference(numbers)
    if (numbers or cued) and (options.face or options.crop):
        raise ConfigError(
            f"{'--face' if options.face else '--crop'} shows one face, and the song names others.",
            remedy="Leave it out where --sing, or the lyrics of --cues, number the faces.",
        )
    if numbers and not cued and options.vocals:
        raise ConfigError(
            "--vocals moves no face: each has a stem of its own.",
            remedy="Leave out --vocals; --sing N=STEM says what a face follows.",
        )
    played, stems = _recordings(audio, [path for _, path, _ in named], options)
    singers = [
        Singer(
            face=face,
            sound=stems[path],
            mix=as_mix(style, strength=options.style_strength) if style else mix,
            stem=path,
        )
        for face, path, style in named
    ]
    if cued or not singers:
        voice = stems[options.vocals] if options.vocals else played
        singers += [Singer(face=face, sound=voice, mix=mix) for face in cued or {None}]
    return Song(
        played=played,
        mix=mix,
        singers=tuple(sorted(singers, key=lambda one: one.face or 0)),
        cues=within(lines, options.start, played.seconds),
    )


def check_heard(song: Song) -> None:
    """Raise MediaError for a silent recording that a face follows; with a silent stem it rests."""
    for singer in song.singers:
        if not singer.stem:
            refuse_silent(singer.sound)


def listened_to(audio: Path, options: MotionOptions) -> Sound:
    """Return the recording, or the stem that is listened to in its place."""
    played, stems = _recordings(audio, [], options)
    return stems[options.vocals] if options.vocals else played


def _recordings(
    audio: Path, stems: Sequence[Path], options: MotionOptions
) -> tuple[Sound, dict[Path, Sound]]:
    """Return what is used of a recording, and of all its stems."""
    return open_together(
        audio,
        [options.vocals, *stems] if options.vocals else stems,
        start=options.start,
        duration=options.duration,
        offset=options.vocals_offset,
    )


def within(cues: Sequence[Cue], start: float, seconds: float) -> tuple[Cue, ...]:
    """Return the cues of a part of the recording, timed from its beginning and cut to it."""
    moved = (
        replace(cue, start=max(cue.start - start, 0.0), end=min(cue.end - start, seconds))
        for cue in cues
    )
    return tuple(cue for cue in moved if cue.end > cue.start)


def asked(text: str) -> tuple[int, Path, str | None]:
    """Return the face, stem and style of N=STEM[:STYLE].

    The stem is the longest beginning up to a colon that is a file: names of files, and drives, may
    have colons. Without any, the first colon that is not a drive's counts.
    """
    number, _, rest = text.partition("=")
    if not (re.fullmatch(r"\s*0*[1-9]\d{0,3}\s*", number, re.ASCII) and rest):
        raise ConfigError(
            f"{text} does not give a face a stem.",
            remedy="Write --sing N=STEM or N=STEM:STYLE, with the face's number from the left.",
        )
    colons = [at for at, letter in enumerate(rest) if letter == ":" and at != 1]
    ends = [len(rest), *reversed(colons)]
    end = next((end for end in ends if is_file(Path(rest[:end]))), min(ends))
    stem = Path(rest[:end])
    check_file(stem, "stem")
    return int(number), stem, rest[end + 1 :] or None
