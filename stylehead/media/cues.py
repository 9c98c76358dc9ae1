"""Cues: which words are sung when, and by whom, from lyrics as LRC or SRT."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

from stylehead.errors import MediaError
from stylehead.files import check_file

CUE_SUFFIXES = (".lrc", ".srt")
"""Endings of files that read_cues reads."""
LARGEST = 1_000_000  # bytes; lyrics take a few thousand
MOST_CUES = 10_000  # of a file
MOST_SHOWN = 20  # lines at once; a screen has no room for more
NAME = r"[^\s:+=]+"
SINGERS = re.compile(rf"({NAME}(?:={NAME})?(?:\+{NAME}(?:={NAME})?)*):(?:\s+|$)(.*)")
"""Who sings a line: numbers of faces or names, joined by +; 1=Anna also gives a face a name."""
LRC_TIME = re.compile(r"\[([0-9]{1,5}):([0-5]?[0-9])(?:[.:]([0-9]{1,3}))?\]")
LRC_TAG = re.compile(r"\[([A-Za-z#][^:\]]*):([^\]]*)\]\s*")
LRC_WORD = re.compile(r"<[0-9]{1,5}:[0-9]{1,2}(?:[.:][0-9]{1,3})?>\s*")
OFFSET = re.compile(r"\s*[+-]?[0-9]{1,9}\s*")
FACE = re.compile(r"0*[1-9][0-9]{0,3}")
"""The number of a face."""
SRT_TIME = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])[,.]([0-9]{1,3})")
SRT_SPAN = re.compile(rf"\s*{SRT_TIME.pattern}\s*-->\s*{SRT_TIME.pattern}(?:\s.*)?")
SRT_LOOK = re.compile(r"</?(?:b|i|u|font)\b[^<>]*>|\{\\[^{}]*\}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A line of a song."""

    start: float
    """Seconds."""
    end: float
    """Seconds; infinite where the line lasts until the recording ends."""
    text: str
    faces: tuple[int, ...] = ()
    """Numbers of the faces that sing it; none named, all who sing do."""


class Subtitle(NamedTuple):
    """Words that are shown; no two at once."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    text: str


def read_cues(path: Path) -> tuple[Cue, ...]:
    """Read lyrics with their times, in order of time, whatever their order in the file.

    A line of the song may begin with who sings it: `1:`, `1+2:`, or a name that some line gives to
    a face, as `1=Anna:` does. Raises MediaError with the number of the first line that is not
    understood.
    """
    check_file(path, "lyrics")
    if path.suffix.lower() not in CUE_SUFFIXES:
        raise MediaError(
            f"{path} does not end in {' or '.join(CUE_SUFFIXES)}.",
            remedy="Give lyrics as LRC or SRT.",
        )
    lines = _lines(path)
    read = _lrc if path.suffix.lower() == ".lrc" else _srt
    timed = list(islice(read(path, lines), MOST_CUES + 1))
    if not timed:
        raise MediaError(f"{path} has no line with a time.", remedy=FORMS[path.suffix.lower()])
    if len(timed) > MOST_CUES:
        raise MediaError(
            f"{path} has more than {MOST_CUES} lines with a time.",
            remedy="Give the lyrics of one song.",
        )
    names = _names(path, timed)
    cues = (
        Cue(start=one.start, end=one.end, text=one.words, faces=_faces(path, one, names))
        for one in timed
    )
    return tuple(sorted(cues, key=lambda cue: (cue.start, cue.end)))


def subtitles(cues: Sequence[Cue]) -> list[Subtitle]:
    """Return what is shown: lines that are sung at once stand below each other."""
    times = sorted({time for cue in cues for time in (cue.start, cue.end)})
    waiting = sorted((cue.start, place) for place, cue in enumerate(cues) if cue.text)
    waiting.reverse()
    sung: list[int] = []  # places of the cues that are being sung
    shown: list[Subtitle] = []
    for start, end in pairwise(times):
        sung = [place for place in sung if start < cues[place].end]
        while waiting and waiting[-1][0] <= start:
            bisect.insort(sung, waiting.pop()[1])
        if lines := [cues[place].text for place in sung if start < cues[place].end]:
            shown.append(Subtitle(start, end, "\n".join(lines[:MOST_SHOWN])))
    return shown


# ---- the two formats ------------------------------------------------------------------------


class _Timed(NamedTuple):
    """A line of the song as the file has it."""

    number: int
    """Of the line in the file, from 1."""
    start: float
    end: float
    singers: str
    words: str


FORMS = {
    ".lrc": "Write [mm:ss.xx] before each line, as in [01:02.50] 1: la la.",
    ".srt": "Write 00:01:02,500 --> 00:01:04,000 in a line, and what is sung below it.",
}


def _lines(path: Path) -> list[str]:
    if path.stat().st_size > LARGEST:
        raise _not_text(path)
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise _not_text(path) from error


def _not_text(path: Path) -> MediaError:
    return MediaError(f"{path} is not a text in UTF-8.", remedy="Save the lyrics as UTF-8.")


def _wrong(path: Path, number: int, problem: str, remedy: str) -> MediaError:
    return MediaError(f"{path}, line {number}: {problem}.", remedy=remedy)


def _lrc(path: Path, lines: list[str]) -> Iterator[_Timed]:
    """Yield the lines of an LRC file; each ends where the next one, or an empty one, begins."""
    found: list[tuple[int, float, str]] = []
    later = 0.0
    for number, line in enumerate((one.strip() for one in lines), 1):
        if tag := LRC_TAG.fullmatch(line):
            if tag[1].strip().lower() == "offset":
                later = -_milliseconds(path, number, tag[2]) / 1000
            continue
        words, times = line, list[float]()
        while stamp := LRC_TIME.match(words):
            minutes, seconds, part = stamp.groups()
            times.append(60 * int(minutes) + int(seconds) + float(f"0.{part or 0}"))
            words = words[stamp.end() :].lstrip()
        if line and not times:
            raise _wrong(path, number, f"{_shown(line)} has no time", FORMS[".lrc"])
        found += [(number, time, LRC_WORD.sub("", words)) for time in times]
    starts = sorted({time for _, time, _ in found})
    ends = dict(pairwise([*starts, math.inf]))
    for number, start, text in found:
        if text and ends[start] + later > 0:
            yield _Timed(number, max(start + later, 0.0), ends[start] + later, *_split(text))


def _milliseconds(path: Path, number: int, text: str) -> int:
    if OFFSET.fullmatch(text):
        return int(text)
    remedy = "Write milliseconds, as in [offset:250]."
    raise _wrong(path, number, f"{_shown(text)} is no offset", remedy)


def _srt(path: Path, lines: list[str]) -> Iterator[_Timed]:
    """Yield the lines of an SRT file; one that names nobody is sung by who sings that above it."""
    span: tuple[float, float] | None = None
    singers = ""
    for number, line in enumerate((one.strip() for one in lines), 1):
        if not line:
            span = None
        elif span is not None:
            if SRT_SPAN.fullmatch(line):
                raise _wrong(
                    path, number, "an empty line is missing before this one", FORMS[".srt"]
                )
            named, words = _split(SRT_LOOK.sub("", line))
            singers = named or singers
            yield _Timed(number, *span, singers, words)
        elif found := SRT_SPAN.fullmatch(line):
            numbers = found.groups()
            start, end = (_seconds(*numbers[first : first + 4]) for first in (0, 4))
            if end <= start:
                raise _wrong(path, number, f"{_shown(line)} ends before it begins", FORMS[".srt"])
            span, singers = (start, end), ""
        elif not line.isdecimal():  # the number that stands above the times
            raise _wrong(path, number, f"{_shown(line)} has no time", FORMS[".srt"])


def _seconds(hours: str, minutes: str, seconds: str, part: str) -> float:
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds) + float(f"0.{part}")


def _shown(line: str) -> str:
    return repr(line if len(line) <= 40 else f"{line[:37]}...")


# ---- who sings ------------------------------------------------------------------------------


def _split(text: str) -> tuple[str, str]:
    """Return who sings a line, as it is written, and the words."""
    named = SINGERS.fullmatch(text)
    return (named[1], named[2]) if named else ("", text)


def _names(path: Path, timed: list[_Timed]) -> dict[str, int]:
    """Return the faces of all names that the file gives, wherever it does."""
    names: dict[str, int] = {}
    for one in timed:
        for given in one.singers.split("+"):
            number, sign, name = given.partition("=")
            if not sign:
                continue
            face = _number(path, one.number, number)
            if name.isdecimal():
                problem = f"{given} gives a face another number"
                raise _wrong(path, one.number, problem, "Write a name, as in 1=Anna:.")
            if names.setdefault(name, face) != face:
                problem = f"{name} is already face {names[name]}"
                raise _wrong(path, one.number, problem, "Give each singer a name of their own.")
    return names


def _faces(path: Path, one: _Timed, names: dict[str, int]) -> tuple[int, ...]:
    faces: set[int] = set()
    for given in filter(None, one.singers.split("+")):
        who = given.partition("=")[0]
        faces.add(names[who] if who in names else _number(path, one.number, who))
    return tuple(sorted(faces))


def _number(path: Path, number: int, who: str) -> int:
    if FACE.fullmatch(who):
        return int(who)
    raise _wrong(
        path,
        number,
        f"{_shown(who)} is no face",
        f"Faces have numbers from 1, counted from the left; write 1={who.lstrip('0') or 'Anna'}: "
        "once to give a face a name, or 1: before a line with a colon.",
    )
